public import TraceModel

/// Reads the graph of services that call each other.
public protocol DependencyReader: Sendable {
  /// The links that were seen in a window, one for each (parent, child, source), ascending by these texts' UTF-8 bytes.
  func getDependencies(_ query: DependencyQuery) async throws -> ResultList<DependencyLink>
}

/// Stores links that were computed elsewhere.
public protocol DependencyWriter: Sendable {
  /// Stores one snapshot. Snapshots in one window add up.
  func writeDependencies(_ links: [DependencyLink], at time: Timestamp) async throws
}

/// The window of a service graph: [start, end); the greatest end means unbounded.
public struct DependencyQuery: Hashable, Sendable {
  public var start: Timestamp
  public var end: Timestamp

  public init(start: Timestamp = .zero, end: Timestamp = .maximum) {
    self.start = start
    self.end = end
  }
}

/// One service calling another.
public struct DependencyLink: Hashable, Sendable {
  public var parent: String
  public var child: String
  public var callCount: UInt64
  /// Calls whose child side has status error; nil when it isn't known.
  public var errorCount: UInt64?
  /// Nil when it isn't known.
  public var latency: Latency?
  /// Who found the link; empty for none.
  public var source: String

  /// How long the calls took, seen from the child, in nanoseconds.
  public struct Latency: Hashable, Sendable {
    /// The sum over all calls, saturating.
    public var sumNanoseconds: UInt64
    /// The median.
    public var medianNanoseconds: UInt64
    /// The 95th percentile.
    public var percentile95Nanoseconds: UInt64
    public var maximumNanoseconds: UInt64

    public init(
      sumNanoseconds: UInt64, medianNanoseconds: UInt64, percentile95Nanoseconds: UInt64, maximumNanoseconds: UInt64
    ) {
      self.sumNanoseconds = sumNanoseconds
      self.medianNanoseconds = medianNanoseconds
      self.percentile95Nanoseconds = percentile95Nanoseconds
      self.maximumNanoseconds = maximumNanoseconds
    }
  }

  public init(
    parent: String, child: String, callCount: UInt64, errorCount: UInt64? = nil, latency: Latency? = nil,
    source: String = ""
  ) {
    self.parent = parent
    self.child = child
    self.callCount = callCount
    self.errorCount = errorCount
    self.latency = latency
    self.source = source
  }
}

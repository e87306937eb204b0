public import TraceModel

/// Reads the graph of services that call each other.
public protocol DependencyReader: Sendable {
  /// The links that were seen in a window, one for each (parent, child, source, connection), ascending by these texts'
  /// UTF-8 bytes.
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
  /// Whether calls of a service to itself are links too.
  public var includesSelfCalls: Bool

  public init(start: Timestamp = .zero, end: Timestamp = .maximum, includesSelfCalls: Bool = false) {
    self.start = start
    self.end = end
    self.includesSelfCalls = includesSelfCalls
  }

  /// Whether an instant lies in the window.
  public func contains(_ time: Timestamp) -> Bool { time >= start && (time < end || end == .maximum) }
}

/// How two services are connected.
public struct ConnectionKind: RawRepresentable, Hashable, Sendable {
  public var rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// It isn't known.
  public static let unspecified = ConnectionKind(rawValue: "")
  /// A client waits for a server.
  public static let call = ConnectionKind(rawValue: "call")
  /// A producer sends what a consumer takes.
  public static let messaging = ConnectionKind(rawValue: "messaging")
  /// A client asks a database that sends no spans.
  public static let database = ConnectionKind(rawValue: "database")
  /// A client calls something else that sends no spans.
  public static let external = ConnectionKind(rawValue: "external")
}

/// A service graph, and what could not become part of it.
public struct ServiceGraph: Hashable, Sendable {
  /// As `DependencyReader.getDependencies` gives them.
  public var links: [DependencyLink]
  /// Services with spans whose other half is missing, ascending by name. A half that comes late moves from here into
  /// the links.
  public var unpaired: [UnpairedSpans]
  public var summary: ResultSummary

  /// Spans of one service that stand at the end of a call whose other end is not known.
  public struct UnpairedSpans: Hashable, Sendable {
    public var service: String
    /// Client and producer spans that nothing answers and whose attributes name no peer.
    public var callerCount: UInt64
    /// Server and consumer spans whose parent is not stored.
    public var calleeCount: UInt64

    public init(service: String, callerCount: UInt64 = 0, calleeCount: UInt64 = 0) {
      self.service = service
      self.callerCount = callerCount
      self.calleeCount = calleeCount
    }
  }

  public init(links: [DependencyLink] = [], unpaired: [UnpairedSpans] = [], summary: ResultSummary = ResultSummary()) {
    self.links = links
    self.unpaired = unpaired
    self.summary = summary
  }
}

/// One service calling another.
public struct DependencyLink: Hashable, Sendable {
  public var parent: String
  public var child: String
  public var connection: ConnectionKind
  public var callCount: UInt64
  /// Calls whose child side has status error; nil when it isn't known.
  public var errorCount: UInt64?
  /// Nil when it isn't known.
  public var latency: Latency?
  /// Who found the link; empty for none.
  public var source: String

  /// How long the calls took, seen from the child, in nanoseconds; from the parent where the child sends no spans.
  public struct Latency: Hashable, Sendable {
    /// The sum over all calls, saturating.
    public var sumNanoseconds: UInt64
    /// The median, at most 1/64 of itself away from the exact one.
    public var medianNanoseconds: UInt64
    /// The 95th percentile, as exact as the median.
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
    parent: String, child: String, connection: ConnectionKind = .unspecified, callCount: UInt64,
    errorCount: UInt64? = nil, latency: Latency? = nil, source: String = ""
  ) {
    self.parent = parent
    self.child = child
    self.connection = connection
    self.callCount = callCount
    self.errorCount = errorCount
    self.latency = latency
    self.source = source
  }
}

extension DependencyLink {
  /// The source of links that a store found in its own spans.
  public static let computedSource = "tracestore"

  /// The order of lists: by parent, child, source, connection, each by its UTF-8 bytes.
  public func precedes(_ other: DependencyLink) -> Bool {
    /// Nil for equal texts.
    func precedes(_ left: String, _ right: String) -> Bool? {
      left.utf8.elementsEqual(right.utf8) ? nil : left.utf8.lexicographicallyPrecedes(right.utf8)
    }
    return precedes(parent, other.parent) ?? precedes(child, other.child) ?? precedes(source, other.source)
      ?? precedes(connection.rawValue, other.connection.rawValue) ?? false
  }

  /// Links with equal ends, source and connection added up, in order. What is unknown of a part is unknown of the sum,
  /// and quantiles of several parts are.
  public static func summed(_ links: some Sequence<DependencyLink>) -> [DependencyLink] {
    var result: [DependencyLink] = []
    for link in links.sorted(by: { $0.precedes($1) }) {
      guard let last = result.last, !last.precedes(link) else {
        result.append(link)
        continue
      }
      result[result.count - 1].callCount = sum(last.callCount, link.callCount)
      result[result.count - 1].errorCount = last.errorCount.flatMap { left in link.errorCount.map { sum(left, $0) } }
      result[result.count - 1].latency = nil
    }
    return result
  }

  private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (sum, isOverflow) = left.addingReportingOverflow(right)
    return isOverflow ? .max : sum
  }
}

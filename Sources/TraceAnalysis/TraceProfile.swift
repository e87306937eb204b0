import TraceModel
public import TracestoreV2

/// An operation of a service.
public struct OperationKey: Hashable, Comparable, Sendable {
  public var service: String
  public var operation: String

  public init(service: String, operation: String) {
    self.service = service
    self.operation = operation
  }

  public init(_ span: FoundSpan) { self.init(service: span.resource.serviceName, operation: span.span.name) }

  /// By bytes: `String`s are equal when they look equal.
  public static func == (left: OperationKey, right: OperationKey) -> Bool {
    left.service.utf8.elementsEqual(right.service.utf8) && left.operation.utf8.elementsEqual(right.operation.utf8)
  }

  public static func < (left: OperationKey, right: OperationKey) -> Bool {
    for (a, b) in [(left.service, right.service), (left.operation, right.operation)]
    where !a.utf8.elementsEqual(b.utf8) {
      return a.utf8.lexicographicallyPrecedes(b.utf8)
    }
    return false
  }
}

/// An operation under another one.
public struct OperationEdge: Hashable, Comparable, Sendable {
  public var parent: OperationKey
  public var child: OperationKey

  public init(parent: OperationKey, child: OperationKey) {
    self.parent = parent
    self.child = child
  }

  public static func < (left: OperationEdge, right: OperationEdge) -> Bool {
    left.parent != right.parent ? left.parent < right.parent : left.child < right.child
  }
}

/// What a set of traces spends its time on, by operation. Adding traces is commutative.
///
/// Memory: eight bytes a span, for exact quantiles.
public struct TraceProfile: Sendable {
  /// What one operation takes part in.
  public struct Figures: Hashable, Sendable {
    public internal(set) var errorCount = 0
    /// Of its spans together, saturating, as the others.
    public internal(set) var totalNanoseconds: UInt64 = 0
    public internal(set) var selfNanoseconds: UInt64 = 0
    public internal(set) var criticalNanoseconds: UInt64 = 0
    /// Of each span, ascending once `TraceProfile.operations` gave it.
    public internal(set) var durations: [UInt64] = []
    /// How many traces it occurs in.
    public internal(set) var traceCount = 0

    public var spanCount: Int { durations.count }
  }

  public private(set) var traceCount = 0
  public private(set) var spanCount = 0
  /// The durations of all roots together, saturating; the critical times of the operations add up to it.
  public private(set) var totalNanoseconds: UInt64 = 0
  private var figures: [OperationKey: Figures] = [:]
  /// How often an operation stands directly under another, and in how many traces.
  public private(set) var edges: [OperationEdge: EdgeFigures] = [:]

  /// How often an edge occurs.
  public struct EdgeFigures: Hashable, Sendable {
    public internal(set) var count = 0
    public internal(set) var traceCount = 0
  }

  public init() {}

  /// Adds one trace. One without a final span adds nothing.
  public mutating func add(_ times: TraceTimes) {
    let forest = times.forest
    guard !forest.isEmpty else { return }
    traceCount += 1
    spanCount += forest.spans.count
    totalNanoseconds = Self.sum(totalNanoseconds, times.totalNanoseconds)
    let keys = forest.spans.map { OperationKey($0) }
    var ownEdges: Set<OperationEdge> = []
    for (index, found) in forest.spans.enumerated() {
      figures[keys[index], default: Figures()].add(
        found.span, selfNanoseconds: times.selfNanoseconds[index],
        criticalNanoseconds: times.criticalNanoseconds[index])
      if let parent = forest.parents[index] {
        let edge = OperationEdge(parent: keys[parent], child: keys[index])
        edges[edge, default: EdgeFigures()].count += 1
        ownEdges.insert(edge)
      }
    }
    for edge in ownEdges { edges[edge]?.traceCount += 1 }
    for key in Set(keys) { figures[key]?.traceCount += 1 }
  }

  public mutating func add(_ spans: some Sequence<FoundSpan>) { add(TraceTimes(TraceForest(spans))) }

  /// By critical time, the longest first, then by name.
  public var operations: [(key: OperationKey, figures: Figures)] {
    figures.map { key, figures in
      var figures = figures
      figures.durations.sort()
      return (key, figures)
    }.sorted { left, right in
      left.figures.criticalNanoseconds != right.figures.criticalNanoseconds
        ? left.figures.criticalNanoseconds > right.figures.criticalNanoseconds : left.key < right.key
    }
  }

  static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (sum, isOverflow) = left.addingReportingOverflow(right)
    return isOverflow ? .max : sum
  }
}

extension TraceProfile.Figures {
  fileprivate mutating func add(_ span: SpanRecord, selfNanoseconds own: UInt64, criticalNanoseconds critical: UInt64) {
    if span.isError { errorCount += 1 }
    durations.append(span.durationNanoseconds)
    totalNanoseconds = TraceProfile.sum(totalNanoseconds, span.durationNanoseconds)
    selfNanoseconds = TraceProfile.sum(selfNanoseconds, own)
    criticalNanoseconds = TraceProfile.sum(criticalNanoseconds, critical)
  }
}

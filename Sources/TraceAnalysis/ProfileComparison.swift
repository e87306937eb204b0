/// What changed from one set of traces to another: which operations and edges came or went, and how their figures moved.
///
/// Counts are compared for each trace, because the sets may be of any size. What a set lacks may only be rare: it counts
/// as gone or new when so many traces of the one set have it that 95 of 100 samples of the other's size would show it.
public struct ProfileComparison: Sendable {
  /// What happened to an operation or edge.
  public enum Presence: String, Hashable, Sendable {
    case both
    /// Only after.
    case appeared
    /// Only before.
    case vanished
    /// Only in one set, and too rare there to say more.
    case rare
  }

  /// A figure before and after; nil where the sample is too small to say.
  public struct Shift: Hashable, Sendable {
    public var before: Interval?
    public var after: Interval?
    /// True when both are known and their ranges do not meet.
    public var isClear: Bool {
      guard let before, let after else { return false }
      return before.isApart(from: after)
    }
  }

  /// One operation.
  public struct Row: Sendable {
    public var key: OperationKey
    public var presence: Presence
    public var before: TraceProfile.Figures?
    public var after: TraceProfile.Figures?
    public var median: Shift
    public var percentile95: Shift
    public var errorRate: Shift

    /// Self time a trace of the set, in nanoseconds.
    public var selfPerTrace: (before: Double, after: Double)
  }

  /// One edge.
  public struct EdgeRow: Hashable, Sendable {
    public var edge: OperationEdge
    public var presence: Presence
    public var beforeCount: Int
    public var afterCount: Int
  }

  public let beforeTraceCount: Int
  public let afterTraceCount: Int
  /// By the change of self time a trace, the largest first, then by name.
  public let rows: [Row]
  /// Those that only one set has, by name.
  public let edges: [EdgeRow]

  public init(before: TraceProfile, after: TraceProfile) {
    beforeTraceCount = before.traceCount
    afterTraceCount = after.traceCount
    let (old, new) = (before.operations, after.operations)
    let left = Dictionary(uniqueKeysWithValues: old.map { ($0.key, $0.figures) })
    let right = Dictionary(uniqueKeysWithValues: new.map { ($0.key, $0.figures) })
    let counts = (before.traceCount, after.traceCount)
    rows = Set(left.keys).union(right.keys).map { Self.row($0, left[$0], right[$0], counts) }
      .sorted { first, second in
        let changes = (first.selfChange, second.selfChange)
        return changes.0 != changes.1 ? changes.0 > changes.1 : first.key < second.key
      }
    edges = Set(before.edges.keys).union(after.edges.keys).sorted().compactMap { edge in
      let (old, new) = (before.edges[edge], after.edges[edge])
      guard old == nil || new == nil else { return nil }
      return EdgeRow(
        edge: edge, presence: Self.presence(old?.traceCount ?? 0, new?.traceCount ?? 0, counts),
        beforeCount: old?.count ?? 0, afterCount: new?.count ?? 0)
    }
  }

  /// With p the share of traces that have it, (1 − p)^n ≤ 5 % says that n traces would have shown it.
  static func presence(_ before: Int, _ after: Int, _ traceCounts: (before: Int, after: Int)) -> Presence {
    if before > 0, after > 0 { return .both }
    let (count, total, other) =
      before > 0
      ? (before, traceCounts.before, traceCounts.after) : (after, traceCounts.after, traceCounts.before)
    guard let share = Interval.share(count, of: total) else { return .rare }
    var missing = 1.0
    var rest = other
    while rest > 0, missing > 0.05 {
      missing *= 1 - share.low
      rest -= 1
    }
    guard missing <= 0.05 else { return .rare }
    return before > 0 ? .vanished : .appeared
  }

  private static func row(
    _ key: OperationKey, _ before: TraceProfile.Figures?, _ after: TraceProfile.Figures?,
    _ traceCounts: (before: Int, after: Int)
  ) -> Row {
    func shift(_ measure: (TraceProfile.Figures) -> Interval?) -> Shift {
      Shift(before: before.flatMap(measure), after: after.flatMap(measure))
    }
    func perTrace(_ figures: TraceProfile.Figures?, _ count: Int) -> Double {
      Double(figures?.selfNanoseconds ?? 0) / Double(max(1, count))
    }
    return Row(
      key: key,
      presence: presence(before?.traceCount ?? 0, after?.traceCount ?? 0, traceCounts), before: before, after: after,
      median: shift { Interval.quantile(0.5, of: $0.durations) },
      percentile95: shift { Interval.quantile(0.95, of: $0.durations) },
      errorRate: shift { Interval.share($0.errorCount, of: $0.spanCount) },
      selfPerTrace: (perTrace(before, traceCounts.before), perTrace(after, traceCounts.after)))
  }
}

extension ProfileComparison.Row {
  /// How far the self time a trace moved, in nanoseconds.
  var selfChange: Double { abs(selfPerTrace.after - selfPerTrace.before) }
}

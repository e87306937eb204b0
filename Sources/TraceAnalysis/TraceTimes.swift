public import TraceModel
import TracestoreV2

/// Where the time of a trace goes.
///
/// A span is seen where it overlaps its parent, which is seen where it overlaps its own: clocks that disagree and
/// children that outlive their parents cut time off, and never add any. A consumer runs for itself: it is not waited
/// for, so its time is not its parent's, and it has a path of its own like a root.
///
/// **Self time** of a span is the time in which it is seen and no child of its that is waited for is.
///
/// **Critical path**: of every instant of a root's duration one span is to blame. Walking back from the end of a span,
/// the child that ended last before the instant is to blame back to its start (and within it, the same rule); where no
/// child has just ended the span itself is. Children that were still running when a later one had begun were not waited
/// for. Of children that end together the one that starts first counts, then the one with the smaller place in
/// `TraceForest.spans`. So the shares of all spans below a root add up to the root's duration, exactly.
public struct TraceTimes: Sendable {
  /// A stretch of time for which one span is to blame.
  public struct Stretch: Hashable, Sendable {
    /// Index in `forest.spans`.
    public var span: Int
    public var start: Timestamp
    public var end: Timestamp
    public var nanoseconds: UInt64 { end.nanoseconds - start.nanoseconds }
  }

  public let forest: TraceForest
  /// Of each span, in nanoseconds.
  public private(set) var selfNanoseconds: [UInt64]
  /// Of each span, in nanoseconds.
  public private(set) var criticalNanoseconds: [UInt64]
  /// The critical paths of all roots and consumers, one after the other, each ascending in time.
  public private(set) var path: [Stretch] = []
  /// Where the paths begin: roots, and consumers below others. Ascending.
  public let pathRoots: [Int]
  /// The durations of `pathRoots` together, saturating: what `criticalNanoseconds` add up to.
  public let totalNanoseconds: UInt64

  /// O(n log n) in the spans of the trace.
  public init(_ forest: TraceForest) {
    self.forest = forest
    selfNanoseconds = [UInt64](repeating: 0, count: forest.spans.count)
    criticalNanoseconds = selfNanoseconds
    pathRoots = forest.spans.indices.filter { forest.parents[$0] == nil || forest.spans[$0].span.kind == .consumer }
    totalNanoseconds = pathRoots.reduce(0) { sum, root in
      let (total, isOverflow) = sum.addingReportingOverflow(forest.spans[root].span.durationNanoseconds)
      return isOverflow ? .max : total
    }
    var seen = [Range<UInt64>](repeating: 0..<0, count: forest.spans.count)
    for root in pathRoots {
      look(from: root, &seen)
      walk(from: root, seen)
    }
  }

  private func interval(_ index: Int) -> Range<UInt64> {
    let span = forest.spans[index].span
    return span.start.nanoseconds..<max(span.start.nanoseconds, span.end.nanoseconds)
  }

  private func awaited(_ index: Int) -> [Int] {
    forest.children[index].filter { forest.spans[$0].span.kind != .consumer }
  }

  /// Cuts every span below a root to what is seen of it, and sums up its self time.
  private mutating func look(from root: Int, _ seen: inout [Range<UInt64>]) {
    seen[root] = interval(root)
    var open = [root]
    while let index = open.popLast() {
      var covered: UInt64 = 0
      var end = seen[index].lowerBound
      let children = awaited(index)
      for child in children { seen[child] = interval(child).clamped(to: seen[index]) }
      for child in children.sorted(by: { seen[$0].lowerBound < seen[$1].lowerBound }) {
        let range = seen[child]
        if range.upperBound > end {
          covered += range.upperBound - max(end, range.lowerBound)
          end = range.upperBound
        }
      }
      selfNanoseconds[index] = seen[index].upperBound - seen[index].lowerBound - covered
      open += children
    }
  }

  /// A span on the path, with its children from the last to end to the first.
  private struct Frame {
    var span: Int
    /// Back to where the span is to blame or one below it.
    var start: UInt64
    /// What lies behind it is settled.
    var cursor: UInt64
    var children: ArraySlice<Int>
  }

  private mutating func walk(from root: Int, _ seen: [Range<UInt64>]) {
    var stretches: [Stretch] = []
    func frame(_ index: Int) -> Frame {
      let children = awaited(index).filter { !seen[$0].isEmpty }.sorted { left, right in
        if seen[left].upperBound != seen[right].upperBound { return seen[left].upperBound > seen[right].upperBound }
        if seen[left].lowerBound != seen[right].lowerBound { return seen[left].lowerBound < seen[right].lowerBound }
        return left < right
      }
      return Frame(
        span: index, start: seen[index].lowerBound, cursor: seen[index].upperBound, children: children[...])
    }
    func blame(_ span: Int, _ range: Range<UInt64>) {
      if range.isEmpty { return }
      stretches.append(
        Stretch(
          span: span, start: Timestamp(nanoseconds: range.lowerBound), end: Timestamp(nanoseconds: range.upperBound)))
    }
    var frames = [frame(root)]
    while var top = frames.popLast() {
      guard let child = top.children.popFirst() else {
        blame(top.span, top.start..<top.cursor)
        continue
      }
      if seen[child].upperBound <= top.cursor {
        blame(top.span, seen[child].upperBound..<top.cursor)
        top.cursor = seen[child].lowerBound
        frames.append(top)
        frames.append(frame(child))
      } else {
        frames.append(top)
      }
    }
    for stretch in stretches { criticalNanoseconds[stretch.span] += stretch.nanoseconds }
    path += stretches.reversed()
  }
}

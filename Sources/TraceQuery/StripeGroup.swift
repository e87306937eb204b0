import TraceModel
import TraceSegment
import TraceSource

/// Neighbouring stripes of a segment that have calls in a window: what the sums of a service graph are kept for.
struct StripeGroup: Sendable {
  /// Sums of so many stripes take a few bytes a call. A window that cuts the group leaves at most so many parts of it.
  private static let maximumCount = 8

  let segment: Segment
  /// Those with spans in the window, at least one.
  let stripes: [SegmentStripe]
  /// Whether all spans of the group start in the window.
  let isWhole: Bool
  /// Whether it is a part of a group that the window cuts.
  let isPart: Bool
  /// What is kept of the group, true or not.
  private let summary: GroupCalls?
  /// Traces of memtables that the segment may have spans of.
  let loose: [TraceID]

  /// The groups of a segment, and whether they are all its spans.
  static func groups(
    of segment: Segment, in window: ClosedRange<UInt64>, loose: [TraceID], _ damage: inout DamageReport
  ) -> (groups: [StripeGroup], isAll: Bool) {
    guard let stripes = damage.collect({ try segment.spanStripes() }) else { return ([], false) }
    var own: [(stripes: ArraySlice<SegmentStripe>, isWhole: Bool, isPart: Bool)] = []
    var isAll = true
    for first in stride(from: 0, to: stripes.count, by: maximumCount) {
      let all = stripes[first..<min(stripes.count, first + maximumCount)].filter { $0.rowCount > 0 }
      let touched = parts(of: all[...], in: window)
      if touched.reduce(0, { $0 + $1.stripes.count }) < all.count { isAll = false }
      own += touched.map { ($0.stripes, $0.isWhole, $0.stripes.count < all.count) }
    }
    if own.isEmpty { return ([], isAll) }
    let held = damage.collect { try segment.mayHold(among: loose).map { loose[$0] } } ?? loose
    let groups = own.map {
      StripeGroup(
        segment: segment, stripes: Array($0.stripes), isWhole: $0.isWhole, isPart: $0.isPart, loose: held)
    }
    return (groups, isAll)
  }

  /// Stripes as a whole if the window leaves them whole, else halves of them, and halves of these: what another window
  /// leaves whole is cut into the same parts. Without those that have no spans in the window.
  private static func parts(
    of stripes: ArraySlice<SegmentStripe>, in window: ClosedRange<UInt64>
  ) -> [(stripes: ArraySlice<SegmentStripe>, isWhole: Bool)] {
    guard stripes.contains(where: { $0.bounds.mayStart(in: window) }) else { return [] }
    let isWhole = stripes.allSatisfy {
      window.contains($0.bounds.minimumStart) && window.contains($0.bounds.maximumStart)
    }
    if isWhole || stripes.count == 1 { return [(stripes, isWhole)] }
    let middle = stripes.startIndex + (stripes.count + 1) / 2
    return parts(of: stripes[..<middle], in: window) + parts(of: stripes[middle...], in: window)
  }

  private init(segment: Segment, stripes: [SegmentStripe], isWhole: Bool, isPart: Bool, loose: [TraceID]) {
    self.segment = segment
    self.stripes = stripes
    self.isWhole = isWhole
    self.isPart = isPart
    self.loose = loose
    if isPart {
      let part: PartCalls? = stripes[0].keptSummary(Self.partVariant(stripes.count))
      summary = part?.calls
    } else {
      summary = stripes[0].keptSummary()
    }
  }

  /// Where the sums of a part of so many stripes are kept beside the first one. Those of a joined group stand there under
  /// its number.
  private static func partVariant(_ count: Int) -> UInt64 { .max - UInt64(count) }

  /// What is kept of the group, unless it counts a trace that another source has a part of by now.
  ///
  /// - Parameter segments: all of the snapshot.
  func kept(among segments: [Segment]) throws -> GroupCalls? {
    guard isWhole, let summary, try holds(noneOf: loose, but: summary.leftOut) else { return nil }
    for other in segments where other.number != segment.number && !summary.isComparedWith(other.number) {
      guard try sharesNothing(with: other, but: summary.leftOut) else { return nil }
      summary.compared(with: other.number, among: segments)
    }
    return summary
  }

  /// Lets go of what is kept of the group.
  func forget() { stripes[0].forgetSummary(isPart ? Self.partVariant(stripes.count) : 0) }

  /// Keeps what all calls of the group come to.
  func keep(_ calls: GroupCalls) {
    guard isPart else { return stripes[0].keep(summary: calls) }
    stripes[0].keep(summary: PartCalls(calls), Self.partVariant(stripes.count))
  }

  /// Whether the calls of each stripe are worth keeping as well: they are added up anew where a window cuts the group, this
  /// one or one that begins or ends nearby, or where traces go on elsewhere.
  var needsCallsAgain: Bool { !isWhole || isPart || summary != nil }

  /// Whether the group counts with what it has of these traces.
  func holds(noneOf traces: [TraceID], but leftOut: Set<TraceID>) throws -> Bool {
    let own = Set(stripes.lazy.map(\.index))
    return try segment.mayHold(among: traces).allSatisfy { place in
      try leftOut.contains(traces[place]) || own.isDisjoint(with: segment.finalStripes(of: traces[place]))
    }
  }

  /// Those of some traces that are counted in one of several groups.
  static func counted(_ traces: [TraceID], in groups: [(group: StripeGroup, calls: GroupCalls)]) -> Set<TraceID> {
    var counted: Set<TraceID> = []
    for (_, own) in Dictionary(grouping: groups, by: \.group.segment.number) {
      let segment = own[0].group.segment
      let stripes = own.map { Set($0.group.stripes.lazy.map(\.index)) }
      let all = stripes.reduce(into: Set()) { $0.formUnion($1) }
      // What cannot be read is not known to be there.
      for place in (try? segment.mayHold(among: traces)) ?? [] {
        let trace = traces[place]
        let isLeftOut = own.map { $0.calls.leftOut.contains(trace) }
        var chosen = all
        if isLeftOut.contains(true) {
          chosen = zip(stripes, isLeftOut).reduce(into: []) { if !$1.1 { $0.formUnion($1.0) } }
        }
        if (try? segment.hasFinals(of: trace, in: chosen)) == true { counted.insert(trace) }
      }
    }
    return counted
  }

  /// The traces of the smaller one are looked for in the other one.
  private func sharesNothing(with other: Segment, but leftOut: Set<TraceID>) throws -> Bool {
    if other.totals.traceCount < segment.totals.traceCount {
      return try holds(noneOf: other.spanStripes().flatMap { try $0.traceIDs() }, but: leftOut)
    }
    for stripe in stripes {
      let traces = try stripe.traceIDs()
      let isShared = try other.mayHold(among: traces).contains { place in
        try !leftOut.contains(traces[place]) && !other.finalStripes(of: traces[place]).isEmpty
      }
      if isShared { return false }
    }
    return true
  }
}

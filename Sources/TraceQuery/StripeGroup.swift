import TraceModel
import TraceSegment
import TraceSource

/// Neighbouring stripes of a segment that have calls in a window: what the sums of a service graph are kept for.
struct StripeGroup: Sendable {
  /// Sums of so many stripes take a few bytes a call. Of more, a window that cuts the group would leave more to add up
  /// call by call.
  private static let maximumCount = 8

  let segment: Segment
  /// Those with spans in the window, at least one.
  let stripes: [SegmentStripe]
  /// Whether all spans of the group start in the window.
  let isWhole: Bool
  /// What is kept of the group, true or not.
  private let summary: GroupCalls?
  /// Traces of memtables that the segment may have spans of.
  let loose: [TraceID]

  /// The groups of a segment, and whether they are all its spans.
  static func groups(
    of segment: Segment, in window: ClosedRange<UInt64>, loose: [TraceID], _ damage: inout DamageReport
  ) -> (groups: [StripeGroup], isAll: Bool) {
    guard let stripes = damage.collect({ try segment.spanStripes() }) else { return ([], false) }
    var own: [(touched: [SegmentStripe], isWhole: Bool)] = []
    var isAll = true
    for first in stride(from: 0, to: stripes.count, by: maximumCount) {
      let all = stripes[first..<min(stripes.count, first + maximumCount)].filter { $0.rowCount > 0 }
      let touched = all.filter { $0.bounds.mayStart(in: window) }
      if touched.count < all.count { isAll = false }
      if touched.isEmpty { continue }
      let isWhole = all.allSatisfy {
        window.contains($0.bounds.minimumStart) && window.contains($0.bounds.maximumStart)
      }
      own.append((touched, isWhole))
    }
    if own.isEmpty { return ([], isAll) }
    let held = damage.collect { try segment.mayHold(among: loose).map { loose[$0] } } ?? loose
    let groups = own.map { StripeGroup(segment: segment, stripes: $0.touched, isWhole: $0.isWhole, loose: held) }
    return (groups, isAll)
  }

  private init(segment: Segment, stripes: [SegmentStripe], isWhole: Bool, loose: [TraceID]) {
    self.segment = segment
    self.stripes = stripes
    self.isWhole = isWhole
    self.loose = loose
    summary = stripes[0].keptSummary()
  }

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
  func forget() { stripes[0].forgetSummary() }

  /// Keeps what all calls of the group come to.
  func keep(_ calls: GroupCalls) { stripes[0].keep(summary: calls) }

  /// Whether the calls of each stripe are worth keeping as well: they are added up anew where the window cuts the group, or
  /// where traces go on elsewhere.
  var needsCallsAgain: Bool { !isWhole || summary != nil }

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

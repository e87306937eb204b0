import TraceGraph
import TraceModel
package import TraceSegment
import TraceSource
package import TracestoreV2

/// The calls of a window, counted from the spans that are there.
///
/// Traces that stand whole in one stripe of a segment come from the sums that are kept for groups of stripes, and for
/// parts of those that a window cuts (`GroupCalls`), or, where the window cuts a stripe or memory has a part of its
/// traces, from the calls that are kept beside each stripe (`StripeCalls`). All others are joined from their fragments, repeated records dropped, and paired:
/// those of memtables for each question, and those that several segments have a part of once (`SplitTraces`).
package struct ServiceGraphQuery: Sendable {
  let query: DependencyQuery
  let snapshot: QuerySnapshot
  private let parallel: SegmentParallelism
  private let segments: [Segment]
  /// Both ends included; nil for an empty window.
  private let window: ClosedRange<UInt64>?

  /// Split traces that one thread reads in one go. Tests lower it.
  var chunkCounts = SplitTraces.chunkCounts

  /// Stripes whose calls are in memory at once, unless one group has more.
  private static let waveStripeCount = 64

  package init(_ query: DependencyQuery, in snapshot: QuerySnapshot, parallel: @escaping SegmentParallelism) {
    self.query = query
    self.snapshot = snapshot
    self.parallel = parallel
    segments = snapshot.recordSources.compactMap { $0 as? Segment }
    let last = query.end == .maximum ? UInt64.max : query.end.nanoseconds &- 1
    let isEmpty = query.end == .zero || query.start.nanoseconds > last
    window = isEmpty ? nil : query.start.nanoseconds...last
  }

  package func run() -> ServiceGraph {
    guard let window else { return ServiceGraph() }
    var damage = DamageReport(snapshot.damage)
    let loose = LooseTraces(snapshot.recordSources, &damage)
    let (groups, unread) = touchedGroups(window, loose.traces, &damage)
    var split = SplitTraces(snapshot, segments, loose, window, parallel, chunkCounts: chunkCounts)
    let entries = entries(of: groups, window, leavingOut: split, &damage)
    split.count(entries.map { ($0.group, $0.calls) })
    damage.add(split.damage)
    var kept = SumsOfGroups(entries)
    kept.join(parallel)
    var sums = kept.sum(parallel)
    sums.add(split.sums)
    addLinked(
      kept.linked + split.linked, among: entries.map(\.calls.producers) + split.producers, unread, to: &sums, &damage)
    var graph = sums.graph(includesSelfCalls: query.includesSelfCalls)
    graph.summary.damage = damage.messages
    return graph
  }

  /// The groups with spans in the window, and the segments that have others.
  private func touchedGroups(
    _ window: ClosedRange<UInt64>, _ loose: [TraceID], _ damage: inout DamageReport
  ) -> (groups: [StripeGroup], unread: [Segment]) {
    var groups: [StripeGroup] = []
    var unread: [Segment] = []
    for segment in segments {
      let own = StripeGroup.groups(of: segment, in: window, loose: loose, &damage)
      groups += own.groups
      if !own.isAll { unread.append(segment) }
    }
    return (groups, unread)
  }

  // MARK: Groups

  /// What the groups come to.
  private func entries(
    of groups: [StripeGroup], _ window: ClosedRange<UInt64>, leavingOut split: SplitTraces,
    _ damage: inout DamageReport
  ) -> [SumsOfGroups.Entry] {
    // What cannot be compared is made anew, and then says why.
    var entries = groups.map { group in
      (try? group.kept(among: segments)).map {
        SumsOfGroups.Entry(calls: $0, group: group, isKept: true)
      }
    }
    let missing = entries.indices.filter { entries[$0] == nil }
    var rest = missing[...]
    while !rest.isEmpty {
      var stripeCount = 0
      let wave = rest.prefix { place in
        defer { stripeCount += groups[place].stripes.count }
        return stripeCount == 0 || stripeCount + groups[place].stripes.count <= Self.waveStripeCount
      }
      rest = rest[wave.endIndex...]
      for (place, made) in zip(wave, make(wave.map { groups[$0] }, window, leavingOut: split)) {
        damage.add(made.damage)
        entries[place] = SumsOfGroups.Entry(calls: made.calls, group: groups[place], isKept: false)
      }
    }
    return entries.compactMap(\.self)
  }

  private func make(
    _ groups: [StripeGroup], _ window: ClosedRange<UInt64>, leavingOut split: SplitTraces
  ) -> [(calls: GroupCalls, damage: DamageReport)] {
    let stripes = groups.flatMap { group in group.stripes.map { (stripe: $0, isKept: group.needsCallsAgain) } }
    let calls = concurrently(parallel, stripes.count) { index in
      Result { try stripes[index].stripe.calls(isKept: stripes[index].isKept) }
    }
    var firsts = [0]
    for group in groups { firsts.append(firsts[firsts.count - 1] + group.stripes.count) }
    let ends = firsts
    return concurrently(parallel, groups.count) { [segments] index in
      let group = groups[index]
      let tally = GroupTally(
        calls[ends[index]..<ends[index + 1]], of: group, window, among: segments, leavingOut: split.isKnown)
      let made = GroupCalls(tally, comparedWith: segments)
      if group.isWhole, tally.damage.messages.isEmpty { group.keep(made) }
      return (made, tally.damage)
    }
  }

  // MARK: Links

  /// Adds consumers whose links name producers, wherever these are.
  ///
  /// - Parameter unread: segments that may have producers of other traces.
  private func addLinked(
    _ consumers: [NamedConsumer], among producers: [ProducerTable], _ unread: [Segment], to sums: inout GraphSums,
    _ damage: inout DamageReport
  ) {
    if consumers.isEmpty { return }
    let wanted = Set(consumers.lazy.flatMap(\.consumer.targets))
    let found = FoundProducers(wanted, among: producers, parallel)
    let missing = wanted.filter { found.service(of: $0) == nil }
    let elsewhere = ProducersElsewhere(missing, in: unread, parallel, &damage)
    for named in consumers {
      sums.add(named) { found.service(of: $0) ?? elsewhere.service(of: $0) }
    }
  }
}

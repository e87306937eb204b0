import TraceGraph
import TraceModel
package import TraceSegment
import TraceSource
package import TracestoreV2

/// The calls of a window, counted from the spans that are there.
///
/// Traces that stand whole in one stripe of a segment come from the sums that are kept for groups of stripes
/// (`GroupCalls`), or, where the window cuts a group or memory has a part of its traces, from the calls that are kept
/// beside each stripe (`StripeCalls`). All others are joined from their fragments, repeated records dropped, and paired:
/// those of memtables for each question, and those that several segments have a part of once (`JoinedCalls`).
package struct ServiceGraphQuery: Sendable {
  let query: DependencyQuery
  let snapshot: QuerySnapshot
  private let parallel: SegmentParallelism
  private let segments: [Segment]
  /// Both ends included; nil for an empty window.
  private let window: ClosedRange<UInt64>?

  /// Groups whose calls are in memory at once.
  private static let waveCount = 8

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
    let entries = entries(of: groups, window, &damage)
    let joined = joined(entries.map(\.calls), loose, window, &damage)
    var kept = SumsOfGroups(entries)
    kept.join(parallel)
    var sums = kept.sum(parallel)
    for joined in joined {
      if let whole = joined.sums {
        sums.add(whole.tally, whole.names)
      } else {
        sums.add(joined.calls, in: window, leavingOut: joined.isLeftOut)
      }
    }
    addLinked(kept.linked, entries.map(\.calls.producers), joined, window, unread, to: &sums, &damage)
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
    of groups: [StripeGroup], _ window: ClosedRange<UInt64>, _ damage: inout DamageReport
  ) -> [SumsOfGroups.Entry] {
    // What cannot be compared is made anew, and then says why.
    var entries = groups.map { group in
      (try? group.kept(among: segments)).map {
        SumsOfGroups.Entry(calls: $0, group: group, isKept: true)
      }
    }
    let missing = entries.indices.filter { entries[$0] == nil }
    for first in stride(from: 0, to: missing.count, by: Self.waveCount) {
      let wave = missing[first..<min(missing.count, first + Self.waveCount)]
      for (place, made) in zip(wave, make(wave.map { groups[$0] }, window)) {
        damage.add(made.damage)
        entries[place] = SumsOfGroups.Entry(calls: made.calls, group: groups[place], isKept: false)
      }
    }
    return entries.compactMap(\.self)
  }

  private func make(
    _ groups: [StripeGroup], _ window: ClosedRange<UInt64>
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
      let tally = GroupTally(calls[ends[index]..<ends[index + 1]], of: group, window, among: segments)
      let made = GroupCalls(tally, comparedWith: segments)
      if group.isWhole, tally.damage.messages.isEmpty { group.keep(made) }
      return (made, tally.damage)
    }
  }

  // MARK: Traces in several places

  private struct Joined {
    var calls: TraceCalls
    /// By ordinal; empty for none.
    var isLeftOut: [Bool] = []
    /// What they come to, where it is kept.
    var sums: JoinedCalls.Sums?

    /// Consumers that start in a window and are not counted.
    func linked(in window: ClosedRange<UInt64>) -> [NamedConsumer] {
      if let sums { return sums.linked }
      return calls.linked.filter { ordinal, consumer in
        window.contains(consumer.span.start) && (isLeftOut.isEmpty || !isLeftOut[Int(ordinal)])
      }.map { NamedConsumer($0.consumer, calls.names) }
    }

    func producers(among wanted: Set<LinkTarget>) -> ProducerTable {
      sums?.producers ?? ProducerTable(calls, leavingOut: isLeftOut, among: wanted)
    }
  }

  /// The calls of the traces that no group counts: those of memtables, and those that groups leave out.
  private func joined(
    _ groups: [GroupCalls], _ loose: LooseTraces, _ window: ClosedRange<UInt64>, _ damage: inout DamageReport
  ) -> [Joined] {
    let cache = segments.first?.cache
    let known = cache?.joinedCalls()
    let stale = known?.stale(among: segments) ?? []
    let looseTraces = Set(loose.traces)
    func isKnown(_ trace: TraceID) -> Bool {
      guard let known, let ordinal = known.ordinal(of: trace) else { return false }
      return stale.isEmpty || !stale[ordinal]
    }
    var fresh: [TraceID] = []
    var seen: Set<TraceID> = []
    var knownGroups: [GroupCalls] = []
    for group in groups where known?.hasAll(of: group) != true || !stale.isEmpty {
      let unknown = group.leftOut.filter { !isKnown($0) }
      if unknown.isEmpty { knownGroups.append(group) }
      for trace in unknown where !looseTraces.contains(trace) && seen.insert(trace).inserted { fresh.append(trace) }
    }
    let made = join(fresh, loose)
    var result: [Joined] = []
    for made in join(loose.traces, loose) + made {
      damage.add(made.damage)
      result.append(Joined(calls: made.calls))
    }
    if let known {
      var isLeftOut = stale
      for ordinal in looseTraces.lazy.compactMap(known.ordinal) {
        if isLeftOut.isEmpty { isLeftOut = [Bool](repeating: false, count: known.calls.traces.count) }
        isLeftOut[ordinal] = true
      }
      let isWhole = isLeftOut.isEmpty && known.calls.allStart(in: window)
      result.append(Joined(calls: known.calls, isLeftOut: isLeftOut, sums: isWhole ? known.sums : nil))
    }
    if stale.isEmpty { known?.noteAll(of: knownGroups, among: groups) }
    if let cache, !made.isEmpty || !stale.isEmpty { keep(made, beside: known, leavingOut: stale, in: cache) }
    return result
  }

  private func join(_ traces: [TraceID], _ loose: LooseTraces) -> [JoinedTraces] {
    let batchCount = JoinedTraces.batchCount
    let chunkCount = (traces.count + batchCount - 1) / batchCount
    return concurrently(parallel, chunkCount) { [snapshot] index in
      var chunk = JoinedTraces(snapshot, loose)
      chunk.add(Array(traces[index * traces.count / chunkCount..<(index + 1) * traces.count / chunkCount]))
      return chunk
    }
  }

  /// Keeps what was joined for the next question, as much as there is room for.
  private func keep(
    _ made: [JoinedTraces], beside known: JoinedCalls?, leavingOut stale: [Bool], in cache: BlockCache
  ) {
    var pieces = known.map { [$0.piece(leavingOut: stale)] } ?? []
    var byteCount = pieces.reduce(0) { $0 + $1.byteCount }
    for made in made where made.damage.messages.isEmpty {
      // What stands in one stripe may be counted there by and by.
      let parts = made.parts.map { $0.compactMap(\.self) }
      let piece = JoinedCalls.Piece(
        calls: made.calls, isLeftOut: zip(made.parts, parts).map { $1.count < 2 || $1.count < $0.count }, parts: parts)
      byteCount += piece.byteCount
      if byteCount > cache.maximumByteCountOfJoinedCalls || piece.isLeftOut.allSatisfy(\.self) { break }
      pieces.append(piece)
    }
    if pieces.count > (known == nil ? 0 : 1) || !stale.isEmpty {
      cache.keep(JoinedCalls(pieces, comparedWith: segments.map(\.number)))
    }
  }

  // MARK: Links

  /// Adds consumers whose links name producers, wherever these are.
  ///
  /// - Parameters:
  ///   - consumers: of groups.
  ///   - unread: segments that may have producers of other traces than these.
  private func addLinked(
    _ consumers: [NamedConsumer], _ producers: [ProducerTable], _ joined: [Joined], _ window: ClosedRange<UInt64>,
    _ unread: [Segment], to sums: inout GraphSums, _ damage: inout DamageReport
  ) {
    let consumers = joined.reduce(consumers) { $0 + $1.linked(in: window) }
    if consumers.isEmpty { return }
    let wanted = Set(consumers.lazy.flatMap(\.consumer.targets))
    let tables = producers + joined.map { $0.producers(among: wanted) }
    let found = FoundProducers(wanted, among: tables, parallel)
    var elsewhere = ProducerFinder(unread)
    for named in consumers {
      sums.add(named) { target in found.service(of: target) ?? elsewhere.service(of: target, &damage) }
    }
  }
}

import TraceGraph
import TraceModel
package import TraceSegment
import TraceSource
package import TracestoreV2

/// The calls of a window, counted from the spans that are there.
///
/// Traces that stand whole in one stripe of a segment come from the sums that are kept beside the stripe
/// (`StripeCalls`). All others are joined from their fragments, repeated records dropped, and paired anew: those of
/// memtables, and those that several segments have a part of.
package struct ServiceGraphQuery: Sendable {
  let query: DependencyQuery
  let snapshot: QuerySnapshot
  private let parallel: SegmentParallelism
  private let segments: [Segment]
  /// Sources whose traces are joined whatever else has them.
  private let looseSources: [any SpanSource]
  /// Both ends included; nil for an empty window.
  private let window: ClosedRange<UInt64>?

  /// Threads that sum up stripes, at most: the sums of each are added once more in the end.
  private static let groupCount = 4

  package init(_ query: DependencyQuery, in snapshot: QuerySnapshot, parallel: @escaping SegmentParallelism) {
    self.query = query
    self.snapshot = snapshot
    self.parallel = parallel
    segments = snapshot.recordSources.compactMap { $0 as? Segment }
    looseSources = snapshot.recordSources.filter { !($0 is Segment) }
    let last = query.end == .maximum ? UInt64.max : query.end.nanoseconds &- 1
    let isEmpty = query.end == .zero || query.start.nanoseconds > last
    window = isEmpty ? nil : query.start.nanoseconds...last
  }

  package func run() -> ServiceGraph {
    guard let window else { return ServiceGraph() }
    var damage = DamageReport(snapshot.damage)
    let loose = looseTraces(&damage)
    let stripes = touchedStripes(window, loose, &damage)
    let calls = concurrently(parallel, stripes.count) { index in Result { try stripes[index].stripe.calls() } }
    let groupCount = min(stripes.count, Self.groupCount)
    let groups = concurrently(parallel, groupCount) { index in
      var group = StripeGroup()
      for place in stride(from: index, to: stripes.count, by: groupCount) {
        add(calls[place], of: stripes[place], window, to: &group)
      }
      return group
    }
    var sums = GraphSums()
    var joined = loose
    for group in groups {
      damage.add(group.damage)
      joined.formUnion(group.joined)
      sums.add(group.sums)
    }
    let traces = Array(joined)
    let chunkCount = min(traces.count, 64)
    let chunks = concurrently(parallel, chunkCount) { index in
      var chunk = JoinedTraces(snapshot, window)
      for place in stride(from: index, to: traces.count, by: chunkCount) { chunk.add(traces[place]) }
      return chunk
    }
    for chunk in chunks {
      damage.add(chunk.damage)
      chunk.add(to: &sums)
    }
    resolveLinks(groups.flatMap(\.linked) + chunks.flatMap(\.linked), groups, joined, &sums, &damage)
    var graph = sums.graph(includesSelfCalls: query.includesSelfCalls)
    graph.summary.damage = damage.messages
    return graph
  }

  /// The traces of memtables.
  private func looseTraces(_ damage: inout DamageReport) -> Set<TraceID> {
    var traces: Set<TraceID> = []
    for source in looseSources {
      damage.collect { try source.forEachTrace(inStripesThat: { _ in true }) { traces.insert($0) } }
    }
    return traces
  }

  /// A stripe with spans in the window.
  struct TouchedStripe: Sendable {
    var stripe: SegmentStripe
    var segment: Segment
    /// Traces of memtables that the segment has spans of.
    var loose: Set<TraceID>
  }

  private func touchedStripes(
    _ window: ClosedRange<UInt64>, _ loose: Set<TraceID>, _ damage: inout DamageReport
  ) -> [TouchedStripe] {
    var touched: [TouchedStripe] = []
    for segment in segments {
      let stripes = damage.collect { try segment.spanStripes() } ?? []
      let own = stripes.filter {
        $0.rowCount > 0 && $0.bounds.minimumStart <= window.upperBound && $0.bounds.maximumStart >= window.lowerBound
      }
      if own.isEmpty { continue }
      let held = damage.collect { try loose.filter { try segment.mayHold($0) } } ?? loose
      touched += own.map { TouchedStripe(stripe: $0, segment: segment, loose: held) }
    }
    return touched
  }

  // MARK: Stripes

  private func add(
    _ calls: Result<StripeCalls, any Error>, of touched: TouchedStripe, _ window: ClosedRange<UInt64>,
    to group: inout StripeGroup
  ) {
    guard let calls = group.damage.collect({ try calls.get() }) else { return }
    var isJoined: [Bool] = []
    func join(_ ordinal: Int) {
      if isJoined.isEmpty { isJoined = [Bool](repeating: false, count: calls.traces.count) }
      if isJoined[ordinal] { return }
      isJoined[ordinal] = true
      group.joined.append(calls.traces[ordinal])
    }
    for segment in segments {
      // A segment that cannot be asked is named by whoever reads it; here its traces count as far as they stand.
      let shared = group.damage.collect { try touched.stripe.sharedOrdinals(calls, with: segment) } ?? []
      for ordinal in shared { join(Int(ordinal)) }
    }
    if !touched.loose.isEmpty {
      for (ordinal, trace) in calls.traces.enumerated() where touched.loose.contains(trace) { join(ordinal) }
    }
    let bounds = touched.stripe.bounds
    let isWhole = window.contains(bounds.minimumStart) && window.contains(bounds.maximumStart)
    group.calls.append(calls)
    group.sums.add(calls, in: isWhole ? nil : window, leavingOut: isJoined)
    for (ordinal, consumer) in calls.linked
    where window.contains(consumer.span.start) && (isJoined.isEmpty || !isJoined[Int(ordinal)]) {
      group.linked.append(NamedConsumer(service: calls.names[Int(consumer.span.service)], consumer: consumer))
    }
  }

  // MARK: Links

  /// Consumers whose links name producers, wherever these are: one call for each of them.
  private func resolveLinks(
    _ consumers: [NamedConsumer], _ groups: [StripeGroup], _ joined: Set<TraceID>, _ sums: inout GraphSums,
    _ damage: inout DamageReport
  ) {
    if consumers.isEmpty { return }
    let wanted = Set(consumers.lazy.flatMap(\.consumer.targets))
    var producers = ProducerFinder(snapshot)
    for found in concurrently(parallel, groups.count, { groups[$0].producers(of: wanted, joined) }) {
      producers.add(found)
    }
    // Links to spans that are no producers, or not there, would each be looked for in all sources.
    let open = Set(wanted.lazy.filter { !producers.knows($0) }.map(\.trace)).subtracting(joined)
    if !open.isEmpty {
      for traces in concurrently(parallel, groups.count, { groups[$0].traces(among: open) }) {
        producers.rule(out: traces)
      }
    }
    for named in consumers {
      let span = named.consumer.span
      var isPaired = false
      let targets = named.consumer.targets
      for target in targets.count > 1 ? Array(Set(targets)) : targets {
        guard let producer = producers.service(of: target, &damage) else { continue }
        isPaired = true
        sums.add(span, from: producer, to: named.service, .messaging)
      }
      if !isPaired, span.parentID != 0 { sums.add(span, from: named.service, to: named.service, .unpairedCallee) }
    }
  }
}

/// A consumer and the name of its service.
struct NamedConsumer: Sendable {
  var service: [UInt8]
  var consumer: LinkedConsumer
}

/// What some stripes give.
private struct StripeGroup: Sendable {
  var sums = GraphSums()
  /// Of the stripes that could be read.
  var calls: [StripeCalls] = []
  var linked: [NamedConsumer] = []
  /// Traces that are left out here.
  var joined: [TraceID] = []
  var damage = DamageReport()

  /// In traces that stand whole in one of the stripes.
  func producers(of targets: Set<LinkTarget>, _ joined: Set<TraceID>) -> FoundProducers {
    var found = FoundProducers()
    for calls in calls {
      for producer in calls.producers {
        let target = LinkTarget(trace: calls.traces[Int(producer.ordinal)], spanID: producer.spanID)
        if targets.contains(target), !joined.contains(target.trace) {
          found.add(target, FoundProducer(start: producer.start, service: calls.names[Int(producer.service)]))
        }
      }
    }
    return found
  }

  /// Those of the traces that the stripes have spans of.
  func traces(among wanted: Set<TraceID>) -> [TraceID] { calls.flatMap { $0.traces.filter(wanted.contains) } }
}

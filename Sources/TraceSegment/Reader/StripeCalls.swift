import Synchronization
package import TraceGraph
package import TraceModel
package import TraceSource

/// The calls between the spans of one stripe, edge by edge: decoded once and kept beside the stripe, which need not be in
/// memory any more. What concerns traces that have spans elsewhere is to be left out by ordinal.
package final class StripeCalls: CachedBlock {
  /// A producer span, which links of other traces may point to.
  package struct Producer: Sendable {
    /// The ordinal of its trace.
    package var ordinal: UInt32
    /// A code of `names`.
    package var service: UInt32
    package var spanID: UInt64
    package var start: UInt64
  }

  /// Texts by the codes that all here use.
  package let names: [[UInt8]]
  private let edges: [EdgeKey]
  /// Of each edge, then the number of all calls.
  private let firstCalls: [Int]
  // Of each call or unpaired span.
  private let starts: [UInt64]
  private let durations: [UInt64]
  /// The ordinal of the trace, doubled, and one more for an error.
  private let ordinals: [UInt32]
  /// Consumers without a caller in their trace, with the ordinal of their trace.
  package let linked: [(ordinal: UInt32, consumer: LinkedConsumer)]
  /// Ascending by ordinal.
  package let producers: [Producer]
  /// By ordinal.
  package let traces: [TraceID]
  /// Ordinals of traces that another segment has spans of, ascending, by the number of the segment. Segments never
  /// change.
  private let shared = Mutex<[UInt64: [UInt32]]>([:])

  package let residentByteCount: Int
  package static let passCount = 256

  init(
    names: [[UInt8]], calls: CallCollector, linked: [(ordinal: UInt32, consumer: LinkedConsumer)],
    producers: [Producer], traces: [TraceID]
  ) {
    self.names = names
    edges = calls.edges
    (firstCalls, starts, durations, ordinals) = calls.columns()
    self.linked = linked
    self.producers = producers
    self.traces = traces
    residentByteCount =
      starts.count * 20 + traces.count * 16 + linked.count * 160 + producers.count * MemoryLayout<Producer>.stride
      + edges.count * 24 + names.reduce(0) { $0 + $1.count + 64 }
  }

  /// Calls `body` once for each edge that has calls in the window.
  ///
  /// - Parameters:
  ///   - window: nil for all.
  ///   - isLeftOut: by ordinal of the trace; empty for none.
  package func forEachEdge(
    in window: ClosedRange<UInt64>?, leavingOut isLeftOut: [Bool],
    _ body: (EdgeKey, _ durations: UnsafeBufferPointer<UInt64>, _ errorCount: Int) -> Void
  ) {
    var kept: [UInt64] = []
    durations.withUnsafeBufferPointer { durations in
      for (index, edge) in edges.enumerated() {
        let calls = firstCalls[index]..<firstCalls[index + 1]
        var errorCount = 0
        guard window != nil || !isLeftOut.isEmpty else {
          for ordinal in ordinals[calls] { errorCount &+= Int(ordinal & 1) }
          body(edge, UnsafeBufferPointer(rebasing: durations[calls]), errorCount)
          continue
        }
        kept.removeAll(keepingCapacity: true)
        for call in calls
        where window?.contains(starts[call]) ?? true && (isLeftOut.isEmpty || !isLeftOut[Int(ordinals[call] >> 1)]) {
          kept.append(durations[call])
          errorCount &+= Int(ordinals[call] & 1)
        }
        if !kept.isEmpty { kept.withUnsafeBufferPointer { body(edge, $0, errorCount) } }
      }
    }
  }

  /// What `find` finds, remembered for the segment.
  func shared(with segment: UInt64, find: () throws -> [UInt32]) rethrows -> [UInt32] {
    if let known = shared.withLock({ $0[segment] }) { return known }
    let found = try find()
    shared.withLock {
      // Segments that were merged away are never asked about again.
      if $0.count >= 4096 { $0.removeAll() }
      $0[segment] = found
    }
    return found
  }
}

/// Calls as they are found, trace by trace.
struct CallCollector {
  private(set) var edges: [EdgeKey] = []
  private var places: [EdgeKey: UInt32] = [:]
  private var calls: [(edge: UInt32, ordinal: UInt32, start: UInt64, duration: UInt64)] = []

  init(capacity: Int) { calls.reserveCapacity(capacity) }

  mutating func add(_ call: Call, ordinal: Int) {
    let key = EdgeKey(call)
    let edge = places[key] ?? UInt32(edges.count)
    if Int(edge) == edges.count {
      places[key] = edge
      edges.append(key)
    }
    calls.append((edge, UInt32(truncatingIfNeeded: ordinal) << 1 | (call.isError ? 1 : 0), call.start, call.duration))
  }

  /// The calls of each edge side by side.
  func columns() -> (firstCalls: [Int], starts: [UInt64], durations: [UInt64], ordinals: [UInt32]) {
    var ends = [Int](repeating: 0, count: edges.count + 1)
    for call in calls { ends[Int(call.edge) + 1] += 1 }
    for edge in edges.indices { ends[edge + 1] += ends[edge] }
    let firstCalls = ends
    var starts = [UInt64](repeating: 0, count: calls.count)
    var durations = starts
    var ordinals = [UInt32](repeating: 0, count: calls.count)
    for call in calls {
      let place = ends[Int(call.edge)]
      ends[Int(call.edge)] += 1
      starts[place] = call.start
      durations[place] = call.duration
      ordinals[place] = call.ordinal
    }
    return (firstCalls, starts, durations, ordinals)
  }
}

extension SegmentStripe {
  /// The calls of the stripe, from the cache or by reading its columns.
  ///
  /// - Parameter isKept: whether they are put into the cache when they are not there.
  package func calls(isKept: Bool) throws -> StripeCalls {
    let key = cacheKey(.calls)
    if isKept { return try core.cache.block(key, load: makeCalls) }
    return try core.cache.find(key) ?? makeCalls()
  }

  private func makeCalls() throws -> StripeCalls {
    // Stripes that are in memory are used; others do not push out what searches keep there.
    let loaded = isCached ? try load() : try read()
    defer { core.cache.recount(cacheKey) }
    return try core.cache.withScratch { try StripeCallReader(core, loaded, $0).calls() }
  }

  /// The traces of `calls` that have final spans outside of this stripe: in another segment, or, for `own`, in another
  /// stripe of it. Ascending ordinals.
  package func sharedOrdinals(_ calls: StripeCalls, with segment: Segment) throws -> [UInt32] {
    let isOwn = segment.number == core.number
    // Only a trace that is too large for one stripe stands in several, and has them for itself.
    if isOwn, calls.traces.count != 1 { return [] }
    return try calls.shared(with: segment.number) {
      try segment.mayHold(among: calls.traces).filter { ordinal in
        try segment.finalStripes(of: calls.traces[ordinal]).count > (isOwn ? 1 : 0)
      }.map { UInt32($0) }
    }
  }
}

/// What was computed of a stripe and those that follow it, kept in the cache beside it. A block takes the place of the
/// one before.
extension SegmentStripe {
  /// - Parameter variant: tells apart what is kept of one stripe.
  package func keptSummary<Block: CachedBlock>(_ variant: UInt64 = 0) -> Block? {
    core.cache.find(cacheKey(.summary, variant: variant))
  }

  package func keep(summary block: some CachedBlock) { core.cache.replace(cacheKey(.summary), by: block) }

  /// Keeps one block beside several stripes.
  ///
  /// - Precondition: there are some, and no two are the same.
  package static func keep(summary block: some CachedBlock, at places: [(stripe: SegmentStripe, variant: UInt64)]) {
    places[0].stripe.core.cache.replace(places.map { $0.stripe.cacheKey(.summary, variant: $0.variant) }, by: block)
  }
}

extension SegmentStripe {
  /// By ordinal.
  package func traceIDs() throws -> [TraceID] {
    try reading { loaded, _ in
      let count = loaded.head.traceCount
      return zip(
        try loaded.integers(ChunkID.traceHigh, count: count).decodeAll(),
        try loaded.integers(ChunkID.traceLow, count: count).decodeAll()
      ).map { TraceID(high: $0, low: $1) }
    }
  }
}

extension Segment {
  /// The places of those traces that the resident filter does not rule out.
  package func mayHold(among traces: [TraceID]) throws -> [Int] {
    guard totals.traceCount > 0 || totals.partialCount > 0 else { return [] }
    let filter = try traceFilter()
    return traces.indices.filter { filter.contains(TraceKey.hash(traces[$0])) }
  }

  /// The stripes in which a trace has final spans.
  package func finalStripes(of trace: TraceID) throws -> [Int] {
    try finalRows(of: trace, for: .records).compactMap { ($0.stripe as? SegmentStripe)?.index }
  }

  /// Whether a trace has final spans in one of some stripes. Others are not read, and of these the columns of traces.
  package func hasFinals(of trace: TraceID, in chosen: Set<Int>) throws -> Bool {
    try !finalRows(of: trace, for: .fields, inStripesThat: chosen.contains).isEmpty
  }
}

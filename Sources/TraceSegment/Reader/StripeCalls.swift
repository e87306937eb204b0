import Synchronization
package import TraceModel
import TraceSource

/// The calls between the spans of one stripe: decoded once and kept beside the stripe, which need not be in memory any
/// more. What concerns traces that have spans elsewhere is to be left out by ordinal.
package final class StripeCalls: CachedBlock {
  /// By ordinal in the stripe.
  package let calls: TraceCalls
  /// Ordinals of traces that another segment has spans of, ascending, by the number of the segment. Segments never
  /// change.
  private let shared = Mutex<[UInt64: [UInt32]]>([:])

  package var residentByteCount: Int { calls.byteCount }
  package static let passCount = 256

  init(_ calls: TraceCalls) { self.calls = calls }

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
    return try core.cache.withScratch { try StripeCalls(StripeCallReader(core, loaded, $0).calls()) }
  }

  /// The traces of `calls` that have final spans outside of this stripe: in another segment, or, for `own`, in another
  /// stripe of it. Ascending ordinals.
  package func sharedOrdinals(_ calls: StripeCalls, with segment: Segment) throws -> [UInt32] {
    let isOwn = segment.number == core.number
    let traces = calls.calls.traces
    // Only a trace that is too large for one stripe stands in several, and has them for itself.
    if isOwn, traces.count != 1 { return [] }
    return try calls.shared(with: segment.number) {
      try segment.mayHold(among: traces).filter { ordinal in
        try segment.finalStripes(of: traces[ordinal]).count > (isOwn ? 1 : 0)
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

  package func forgetSummary(_ variant: UInt64 = 0) { core.cache.removeBlock(cacheKey(.summary, variant: variant)) }

  package func keep(summary block: some CachedBlock, _ variant: UInt64 = 0) {
    core.cache.replace(cacheKey(.summary, variant: variant), by: block)
  }

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

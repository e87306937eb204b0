import Synchronization
package import TraceGraph
package import TraceModel
package import TraceSource

/// The calls between the spans of one stripe, trace by trace, and their sums: decoded once and kept beside the stripe,
/// which need not be in memory any more. What concerns traces that have spans elsewhere is to be left out by ordinal.
package final class StripeCalls: CachedBlock {
  /// One call or unpaired span.
  package struct Entry: Sendable {
    package var start: UInt64
    package var duration: UInt64
    /// The ordinal of its trace.
    package var ordinal: UInt32
    /// The index in `tally.edges`, doubled, and one more for an error.
    private var edgeAndError: UInt32

    init(_ call: Call, edge: Int, ordinal: Int) {
      start = call.start
      duration = call.duration
      self.ordinal = UInt32(truncatingIfNeeded: ordinal)
      edgeAndError = UInt32(truncatingIfNeeded: edge) << 1 | (call.isError ? 1 : 0)
    }

    package var edge: Int { Int(edgeAndError >> 1) }
    package var isError: Bool { edgeAndError & 1 != 0 }
  }

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
  /// Of all entries.
  package let tally: EdgeTally
  /// Ascending by ordinal.
  package let entries: [Entry]
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

  init(
    names: [[UInt8]], tally: EdgeTally, entries: [Entry], linked: [(ordinal: UInt32, consumer: LinkedConsumer)],
    producers: [Producer], traces: [TraceID]
  ) {
    self.names = names
    self.tally = tally
    self.entries = entries
    self.linked = linked
    self.producers = producers
    self.traces = traces
    residentByteCount =
      entries.count * MemoryLayout<Entry>.stride + traces.count * 16 + linked.count * 160
      + producers.count * MemoryLayout<Producer>.stride + tally.edges.count * 2048
      + names.reduce(0) { $0 + $1.count + 64 }
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

extension SegmentStripe {
  /// The calls of the stripe, from the cache or by reading its columns.
  package func calls() throws -> StripeCalls {
    // No block of the file begins one byte into a stripe.
    try core.cache.block(BlockCache.Key(fileNumber: core.number, offset: summary.offset + 1)) {
      // Stripes that are in memory are used; others do not push out what searches keep there.
      let loaded = isCached ? try load() : try read()
      return try core.cache.withScratch { scratch in
        let reader = try StripeCallReader(core, loaded, scratch)
        return try reader.calls()
      }
    }
  }

  /// The traces of `calls` that have final spans outside of this stripe: in another segment, or, for `own`, in another
  /// stripe of it. Ascending ordinals.
  package func sharedOrdinals(_ calls: StripeCalls, with segment: Segment) throws -> [UInt32] {
    let isOwn = segment.number == core.number
    // Only a trace that is too large for one stripe stands in several, and has them for itself.
    if isOwn, calls.traces.count != 1 { return [] }
    return try calls.shared(with: segment.number) {
      try calls.traces.indices.filter { ordinal in
        try segment.finalStripeCount(of: calls.traces[ordinal]) > (isOwn ? 1 : 0)
      }.map { UInt32($0) }
    }
  }
}

extension Segment {
  /// In how many stripes a trace has final spans. Costs a probe of the resident filter when it is not here.
  package func finalStripeCount(of trace: TraceID) throws -> Int {
    guard try mayHold(trace) else { return 0 }
    return try rows(of: trace).count { $0.stripe is SegmentStripe }
  }
}

import TraceFiles
package import TraceSegment
package import TraceSource

/// The spans that several records make, as rows that searches and lists see in the stead of these records.
///
/// Which spans these are is worked out from the records whenever somebody searches, and kept from one search to the
/// next: rows that came since, and spans that a new segment may hold parts of, are looked at again. What the records say
/// together is worked out for some hundreds of spans at a time, those that a search comes to, and kept in the cache of
/// blocks. Nothing of it reaches a file. Sources without partial records and a store without any cost nothing but the
/// question whether there are some.
///
/// Memory: `byteCount`, which is taken from the cache, so that both together are bounded by the bound of the cache.
///
/// Thread-safe. Snapshots are taken one at a time, so that what is hidden in one source and what is shown in its stead
/// in another are of one moment.
package final class PartialOverlay: Sendable {
  /// What searches look at.
  package struct Spans: Sendable {
    package var sources: [any SpanSource]
    /// The records as they were written; nil when they are what searches look at.
    package var records: [any SpanSource]?
    /// A sentence for each place that could not be read when spans were told apart.
    package var damage: [String] = []
    /// The same for spans that were joined since, for a query that looked at these sources.
    package var joinDamage: @Sendable () -> [String] = { [] }
    /// Figures of what has expired.
    package var metrics: [MetricsSegment] = []
  }

  private let state: Monitor<OverlayState>
  private let cache: BlockCache

  /// Spans that are joined together. More cost a search that wants few of them; fewer are more to choose among.
  package static let maximumSliceKeyCount = 1 << 10

  /// - Parameters:
  ///   - cache: where joined spans are kept.
  ///   - maximumSliceKeyCount: tests lower it.
  package init(cache: BlockCache, maximumSliceKeyCount: Int = PartialOverlay.maximumSliceKeyCount) {
    self.cache = cache
    state = Monitor(OverlayState(cache: cache, maximumSliceKeyCount: maximumSliceKeyCount))
  }

  /// - Parameter take: gives what is visible now.
  package func spans(_ take: () throws -> LiveSources) rethrows -> Spans {
    try state.withLock { state in
      let live = try take()
      let sources = OverlaySources(memtables: live.memtables, segments: live.segments)
      let records: [any SpanSource] = live.memtables + live.segments
      guard sources.hasPartials else {
        state.removeAll()
        cache.reserve(byteCount: 0)
        return Spans(sources: records, metrics: live.metrics)
      }
      state.update(sources, expiryCount: live.expiryCount)
      cache.reserve(byteCount: state.byteCount)
      let damage = JoinDamage()
      return Spans(
        sources: state.spans(sources, damage), records: records, damage: state.damage,
        joinDamage: { damage.sentences }, metrics: live.metrics)
    }
  }

  /// Of `byteCount`, what merges make less.
  package var hiddenByteCount: Int { state.withLock { $0.hiddenByteCount } }

  /// Bytes that are held from one search to the next, beside joined spans, which the cache holds.
  package var byteCount: Int { state.withLock { $0.byteCount } }
}

import TraceColumns
import TraceFiles
import TraceMerge
import TraceModel
package import TraceSegment
package import TraceSource

/// The spans that several records make, as rows that searches and lists see in the stead of these records.
///
/// It is derived from the records whenever somebody searches, and kept from one search to the next: rows that came
/// since, and spans that a new segment may hold parts of, are looked at again. Nothing of it reaches a file. Sources
/// without partial records and a store without any cost nothing but the question whether there are some.
///
/// Thread-safe. Snapshots are taken one at a time, so that what is hidden in one source and what is shown in its stead
/// in another are of one moment.
package final class PartialOverlay: Sendable {
  /// What searches look at.
  package struct Spans {
    package var sources: [any SpanSource]
    /// The records as they were written; nil when they are what searches look at.
    package var records: [any SpanSource]?
    /// A sentence for each place that could not be read when spans were joined.
    package var damage: [String] = []
    /// Figures of what has expired.
    package var metrics: [MetricsSegment] = []
  }

  private let state = Monitor(OverlayState())

  package init() {}

  /// - Parameter take: gives what is visible now.
  package func spans(_ take: () throws -> LiveSources) throws -> Spans {
    try state.withLock { state in
      let live = try take()
      let (memtables, segments) = (live.memtables, live.segments)
      let records: [any SpanSource] = memtables + segments
      if state.isEmpty, !memtables.contains(where: \.hasPartials), !segments.contains(where: \.hasPartials) {
        return Spans(sources: records, metrics: live.metrics)
      }
      try state.update(memtables, segments)
      return Spans(
        sources: state.sources(memtables, segments), records: records, damage: state.damage, metrics: live.metrics)
    }
  }

  /// Bytes that the rows of joined spans hold.
  package var byteCount: Int { state.withLock { $0.byteCount } }
}

extension Segment {
  fileprivate var hasPartials: Bool { totals.partialCount > 0 }
}

/// The rows of a source that are hidden, by the index of the stripe.
struct HiddenRows {
  private(set) var masks: [Int: RowMask] = [:]
  private(set) var count = 0

  /// - Parameter height: the greatest row count of the stripe.
  mutating func hide(_ row: Int, ofStripe stripe: Int, height: Int) {
    if self.contains(row, ofStripe: stripe) { return }
    masks[stripe, default: RowMask(count: height)].set(row)
    count += 1
  }

  func contains(_ row: Int, ofStripe stripe: Int) -> Bool { masks[stripe]?[row] ?? false }

  /// The source without the hidden rows.
  func overlaying(_ source: any SpanSource) -> any SpanSource {
    if masks.isEmpty { return source }
    var fitting = masks
    for stripe in source.stripes {
      if let mask = masks[stripe.index], mask.count > stripe.rowCount {
        fitting[stripe.index] = mask.prefix(stripe.rowCount)
      }
    }
    return OverlaidSource(source, hiding: fitting)
  }
}

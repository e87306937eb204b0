package import TraceColumns
import TraceModel
package import TraceSource

/// Stands for stripes that cannot be listed: says what the footer says, as far as one stripe can, and throws whatever it
/// is asked.
package final class DamagedStripe: SpanStripe {
  private let error: any Error
  package let rowCount: Int
  package let bounds: StripeBounds

  init(error: any Error, totals: SegmentTotals) {
    self.error = error
    // Masks are made for it before it is asked anything.
    rowCount = min(Int(clamping: totals.rowCount), SegmentFormat.maximumStripeRowCount)
    var bounds = StripeBounds()
    bounds.minimumStart = min(totals.minimumStart, totals.partialMinimumStart)
    bounds.maximumStart = max(totals.maximumStart, totals.partialMaximumStart)
    bounds.maximumEnd = max(totals.maximumEnd, totals.partialMaximumEnd)
    bounds.minimumDuration = totals.partialCount > 0 ? 0 : totals.minimumDuration
    bounds.maximumDuration = totals.partialCount > 0 ? .max : totals.maximumDuration
    self.bounds = bounds
  }

  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool { throw error }
  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws { throw error }
  package func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws { throw error }
  package func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws { throw error }
  package func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws { throw error }
  package func spanIDs(_ rows: [Int]) throws -> [UInt64] { throw error }
  package func summaryRows(_ rows: [Int]) throws -> [SummaryRow] { throw error }
  package func records(_ rows: [Int]) throws -> [SourceSpan] { throw error }
}

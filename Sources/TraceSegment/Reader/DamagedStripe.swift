package import TraceColumns
package import TraceModel
package import TraceSource

/// Stands for stripes that cannot be listed: says what the footer says, as far as one stripe can, and throws whatever it
/// is asked.
package final class DamagedStripe: SpanStripe {
  private let error: any Error
  package var index: Int { 0 }
  package let rowCount: Int
  package let bounds: StripeBounds

  init(error: any Error, totals: SegmentTotals) {
    self.error = error
    // Masks are made for it before it is asked anything.
    rowCount = min(Int(clamping: totals.rowCount), SegmentFormat.maximumStripeRowCount)
    bounds = StripeBounds(totals)
  }

  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool { throw error }
  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws { throw error }
  package func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws { throw error }
  package func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws { throw error }
  package func forEachAttributeValue(
    key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool { throw error }
  package func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws { throw error }
  package func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void
  ) throws { throw error }
  package func text(_ code: UInt32) throws -> [UInt8] { throw error }
  package func texts(of key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask) throws -> RowTexts { throw error }
  package func spanIDs(_ rows: [Int]) throws -> [UInt64] { throw error }
  package func summaryRows(_ rows: [Int]) throws -> [SummaryRow] { throw error }
  package func records(_ rows: [Int]) throws -> [SourceSpan] { throw error }
}

extension StripeBounds {
  /// Of all rows and partial records of a segment.
  init(_ totals: SegmentTotals) {
    self.init()
    minimumStart = min(totals.minimumStart, totals.partialMinimumStart)
    maximumStart = max(totals.maximumStart, totals.partialMaximumStart)
    maximumEnd = max(totals.maximumEnd, totals.partialMaximumEnd)
    minimumDuration = totals.partialCount > 0 ? 0 : totals.minimumDuration
    maximumDuration = totals.partialCount > 0 ? .max : totals.maximumDuration
  }
}

import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP

/// The partial records of a segment that is being written, in the order of the file: ascending by trace and span, and
/// those of one span by their content.
struct PartialRecords {
  private let view: SpanTable.View
  /// Rows of the table.
  private var rows: [UInt32] = []
  /// For each of `rows`, its canonical `Span` message in `texts`, which never moves what it holds.
  private var codes: [UInt32] = []
  private let texts = ByteDictionary()

  init(
    _ view: SpanTable.View, _ numbers: [UInt32], resources: SegmentEnvelopes, scopes: SegmentEnvelopes
  ) throws {
    self.view = view
    var hashes: [Hash128] = []
    hashes.reserveCapacity(numbers.count)
    codes.reserveCapacity(numbers.count)
    for number in numbers {
      let bytes = OTLP.encode(try view.record(Int(number)))
      codes.append(texts.intern(bytes))
      hashes.append(Hash128(of: bytes))
    }
    let order = numbers.indices.sorted { left, right in
      let (a, b) = (view.rows.pointer(at: Int(numbers[left])), view.rows.pointer(at: Int(numbers[right])))
      if a.pointee.traceID != b.pointee.traceID { return a.pointee.traceID < b.pointee.traceID }
      if a.pointee.spanID != b.pointee.spanID { return a.pointee.spanID < b.pointee.spanID }
      if hashes[left] != hashes[right] { return hashes[left] < hashes[right] }
      let (resource, other) = (Int(a.pointee.resource), Int(b.pointee.resource))
      if resource != other { return resources.indices[resource] < resources.indices[other] }
      return scopes.indices[Int(a.pointee.scope)] < scopes.indices[Int(b.pointee.scope)]
    }
    rows = order.map { numbers[$0] }
    codes = order.map { codes[$0] }
  }

  var count: Int { rows.count }

  /// A column of a word for each record.
  func words(_ word: (SpanRow) -> UInt64) -> [UInt64] { rows.map { word(view.rows[Int($0)]) } }

  func text(_ index: Int) -> UnsafeRawBufferPointer { texts.bytes(codes[index]) }

  func forEachTrace(_ body: (TraceID) -> Void) { for row in rows { body(view.rows[Int(row)].traceID) } }

  func include(in totals: inout SegmentTotals) {
    totals.partialCount = UInt64(rows.count)
    for row in rows {
      let row = view.rows.pointer(at: Int(row))
      totals.partialMinimumStart = min(totals.partialMinimumStart, row.pointee.start)
      totals.partialMaximumStart = max(totals.partialMaximumStart, row.pointee.start)
      totals.partialMaximumEnd = max(totals.partialMaximumEnd, row.pointee.end)
    }
  }
}

extension SpanRow {
  fileprivate var traceID: TraceID { TraceID(high: traceHigh, low: traceLow) }
}

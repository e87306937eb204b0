import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP

/// The partial records of a segment that is being written, in the order of the rows.
struct PartialRecords {
  struct Record {
    var trace: TraceID
    var spanID: UInt64
    /// Indices in the table.
    var resource: UInt32
    var scope: UInt32
    var start: UInt64
    var end: UInt64
    /// A canonical `Span` message.
    var bytes: [UInt8]
    var hash: Hash128
  }

  private(set) var records: [Record] = []

  var count: Int { records.count }

  init(_ view: SpanTable.View, _ rows: [UInt32]) throws {
    records.reserveCapacity(rows.count)
    for number in rows {
      let row = view.rows[Int(number)]
      let bytes = OTLP.encode(try view.record(Int(number)))
      records.append(
        Record(
          trace: TraceID(high: row.traceHigh, low: row.traceLow), spanID: row.spanID, resource: row.resource,
          scope: row.scope, start: row.start, end: row.end, bytes: bytes, hash: Hash128(of: bytes)))
    }
  }

  func include(in totals: inout SegmentTotals) {
    totals.partialCount = UInt64(records.count)
    for record in records {
      totals.partialMinimumStart = min(totals.partialMinimumStart, record.start)
      totals.partialMaximumStart = max(totals.partialMaximumStart, record.start)
      totals.partialMaximumEnd = max(totals.partialMaximumEnd, record.end)
    }
  }
}

import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP
import TraceSource

/// Partial records, verbatim, ascending by trace and span.
final class PartialTable: CachedBlock, @unchecked Sendable {
  let traceHighs: [UInt64]
  let traceLows: [UInt64]
  let spanIDs: [UInt64]
  let resources: [UInt64]
  let scopes: [UInt64]
  let starts: [UInt64]
  let ends: [UInt64]
  private let records: TextColumn
  private let buffer: SegmentBuffer
  private let place: ChunkPlace

  var count: Int { traceHighs.count }
  var residentByteCount: Int { buffer.byteCount + count * 56 }

  init(
    _ buffer: SegmentBuffer, _ parts: [UnsafeRawBufferPointer], count: UInt64, place: ChunkPlace, _ scratch: ReadScratch
  ) throws {
    let columns = try parts[..<7].map { try IntegerColumn($0, verifying: false).decodeAll() }
    records = try TextColumn(parts[7], verifying: false, scratch: scratch.columns)
    guard columns.allSatisfy({ UInt64($0.count) == count }), UInt64(records.count) == count else {
      throw place.damage("its columns do not hold \(count) records")
    }
    (traceHighs, traceLows, spanIDs) = (columns[0], columns[1], columns[2])
    (resources, scopes, starts, ends) = (columns[3], columns[4], columns[5], columns[6])
    self.buffer = buffer
    self.place = place
  }

  var bounds: StripeBounds {
    var bounds = StripeBounds()
    for row in 0..<count { bounds.include(start: starts[row], end: ends[row]) }
    return bounds
  }

  func traceID(_ row: Int) -> TraceID { TraceID(high: traceHighs[row], low: traceLows[row]) }

  /// The rows of a trace.
  func rows(of trace: TraceID) -> Range<Int> {
    func first(_ passes: (TraceID) -> Bool) -> Int {
      var low = 0
      var high = count
      while low < high {
        let middle = (low + high) / 2
        if passes(traceID(middle)) { high = middle } else { low = middle + 1 }
      }
      return low
    }
    return first { $0 >= trace }..<first { $0 > trace }
  }

  func span(_ row: Int, _ scratch: ReadScratch) throws -> SpanRecord {
    try place.naming {
      try records.reading(at: row, scratch) { bytes in try OTLP.decodeSpan(bytes) }
    }
  }
}

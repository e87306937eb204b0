import Synchronization
import TraceBytes
import TraceColumns
import TraceMerge
import TraceModel
import TraceOTLP
import TraceSource

/// Partial records, verbatim, ascending by trace and span. They stay encoded: a question decodes the pages it touches,
/// so that a hundred thousand of them cost the cache no more than their bytes in the file.
final class PartialTable: CachedBlock, @unchecked Sendable {
  private let traceHighs: IntegerColumn
  private let traceLows: IntegerColumn
  private let spans: IntegerColumn
  private let resources: IntegerColumn
  private let scopes: IntegerColumn
  private let starts: IntegerColumn
  private let ends: IntegerColumn
  private let records: TextColumn
  private let buffer: SegmentBuffer
  private let place: ChunkPlace
  /// The first trace of each page of ids.
  private let pageStarts: [TraceID]
  /// Whoever asks for many traces asks in their order.
  private let lastPage = Mutex<(index: Int, traces: [TraceID])?>(nil)

  var count: Int { records.count }
  var residentByteCount: Int { buffer.byteCount + pageStarts.count * 16 + IntegerPage.maximumCount * 16 + 512 }

  /// - Parameter parts: of the section, whose checksum was compared when it was read.
  init(
    _ buffer: SegmentBuffer, _ parts: [UnsafeRawBufferPointer], count: UInt64, place: ChunkPlace, _ scratch: ReadScratch
  ) throws {
    let columns = try parts[..<7].map { try IntegerColumn($0, verifying: false) }
    records = try TextColumn(parts[7], verifying: false, scratch: scratch.columns)
    guard columns.allSatisfy({ UInt64($0.count) == count }), UInt64(records.count) == count else {
      throw place.damage("its columns do not hold \(count) records")
    }
    (traceHighs, traceLows, spans) = (columns[0], columns[1], columns[2])
    (resources, scopes, starts, ends) = (columns[3], columns[4], columns[5], columns[6])
    self.buffer = buffer
    self.place = place
    let (highs, lows) = (traceHighs, traceLows)
    pageStarts = try (0..<(highs.count == 0 ? 0 : highs.pageCount)).map { page in
      let row = highs.rows(ofPage: page).lowerBound
      return TraceID(high: try highs.value(at: row), low: try lows.value(at: row))
    }
  }

  func bounds() throws -> StripeBounds {
    var bounds = StripeBounds()
    for (start, end) in try times(Array(0..<count)) { bounds.include(start: start, end: end) }
    return bounds
  }

  private func values(_ column: IntegerColumn, _ rows: [Int]) throws -> [UInt64] {
    try place.naming { try rows.count == count ? column.decodeAll() : column.gather(rows) }
  }

  /// The rows of a trace. Decodes the pages that hold it: ids ascend, and are stored as steps.
  func rows(of trace: TraceID) throws -> Range<Int> {
    var page = page(before: trace)
    var rows: Range<Int>?
    while page < pageStarts.count, pageStarts[page] <= trace {
      let pageRows = traceHighs.rows(ofPage: page)
      let traces = try traces(ofPage: page)
      let first = traces.indices.partition { traces[$0] >= trace }
      let end = traces.indices.partition { traces[$0] > trace }
      if first < end { rows = (rows?.lowerBound ?? pageRows.lowerBound + first)..<pageRows.lowerBound + end }
      page += 1
    }
    return rows ?? 0..<0
  }

  private func traces(ofPage page: Int) throws -> [TraceID] {
    if let known = lastPage.withLock({ $0?.index == page ? $0?.traces : nil }) { return known }
    let traces = try traces(Array(traceHighs.rows(ofPage: page)))
    lastPage.withLock { $0 = (page, traces) }
    return traces
  }

  // MARK: Ids by page

  var pageCount: Int { pageStarts.count }

  func firstRow(ofPage page: Int) -> Int { page * IntegerPage.maximumCount }

  /// The last page that begins before a trace; the first when none does. What precedes it holds nothing of the trace.
  func page(before trace: TraceID) -> Int { max(0, pageStarts.indices.partition { pageStarts[$0] >= trace } - 1) }

  func keys(ofPage page: Int) throws -> [SpanKey] {
    let rows = Array(traceHighs.rows(ofPage: page))
    return zip(try traces(rows), try spanIDs(rows)).map { SpanKey(trace: $0, span: $1) }
  }

  /// The first traces of pages that lie at least so many rows apart, but for the first page.
  func cuts(every rowCount: Int) -> [TraceID] {
    let step = max(1, rowCount / IntegerPage.maximumCount)
    return stride(from: step, to: pageCount, by: step).map { pageStarts[$0] }
  }

  // MARK: Columns of some rows, which ascend

  func traces(_ rows: [Int]) throws -> [TraceID] {
    zip(try values(traceHighs, rows), try values(traceLows, rows)).map { TraceID(high: $0, low: $1) }
  }

  func spanIDs(_ rows: [Int]) throws -> [UInt64] { try values(spans, rows) }

  func times(_ rows: [Int]) throws -> [(start: UInt64, end: UInt64)] {
    zip(try values(starts, rows), try values(ends, rows)).map { ($0, $1) }
  }

  func resources(_ rows: [Int]) throws -> [Int] { try values(resources, rows).map { Int(clamping: $0) } }

  func scopes(_ rows: [Int]) throws -> [Int] { try values(scopes, rows).map { Int(clamping: $0) } }

  /// About how many bytes the records have.
  func byteCounts(_ rows: [Int]) throws -> [Int] { try place.naming { try records.estimatedByteCounts(rows) } }

  /// Calls `body` with each of the rows, the numbers of its resource and its scope, and its span as OTLP.
  func forEachRecord(
    _ rows: [Int], _ scratch: ReadScratch,
    _ body: (_ row: Int, _ resource: Int, _ scope: Int, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let (resources, scopes) = (try resources(rows), try scopes(rows))
    try place.naming {
      try records.reading(rows, scratch) { place, bytes in
        try body(rows[place], resources[place], scopes[place], bytes)
      }
    }
  }
}

/// Partial records of a segment in memory, for a merge, which takes them in an order of its own.
struct UnpackedPartials {
  private let rows: [Int]
  private let spanIDs: [UInt64]
  private var resources: [Int] = []
  private var scopes: [Int] = []
  private var texts: [UInt8] = []
  private var ends: [Int] = []

  /// Rows between two looks at how much they are.
  private static let stepCount = 1 << 10

  /// Nil when the records have more bytes than that.
  ///
  /// - Parameter rows: ascending.
  init?(_ table: PartialTable, _ rows: [Int], maximumByteCount: Int, _ scratch: ReadScratch) throws {
    self.rows = rows
    spanIDs = try table.spanIDs(rows)
    for first in stride(from: 0, to: rows.count, by: Self.stepCount) {
      let step = Array(rows[first..<min(first + Self.stepCount, rows.count)])
      var isFull = false
      try table.forEachRecord(step, scratch) { _, resource, scope, bytes in
        isFull = isFull || texts.count + bytes.count > maximumByteCount
        if isFull { return }
        resources.append(resource)
        scopes.append(scope)
        texts.append(contentsOf: bytes)
        ends.append(texts.count)
      }
      if isFull { return nil }
    }
  }

  var byteCount: Int { texts.count }

  private func place(of row: Int) -> Int {
    let place = rows.indices.partition { rows[$0] >= row }
    precondition(place < rows.count && rows[place] == row, "a partial record is asked for that is not unpacked")
    return place
  }

  /// Of rows that follow one another.
  func spanIDs(_ rows: Range<Int>) -> ArraySlice<UInt64> {
    let place = place(of: rows.lowerBound)
    return spanIDs[place..<place + rows.count]
  }

  func record(_ row: Int, of core: SegmentCore) throws -> PlainUpdates.Record {
    let place = place(of: row)
    let span = try texts.withUnsafeBytes { texts in
      try OTLP.decodeSpan(UnsafeRawBufferPointer(rebasing: texts[(place == 0 ? 0 : ends[place - 1])..<ends[place]]))
    }
    return PlainUpdates.Record(
      resource: try core.resources().value(at: resources[place]), scope: try core.scopes().value(at: scopes[place]),
      span: span, isPartial: true)
  }
}

import TraceColumns
package import TraceGraph
import TraceModel
import TraceSource
import TraceWAL

/// Reads final spans of what is acknowledged from some moment on as rows, for a process that has no memtable: requests of
/// the log are decoded into columns, as the writer does it, and not into records. For one thread at a time; blocking.
package struct LogRows {
  /// Rows of a table before the next one is begun: dictionaries stay warm, memory stays small.
  private static let maximumTableRowCount = 1 << 14
  private static let maximumTableByteCount = 32 << 20

  private var tail: LogTail
  private var told: ToldSpans
  private let isZeroEndOpen: Bool
  private let frame = FrameWorkspace()
  private var table: Memtable
  private var reader = CallRowReader()

  package init(_ tail: LogTail, isZeroEndOpen: Bool) {
    self.tail = tail
    self.isZeroEndOpen = isZeroEndOpen
    told = ToldSpans(from: tail.nextSequence)
    table = Memtable(endZeroMeansOpen: isZeroEndOpen)
  }

  /// Calls `body` with what has come, until there is no more.
  ///
  /// - Parameters:
  ///   - trimmedBelow: requests below this sequence are in segments; asked for when that is needed.
  ///   - code: gives a text its code.
  package mutating func read(
    trimmedBelow: () throws -> UInt64, code: ([UInt8]) -> UInt32, _ body: (UnsafeBufferPointer<StreamedSpan>) -> Void
  ) throws {
    var isAtEnd = false
    while !isAtEnd {
      if told.isFull, !tail.isInSegment { told.forget(below: try trimmedBelow(), next: tail.nextSequence) }
      isAtEnd = true
      // A copy, because it is not all of this that is changed meanwhile.
      var own = tail
      defer { tail = own }
      try own.forEachPiece(knownFrom: told.firstSequence) { piece in
        switch piece {
        case .request(let record): try add(record, code, body)
        case .sealed(let records, _):
          for record in records where !record.isPartial && !told.contains(record.span) {
            let span = CallSpan(record.span, service: record.resource.serviceName) { code(Array($0.utf8)) }
            withUnsafePointer(to: StreamedSpan(trace: record.span.traceID, span: span)) {
              body(UnsafeBufferPointer(start: $0, count: 1))
            }
          }
        }
        isAtEnd = !told.isFull
        return isAtEnd
      }
      if !own.isInSegment { told.endLookups() }
    }
  }

  private mutating func add(
    _ record: WALRecord, _ code: ([UInt8]) -> UInt32, _ body: (UnsafeBufferPointer<StreamedSpan>) -> Void
  ) throws {
    try frame.load(record)
    try frame.decode()
    if table.rowCount >= Self.maximumTableRowCount || table.byteCount >= Self.maximumTableByteCount
      || !table.hasRoom(for: frame.batch)
    {
      table = Memtable(endZeroMeansOpen: isZeroEndOpen)
      reader = CallRowReader()
    }
    let first = table.rowCount
    let count = try table.append(frame)
    let view = table.view()
    for index in first..<first + count {
      let row = view.rows.pointer(at: index)
      guard row.pointee.marks.isFinal else { continue }
      let key = ToldSpans.key(
        traceHigh: row.pointee.traceHigh, traceLow: row.pointee.traceLow, spanID: row.pointee.spanID,
        kind: row.pointee.kind, start: row.pointee.start, end: row.pointee.end)
      told.add(key: key, sequence: record.sequence)
    }
    reader.read(first..<first + count, of: view, code: code, body)
  }

  package mutating func takeLost() -> UInt64 { tail.takeLost() }

  /// To be called when texts have other codes.
  package mutating func forgetNames() { reader.forgetNames() }
}

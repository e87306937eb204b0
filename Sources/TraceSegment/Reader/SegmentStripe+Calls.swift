import TraceBytes
package import TraceColumns
import TraceModel
package import TraceSource

// Whole columns of runs, for kernels. Every row of a stripe is a final span.
extension SegmentStripe {
  package func text(_ code: UInt32) throws -> [UInt8] {
    try core.strings().withBytes(code) { Array($0) }
  }

  package func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void
  ) throws {
    guard bounds.minimumStart <= selection.starts.upperBound, bounds.maximumStart >= selection.starts.lowerBound else {
      return
    }
    try reading { try forEachCallRun(selection, in: rows, mask, of: $0, $1, body) }
  }

  func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, of loaded: LoadedStripe, _ scratch: ReadScratch,
    _ body: (CallRun) throws -> Void
  ) throws {
    let strings = try core.strings()
    let services = selection.services.map { Set($0.compactMap { strings.code(of: $0) }) }
    if services?.isEmpty == true { return }
    let runs = try loaded.runs(scratch)
    func isWanted(_ run: Int) -> Bool {
      (services?.contains(runs.services[run]) ?? true) && (selection.kinds?.contains(runs.kinds[run]) ?? true)
        && runs.minimumStarts[run] <= selection.starts.upperBound
        && runs.maximumStarts[run] >= selection.starts.lowerBound
    }
    var reader: CallPageReader?
    var run = rows.isEmpty ? runs.count : runs.run(of: rows.lowerBound)
    // Pieces of runs inside one page after the other, each page decoded once and only if it has a piece.
    while run < runs.count, runs.firstRows[run] < rows.upperBound {
      defer { run += 1 }
      guard isWanted(run) else { continue }
      var own = runs.rows(of: run).clamped(to: rows)
      while !own.isEmpty {
        let page = own.lowerBound / IntegerPage.maximumCount
        let piece = own.lowerBound..<min(own.upperBound, (page + 1) * IntegerPage.maximumCount)
        own = piece.upperBound..<own.upperBound
        if let mask, !mask.hasSet(in: piece) { continue }
        if reader == nil {
          reader = try CallPageReader(loaded, selection, bounds, scratch)
          if mask == nil, services == nil { try reader?.expect(pageCount: IntegerPage.count(of: rows.count)) }
        }
        try reader?.withRun(of: piece, mask, hasErrors: runs.errorCounts[run] > 0) { part in
          try body(
            CallRun(
              service: runs.services[run], name: runs.names[run], kind: runs.kinds[run], rows: part.rows,
              starts: part.starts, durations: part.durations, errors: part.errors))
        }
      }
    }
  }
}

/// The columns of one page of rows at a time.
private final class CallPageReader {
  struct Part {
    var rows: CallRows
    var starts: UnsafeBufferPointer<UInt64>
    var durations: UnsafeBufferPointer<UInt64>
    var errors: UnsafeBufferPointer<UInt8>
  }

  private let selection: CallSelection
  private let times: StripeTimes
  private let ordinals: TraceOrdinals
  private let bases: [UInt64]
  private let status: IntegerChunk
  private let rowCount: Int
  /// Whether a span may end before it starts, as far as the bounds know.
  private let mayBeInverted: Bool
  private let longest: UInt64

  // Of the page at hand, by row in the page.
  private var page = -1
  private var statusPage = -1
  private let starts: UnsafeMutableBufferPointer<UInt64>
  private let durations: UnsafeMutableBufferPointer<UInt64>
  private let words: UnsafeMutableBufferPointer<UInt64>
  private let errors: UnsafeMutableBufferPointer<UInt8>
  // What a mask leaves of a run.
  private let keptRows: UnsafeMutableBufferPointer<UInt32>
  private let keptStarts: UnsafeMutableBufferPointer<UInt64>
  private let keptDurations: UnsafeMutableBufferPointer<UInt64>
  private let keptErrors: UnsafeMutableBufferPointer<UInt8>

  init(
    _ loaded: LoadedStripe, _ selection: CallSelection, _ bounds: StripeBounds, _ scratch: ReadScratch
  ) throws {
    self.selection = selection
    rowCount = loaded.head.rowCount
    times = try StripeTimes(loaded)
    ordinals = try loaded.ordinals(scratch)
    bases = try times.bases.decodeAll()
    status = try loaded.integers(ChunkID.statusCode, count: rowCount)
    longest = bounds.maximumDuration
    mayBeInverted = bounds.maximumStart.addingReportingOverflow(longest).overflow
    func buffer<Element>(of value: Element) -> UnsafeMutableBufferPointer<Element> {
      let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: IntegerPage.maximumCount)
      buffer.initialize(repeating: value)
      return buffer
    }
    starts = buffer(of: 0)
    durations = buffer(of: 0)
    words = buffer(of: 0)
    errors = buffer(of: 0)
    keptRows = buffer(of: 0)
    keptStarts = buffer(of: 0)
    keptDurations = buffer(of: 0)
    keptErrors = buffer(of: 0)
  }

  deinit {
    starts.deallocate()
    durations.deallocate()
    words.deallocate()
    errors.deallocate()
    keptRows.deallocate()
    keptStarts.deallocate()
    keptDurations.deallocate()
    keptErrors.deallocate()
  }

  func expect(pageCount: Int) throws {
    try times.offsets.expect(pageCount: pageCount)
    if selection.needsDurations { try times.durations.expect(pageCount: pageCount) }
    if selection.needsErrors { try status.expect(pageCount: pageCount) }
  }

  /// - Parameter rows: rows of one run, inside one page.
  func withRun(
    of rows: Range<Int>, _ mask: RowMask?, hasErrors: Bool, _ body: (Part) throws -> Void
  ) throws {
    try open(rows.lowerBound / IntegerPage.maximumCount)
    let hasErrors = hasErrors && selection.needsErrors
    if hasErrors { try openStatus() }
    let first = page * IntegerPage.maximumCount
    // Rows of a run ascend by start, or those inside of a window could not be told by their ends.
    var isAscending = true
    for place in (rows.lowerBound - first + 1)..<max(rows.upperBound - first, rows.lowerBound - first + 1) {
      isAscending = isAscending && starts[place - 1] <= starts[place]
    }
    guard isAscending else { throw times.offsets.place.damage("the rows of a run do not ascend by start") }
    let range = selection.starts
    let low = rows.partition { starts[$0 - first] >= range.lowerBound }
    let high = (low..<rows.upperBound).partition { starts[$0 - first] > range.upperBound }
    let own = (low - first)..<(high - first)
    if own.isEmpty { return }
    guard let mask, !mask.isSet(low..<high) else {
      return try body(
        Part(
          rows: .range(low..<high), starts: UnsafeBufferPointer(rebasing: starts[own]),
          durations: UnsafeBufferPointer(rebasing: durations[selection.needsDurations ? own : 0..<0]),
          errors: UnsafeBufferPointer(rebasing: errors[hasErrors ? own : 0..<0])))
    }
    var count = 0
    for row in low..<high where mask[row] {
      keptRows[count] = UInt32(truncatingIfNeeded: row)
      keptStarts[count] = starts[row - first]
      keptDurations[count] = durations[row - first]
      keptErrors[count] = errors[row - first]
      count += 1
    }
    if count == 0 { return }
    try body(
      Part(
        rows: .list(UnsafeBufferPointer(rebasing: keptRows[..<count])),
        starts: UnsafeBufferPointer(rebasing: keptStarts[..<count]),
        durations: UnsafeBufferPointer(rebasing: keptDurations[..<(selection.needsDurations ? count : 0)]),
        errors: UnsafeBufferPointer(rebasing: keptErrors[..<(hasErrors ? count : 0)])))
  }

  private func open(_ index: Int) throws {
    guard index != page else { return }
    let first = index * IntegerPage.maximumCount
    let rows = first..<min(rowCount, first + IntegerPage.maximumCount)
    page = -1
    try times.offsets.decodePage(index, into: starts)
    bases.withUnsafeBufferPointer { ordinals.add($0, of: rows, to: starts) }
    if selection.needsDurations {
      try times.durations.decodePage(index, into: durations)
      // Spans that end before they start count as 0; their stored durations exceed the longest real one.
      for place in 0..<rows.count where mayBeInverted || durations[place] > longest {
        durations[place] = StripeTimes.visible(duration: durations[place], start: starts[place])
      }
    }
    page = index
  }

  private func openStatus() throws {
    guard statusPage != page else { return }
    statusPage = -1
    try status.decodePage(page, into: words)
    let error = zigzag(Int64(SpanStatus.Code.error.rawValue))
    for place in 0..<words.count { errors[place] = words[place] == error ? 1 : 0 }
    statusPage = page
  }
}

extension RowMask {
  /// Whether all rows of a range are set.
  fileprivate func isSet(_ range: Range<Int>) -> Bool {
    for row in range where !self[row] { return false }
    return true
  }
}

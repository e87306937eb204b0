package import TraceColumns
import TraceFiles
import TraceMerge
import TraceModel
package import TraceOTLP
import TraceSegment
import TraceSource

/// Rows that are not in a segment yet, behind a watermark: a row exists from `append` on and is visible from
/// `publish` on, in frame order.
///
/// Thread-safe. One lock guards the table's hash tables; readers take it for a moment to make a snapshot or to look
/// up a trace, and then read rows without it.
package final class Memtable: @unchecked Sendable {
  /// A stripe of a memtable is `1 << stripeShift` rows, in the order they arrived.
  package static let stripeShift = 12

  private struct State {
    var appender: BatchAppender
    var bounds: [StripeBounds] = []
    var publishedRowCount = 0
    /// Rows that were discarded before the fate of those before them was known.
    var deadRanges: [Range<Int>] = []
    var minimumArrival: UInt64 = .max
    var maximumArrival: UInt64 = 0
    var firstSequence: UInt64?
    var lastSequence: UInt64 = 0
  }

  package let table: SpanTable
  let repeats = MemtableRepeats()
  private let state: Monitor<State>

  package init(
    endZeroMeansOpen: Bool, maximumStringCount: Int = ByteDictionary.maximumCount, isSmall: Bool = false
  ) {
    table = SpanTable(maximumStringCount: maximumStringCount, isSmall: isSmall)
    state = Monitor(State(appender: BatchAppender(table: table, endZeroMeansOpen: endZeroMeansOpen)))
  }

  /// Whether the batch can be appended.
  package func hasRoom(for batch: SpanBatch) -> Bool { state.withLock { _ in tableHasRoom(for: batch) } }

  private func tableHasRoom(for batch: SpanBatch) -> Bool {
    table.hasRoom(rowCount: batch.acceptedCount, stringCount: batch.maximumStringCount)
  }

  /// Appends the accepted spans of a batch, invisible until published, and returns their rows.
  /// - Throws: `limitExceeded` when there is no room for them; nothing was appended then.
  package func append(_ batch: SpanBatch, arrivalNanoseconds: UInt64) throws -> Range<Int> {
    try state.withLock { state in
      guard tableHasRoom(for: batch) else {
        throw TracestoreError(.limitExceeded, "The request has more spans or texts than fit into memory at a time.")
      }
      let first = table.rowCount
      try state.appender.append(batch, bounds: &state.bounds)
      state.minimumArrival = min(state.minimumArrival, arrivalNanoseconds)
      state.maximumArrival = max(state.maximumArrival, arrivalNanoseconds)
      return first..<table.rowCount
    }
  }

  /// Appends a span that several records make, visible at once, and returns its row. For tables of nothing else.
  func append(_ view: SpanView) throws -> Int {
    try state.withLock { state in
      guard table.hasRoom(rowCount: 1, stringCount: Self.maximumViewStringCount) else {
        throw TracestoreError(.limitExceeded, "Open and enriched spans have more texts than fit into memory at a time.")
      }
      let row = table.rowCount
      SpanTableBuilder(table: table).append(
        resource: view.resource, scope: view.scope, span: view.span, isPartial: view.isOpen,
        isEnriched: view.isEnriched)
      if row >> Self.stripeShift == state.bounds.count { state.bounds.append(StripeBounds()) }
      state.bounds[row >> Self.stripeShift].include(
        start: view.span.start.nanoseconds, end: view.span.end.nanoseconds)
      state.publishedRowCount = table.rowCount
      return row
    }
  }

  /// Room that is left for the texts of one span: no request brings more.
  private static let maximumViewStringCount = 1 << 22

  /// Notes the log sequence of the rows appended last.
  package func note(sequence: UInt64) {
    state.withLock { state in
      if state.firstSequence == nil { state.firstSequence = sequence }
      state.lastSequence = sequence
    }
  }

  /// Makes every row before the end of `rows` visible. Called in frame order.
  package func publish(_ rows: Range<Int>) {
    state.withLock { state in
      state.publishedRowCount = max(state.publishedRowCount, rows.upperBound)
      Self.passDeadRanges(&state)
    }
    state.wakeAll()
  }

  /// Makes rows that nobody has seen invisible for ever, because their frame could not be made durable. Rows before
  /// them stay as they are: a frame that the log refused at once may stand behind others that it is still writing.
  package func discard(_ rows: Range<Int>) {
    state.withLock { state in
      table.kill(rows: rows)
      state.deadRanges.append(rows)
      Self.passDeadRanges(&state)
    }
    state.wakeAll()
  }

  /// Moves the watermark over dead rows that stand right behind it.
  private static func passDeadRanges(_ state: inout State) {
    while let index = state.deadRanges.firstIndex(where: { $0.lowerBound <= state.publishedRowCount }) {
      state.publishedRowCount = max(state.publishedRowCount, state.deadRanges.remove(at: index).upperBound)
    }
  }

  /// Waits until the fate of every row is known. Nothing may be appended meanwhile.
  package func waitUntilPublished() { state.wait { [table] in $0.publishedRowCount >= table.rowCount } }

  package var rowCount: Int { state.withLock { _ in table.rowCount } }
  package var byteCount: Int { state.withLock { _ in table.byteCount } }
  /// The first and last log sequence of its rows; nil when it is empty.
  package var sequences: ClosedRange<UInt64>? {
    state.withLock { state in state.firstSequence.map { $0...max($0, state.lastSequence) } }
  }
  package var arrivals: (minimum: UInt64, maximum: UInt64) {
    state.withLock { ($0.minimumArrival, $0.maximumArrival) }
  }

  /// What is visible now.
  package func source() -> MemtableSource {
    state.withLock { state in
      MemtableSource(
        memtable: self, view: table.view(rowCount: state.publishedRowCount), bounds: state.bounds,
        hasPartials: state.appender.hasPartials)
    }
  }

  /// The rows that are visible now, for whoever reads them in the order they came.
  func view() -> SpanTable.View { state.withLock { table.view(rowCount: $0.publishedRowCount) } }

  /// Calls `body` under the lock, for look-ups in hash tables.
  func withTable<Result>(_ body: (SpanTable) -> Result) -> Result { state.withLock { _ in body(table) } }
}

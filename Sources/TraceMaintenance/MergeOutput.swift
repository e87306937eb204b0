import TraceBytes
import TraceColumns
import TraceMerge
import TraceModel
import TraceSegment

/// The rows of the segment that a merge is making.
struct MergeOutput {
  struct Rows {
    var finals: [UInt32] = []
    var partials: [UInt32] = []
  }

  let table: SpanTable
  private let maximumStringCount: Int
  /// Distinct finals, and partial records that contribute.
  private(set) var rows = Rows()
  private(set) var droppedCount = 0
  /// Bytes that the rows hold, repetitions included.
  private var weight = 0
  /// Where the newest trace begins.
  private var finalCountBefore = 0
  private var partialCountBefore = 0
  private var droppedCountBefore = 0
  /// Rows of the table that have been taken up.
  private var seenCount = 0
  /// Of the rows that have not.
  private var weights: [Int] = []

  init(maximumStringCount: Int) {
    self.maximumStringCount = maximumStringCount
    table = SpanTable(maximumStringCount: maximumStringCount)
  }

  var rowCount: Int { rows.finals.count + rows.partials.count }

  /// Whether there is room for what one stripe of a segment or the records of one span may bring: no more than the
  /// memtables that they were sealed from, which `Limits` and the options of ingest bound.
  var hasRoom: Bool {
    table.hasRoom(rowCount: SpanTable.maximumRowCount / 2, stringCount: maximumStringCount / 4 * 3)
  }
  var hasEarlierTraces: Bool { finalCountBefore + partialCountBefore > 0 }

  /// Everything but the newest trace.
  var earlierRows: Rows {
    Rows(finals: Array(rows.finals[..<finalCountBefore]), partials: Array(rows.partials[..<partialCountBefore]))
  }

  func isFull(_ policy: CompactionPolicy) -> Bool {
    rowCount > policy.segmentRowCount || weight > policy.segmentWeight
  }

  /// Appends the finals that a stripe of one of the inputs holds of a trace.
  mutating func append(ordinal: Int, ofStripe stripe: Int, from transfer: SegmentTransfer) throws {
    try transfer.append(ordinal: ordinal, ofStripe: stripe, weights: &weights)
  }

  /// Takes up the finals that have been appended: those of one trace.
  ///
  /// - Parameter mayRepeat: whether records may occur twice, because they come from several segments. One segment
  ///   holds each record once.
  mutating func takeUpFinals(mayRepeat: Bool) throws {
    let new = seenCount..<table.rowCount
    seenCount = new.upperBound
    let repeated = mayRepeat ? try repeatedRows(in: new) : []
    for row in new where repeated.isEmpty || !repeated.contains(row) {
      rows.finals.append(UInt32(row))
      weight += weights[row - new.lowerBound]
    }
    weights.removeAll(keepingCapacity: true)
    droppedCount += repeated.count
  }

  /// Takes up those of the partial records of one span that contribute. The table never sees the others: an open span may
  /// have been sent again and again.
  mutating func takeUpPartials(_ records: [PlainUpdates.Record]) {
    let contributing = PlainUpdates.contributing(records)
    let builder = SpanTableBuilder(table: table)
    for record in contributing.map({ records[$0] }) {
      builder.append(resource: record.resource, scope: record.scope, span: record.span, isPartial: true)
    }
    let new = seenCount..<table.rowCount
    seenCount = new.upperBound
    let view = table.view(rowCount: table.rowCount)
    for row in new {
      rows.partials.append(UInt32(row))
      weight += RowWeight.of(view.rows[row], in: view)
    }
    droppedCount += records.count - contributing.count
  }

  mutating func endTrace() {
    finalCountBefore = rows.finals.count
    partialCountBefore = rows.partials.count
    droppedCountBefore = droppedCount
  }

  /// Of what was dropped, what belongs to earlier traces.
  var earlierDroppedCount: Int { droppedCountBefore }

  /// Rows whose content stands in an earlier one of the range.
  private func repeatedRows(in range: Range<Int>) throws -> Set<Int> {
    let ordered = range.sorted { (table.rows[$0].spanID, $0) < (table.rows[$1].spanID, $1) }
    var view: SpanTable.View?
    var contents: Set<[UInt8]> = []
    var repeated: Set<Int> = []
    for (place, row) in ordered.enumerated() {
      let id = table.rows[row].spanID
      let isAlone =
        (place == 0 || table.rows[ordered[place - 1]].spanID != id)
        && (place + 1 == ordered.count || table.rows[ordered[place + 1]].spanID != id)
      if isAlone { continue }
      if place == 0 || table.rows[ordered[place - 1]].spanID != id { contents.removeAll() }
      let opened = view ?? table.view(rowCount: table.rowCount)
      view = opened
      if !contents.insert(try opened.canonicalBytes(row)).inserted { repeated.insert(row) }
    }
    return repeated
  }
}

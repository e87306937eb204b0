import TraceBytes
import TraceColumns
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
  /// Rows of the table that have been looked at.
  private var seenCount = 0
  /// Of the rows of the newest trace, in the order of the table.
  private var weights: [Int] = []

  init(maximumStringCount: Int) {
    self.maximumStringCount = maximumStringCount
    table = SpanTable(maximumStringCount: maximumStringCount)
  }

  var rowCount: Int { rows.finals.count + rows.partials.count }

  /// Whether there is room for what one stripe of a segment may bring: no more than the memtable that it was sealed
  /// from, which `Limits` and the options of ingest bound.
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

  /// Takes up what has been appended to the table: one trace.
  ///
  /// - Parameter mayRepeat: whether records may occur twice, because they come from several segments. One segment
  ///   holds each record once.
  mutating func takeUpRows(mayRepeat: Bool) throws {
    let new = seenCount..<table.rowCount
    seenCount = new.upperBound
    var repeated = mayRepeat ? try repeatedRows(in: new) : []
    let partials = new.filter { isPartial($0) && !repeated.contains($0) }
    if partials.count > 1 {
      var rows = PartialRows(table.view(rowCount: table.rowCount))
      let contributing = Set(try rows.contributing(partials.map { UInt32($0) }))
      repeated.formUnion(partials.filter { !contributing.contains(UInt32($0)) })
    }
    for row in new where repeated.isEmpty || !repeated.contains(row) {
      if isPartial(row) {
        rows.partials.append(UInt32(row))
      } else {
        rows.finals.append(UInt32(row))
      }
      weight += weights[row - new.lowerBound]
    }
    weights.removeAll(keepingCapacity: true)
    droppedCount += repeated.count
  }

  private func isPartial(_ row: Int) -> Bool { table.rows.pointer(at: row).pointee.marks.contains(.isPartial) }

  /// Appends what one of the inputs holds of a trace.
  mutating func append(_ fragment: TraceFragment, from transfer: SegmentTransfer) throws {
    try transfer.append(fragment, weights: &weights)
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
    var contents: [(row: Int, bytes: [UInt8])] = []
    var repeated: Set<Int> = []
    for (place, row) in ordered.enumerated() {
      let id = table.rows[row].spanID
      let isAlone =
        (place == 0 || table.rows[ordered[place - 1]].spanID != id)
        && (place + 1 == ordered.count || table.rows[ordered[place + 1]].spanID != id)
      if isAlone { continue }
      if let known = contents.first, table.rows[known.row].spanID != id { contents.removeAll() }
      let opened = view ?? table.view(rowCount: table.rowCount)
      view = opened
      let bytes = try opened.canonicalBytes(row)
      if contents.contains(where: { $0.bytes == bytes }) {
        repeated.insert(row)
      } else {
        contents.append((row, bytes))
      }
    }
    return repeated
  }
}

import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// One stripe decoded whole, to be appended to a table trace by trace: what a merge reads.
///
/// Columns are decoded once and rows hold the stripe's own codes; a code becomes one of the table's when the first row
/// that needs it is appended. Not thread-safe.
final class StripeRows {
  /// `name` is a code in the segment's strings; `resource` and `scope` are the segment's indices; `shape` is the
  /// stripe's; `firstValue` counts in `words`; events and links count inside the stripe; texts are not set.
  private var rows: [SpanRow]
  private var events: [EventRow]
  private var links: [LinkRow]
  /// The values of all attribute lists, a word for each slot; text is an index in its column.
  private var words: [UInt64] = []
  private let traces: TraceRows
  private let shapes: StripeShapes
  /// The attribute columns that occur.
  private var columns: [Column] = []
  /// By catalogue entry: the place in `columns`.
  private var columnNumbers: [Int] = []
  /// The texts of rows, events and links by chunk; those that were left out are empty everywhere.
  private var texts: [UInt32: TextCodes] = [:]
  /// The table's code of each shape, in the table of `generation`.
  private var shapeCodes: [UInt32?]
  private var generation = 0
  private let loaded: LoadedStripe

  private struct Column {
    /// A code in the segment's strings.
    var key: UInt32
    var type: AttributeType
    /// Nil when the words stand for themselves.
    var text: TextCodes?
  }

  init(_ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.loaded = loaded
    rows = [SpanRow](repeating: SpanRow(), count: loaded.head.rowCount)
    events = [EventRow](repeating: EventRow(), count: loaded.head.eventCount)
    links = [LinkRow](repeating: LinkRow(), count: loaded.head.linkCount)
    traces = try loaded.traceRows(scratch)
    shapes = try loaded.shapes(scratch)
    shapeCodes = [UInt32?](repeating: nil, count: shapes.count)
    try decodeTraces()
    try decodeRuns(scratch)
    try decodeEnvelopes(scratch)
    try decodeParents(scratch)
    try decodeStatus(scratch)
    try decodeEvents(scratch)
    try decodeLinks(scratch)
    try decodeAttributes(scratch)
    for (level, ids) in Self.textChunks {
      for id in ids where loaded.head.chunk(id) != nil {
        texts[id] = try loaded.text(id, count: loaded.elementCount(level), scratch).codes(scratch)
      }
    }
  }

  private static let textChunks: [(ColumnLevel, [UInt32])] = [
    (.span, [ChunkID.statusMessage, ChunkID.traceState, ChunkID.unknownFields, ChunkID.statusUnknownFields]),
    (.event, [ChunkID.eventName, ChunkID.eventUnknownFields]),
    (.link, [ChunkID.linkTraceState, ChunkID.linkUnknownFields]),
  ]

  // MARK: Appending

  /// Appends the rows of the trace with this ordinal to the transfer's table.
  func append(ordinal: Int, to transfer: SegmentTransfer) throws {
    guard ordinal < loaded.head.traceCount else {
      throw loaded.place(ChunkID.traceOrdinal).damage("trace \(ordinal) of \(loaded.head.traceCount) is asked for")
    }
    if generation != transfer.generation {
      generation = transfer.generation
      for shape in shapeCodes.indices { shapeCodes[shape] = nil }
      for text in texts.values { text.forgetCodes() }
      for column in columns { column.text?.forgetCodes() }
    }
    let table = transfer.table
    for index in traces.rows(of: ordinal) {
      let index = Int(index)
      var row = rows[index]
      row.name = try transfer.string(row.name)
      row.resource = try transfer.resource(Int(row.resource))
      row.scope = try transfer.scope(Int(row.scope))
      if !texts.isEmpty {
        row.statusMessage = try text(ChunkID.statusMessage, index, transfer)
        row.traceState = try text(ChunkID.traceState, index, transfer)
        row.unknownFields = try text(ChunkID.unknownFields, index, transfer)
        row.statusUnknownFields = try text(ChunkID.statusUnknownFields, index, transfer)
      }
      (row.shape, row.firstValue) = try appendAttributes(row.shape, row.firstValue, to: transfer)
      let events = Int(row.firstEvent)..<Int(row.firstEvent) + Int(row.eventCount)
      row.firstEvent = table.nextEventIndex
      for event in events { try append(event: event, to: transfer) }
      let links = Int(row.firstLink)..<Int(row.firstLink) + Int(row.linkCount)
      row.firstLink = table.nextLinkIndex
      for link in links { try append(link: link, to: transfer) }
      table.appendRow(row)
    }
  }

  private func append(event index: Int, to transfer: SegmentTransfer) throws {
    var event = events[index]
    event.name = try text(ChunkID.eventName, index, transfer)
    event.unknownFields = try text(ChunkID.eventUnknownFields, index, transfer)
    (event.shape, event.firstValue) = try appendAttributes(event.shape, event.firstValue, to: transfer)
    transfer.table.appendEvent(event)
  }

  private func append(link index: Int, to transfer: SegmentTransfer) throws {
    var link = links[index]
    link.traceState = try text(ChunkID.linkTraceState, index, transfer)
    link.unknownFields = try text(ChunkID.linkUnknownFields, index, transfer)
    (link.shape, link.firstValue) = try appendAttributes(link.shape, link.firstValue, to: transfer)
    transfer.table.appendLink(link)
  }

  private func text(_ id: UInt32, _ index: Int, _ transfer: SegmentTransfer) throws -> UInt32 {
    try texts[id]?.code(at: index, transfer) ?? 0
  }

  private func appendAttributes(
    _ shape: UInt32, _ firstWord: UInt32, to transfer: SegmentTransfer
  ) throws -> (shape: UInt32, firstValue: UInt32) {
    let table = transfer.table
    let first = table.nextValueIndex
    let entries = shapes.entries(Int(shape))
    if entries.isEmpty { return (0, first) }
    var word = Int(firstWord)
    for entry in entries {
      if let text = columns[columnNumbers[Int(entry)]].text {
        table.appendValue(UInt64(try text.code(at: Int(words[word]), transfer)))
      } else {
        table.appendValue(words[word])
      }
      word &+= 1
    }
    if let known = shapeCodes[Int(shape)] { return (known, first) }
    var slots: [UInt32] = []
    for entry in entries {
      let column = columns[columnNumbers[Int(entry)]]
      slots.append(ShapeSlot(key: try transfer.string(column.key), type: column.type).rawValue)
    }
    let code = slots.withUnsafeBytes { table.shapes.intern($0) }
    shapeCodes[Int(shape)] = code
    return (code, first)
  }

  // MARK: Decoding

  private func values(_ id: UInt32, _ count: Int) throws -> [UInt64] {
    try loaded.integers(id, count: count).decodeAll()
  }

  /// Calls `body` with the values of a row column; not at all when it was left out because all are zero.
  private func forEach(_ id: UInt32, count: Int, _ body: (Int, UInt64) throws -> Void) throws {
    guard loaded.head.chunk(id) != nil else { return }
    let values = try values(id, count)
    for index in 0..<values.count { try body(index, values[index]) }
  }

  private func forEachRow(_ id: UInt32, _ body: (inout SpanRow, UInt64) -> Void) throws {
    try forEach(id, count: rows.count) { body(&rows[$0], $1) }
  }

  private func decodeTraces() throws {
    let count = loaded.head.traceCount
    let highs = try values(ChunkID.traceHigh, count)
    let lows = try values(ChunkID.traceLow, count)
    let bases = try values(ChunkID.traceBase, count)
    let offsets = try values(ChunkID.start, rows.count)
    let durations = try values(ChunkID.duration, rows.count)
    for ordinal in 0..<count {
      for row in traces.rows(of: ordinal) {
        let row = Int(row)
        rows[row].traceHigh = highs[ordinal]
        rows[row].traceLow = lows[ordinal]
        rows[row].start = bases[ordinal] &+ offsets[row]
        rows[row].end = rows[row].start &+ durations[row]
      }
    }
    try forEachRow(ChunkID.spanID) { $0.spanID = $1 }
  }

  private func decodeRuns(_ scratch: ReadScratch) throws {
    let runs = try loaded.runs(scratch)
    for run in 0..<runs.count {
      for row in runs.rows(of: run) {
        rows[row].name = runs.names[run]
        rows[row].kind = runs.kinds[run]
      }
    }
  }

  private func decodeEnvelopes(_ scratch: ReadScratch) throws {
    func indices(_ id: UInt32, _ list: [UInt32]) throws -> [UInt32] {
      guard let last = list.indices.last else {
        guard rows.isEmpty else { throw loaded.place(id).damage("the stripe names none") }
        return []
      }
      return try loaded.integers(id, count: rows.count).decodeCodes(maximum: UInt64(last), scratch).map {
        list[Int($0)]
      }
    }
    let resources = try indices(ChunkID.resource, try loaded.resourceList(scratch))
    let scopes = try indices(ChunkID.scope, try loaded.scopeList(scratch))
    for row in rows.indices {
      rows[row].resource = resources[row]
      rows[row].scope = scopes[row]
    }
  }

  private func decodeParents(_ scratch: ReadScratch) throws {
    guard loaded.head.chunk(ChunkID.parent) != nil else { return }
    let parents = try values(ChunkID.parent, rows.count)
    let escapes = parents.contains(1) ? try loaded.escapedParents(scratch) : nil
    for ordinal in 0..<loaded.head.traceCount {
      let siblings = traces.rows(of: ordinal)
      for row in siblings {
        let row = Int(row)
        switch parents[row] {
        case 0: continue
        case 1: rows[row].parentSpanID = escapes?.parent(of: row) ?? 0
        case let rank:
          guard rank - 2 < UInt64(siblings.count) else {
            throw loaded.place(ChunkID.parent).damage("row \(row) names a parent that is not in its trace")
          }
          rows[row].parentSpanID = rows[Int(siblings[siblings.startIndex + Int(rank - 2)])].spanID
        }
        rows[row].marks.insert(.hasParent)
      }
    }
  }

  private func decodeStatus(_ scratch: ReadScratch) throws {
    for row in rows.indices { rows[row].marks.insert(.hasStatus) }
    try forEachRow(ChunkID.statusAbsence) { if $1 != 0 { $0.marks.remove(.hasStatus) } }
    try forEachRow(ChunkID.statusCode) { $0.statusCode = Int32(truncatingIfNeeded: unzigzag($1)) }
    try forEachRow(ChunkID.flags) { $0.flags = UInt32(truncatingIfNeeded: $1) }
    try forEachRow(ChunkID.droppedAttributeCount) { $0.droppedAttributeCount = UInt32(truncatingIfNeeded: $1) }
    try forEachRow(ChunkID.droppedEventCount) { $0.droppedEventCount = UInt32(truncatingIfNeeded: $1) }
    try forEachRow(ChunkID.droppedLinkCount) { $0.droppedLinkCount = UInt32(truncatingIfNeeded: $1) }
  }

  private func decodeEvents(_ scratch: ReadScratch) throws {
    guard let offsets = try loaded.eventOffsets(scratch) else { return }
    let count = events.count
    try forEach(ChunkID.eventTime, count: count) { events[$0].time = UInt64(bitPattern: unzigzag($1)) }
    for row in rows.indices {
      rows[row].firstEvent = offsets[row]
      rows[row].eventCount = offsets[row + 1] - offsets[row]
      for event in Int(offsets[row])..<Int(offsets[row + 1]) { events[event].time &+= rows[row].start }
    }
    try forEach(ChunkID.eventDroppedAttributeCount, count: count) {
      events[$0].droppedAttributeCount = UInt32(truncatingIfNeeded: $1)
    }
  }

  private func decodeLinks(_ scratch: ReadScratch) throws {
    guard let offsets = try loaded.linkOffsets(scratch) else { return }
    let count = links.count
    for row in rows.indices {
      rows[row].firstLink = offsets[row]
      rows[row].linkCount = offsets[row + 1] - offsets[row]
    }
    for link in links.indices {
      links[link].hasTraceID = true
      links[link].hasSpanID = true
    }
    try forEach(ChunkID.linkAbsence, count: count) {
      links[$0].hasTraceID = $1 & 1 == 0
      links[$0].hasSpanID = $1 & 2 == 0
    }
    try forEach(ChunkID.linkTraceHigh, count: count) { links[$0].traceHigh = $1 }
    try forEach(ChunkID.linkTraceLow, count: count) { links[$0].traceLow = $1 }
    try forEach(ChunkID.linkSpanID, count: count) { links[$0].spanID = $1 }
    try forEach(ChunkID.linkFlags, count: count) { links[$0].flags = UInt32(truncatingIfNeeded: $1) }
    try forEach(ChunkID.linkDroppedAttributeCount, count: count) {
      links[$0].droppedAttributeCount = UInt32(truncatingIfNeeded: $1)
    }
  }

  /// Values stand column by column in the stripe; here they come to stand list by list.
  private func decodeAttributes(_ scratch: ReadScratch) throws {
    let last = UInt64(shapes.count - 1)
    func codes(_ id: UInt32, _ count: Int) throws -> [UInt32] {
      try loaded.integers(id, count: count).decodeCodes(maximum: last, scratch)
    }
    let rowShapes = try codes(ChunkID.shape, rows.count)
    let eventShapes = try codes(ChunkID.eventShape, events.count)
    let linkShapes = try codes(ChunkID.linkShape, links.count)
    var listCounts = [Int](repeating: 0, count: shapes.count)
    for codes in [rowShapes, eventShapes, linkShapes] { for code in codes { listCounts[Int(code)] += 1 } }
    var valueCounts = [Int](repeating: 0, count: loaded.catalogue.count)
    for shape in 0..<shapes.count {
      for entry in shapes.entries(shape) { valueCounts[Int(entry)] += listCounts[shape] }
    }
    var cursors = [Int](repeating: 0, count: valueCounts.count)
    var values: [UInt64] = []
    columnNumbers = [Int](repeating: 0, count: valueCounts.count)
    for entry in valueCounts.indices where valueCounts[entry] > 0 {
      cursors[entry] = values.count
      columnNumbers[entry] = columns.count
      try decodeColumn(UInt32(entry), count: valueCounts[entry], &values, scratch)
    }
    words.reserveCapacity(values.count)
    func take(_ shape: UInt32) -> UInt32 {
      let first = UInt32(truncatingIfNeeded: words.count)
      for entry in shapes.entries(Int(shape)) {
        words.append(values[cursors[Int(entry)]])
        cursors[Int(entry)] += 1
      }
      return first
    }
    for index in rows.indices {
      rows[index].shape = rowShapes[index]
      rows[index].firstValue = take(rowShapes[index])
    }
    for index in events.indices {
      events[index].shape = eventShapes[index]
      events[index].firstValue = take(eventShapes[index])
    }
    for index in links.indices {
      links[index].shape = linkShapes[index]
      links[index].firstValue = take(linkShapes[index])
    }
  }

  /// Appends the values of a catalogue entry as the table has them, or as indices when they are text.
  private func decodeColumn(_ entry: UInt32, count: Int, _ values: inout [UInt64], _ scratch: ReadScratch) throws {
    let key = loaded.catalogue[Int(entry)]
    let id = ChunkID.attribute(entry)
    var text: TextCodes?
    switch key.type {
    case .absent, .empty: values.append(contentsOf: repeatElement(0, count: count))
    case .bool: for word in try self.values(id, count) { values.append(word != 0 ? 1 : 0) }
    case .int: for word in try self.values(id, count) { values.append(word ^ 1 << 63) }
    case .double:
      try loaded.doubles(id, count: count).forEachValue(in: 0..<count, scratch) { _, bits in values.append(bits) }
    default:
      text = try loaded.text(id, count: count, scratch).codes(scratch)
      for index in 0..<count { values.append(UInt64(index)) }
    }
    columns.append(Column(key: key.code, type: key.type, text: text))
  }
}

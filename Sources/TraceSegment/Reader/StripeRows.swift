import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// One stripe decoded whole, to be appended to a table trace by trace: what a merge reads.
///
/// Columns are decoded once. Before the first trace goes into a table, all codes are translated into the table's,
/// column by column, so that appending a row is a copy of it. Not thread-safe.
final class StripeRows {
  // Used by one thread at a time; the checks of exclusive access would come once for every row and column.
  /// `name`, `resource`, `scope`, `shape` and the texts are the table's of `generation`; `firstValue` counts in
  /// `words`; events and links count inside the stripe.
  @exclusivity(unchecked) private var rows: [SpanRow]
  @exclusivity(unchecked) private var events: [EventRow] = []
  @exclusivity(unchecked) private var links: [LinkRow] = []
  /// The values of all attribute lists, a word for each slot, list by list.
  @exclusivity(unchecked) private var words: [UInt64] = []
  private let traces: TraceRows
  private let shapes: StripeShapes
  private let loaded: LoadedStripe
  private var generation = 0

  // As the stripe has them. Names are codes in the segment's strings, resources and scopes the segment's indices.
  @exclusivity(unchecked) private var names: [UInt32] = []
  @exclusivity(unchecked) private var resources: [UInt32] = []
  @exclusivity(unchecked) private var scopes: [UInt32] = []
  @exclusivity(unchecked) private var rowShapes: [UInt32] = []
  @exclusivity(unchecked) private var eventShapes: [UInt32] = []
  @exclusivity(unchecked) private var linkShapes: [UInt32] = []
  /// The attribute columns that occur, by catalogue entry.
  private var columns: [(entry: Int, values: Values)] = []
  /// The texts of rows, events and links; columns that were left out are empty everywhere.
  private var texts: [(id: UInt32, codes: TextCodes)] = []

  private enum Values {
    /// As the table has them.
    case words([UInt64])
    case text(TextCodes, count: Int)
  }

  init(_ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.loaded = loaded
    // Counts of the head are believed once a column has as many values.
    traces = try loaded.traceRows(scratch)
    rows = [SpanRow](repeating: SpanRow(), count: loaded.head.rowCount)
    shapes = try loaded.shapes(scratch)
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
        texts.append((id, try loaded.text(id, count: loaded.elementCount(level), scratch).codes(scratch)))
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
      try translate(transfer)
      generation = transfer.generation
    }
    let table = transfer.table
    for index in traces.rows(of: ordinal) {
      var row = rows[Int(index)]
      row.firstValue = append(list: rowShapes[Int(index)], at: row.firstValue, to: table)
      let firstEvent = Int(row.firstEvent)
      row.firstEvent = table.nextEventIndex
      for index in firstEvent..<firstEvent + Int(row.eventCount) {
        var event = events[index]
        event.firstValue = append(list: eventShapes[index], at: event.firstValue, to: table)
        table.appendEvent(event)
      }
      let firstLink = Int(row.firstLink)
      row.firstLink = table.nextLinkIndex
      for index in firstLink..<firstLink + Int(row.linkCount) {
        var link = links[index]
        link.firstValue = append(list: linkShapes[index], at: link.firstValue, to: table)
        table.appendLink(link)
      }
      table.appendRow(row)
    }
  }

  /// Appends the values of an attribute list; gives back where they begin in the table.
  private func append(list shape: UInt32, at firstWord: UInt32, to table: SpanTable) -> UInt32 {
    let first = table.nextValueIndex
    let start = Int(firstWord)
    let end = start + shapes.slotCount(Int(shape))
    words.withUnsafeBufferPointer { table.appendValues(UnsafeBufferPointer(rebasing: $0[start..<end])) }
    return first
  }

  // MARK: Translating

  private func translate(_ transfer: SegmentTransfer) throws {
    for index in rows.indices {
      rows[index].name = try transfer.string(names[index])
      rows[index].resource = try transfer.resource(Int(resources[index]))
      rows[index].scope = try transfer.scope(Int(scopes[index]))
    }
    for (id, codes) in texts {
      switch id {
      case ChunkID.statusMessage: try codes.forEachCode(transfer) { rows[$0].statusMessage = $1 }
      case ChunkID.traceState: try codes.forEachCode(transfer) { rows[$0].traceState = $1 }
      case ChunkID.unknownFields: try codes.forEachCode(transfer) { rows[$0].unknownFields = $1 }
      case ChunkID.statusUnknownFields: try codes.forEachCode(transfer) { rows[$0].statusUnknownFields = $1 }
      case ChunkID.eventName: try codes.forEachCode(transfer) { events[$0].name = $1 }
      case ChunkID.eventUnknownFields: try codes.forEachCode(transfer) { events[$0].unknownFields = $1 }
      case ChunkID.linkTraceState: try codes.forEachCode(transfer) { links[$0].traceState = $1 }
      default: try codes.forEachCode(transfer) { links[$0].unknownFields = $1 }
      }
    }
    try translateShapes(transfer)
    try translateValues(transfer)
  }

  private func translateShapes(_ transfer: SegmentTransfer) throws {
    var codes: [UInt32] = []
    for shape in 0..<shapes.count {
      let slots = try shapes.entries(shape).map { entry in
        let key = loaded.catalogue[Int(entry)]
        return ShapeSlot(key: try transfer.string(key.code), type: key.type).rawValue
      }
      codes.append(slots.isEmpty ? 0 : slots.withUnsafeBytes { transfer.table.shapes.intern($0) })
    }
    for index in rows.indices { rows[index].shape = codes[Int(rowShapes[index])] }
    for index in events.indices { events[index].shape = codes[Int(eventShapes[index])] }
    for index in links.indices { links[index].shape = codes[Int(linkShapes[index])] }
  }

  /// Values stand column by column in the stripe; here they come to stand list by list.
  private func translateValues(_ transfer: SegmentTransfer) throws {
    var values: [UInt64] = []
    values.reserveCapacity(words.count)
    var cursors = [Int](repeating: 0, count: loaded.catalogue.count)
    for (entry, column) in columns {
      cursors[entry] = values.count
      switch column {
      case .words(let words): values.append(contentsOf: words)
      case .text(let codes, let count):
        let first = values.count
        values.append(contentsOf: repeatElement(0, count: count))
        try values.withUnsafeMutableBufferPointer { values in
          try codes.forEachCode(transfer) { values[first + $0] = UInt64($1) }
        }
      }
    }
    var place = 0
    func take(_ shape: UInt32) -> UInt32 {
      let first = UInt32(truncatingIfNeeded: place)
      for entry in shapes.entries(Int(shape)) {
        words[place] = values[cursors[Int(entry)]]
        cursors[Int(entry)] += 1
        place += 1
      }
      return first
    }
    for index in rows.indices { rows[index].firstValue = take(rowShapes[index]) }
    for index in events.indices { events[index].firstValue = take(eventShapes[index]) }
    for index in links.indices { links[index].firstValue = take(linkShapes[index]) }
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
    names = [UInt32](repeating: 0, count: rows.count)
    for run in 0..<runs.count {
      for row in runs.rows(of: run) {
        names[row] = runs.names[run]
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
    resources = try indices(ChunkID.resource, try loaded.resourceList(scratch))
    scopes = try indices(ChunkID.scope, try loaded.scopeList(scratch))
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
    let count = loaded.head.eventCount
    events = [EventRow](repeating: EventRow(), count: count)
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
    let count = loaded.head.linkCount
    links = [LinkRow](repeating: LinkRow(), count: count)
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

  private func decodeAttributes(_ scratch: ReadScratch) throws {
    let last = UInt64(shapes.count - 1)
    func codes(_ id: UInt32, _ count: Int) throws -> [UInt32] {
      try loaded.integers(id, count: count).decodeCodes(maximum: last, scratch)
    }
    rowShapes = try codes(ChunkID.shape, rows.count)
    eventShapes = try codes(ChunkID.eventShape, events.count)
    linkShapes = try codes(ChunkID.linkShape, links.count)
    var listCounts = [Int](repeating: 0, count: shapes.count)
    for codes in [rowShapes, eventShapes, linkShapes] { for code in codes { listCounts[Int(code)] += 1 } }
    var valueCounts = [Int](repeating: 0, count: loaded.catalogue.count)
    for shape in 0..<shapes.count {
      for entry in shapes.entries(shape) { valueCounts[Int(entry)] += listCounts[shape] }
    }
    for entry in valueCounts.indices where valueCounts[entry] > 0 {
      columns.append((entry, try values(ofEntry: entry, count: valueCounts[entry], scratch)))
    }
    words = [UInt64](repeating: 0, count: valueCounts.reduce(0, +))
  }

  private func values(ofEntry entry: Int, count: Int, _ scratch: ReadScratch) throws -> Values {
    let id = ChunkID.attribute(UInt32(entry))
    switch loaded.catalogue[entry].type {
    case .absent, .empty: return .words([UInt64](repeating: 0, count: count))
    case .bool: return .words(try values(id, count).map { $0 != 0 ? 1 : 0 })
    case .int: return .words(try values(id, count).map { $0 ^ 1 << 63 })
    case .double:
      var words: [UInt64] = []
      words.reserveCapacity(count)
      try loaded.doubles(id, count: count).forEachValue(in: 0..<count, scratch) { _, bits in words.append(bits) }
      return .words(words)
    default: return .text(try loaded.text(id, count: count, scratch).codes(scratch), count: count)
    }
  }
}

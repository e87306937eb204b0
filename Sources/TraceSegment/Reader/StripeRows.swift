import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// One stripe decoded whole, to be appended to a table trace by trace: what a merge reads.
///
/// Columns are decoded once. Before the first trace goes into a table, all codes are translated into the table's,
/// column by column, so that appending a row is a copy of it. Not thread-safe.
final class StripeRows {
  // Plain memory, because every column touches every row.
  /// `name`, `resource`, `scope`, `shape` and the texts are the table's of `generation`; `firstValue` counts in
  /// `words`; events and links count inside the stripe.
  private let rows: UnsafeMutableBufferPointer<SpanRow>
  private let events: UnsafeMutableBufferPointer<EventRow>
  private let links: UnsafeMutableBufferPointer<LinkRow>
  /// The values of all attribute lists, a word for each slot, list by list.
  private var words = UnsafeMutableBufferPointer<UInt64>(start: nil, count: 0)
  /// What each row weighs; see `RowWeight`.
  private let weights: UnsafeMutableBufferPointer<Int>
  private let traces: TraceRows
  private let shapes: StripeShapes
  private let loaded: LoadedStripe
  /// Of the table that codes are translated for; none in the beginning.
  private var generation: Int?

  // As the stripe has them.
  private let runs: RunDirectory
  private let resources: Envelopes
  private let scopes: Envelopes
  private let rowShapes: [UInt32]
  private let eventShapes: [UInt32]
  private let linkShapes: [UInt32]
  /// The attribute columns that occur, by catalogue entry.
  private var columns: [(entry: Int, values: Values)] = []
  /// The texts of rows, events and links; columns that were left out are empty everywhere.
  private var texts: [(id: UInt32, codes: TextCodes)] = []

  private enum Values {
    /// As the table has them.
    case words([UInt64])
    case text(TextCodes, count: Int)
  }

  /// The resources or scopes of rows, as places in the stripe's list of the segment's indices.
  private struct Envelopes {
    var list: [UInt32]
    var places: [UInt32] = []
  }

  init(_ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.loaded = loaded
    let head = loaded.head
    // Counts of the head are believed once a column has as many values.
    traces = try loaded.traceRows(scratch)
    shapes = try loaded.shapes(scratch)
    runs = try loaded.runs(scratch)
    resources = try Self.envelopes(ChunkID.resource, try loaded.resourceList(scratch), loaded, scratch)
    scopes = try Self.envelopes(ChunkID.scope, try loaded.scopeList(scratch), loaded, scratch)
    let last = UInt64(shapes.count - 1)
    func codes(_ id: UInt32, _ count: Int) throws -> [UInt32] {
      try loaded.integers(id, count: count).decodeCodes(maximum: last, scratch)
    }
    rowShapes = try codes(ChunkID.shape, head.rowCount)
    let eventOffsets = try loaded.eventOffsets(scratch)
    let linkOffsets = try loaded.linkOffsets(scratch)
    eventShapes = try codes(ChunkID.eventShape, eventOffsets == nil ? 0 : head.eventCount)
    linkShapes = try codes(ChunkID.linkShape, linkOffsets == nil ? 0 : head.linkCount)
    rows = .allocate(capacity: head.rowCount)
    rows.initialize(repeating: SpanRow())
    weights = .allocate(capacity: head.rowCount)
    weights.initialize(repeating: 0)
    events = .allocate(capacity: eventShapes.count)
    events.initialize(repeating: EventRow())
    links = .allocate(capacity: linkShapes.count)
    links.initialize(repeating: LinkRow())
    try decodeTraces(scratch)
    decodeKinds()
    try decodeParents(scratch)
    try decodeStatus(scratch)
    if let eventOffsets { try decodeEvents(eventOffsets, scratch) }
    if let linkOffsets { try decodeLinks(linkOffsets, scratch) }
    try decodeAttributes(scratch)
    for (level, ids) in Self.textChunks {
      for id in ids where head.chunk(id) != nil {
        texts.append((id, try loaded.text(id, count: loaded.elementCount(level), scratch).codes(scratch)))
      }
    }
  }

  deinit {
    rows.deallocate()
    weights.deallocate()
    events.deallocate()
    links.deallocate()
    words.deallocate()
  }

  private static let textChunks: [(ColumnLevel, [UInt32])] = [
    (.span, [ChunkID.statusMessage, ChunkID.traceState, ChunkID.unknownFields, ChunkID.statusUnknownFields]),
    (.event, [ChunkID.eventName, ChunkID.eventUnknownFields]),
    (.link, [ChunkID.linkTraceState, ChunkID.linkUnknownFields]),
  ]

  // MARK: Appending

  /// Appends the rows of the trace with this ordinal to the transfer's table, and what they weigh to `weights`.
  func append(ordinal: Int, to transfer: SegmentTransfer, weights rowWeights: inout [Int]) throws {
    guard ordinal < loaded.head.traceCount else {
      throw loaded.place(ChunkID.traceOrdinal).damage("trace \(ordinal) of \(loaded.head.traceCount) is asked for")
    }
    if generation != transfer.generation {
      try translate(transfer)
      generation = transfer.generation
    }
    let table = transfer.table
    traces.withRows(of: ordinal) { numbers in
      for number in numbers {
        let index = Int(number)
        let firstValue = append(list: rowShapes[index], at: rows[index].firstValue, to: table)
        let firstEvent = table.nextEventIndex
        for index in Int(rows[index].firstEvent)..<Int(rows[index].firstEvent + rows[index].eventCount) {
          var event = events[index]
          event.firstValue = append(list: eventShapes[index], at: event.firstValue, to: table)
          table.appendEvent(event)
        }
        let firstLink = table.nextLinkIndex
        for index in Int(rows[index].firstLink)..<Int(rows[index].firstLink + rows[index].linkCount) {
          var link = links[index]
          link.firstValue = append(list: linkShapes[index], at: link.firstValue, to: table)
          table.appendLink(link)
        }
        let row = table.appendRow(copying: rows.baseAddress.unsafelyUnwrapped + index)
        row.pointee.firstValue = firstValue
        row.pointee.firstEvent = firstEvent
        row.pointee.firstLink = firstLink
        rowWeights.append(weights[index])
      }
    }
  }

  /// Appends the values of an attribute list; gives back where they begin in the table.
  @inline(__always)
  private func append(list shape: UInt32, at firstWord: UInt32, to table: SpanTable) -> UInt32 {
    let first = table.nextValueIndex
    let count = shapes.slotCount(Int(shape))
    let start = Int(firstWord)
    table.appendValues(UnsafeBufferPointer(rebasing: words[start..<start &+ count]))
    return first
  }

  // MARK: Translating

  private func translate(_ transfer: SegmentTransfer) throws {
    for index in rows.indices { weights[index] = RowWeight.row }
    for run in 0..<runs.count {
      let name = try transfer.string(runs.names[run])
      for row in runs.rows(of: run) { rows[row].name = name }
    }
    let resourceIndices = try resources.list.map { try transfer.resource(Int($0)) }
    let scopeIndices = try scopes.list.map { try transfer.scope(Int($0)) }
    for index in rows.indices {
      rows[index].resource = resourceIndices[Int(resources.places[index])]
      rows[index].scope = scopeIndices[Int(scopes.places[index])]
    }
    var eventWeights = [Int](repeating: RowWeight.child, count: events.count)
    var linkWeights = [Int](repeating: RowWeight.child, count: links.count)
    for (id, codes) in texts {
      try codes.forEachCode(transfer) { index, code, byteCount in
        switch id {
        case ChunkID.statusMessage: rows[index].statusMessage = code
        case ChunkID.traceState: rows[index].traceState = code
        case ChunkID.unknownFields: rows[index].unknownFields = code
        case ChunkID.statusUnknownFields: rows[index].statusUnknownFields = code
        case ChunkID.eventName: events[index].name = code
        case ChunkID.eventUnknownFields: events[index].unknownFields = code
        case ChunkID.linkTraceState: links[index].traceState = code
        default: links[index].unknownFields = code
        }
        switch id {
        case ChunkID.eventName, ChunkID.eventUnknownFields: eventWeights[index] += byteCount
        case ChunkID.linkTraceState, ChunkID.linkUnknownFields: linkWeights[index] += byteCount
        default: weights[index] += byteCount
        }
      }
    }
    try translateShapes(transfer)
    try translateValues(transfer, &eventWeights, &linkWeights)
    if events.isEmpty, links.isEmpty { return }
    for index in rows.indices {
      let row = rows[index]
      for event in Int(row.firstEvent)..<Int(row.firstEvent + row.eventCount) { weights[index] += eventWeights[event] }
      for link in Int(row.firstLink)..<Int(row.firstLink + row.linkCount) { weights[index] += linkWeights[link] }
    }
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

  /// A column on its way to the lists: where its next value stands, and which bits of it are the value. The others, of
  /// texts, are the byte count.
  private struct Cursor {
    var place = 0
    var mask = UInt64.max
  }

  /// Values stand column by column in the stripe; here they come to stand list by list.
  private func translateValues(
    _ transfer: SegmentTransfer, _ eventWeights: inout [Int], _ linkWeights: inout [Int]
  ) throws {
    var cursors = [Cursor](repeating: Cursor(), count: loaded.catalogue.count)
    let values = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: words.count)
    defer { values.deallocate() }
    var first = 0
    for (entry, column) in columns {
      cursors[entry].place = first
      let rest = UnsafeMutableBufferPointer(rebasing: values[first...])
      switch column {
      case .words(let words):
        _ = rest.update(fromContentsOf: words)
        first += words.count
      case .text(let codes, let count):
        cursors[entry].mask = UInt64(UInt32.max)
        UnsafeMutableBufferPointer(rebasing: rest[..<count]).update(repeating: 0)
        try codes.forEachCode(transfer) { index, code, byteCount in
          rest[index] = UInt64(truncatingIfNeeded: byteCount) &<< 32 | UInt64(code)
        }
        first += count
      }
    }
    var place = 0
    cursors.withUnsafeMutableBufferPointer { cursors in
      shapes.withSlots { firstSlots, slots in
        /// Moves a list; gives back where it begins and what it weighs.
        @inline(__always)
        func take(_ shape: UInt32) -> (first: UInt32, weight: Int) {
          let first = UInt32(truncatingIfNeeded: place)
          var slot = firstSlots[Int(shape)]
          let end = firstSlots[Int(shape) &+ 1]
          var weight = RowWeight.slot &* (end &- slot)
          while slot < end {
            let entry = Int(slots[slot])
            let value = values[cursors[entry].place]
            words[place] = value & cursors[entry].mask
            weight &+= Int(truncatingIfNeeded: (value & ~cursors[entry].mask) &>> 32)
            cursors[entry].place &+= 1
            place &+= 1
            slot &+= 1
          }
          return (first, weight)
        }
        for index in rows.indices {
          let list = take(rowShapes[index])
          rows[index].firstValue = list.first
          weights[index] += list.weight
        }
        for index in events.indices {
          let list = take(eventShapes[index])
          events[index].firstValue = list.first
          eventWeights[index] += list.weight
        }
        for index in links.indices {
          let list = take(linkShapes[index])
          links[index].firstValue = list.first
          linkWeights[index] += list.weight
        }
      }
    }
  }

  // MARK: Decoding

  private func values(_ id: UInt32, _ count: Int) throws -> [UInt64] {
    try loaded.integers(id, count: count).decodeAll()
  }

  /// Calls `body` with the values of a column; not at all when it was left out because all are zero.
  @inline(__always)
  private func forEach(_ id: UInt32, count: Int, _ scratch: ReadScratch, _ body: (Int, UInt64) -> Void) throws {
    guard loaded.head.chunk(id) != nil else { return }
    try loaded.integers(id, count: count).forEachPage(in: 0..<count, scratch) { first, values in
      var index = 0
      while index < values.count {
        body(first &+ index, values[index])
        index &+= 1
      }
    }
  }

  private func decodeTraces(_ scratch: ReadScratch) throws {
    let count = loaded.head.traceCount
    let highs = try values(ChunkID.traceHigh, count)
    let lows = try values(ChunkID.traceLow, count)
    let bases = try values(ChunkID.traceBase, count)
    let rows = rows
    for ordinal in 0..<count {
      traces.withRows(of: ordinal) { numbers in
        for row in numbers {
          rows[Int(row)].traceHigh = highs[ordinal]
          rows[Int(row)].traceLow = lows[ordinal]
          rows[Int(row)].start = bases[ordinal]
        }
      }
    }
    try forEach(ChunkID.start, count: rows.count, scratch) { rows[$0].start &+= $1 }
    for index in rows.indices { rows[index].end = rows[index].start }
    try forEach(ChunkID.duration, count: rows.count, scratch) { rows[$0].end &+= $1 }
    try forEach(ChunkID.spanID, count: rows.count, scratch) { rows[$0].spanID = $1 }
  }

  private func decodeKinds() {
    for run in 0..<runs.count {
      let kind = runs.kinds[run]
      for row in runs.rows(of: run) { rows[row].kind = kind }
    }
  }

  private static func envelopes(
    _ id: UInt32, _ list: [UInt32], _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws -> Envelopes {
    guard let last = list.indices.last else {
      guard loaded.head.rowCount == 0 else { throw loaded.place(id).damage("the stripe names none") }
      return Envelopes(list: [])
    }
    let places = try loaded.integers(id, count: loaded.head.rowCount).decodeCodes(maximum: UInt64(last), scratch)
    return Envelopes(list: list, places: places)
  }

  private func decodeParents(_ scratch: ReadScratch) throws {
    guard loaded.head.chunk(ChunkID.parent) != nil else { return }
    let parents = try values(ChunkID.parent, rows.count)
    let escapes = parents.contains(1) ? try loaded.escapedParents(scratch) : nil
    let rows = rows
    for ordinal in 0..<loaded.head.traceCount {
      try traces.withRows(of: ordinal) { siblings in
        for row in siblings {
          let row = Int(row)
          switch parents[row] {
          case 0: continue
          case 1: rows[row].parentSpanID = escapes?.parent(of: row) ?? 0
          case let rank:
            guard rank - 2 < UInt64(siblings.count) else {
              throw loaded.place(ChunkID.parent).damage("row \(row) names a parent that is not in its trace")
            }
            rows[row].parentSpanID = rows[Int(siblings[Int(rank - 2)])].spanID
          }
          rows[row].marks.insert(.hasParent)
        }
      }
    }
  }

  private func decodeStatus(_ scratch: ReadScratch) throws {
    let rows = rows
    let count = rows.count
    for index in rows.indices { rows[index].marks.insert(.hasStatus) }
    try forEach(ChunkID.statusAbsence, count: count, scratch) { if $1 != 0 { rows[$0].marks.remove(.hasStatus) } }
    try forEach(ChunkID.statusCode, count: count, scratch) {
      rows[$0].statusCode = Int32(truncatingIfNeeded: unzigzag($1))
    }
    try forEach(ChunkID.flags, count: count, scratch) { rows[$0].flags = UInt32(truncatingIfNeeded: $1) }
    try forEach(ChunkID.droppedAttributeCount, count: count, scratch) {
      rows[$0].droppedAttributeCount = UInt32(truncatingIfNeeded: $1)
    }
    try forEach(ChunkID.droppedEventCount, count: count, scratch) {
      rows[$0].droppedEventCount = UInt32(truncatingIfNeeded: $1)
    }
    try forEach(ChunkID.droppedLinkCount, count: count, scratch) {
      rows[$0].droppedLinkCount = UInt32(truncatingIfNeeded: $1)
    }
  }

  private func decodeEvents(_ offsets: [UInt32], _ scratch: ReadScratch) throws {
    let (events, count) = (events, events.count)
    try forEach(ChunkID.eventTime, count: count, scratch) { events[$0].time = UInt64(bitPattern: unzigzag($1)) }
    for row in rows.indices {
      rows[row].firstEvent = offsets[row]
      rows[row].eventCount = offsets[row + 1] - offsets[row]
      for event in Int(offsets[row])..<Int(offsets[row + 1]) { events[event].time &+= rows[row].start }
    }
    try forEach(ChunkID.eventDroppedAttributeCount, count: count, scratch) {
      events[$0].droppedAttributeCount = UInt32(truncatingIfNeeded: $1)
    }
  }

  private func decodeLinks(_ offsets: [UInt32], _ scratch: ReadScratch) throws {
    let (links, count) = (links, links.count)
    for row in rows.indices {
      rows[row].firstLink = offsets[row]
      rows[row].linkCount = offsets[row + 1] - offsets[row]
    }
    for link in links.indices {
      links[link].hasTraceID = true
      links[link].hasSpanID = true
    }
    try forEach(ChunkID.linkAbsence, count: count, scratch) {
      links[$0].hasTraceID = $1 & 1 == 0
      links[$0].hasSpanID = $1 & 2 == 0
    }
    try forEach(ChunkID.linkTraceHigh, count: count, scratch) { links[$0].traceHigh = $1 }
    try forEach(ChunkID.linkTraceLow, count: count, scratch) { links[$0].traceLow = $1 }
    try forEach(ChunkID.linkSpanID, count: count, scratch) { links[$0].spanID = $1 }
    try forEach(ChunkID.linkFlags, count: count, scratch) { links[$0].flags = UInt32(truncatingIfNeeded: $1) }
    try forEach(ChunkID.linkDroppedAttributeCount, count: count, scratch) {
      links[$0].droppedAttributeCount = UInt32(truncatingIfNeeded: $1)
    }
  }

  private func decodeAttributes(_ scratch: ReadScratch) throws {
    var listCounts = [Int](repeating: 0, count: shapes.count)
    for codes in [rowShapes, eventShapes, linkShapes] { for code in codes { listCounts[Int(code)] += 1 } }
    var valueCounts = [Int](repeating: 0, count: loaded.catalogue.count)
    for shape in 0..<shapes.count {
      for entry in shapes.entries(shape) { valueCounts[Int(entry)] += listCounts[shape] }
    }
    for entry in valueCounts.indices where valueCounts[entry] > 0 {
      columns.append((entry, try values(ofEntry: entry, count: valueCounts[entry], scratch)))
    }
    words = .allocate(capacity: valueCounts.reduce(0, +))
  }

  private func values(ofEntry entry: Int, count: Int, _ scratch: ReadScratch) throws -> Values {
    let id = ChunkID.attribute(UInt32(entry))
    switch loaded.catalogue[entry].type {
    case .absent, .empty: return .words([UInt64](repeating: 0, count: count))
    case .bool: return .words(try values(id, count).map { $0 != 0 ? 1 : 0 })
    case .int: return .words(try values(id, count).map { NumberOrder.int($0) })
    case .double:
      var words: [UInt64] = []
      words.reserveCapacity(count)
      try loaded.doubles(id, count: count).forEachValue(in: 0..<count, scratch) { _, bits in words.append(bits) }
      return .words(words)
    default: return .text(try loaded.text(id, count: count, scratch).codes(scratch), count: count)
    }
  }
}

import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP
import TraceSource

/// Builds records from the columns of one stripe. Columns are opened once for all rows.
struct RecordAssembler {
  private let core: SegmentCore
  private let loaded: LoadedStripe
  private let scratch: ReadScratch
  private let strings: StringTable
  private let runs: RunDirectory
  private let times: StripeTimes
  /// For each key catalogue entry, once it was asked for.
  private var attributeColumns: [AttributeColumn?]
  private var counter: SlotCounter

  init(_ core: SegmentCore, _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.core = core
    self.loaded = loaded
    self.scratch = scratch
    strings = try core.strings()
    runs = try loaded.runs(scratch)
    times = try StripeTimes(loaded)
    attributeColumns = [AttributeColumn?](repeating: nil, count: loaded.catalogue.count)
    counter = SlotCounter(entryCount: loaded.catalogue.count)
  }

  /// The records of ascending rows inside the stripe.
  mutating func records(_ rows: [Int]) throws -> [SourceSpan] {
    let count = loaded.head.rowCount
    func gathered(_ id: UInt32) throws -> [UInt64] { try loaded.integers(id, count: count).gather(rows) }
    let ordinals = try times.ordinals(of: rows)
    let offsets = try times.offsets.gather(rows)
    let durations = try times.durations.gather(rows)
    let spanIDs = try gathered(ChunkID.spanID)
    let parents = try ParentReader(loaded, scratch).parents(of: rows, times, scratch)
    let resources = try gathered(ChunkID.resource)
    let scopes = try gathered(ChunkID.scope)
    let statusCodes = try gathered(ChunkID.statusCode)
    let statusAbsences = try gathered(ChunkID.statusAbsence)
    let flags = try gathered(ChunkID.flags)
    let droppedAttributes = try gathered(ChunkID.droppedAttributeCount)
    let droppedEvents = try gathered(ChunkID.droppedEventCount)
    let droppedLinks = try gathered(ChunkID.droppedLinkCount)
    let statusMessages = try loaded.text(ChunkID.statusMessage, count: count, scratch)
    let traceStates = try loaded.text(ChunkID.traceState, count: count, scratch)
    let unknownFields = try loaded.text(ChunkID.unknownFields, count: count, scratch)
    let statusUnknownFields = try loaded.text(ChunkID.statusUnknownFields, count: count, scratch)
    let resourceList = try loaded.resourceList(scratch)
    let scopeList = try loaded.scopeList(scratch)
    let shapes = try loaded.shapeMap(.span, scratch)
    let eventRanges = try loaded.events(of: rows, scratch)
    let linkRanges = try loaded.links(of: rows, scratch)

    var knownTrace: (ordinal: Int, id: TraceID)?
    var knownName: (run: Int, text: String)?
    var result: [SourceSpan] = []
    result.reserveCapacity(rows.count)
    for (place, row) in rows.enumerated() {
      let ordinal = ordinals[place]
      let trace = try knownTrace.flatMap { $0.ordinal == ordinal ? $0.id : nil } ?? loaded.traceID(ordinal)
      knownTrace = (ordinal, trace)
      let run = runs.run(of: row)
      let name = try knownName.flatMap { $0.run == run ? $0.text : nil } ?? strings.string(runs.names[run])
      knownName = (run, name)
      let start = try times.bases.value(at: ordinal) &+ offsets[place]
      var span = SpanRecord(traceID: trace, spanID: SpanID(spanIDs[place]))
      span.traceState = try traceStates.string(at: row, strings, scratch)
      span.parentSpanID = parents[place].map { SpanID($0) }
      span.name = name
      span.kind = SpanKind(rawValue: runs.kinds[run])
      span.start = Timestamp(nanoseconds: start)
      span.end = Timestamp(nanoseconds: start &+ durations[place])
      span.attributes = try attributes(row, shapes)
      span.droppedAttributeCount = UInt32(truncatingIfNeeded: droppedAttributes[place])
      span.events = try events(eventRanges[place], start: start)
      span.droppedEventCount = UInt32(truncatingIfNeeded: droppedEvents[place])
      span.links = try links(linkRanges[place])
      span.droppedLinkCount = UInt32(truncatingIfNeeded: droppedLinks[place])
      if statusAbsences[place] == 0 {
        span.status = SpanStatus(
          code: SpanStatus.Code(rawValue: Int32(truncatingIfNeeded: unzigzag(statusCodes[place]))),
          message: try statusMessages.string(at: row, strings, scratch),
          unknownFields: try statusUnknownFields.bytes(at: row, strings, scratch))
      }
      span.flags = UInt32(truncatingIfNeeded: flags[place])
      span.unknownFields = try unknownFields.bytes(at: row, strings, scratch)
      result.append(
        SourceSpan(
          resource: try core.resources().value(at: listed(resources[place], in: resourceList, ChunkID.resource)),
          scope: try core.scopes().value(at: listed(scopes[place], in: scopeList, ChunkID.scope)), span: span,
          isPartial: false))
    }
    return result
  }

  private func listed(_ index: UInt64, in list: [UInt32], _ id: UInt32) throws -> Int {
    guard index < UInt64(list.count) else {
      throw loaded.place(id).damage("a row names entry \(index) of \(list.count)")
    }
    return Int(list[Int(index)])
  }

  private mutating func events(_ range: Range<Int>, start: UInt64) throws -> [SpanEvent] {
    guard !range.isEmpty else { return [] }
    let count = loaded.head.eventCount
    let offsets = try loaded.integers(ChunkID.eventTime, count: count)
    let names = try loaded.text(ChunkID.eventName, count: count, scratch)
    let dropped = try loaded.integers(ChunkID.eventDroppedAttributeCount, count: count)
    let unknownFields = try loaded.text(ChunkID.eventUnknownFields, count: count, scratch)
    let shapes = try loaded.shapeMap(.event, scratch)
    var result: [SpanEvent] = []
    for event in range {
      let offset = UInt64(bitPattern: unzigzag(try offsets.value(at: event)))
      result.append(
        SpanEvent(
          time: Timestamp(nanoseconds: start &+ offset), name: try names.string(at: event, strings, scratch),
          attributes: try attributes(event, shapes),
          droppedAttributeCount: UInt32(truncatingIfNeeded: try dropped.value(at: event)),
          unknownFields: try unknownFields.bytes(at: event, strings, scratch)))
    }
    return result
  }

  private mutating func links(_ range: Range<Int>) throws -> [SpanLink] {
    guard !range.isEmpty else { return [] }
    let count = loaded.head.linkCount
    func value(_ id: UInt32, _ link: Int) throws -> UInt64 { try loaded.integers(id, count: count).value(at: link) }
    let traceStates = try loaded.text(ChunkID.linkTraceState, count: count, scratch)
    let unknownFields = try loaded.text(ChunkID.linkUnknownFields, count: count, scratch)
    let shapes = try loaded.shapeMap(.link, scratch)
    var result: [SpanLink] = []
    for link in range {
      let absence = try value(ChunkID.linkAbsence, link)
      let trace = TraceID(
        high: try value(ChunkID.linkTraceHigh, link), low: try value(ChunkID.linkTraceLow, link))
      result.append(
        SpanLink(
          traceID: absence & 1 == 0 ? trace : nil,
          spanID: absence & 2 == 0 ? SpanID(try value(ChunkID.linkSpanID, link)) : nil,
          traceState: try traceStates.string(at: link, strings, scratch), attributes: try attributes(link, shapes),
          droppedAttributeCount: UInt32(truncatingIfNeeded: try value(ChunkID.linkDroppedAttributeCount, link)),
          flags: UInt32(truncatingIfNeeded: try value(ChunkID.linkFlags, link)),
          unknownFields: try unknownFields.bytes(at: link, strings, scratch)))
    }
    return result
  }

  // MARK: Attributes

  private mutating func attributes(_ element: Int, _ map: ShapeMap) throws -> [Attribute] {
    let entries = map.shapes.entries(Int(map.codes[element]))
    guard !entries.isEmpty else { return [] }
    let block = element >> ShapeMap.blockShift
    counter.begin(element, of: map)
    defer { counter.end(element, of: map) }
    var result: [Attribute] = []
    result.reserveCapacity(entries.count)
    for entry in entries {
      let column = try attributeColumn(entry, map)
      let index = Int(column.prefix[block]) + counter.next(entry)
      result.append(try attribute(column, index))
    }
    return result
  }

  private mutating func attributeColumn(_ entry: UInt32, _ map: ShapeMap) throws -> AttributeColumn {
    if let known = attributeColumns[Int(entry)] { return known }
    let column = try loaded.attributeColumn(entry, map, scratch)
    attributeColumns[Int(entry)] = column
    return column
  }

  private func attribute(_ column: AttributeColumn, _ index: Int) throws -> Attribute {
    switch column.values {
    case .none: return Attribute(column.key, column.type == .empty ? .empty : .absent)
    case .words(let chunk):
      let word = try chunk.value(at: index)
      if column.type == .bool { return Attribute(column.key, .bool(word != 0)) }
      return Attribute(column.key, .int(Int64(bitPattern: word ^ 1 << 63)))
    case .doubles(let chunk):
      return Attribute(column.key, .double(Double(bitPattern: try chunk.value(at: index))))
    case .text(let chunk):
      return try chunk.withValue(at: index, strings, scratch) { bytes in
        try AttributeDecoding.attribute(column.key, column.type, bytes, chunk.place)
      }
    }
  }
}

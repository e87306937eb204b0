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
  private var counter: SlotCounter

  init(_ core: SegmentCore, _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.core = core
    self.loaded = loaded
    self.scratch = scratch
    strings = try core.strings()
    runs = try loaded.runs(scratch)
    times = try StripeTimes(loaded)
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
    let attributes = try attributes(of: rows, loaded.shapeMap(.span, scratch))
    let starts = try zip(ordinals, offsets).map { try times.bases.value(at: $0) &+ $1 }
    let events = try events(loaded.events(of: rows, scratch), starts: starts)
    let links = try links(loaded.links(of: rows, scratch))

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
      var span = SpanRecord(traceID: trace, spanID: SpanID(spanIDs[place]))
      span.traceState = try traceStates.string(at: row, strings, scratch)
      span.parentSpanID = parents[place].map { SpanID($0) }
      span.name = name
      span.kind = SpanKind(rawValue: runs.kinds[run])
      span.start = Timestamp(nanoseconds: starts[place])
      span.end = Timestamp(nanoseconds: starts[place] &+ durations[place])
      span.attributes = attributes[place]
      span.droppedAttributeCount = UInt32(truncatingIfNeeded: droppedAttributes[place])
      span.events = events[place]
      span.droppedEventCount = UInt32(truncatingIfNeeded: droppedEvents[place])
      span.links = links[place]
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

  /// The events of each row, whose starts they count from.
  private mutating func events(_ ranges: [Range<Int>], starts: [UInt64]) throws -> [[SpanEvent]] {
    let all = ranges.flatMap { $0 }
    guard !all.isEmpty else { return [[SpanEvent]](repeating: [], count: ranges.count) }
    let count = loaded.head.eventCount
    let offsets = try loaded.integers(ChunkID.eventTime, count: count).gather(all)
    let names = try loaded.text(ChunkID.eventName, count: count, scratch)
    let dropped = try loaded.integers(ChunkID.eventDroppedAttributeCount, count: count).gather(all)
    let unknownFields = try loaded.text(ChunkID.eventUnknownFields, count: count, scratch)
    let attributes = try attributes(of: all, loaded.shapeMap(.event, scratch))
    var place = 0
    return try zip(ranges, starts).map { range, start in
      try range.map { event in
        defer { place += 1 }
        return SpanEvent(
          time: Timestamp(nanoseconds: start &+ UInt64(bitPattern: unzigzag(offsets[place]))),
          name: try names.string(at: event, strings, scratch), attributes: attributes[place],
          droppedAttributeCount: UInt32(truncatingIfNeeded: dropped[place]),
          unknownFields: try unknownFields.bytes(at: event, strings, scratch))
      }
    }
  }

  private mutating func links(_ ranges: [Range<Int>]) throws -> [[SpanLink]] {
    let all = ranges.flatMap { $0 }
    guard !all.isEmpty else { return [[SpanLink]](repeating: [], count: ranges.count) }
    let count = loaded.head.linkCount
    func gathered(_ id: UInt32) throws -> [UInt64] { try loaded.integers(id, count: count).gather(all) }
    let absences = try gathered(ChunkID.linkAbsence)
    let traceHighs = try gathered(ChunkID.linkTraceHigh)
    let traceLows = try gathered(ChunkID.linkTraceLow)
    let spanIDs = try gathered(ChunkID.linkSpanID)
    let dropped = try gathered(ChunkID.linkDroppedAttributeCount)
    let flags = try gathered(ChunkID.linkFlags)
    let traceStates = try loaded.text(ChunkID.linkTraceState, count: count, scratch)
    let unknownFields = try loaded.text(ChunkID.linkUnknownFields, count: count, scratch)
    let attributes = try attributes(of: all, loaded.shapeMap(.link, scratch))
    var place = 0
    return try ranges.map { range in
      try range.map { link in
        defer { place += 1 }
        return SpanLink(
          traceID: absences[place] & 1 == 0 ? TraceID(high: traceHighs[place], low: traceLows[place]) : nil,
          spanID: absences[place] & 2 == 0 ? SpanID(spanIDs[place]) : nil,
          traceState: try traceStates.string(at: link, strings, scratch), attributes: attributes[place],
          droppedAttributeCount: UInt32(truncatingIfNeeded: dropped[place]),
          flags: UInt32(truncatingIfNeeded: flags[place]),
          unknownFields: try unknownFields.bytes(at: link, strings, scratch))
      }
    }
  }

  // MARK: Attributes

  /// Where a value of an element stands.
  private struct Slot {
    var entry: Int
    /// The element's place among those that are asked for, and the value's place among its attributes.
    var element: Int
    var place: Int
    /// The element's block, and how many values of the key stand before this one in it.
    var block: Int
    var countInBlock: Int
  }

  /// The attributes of each of ascending elements.
  ///
  /// Key by key: element by element, each value would be a walk through the parts of another column.
  private mutating func attributes(of elements: [Int], _ map: ShapeMap) throws -> [[Attribute]] {
    var result: [[Attribute]] = []
    result.reserveCapacity(elements.count)
    var slots: [Slot] = []
    // For each key catalogue entry, first how many slots it has, then where the next of them goes in `order`.
    var places = [Int](repeating: 0, count: loaded.catalogue.count)
    var used: [Int] = []
    for (number, element) in elements.enumerated() {
      let entries = map.shapes.entries(Int(map.codes[element]))
      counter.begin(element, of: map)
      for (place, entry) in entries.enumerated() {
        slots.append(
          Slot(
            entry: Int(entry), element: number, place: place, block: element >> ShapeMap.blockShift,
            countInBlock: counter.next(entry)))
        if places[Int(entry)] == 0 { used.append(Int(entry)) }
        places[Int(entry)] += 1
      }
      counter.end(element, of: map)
      result.append([Attribute](repeating: Attribute("", .absent), count: entries.count))
    }
    used.sort()
    var count = 0
    for entry in used { (places[entry], count) = (count, count + places[entry]) }
    var order = [Int](repeating: 0, count: slots.count)
    for (number, slot) in slots.enumerated() {
      order[places[slot.entry]] = number
      places[slot.entry] += 1
    }
    var first = 0
    for entry in used {
      let own = order[first..<places[entry]]
      first = own.endIndex
      let column = try loaded.attributeColumn(UInt32(truncatingIfNeeded: entry), map, scratch)
      let indices = own.map { Int(column.prefix[slots[$0].block]) + slots[$0].countInBlock }
      try column.forEachAttribute(at: indices, strings, scratch) { place, attribute in
        let slot = slots[own[own.startIndex + place]]
        result[slot.element][slot.place] = attribute
      }
    }
    return result
  }
}

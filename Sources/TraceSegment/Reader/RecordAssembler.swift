import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP
import TraceSource

/// Builds records from the columns of one stripe. Columns are opened once for all rows.
struct RecordAssembler {
  private let core: SegmentCore
  let loaded: LoadedStripe
  let scratch: ReadScratch
  let strings: StringTable
  private let runs: RunDirectory
  private let times: StripeTimes
  var counter: SlotCounter

  init(_ core: SegmentCore, _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.core = core
    self.loaded = loaded
    self.scratch = scratch
    strings = try core.strings()
    runs = try loaded.runs(scratch)
    times = try StripeTimes(loaded)
    counter = SlotCounter(entryCount: loaded.catalogue.count, shapeCount: try loaded.shapes(scratch).count)
  }

  /// The records of ascending rows inside the stripe.
  mutating func records(_ rows: [Int]) throws -> [SourceSpan] {
    let count = loaded.head.rowCount
    func gathered(_ id: UInt32) throws -> [UInt64] {
      try loaded.integers(id, count: count).gather(rows, isKeeping: true)
    }
    let ordinals = try times.ordinals(of: rows)
    let offsets = try times.offsets.gather(rows)
    let durations = try times.durations.gather(rows)
    let spanIDs = try gathered(ChunkID.spanID)
    let parents = try ParentReader(loaded, scratch).parents(of: rows, spanIDs, times, scratch)
    let resources = try gathered(ChunkID.resource)
    let scopes = try gathered(ChunkID.scope)
    let statusCodes = try gathered(ChunkID.statusCode)
    let statusAbsences = try gathered(ChunkID.statusAbsence)
    let flags = try gathered(ChunkID.flags)
    let droppedAttributes = try gathered(ChunkID.droppedAttributeCount)
    let droppedEvents = try gathered(ChunkID.droppedEventCount)
    let droppedLinks = try gathered(ChunkID.droppedLinkCount)
    let hasStatus = statusAbsences.map { $0 == 0 }
    let statedRows = hasStatus.contains(false) ? zip(rows, hasStatus).filter(\.1).map(\.0) : rows
    let statusMessages = try loaded.text(ChunkID.statusMessage, count: count, scratch)
      .strings(at: statedRows, strings, scratch)
    let statusUnknownFields = try loaded.text(ChunkID.statusUnknownFields, count: count, scratch)
      .bytes(at: statedRows, strings, scratch)
    let traceStates = try loaded.text(ChunkID.traceState, count: count, scratch).strings(at: rows, strings, scratch)
    let unknownFields = try loaded.text(ChunkID.unknownFields, count: count, scratch).bytes(at: rows, strings, scratch)
    let attributes = try attributes(of: rows, loaded.shapeMap(.span, scratch))
    let starts = try starts(ordinals, offsets)
    let events = try events(loaded.events(of: rows, scratch), starts: starts)
    let links = try links(loaded.links(of: rows, scratch))

    // Neighbours mostly share what stands here.
    var known: (ordinal: Int, trace: TraceID)?
    var knownRun: (run: Int, name: String)?
    var envelopes = try Envelopes(core, loaded, scratch)
    var statusCount = 0
    var result: [SourceSpan] = []
    result.reserveCapacity(rows.count)
    for (place, row) in rows.enumerated() {
      let ordinal = ordinals[place]
      let trace = try known.flatMap { $0.ordinal == ordinal ? $0.trace : nil } ?? loaded.traceID(ordinal)
      known = (ordinal, trace)
      let run = runs.run(of: row)
      let name = try knownRun.flatMap { $0.run == run ? $0.name : nil } ?? strings.string(runs.names[run])
      knownRun = (run, name)
      var status: SpanStatus?
      if hasStatus[place] {
        status = SpanStatus(
          code: SpanStatus.Code(rawValue: Int32(truncatingIfNeeded: unzigzag(statusCodes[place]))),
          message: statusMessages[statusCount], unknownFields: statusUnknownFields[statusCount])
        statusCount += 1
      }
      let span = SpanRecord(
        traceID: trace, spanID: SpanID(spanIDs[place]), traceState: traceStates[place],
        parentSpanID: parents[place].map { SpanID($0) }, name: name, kind: SpanKind(rawValue: runs.kinds[run]),
        start: Timestamp(nanoseconds: starts[place]), end: Timestamp(nanoseconds: starts[place] &+ durations[place]),
        attributes: attributes[place], droppedAttributeCount: UInt32(truncatingIfNeeded: droppedAttributes[place]),
        events: events[place], droppedEventCount: UInt32(truncatingIfNeeded: droppedEvents[place]),
        links: links[place], droppedLinkCount: UInt32(truncatingIfNeeded: droppedLinks[place]), status: status,
        flags: UInt32(truncatingIfNeeded: flags[place]), unknownFields: unknownFields[place])
      result.append(
        SourceSpan(
          resource: try envelopes.resource(resources[place]), scope: try envelopes.scope(scopes[place]), span: span,
          isPartial: false))
    }
    return result
  }

  private func starts(_ ordinals: [Int], _ offsets: [UInt64]) throws -> [UInt64] {
    var known: (ordinal: Int, base: UInt64)?
    return try zip(ordinals, offsets).map { ordinal, offset in
      let base = try known.flatMap { $0.ordinal == ordinal ? $0.base : nil } ?? times.bases.value(at: ordinal)
      known = (ordinal, base)
      return base &+ offset
    }
  }

  /// The events of each row, whose starts they count from.
  private mutating func events(_ ranges: [Range<Int>], starts: [UInt64]) throws -> [[SpanEvent]] {
    let all = ranges.flatMap { $0 }
    guard !all.isEmpty else { return [[SpanEvent]](repeating: [], count: ranges.count) }
    let count = loaded.head.eventCount
    let offsets = try loaded.integers(ChunkID.eventTime, count: count).gather(all)
    let names = try loaded.text(ChunkID.eventName, count: count, scratch).strings(at: all, strings, scratch)
    let dropped = try loaded.integers(ChunkID.eventDroppedAttributeCount, count: count).gather(all)
    let unknownFields = try loaded.text(ChunkID.eventUnknownFields, count: count, scratch)
      .bytes(at: all, strings, scratch)
    let attributes = try attributes(of: all, loaded.shapeMap(.event, scratch))
    var place = 0
    return zip(ranges, starts).map { range, start in
      range.map { _ in
        defer { place += 1 }
        return SpanEvent(
          time: Timestamp(nanoseconds: start &+ UInt64(bitPattern: unzigzag(offsets[place]))),
          name: names[place], attributes: attributes[place],
          droppedAttributeCount: UInt32(truncatingIfNeeded: dropped[place]),
          unknownFields: unknownFields[place])
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
      .strings(at: all, strings, scratch)
    let unknownFields = try loaded.text(ChunkID.linkUnknownFields, count: count, scratch)
      .bytes(at: all, strings, scratch)
    let attributes = try attributes(of: all, loaded.shapeMap(.link, scratch))
    var place = 0
    return ranges.map { range in
      range.map { _ in
        defer { place += 1 }
        return SpanLink(
          traceID: absences[place] & 1 == 0 ? TraceID(high: traceHighs[place], low: traceLows[place]) : nil,
          spanID: absences[place] & 2 == 0 ? SpanID(spanIDs[place]) : nil,
          traceState: traceStates[place], attributes: attributes[place],
          droppedAttributeCount: UInt32(truncatingIfNeeded: dropped[place]),
          flags: UInt32(truncatingIfNeeded: flags[place]), unknownFields: unknownFields[place])
      }
    }
  }
}

/// The resources and scopes of neighbouring rows, each looked up when it is another than the row's before.
private struct Envelopes {
  private let loaded: LoadedStripe
  private let resources: ResourceTable
  private let scopes: ScopeTable
  private let resourceList: [UInt32]
  private let scopeList: [UInt32]
  private var knownResource: (place: UInt64, value: Resource)?
  private var knownScope: (place: UInt64, value: InstrumentationScope)?

  init(_ core: SegmentCore, _ loaded: LoadedStripe, _ scratch: ReadScratch) throws {
    self.loaded = loaded
    resources = try core.resources()
    scopes = try core.scopes()
    resourceList = try loaded.resourceList(scratch)
    scopeList = try loaded.scopeList(scratch)
  }

  mutating func resource(_ place: UInt64) throws -> Resource {
    if let knownResource, knownResource.place == place { return knownResource.value }
    let value = try resources.value(at: listed(place, in: resourceList, ChunkID.resource))
    knownResource = (place, value)
    return value
  }

  mutating func scope(_ place: UInt64) throws -> InstrumentationScope {
    if let knownScope, knownScope.place == place { return knownScope.value }
    let value = try scopes.value(at: listed(place, in: scopeList, ChunkID.scope))
    knownScope = (place, value)
    return value
  }

  private func listed(_ index: UInt64, in list: [UInt32], _ id: UInt32) throws -> Int {
    guard index < UInt64(list.count) else {
      throw loaded.place(id).damage("a row names entry \(index) of \(list.count)")
    }
    return Int(list[Int(index)])
  }
}

import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP
import TraceSegment
import TraceSource

extension PlainReader {
  /// Values of a level's attribute columns that have been used so far.
  private struct Cursors {
    var next: [UInt32: Int] = [:]
    mutating func take(_ chunk: UInt32) -> Int {
      defer { next[chunk, default: 0] += 1 }
      return next[chunk, default: 0]
    }
  }

  /// Turns decoded columns into records.
  func assemble(_ stripe: inout Stripe) throws {
    let head = stripe.head
    let columns = stripe
    func integer(_ id: UInt32, _ row: Int) -> UInt64 { columns.integers[id].map { $0[row] } ?? 0 }
    func bytes(_ id: UInt32, _ row: Int) -> [UInt8] { columns.texts[id].map { $0[row] } ?? [] }
    func text(_ id: UInt32, _ row: Int) -> String { String(decoding: bytes(id, row), as: UTF8.self) }
    stripe.traces = (0..<head.traceCount).map {
      TraceID(high: integer(ChunkID.traceHigh, $0), low: integer(ChunkID.traceLow, $0))
    }
    var cursors = Cursors()
    func attributes(_ shapeChunk: UInt32, _ row: Int, _ level: ColumnLevel) throws -> [Attribute] {
      try columns.shapes[Int(integer(shapeChunk, row))].map { slot in
        let entry = catalogue.entries[Int(slot)]
        guard entry.level == level else { throw BadSegment(what: "a slot of another level") }
        let chunk = SegmentFormat.firstAttributeChunk + slot
        let place = cursors.take(chunk)
        let key = String(decoding: strings[Int(entry.key)], as: UTF8.self)
        if entry.type == .opaqueAttribute {
          return try bytes(chunk, place).withUnsafeBytes { try OTLP.decodeAttribute($0) }
        }
        var bits = integer(chunk, place)
        if entry.type == .int { bits = columns.integers[chunk] == nil ? 1 << 63 : bits ^ 1 << 63 }
        return Attribute(
          key, try bytes(chunk, place).withUnsafeBytes { try OTLP.value(type: entry.type, bits: bits, bytes: $0) })
      }
    }
    var ranks: [Int: [UInt64]] = [:]
    for row in 0..<head.rowCount {
      ranks[Int(integer(ChunkID.traceOrdinal, row)), default: []].append(integer(ChunkID.spanID, row))
    }
    let runs = (0..<head.runCount).map { Int(integer(ChunkID.runFirstRow, $0)) }
    let resourceList = (columns.integers[ChunkID.resources] ?? [0]).map { Int($0) }
    let scopeList = (columns.integers[ChunkID.scopes] ?? [0]).map { Int($0) }
    let services = try self.integers(.resources, 2)
    var escapes = (columns.integers[ChunkID.escapedParent] ?? []).makeIterator()
    var run = -1
    var spans: [SpanRecord] = []
    for row in 0..<head.rowCount {
      if run + 1 < runs.count, runs[run + 1] == row { run += 1 }
      let ordinal = Int(integer(ChunkID.traceOrdinal, row))
      var span = SpanRecord(traceID: stripe.traces[ordinal], spanID: SpanID(integer(ChunkID.spanID, row)))
      span.name = String(decoding: strings[Int(integer(ChunkID.runName, run))], as: UTF8.self)
      span.kind = SpanKind(rawValue: Int32(unzigzag(integer(ChunkID.runKind, run))))
      let start = integer(ChunkID.traceBase, ordinal) + integer(ChunkID.start, row)
      span.start = Timestamp(nanoseconds: start)
      span.end = Timestamp(nanoseconds: start &+ integer(ChunkID.duration, row))
      switch integer(ChunkID.parent, row) {
      case 0: break
      case 1: span.parentSpanID = SpanID(escapes.next() ?? 0)
      case let rank: span.parentSpanID = ranks[ordinal].map { SpanID($0[Int(rank) - 2]) }
      }
      span.traceState = text(ChunkID.traceState, row)
      span.flags = UInt32(integer(ChunkID.flags, row))
      span.droppedAttributeCount = UInt32(integer(ChunkID.droppedAttributeCount, row))
      span.droppedEventCount = UInt32(integer(ChunkID.droppedEventCount, row))
      span.droppedLinkCount = UInt32(integer(ChunkID.droppedLinkCount, row))
      span.unknownFields = bytes(ChunkID.unknownFields, row)
      if integer(ChunkID.statusAbsence, row) == 0 {
        span.status = SpanStatus(
          code: SpanStatus.Code(rawValue: Int32(unzigzag(integer(ChunkID.statusCode, row)))),
          message: text(ChunkID.statusMessage, row), unknownFields: bytes(ChunkID.statusUnknownFields, row))
      }
      span.attributes = try attributes(ChunkID.shape, row, .span)
      let resource = resourceList[Int(integer(ChunkID.resource, row))]
      guard services[resource] == integer(ChunkID.runService, run) else { throw BadSegment(what: "service of a run") }
      stripe.spans.append(
        WrittenSpan(
          resource: resources[resource], scope: scopes[scopeList[Int(integer(ChunkID.scope, row))]], span: span))
      spans.append(span)
    }
    var event = 0
    var link = 0
    for row in 0..<head.rowCount {
      for _ in 0..<integer(ChunkID.eventCount, row) {
        let time = spans[row].start.nanoseconds &+ UInt64(bitPattern: unzigzag(integer(ChunkID.eventTime, event)))
        stripe.spans[row].span.events.append(
          SpanEvent(
            time: Timestamp(nanoseconds: time), name: text(ChunkID.eventName, event),
            attributes: try attributes(ChunkID.eventShape, event, .event),
            droppedAttributeCount: UInt32(integer(ChunkID.eventDroppedAttributeCount, event)),
            unknownFields: bytes(ChunkID.eventUnknownFields, event)))
        event += 1
      }
      for _ in 0..<integer(ChunkID.linkCount, row) {
        let absence = integer(ChunkID.linkAbsence, link)
        stripe.spans[row].span.links.append(
          SpanLink(
            traceID: absence & 1 != 0
              ? nil
              : TraceID(high: integer(ChunkID.linkTraceHigh, link), low: integer(ChunkID.linkTraceLow, link)),
            spanID: absence & 2 != 0 ? nil : SpanID(integer(ChunkID.linkSpanID, link)),
            traceState: text(ChunkID.linkTraceState, link),
            attributes: try attributes(ChunkID.linkShape, link, .link),
            droppedAttributeCount: UInt32(integer(ChunkID.linkDroppedAttributeCount, link)),
            flags: UInt32(integer(ChunkID.linkFlags, link)), unknownFields: bytes(ChunkID.linkUnknownFields, link)))
        link += 1
      }
    }
    guard event == head.eventCount, link == head.linkCount else { throw BadSegment(what: "events or links are left") }
  }
}

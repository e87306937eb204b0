import TraceColumns
import TraceFiles
import TraceModel
import TraceSegment

/// A record with what it came under, and nothing else.
struct WrittenSpan: Hashable {
  var resource: Resource
  var scope: InstrumentationScope
  var span: SpanRecord
}

/// Records that reach every column and every encoding choice of the writer, from a seed.
struct WriterRecords {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x2545_f491_4f6c_dd1d | 1 }

  mutating func word() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x9e37_79b9_7f4a_7c15
  }

  mutating func below(_ bound: Int) -> Int { Int(word() >> 33) % bound }
  mutating func pick<Element>(_ values: [Element]) -> Element { values[below(values.count)] }
  mutating func isOneIn(_ count: Int) -> Bool { below(count) == 0 }

  mutating func value() -> AttributeValue {
    switch below(14) {
    case 0: .string("")
    case 1: .string(pick(["GET", "POST", "é", "e\u{301}", "http.route", "shop"]))
    case 2: .string("order-\(below(1 << 20))")
    case 3: .string("SELECT * FROM t WHERE id = \(word())")
    case 4: .int(pick([0, 1, -1, .min, .max, 200, 404]))
    case 5: .int(Int64(below(50_000)))
    case 6: .double(Double(below(10_000)) / 100)
    case 7: .double(pick([0, -0.0, .nan, .infinity, -.infinity, 1e300, 0.1 + 0.2, .leastNonzeroMagnitude]))
    case 8: .bool(isOneIn(2))
    case 9: .bytes([UInt8(below(256)), 0, 255])
    case 10: .array([.int(1), .string("two"), .empty])
    case 11: .map([Attribute("k", .bool(true)), Attribute("k", .int(2))])
    case 12: .empty
    default: .absent
    }
  }

  mutating func attributes(_ maximum: Int) -> [Attribute] {
    (0..<below(maximum + 1)).map { _ in
      let key = pick(["http.route", "http.status_code", "user.id", "", "é", "e\u{301}", "GET", "deployment"])
      return Attribute(key, value(), unknownFields: isOneIn(30) ? [0x98, 0x06, 0x07] : [])
    }
  }

  mutating func span(_ trace: TraceID, parents: [SpanID]) -> SpanRecord {
    var span = SpanRecord(traceID: trace, spanID: SpanID(isOneIn(20) ? 5 : word()))
    span.name = pick(["GET /", "POST /cart", "", "query", "é"])
    span.kind = SpanKind(rawValue: pick([0, 1, 2, 3, 4, 5, 77, -3]))
    span.start = Timestamp(
      nanoseconds: isOneIn(50) ? pick([0, .max, 1]) : 1_700_000_000_000_000_000 + word() % 1_000_000_000)
    span.end = Timestamp(nanoseconds: isOneIn(30) ? pick([0, .max, 1]) : span.start.nanoseconds &+ word() % 50_000_000)
    switch below(5) {
    case 0: break
    case 1: span.parentSpanID = SpanID(pick([0, 5, word()]))
    default: span.parentSpanID = parents.isEmpty ? nil : pick(parents)
    }
    span.attributes = attributes(6)
    span.traceState = isOneIn(10) ? "vendor=1" : ""
    span.flags = pick([0, 1, 0x301])
    if isOneIn(10) { span.droppedAttributeCount = UInt32(below(9)) }
    if isOneIn(10) { span.droppedEventCount = UInt32(below(9)) }
    if isOneIn(10) { span.droppedLinkCount = .max }
    if isOneIn(20) { span.unknownFields = [0xa0, 0x06, UInt8(below(100))] }
    if !isOneIn(3) {
      span.status = SpanStatus(
        code: SpanStatus.Code(rawValue: pick([0, 1, 2, 9])), message: pick(["", "", "timeout after \(below(99)) ms"]),
        unknownFields: isOneIn(20) ? [0x98, 0x06, 0x01] : [])
    }
    for _ in 0..<(isOneIn(3) ? below(4) : 0) {
      span.events.append(
        SpanEvent(
          time: Timestamp(nanoseconds: isOneIn(9) ? 0 : span.start.nanoseconds &+ word() % 1000),
          name: pick(["exception", "", "retry"]), attributes: attributes(3), droppedAttributeCount: UInt32(below(2)),
          unknownFields: isOneIn(9) ? [0xa0, 0x06, 0x02] : []))
    }
    for _ in 0..<(isOneIn(4) ? below(3) : 0) {
      span.links.append(
        SpanLink(
          traceID: isOneIn(4) ? nil : TraceID(high: word(), low: word()), spanID: isOneIn(4) ? nil : SpanID(word()),
          traceState: pick(["", "a=b"]), attributes: attributes(2), droppedAttributeCount: UInt32(below(2)),
          flags: UInt32(below(3)), unknownFields: isOneIn(9) ? [0xa0, 0x06, 0x03] : []))
    }
    return span
  }

  /// About `count` records in traces of up to `traceSpanCount`.
  mutating func records(_ count: Int, traceSpanCount: Int = 12) -> [WrittenSpan] {
    var resources: [Resource] = []
    for service in ["shop", "GET", "é", ""] {
      var resource = Resource(attributes: attributes(3))
      if !service.isEmpty { resource.attributes.append(Attribute("service.name", .string(service))) }
      resources.append(resource)
    }
    resources[1].droppedAttributeCount = 2
    resources[2].schemaURL = "https://example.com/1"
    resources[2].envelopeUnknownFields = [0xa0, 0x06, 0x09]
    var scopes: [InstrumentationScope] = []
    for name in ["", "library", "other"] {
      scopes.append(InstrumentationScope(name: name, version: name.isEmpty ? "" : "1", attributes: attributes(2)))
    }
    scopes[1].schemaURL = "https://example.com/2"
    var result: [WrittenSpan] = []
    while result.count < count {
      let trace = TraceID(high: isOneIn(2) ? 0 : word(), low: word())
      var parents: [SpanID] = []
      for _ in 0..<1 + below(traceSpanCount) {
        let span = span(trace, parents: parents)
        parents.append(span.spanID)
        result.append(WrittenSpan(resource: pick(resources), scope: pick(scopes), span: span))
      }
    }
    return result
  }
}

/// A segment in memory.
struct WrittenSegment {
  var bytes: [UInt8]
  var statistics: SegmentStatistics

  /// - Parameter isPartial: which records go to the partial table.
  init(
    _ records: [WrittenSpan], options: SegmentOptions = SegmentOptions(),
    parallel: SegmentParallelism = SegmentWriter.serial, isPartial: (Int) -> Bool = { _ in false }
  ) throws {
    let builder = SpanTableBuilder()
    var rows: [UInt32] = []
    var partialRows: [UInt32] = []
    for (index, record) in records.enumerated() {
      builder.append(resource: record.resource, scope: record.scope, span: record.span, isPartial: isPartial(index))
      if isPartial(index) { partialRows.append(UInt32(index)) } else { rows.append(UInt32(index)) }
    }
    let files = SimulatedFileSystem()
    let file = try files.open("segment", .create)
    statistics = try SegmentWriter.write(
      builder.table.view(rowCount: builder.table.rowCount), rows: rows, partialRows: partialRows, options: options,
      to: file, parallel: parallel)
    bytes = try files.contents(ofFile: "segment", maximumByteCount: 1 << 30)
  }
}

import TraceModel

/// A small deterministic generator, so that every failure replays from its seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
  mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }
  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

/// Model values that visit every field, every type and every default.
struct RandomModel {
  var random: SeededGenerator
  /// Unknown fields and opaque values, which JSON cannot say.
  var allowsUnknownFields = true

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func data() -> TraceData {
    TraceData(
      resourceSpans: list(4) { model in
        ResourceSpans(
          resource: model.resource(),
          scopeSpans: model.list(3) { model in ScopeSpans(scope: model.scope(), spans: model.list(4) { $0.span() }) })
      })
  }

  mutating func list<Element>(_ bound: Int, _ make: (inout RandomModel) -> Element) -> [Element] {
    (0..<random.below(bound + 1)).map { _ in make(&self) }
  }

  mutating func text() -> String {
    random.pick([
      "", "a", "key", "service.name", "GET /api/v1/items", "héllo", "日本語のテキスト", "🚀🚀", "e\u{301}",
      "\u{0}\u{1f}\"\\/\u{2028}",
      "abcdefghijklmnopqrstuvwxyz0123456789", "12345678", "1234567é", "x\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}",
    ])
  }

  mutating func number() -> UInt64 { random.pick([0, 1, 127, 128, 300, UInt64(UInt32.max), .max, random.next()]) }
  mutating func small() -> UInt32 { random.chance(2) ? 0 : UInt32(truncatingIfNeeded: number()) }

  mutating func unknown() -> [UInt8] {
    guard allowsUnknownFields, random.chance(4) else { return [] }
    return random.pick([
      [0xf8, 0x07, 0x01], [0xc2, 0x3e, 0x02, 0x61, 0x62], [0xbd, 0x3e, 1, 2, 3, 4],
      [0xb9, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8],
      [0xc3, 0x3e, 0x08, 0x01, 0xc4, 0x3e], [0xf8, 0x07, 0x02, 0xf8, 0x07, 0x01],
    ])
  }

  mutating func value(depth: Int = 0) -> AttributeValue {
    switch random.below(depth > 3 ? 7 : allowsUnknownFields ? 10 : 9) {
    case 0: return .empty
    case 1, 2: return .string(text())
    case 3: return .bool(random.chance(2))
    case 4: return .int(Int64(bitPattern: number()))
    case 5:
      return .double(
        random.pick([
          0, -0.0, 1.5, .pi, .infinity, -.infinity, .leastNonzeroMagnitude, 1e308, 1e21, 123_456_789, 0.1, -1,
        ]))
    case 6: return .bytes(list(12) { UInt8(truncatingIfNeeded: $0.random.next()) })
    case 7: return .array(list(4) { $0.value(depth: depth + 1) })
    case 8: return .map(list(4) { $0.attribute(depth: depth + 1) })
    default: return .opaque(random.pick([[0x40, 0x05], [0x0a, 0x01, 0x61, 0x40, 0x07], [0x2a, 0x02, 0x10, 0x01]]))
    }
  }

  mutating func attribute(depth: Int = 0) -> Attribute {
    let unknown = unknown()
    return Attribute(text(), random.chance(12) ? .absent : value(depth: depth), unknownFields: unknown)
  }

  mutating func attributes() -> [Attribute] { list(6) { $0.attribute() } }

  mutating func resource() -> Resource {
    Resource(
      attributes: attributes(), droppedAttributeCount: small(),
      entityReferences: allowsUnknownFields ? list(2) { _ in [0x0a, 0x01, 0x75, 0x12, 0x01, 0x74] } : [],
      schemaURL: text(), unknownFields: unknown(), envelopeUnknownFields: unknown())
  }

  mutating func scope() -> InstrumentationScope {
    InstrumentationScope(
      name: text(), version: text(), attributes: attributes(), droppedAttributeCount: small(), schemaURL: text(),
      unknownFields: unknown(), envelopeUnknownFields: unknown())
  }

  mutating func traceID() -> TraceID { TraceID(high: random.chance(4) ? 0 : number(), low: number() | 1) }
  mutating func spanID() -> SpanID { SpanID(number() | 1) }

  mutating func span() -> SpanRecord {
    SpanRecord(
      traceID: traceID(), spanID: spanID(), traceState: text(),
      parentSpanID: random.pick([nil, SpanID(0), spanID()]), name: text(),
      kind: SpanKind(rawValue: random.pick([0, 1, 2, 3, 4, 5, 6, -1, .max])),
      start: Timestamp(nanoseconds: number()), end: Timestamp(nanoseconds: number()), attributes: attributes(),
      droppedAttributeCount: small(), events: list(3) { $0.event() }, droppedEventCount: small(),
      links: list(3) { $0.link() }, droppedLinkCount: small(), status: status(), flags: small(),
      unknownFields: unknown())
  }

  mutating func status() -> SpanStatus? {
    random.chance(3)
      ? nil
      : SpanStatus(
        code: SpanStatus.Code(rawValue: random.pick([0, 1, 2, 3, -5])), message: text(), unknownFields: unknown())
  }

  mutating func event() -> SpanEvent {
    SpanEvent(
      time: Timestamp(nanoseconds: number()), name: text(), attributes: attributes(), droppedAttributeCount: small(),
      unknownFields: unknown())
  }

  mutating func link() -> SpanLink {
    var unknown = unknown()
    if allowsUnknownFields, random.chance(6) { unknown += [0x0a, 0x03, 1, 2, 3] }
    let isOdd = unknown.contains(0x0a)
    return SpanLink(
      traceID: isOdd || random.chance(4) ? nil : traceID(), spanID: random.chance(4) ? nil : spanID(),
      traceState: text(), attributes: attributes(), droppedAttributeCount: small(), flags: small(),
      unknownFields: unknown)
  }
}

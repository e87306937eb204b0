import TraceModel
import TracestoreV2

/// Data that checks are built from. All instants lie on one fixed day.
enum Fixture {
  /// 2026-03-14T16:46:31.639875Z.
  static let noon = Timestamp(nanoseconds: 1_773_506_791_639_875_000)
  static let minute: UInt64 = 60_000_000_000
  static let hour: UInt64 = 60 * minute

  /// Four attributes, one of each simple type.
  static let samples: [Attribute] = [
    Attribute("sameplacetag1", "sameplacevalue"), Attribute("sameplacetag2", 123), Attribute("sameplacetag3", 72.5),
    Attribute("sameplacetag4", true),
  ]

  static func time(_ offsetNanoseconds: Int64) -> Timestamp {
    Timestamp(nanoseconds: UInt64(Int64(noon.nanoseconds) + offsetNanoseconds))
  }

  static func id(_ number: UInt64) -> TraceID { TraceID(high: 0, low: number) }

  static func resource(_ service: String, _ attributes: [Attribute] = []) -> Resource {
    Resource(attributes: [Attribute("service.name", .string(service))] + attributes)
  }

  static func span(
    _ trace: UInt64, _ span: UInt64 = 1, name: String = "operation", parent: UInt64? = nil, start: Timestamp = noon,
    durationNanoseconds: UInt64 = 1_000, attributes: [Attribute] = [], events: [SpanEvent] = [], links: [SpanLink] = [],
    kind: SpanKind = .unspecified, status: SpanStatus? = nil
  ) -> SpanRecord {
    SpanRecord(
      traceID: id(trace), spanID: SpanID(span), parentSpanID: parent.map(SpanID.init), name: name, kind: kind,
      start: start, end: Timestamp(nanoseconds: start.nanoseconds + durationNanoseconds), attributes: attributes,
      events: events, links: links, status: status)
  }

  static func batch(
    _ resource: Resource, _ spans: [SpanRecord], scope: InstrumentationScope = InstrumentationScope()
  ) -> TraceData {
    TraceData(resourceSpans: [ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(scope: scope, spans: spans)])])
  }

  static func batch(_ service: String, _ spans: SpanRecord...) -> TraceData { batch(resource(service), spans) }

  static func event(_ attributes: [Attribute], name: String = "log") -> SpanEvent {
    SpanEvent(time: noon, name: name, attributes: attributes)
  }

  /// An hour before to an hour after noon.
  static func query(_ service: String = "", operation: String = "", _ attributes: [Attribute] = []) -> TraceQuery {
    TraceQuery(
      serviceName: service, operationName: operation, attributes: attributes, startMinimum: time(-Int64(hour)),
      startMaximum: time(Int64(hour)), limit: 1_000)
  }

  /// Five spans of three services in one trace.
  static let example = TraceData(
    resourceSpans: [
      batch(
        resource("example-service-1"),
        [
          span(0x11, 3, name: "example-operation-1", attributes: samples),
          span(0x11, 4, name: "example-operation-3", parent: 3, kind: .server),
          span(0x11, 5, name: "example-operation-4", parent: 4, kind: .client),
        ]),
      batch(resource("example-service-2"), [span(0x11, 6, name: "example-operation-2", parent: 5, kind: .server)]),
      batch(resource("example-service-3"), [span(0x11, 7, name: "example-operation-1", parent: 6)]),
    ].flatMap(\.resourceSpans))

  /// One trace with every field of the model filled, and the corners of every type.
  static var kitchenSink: TraceData {
    let unknown: [UInt8] = [0x92, 0x3f, 0x03, 1, 2, 3]
    let values: [AttributeValue] = [
      .absent, .empty, "", "text", "caf\u{e9}", "cafe\u{301}", "\u{0}nul", .bool(true), .bool(false), .int(.min),
      .int(.max), 0, .double(0), .double(-0.0), .double(.infinity), .double(-.infinity),
      .double(Double(bitPattern: 0x7ff8_0000_dead_beef)), .double(.leastNonzeroMagnitude), .double(0.1), .bytes([]),
      .bytes([0, 255, 128]), .array([]), .array(["a", 1, 2.5, true, .empty, .array([.map([])])]), .map([]),
      .map([Attribute("b", 1), Attribute("a", 2), Attribute("b", 3), Attribute("", .empty)]), nested(levels: 64),
      .opaque(unknown),
    ]
    var attributes = values.enumerated().map { Attribute("key\($0.offset)", $0.element) }
    attributes += [Attribute("same", 1), Attribute("same", "1"), Attribute("same", 1), Attribute("", "empty key")]
    attributes.append(Attribute("with unknown", "x", unknownFields: unknown))
    let resource = Resource(
      attributes: [Attribute("service.name", "kitchen")] + attributes, droppedAttributeCount: 1,
      entityReferences: [[0x12, 0x04, 0x68, 0x6f, 0x73, 0x74]], schemaURL: "https://example.org/resource",
      unknownFields: unknown, envelopeUnknownFields: unknown)
    let scope = InstrumentationScope(
      name: "library", version: "1.2.3", attributes: attributes, droppedAttributeCount: 2,
      schemaURL: "https://example.org/scope", unknownFields: unknown, envelopeUnknownFields: unknown)
    let full = SpanRecord(
      traceID: TraceID(high: .max, low: 7), spanID: SpanID(.max), traceState: "a=1,b=2", parentSpanID: SpanID(5),
      name: "caf\u{e9}", kind: SpanKind(rawValue: 77), start: noon, end: time(123_456_789), attributes: attributes,
      droppedAttributeCount: 3,
      events: [
        SpanEvent(
          time: time(5), name: "event", attributes: attributes, droppedAttributeCount: 4, unknownFields: unknown),
        SpanEvent(), SpanEvent(time: time(5), name: "event"), SpanEvent(time: time(5), name: "event"),
      ],
      droppedEventCount: 5,
      links: [
        SpanLink(
          traceID: id(9), spanID: SpanID(9), traceState: "c=3", attributes: attributes, droppedAttributeCount: 6,
          flags: 0x301, unknownFields: unknown),
        SpanLink(), SpanLink(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0)),
      ],
      droppedLinkCount: .max, status: SpanStatus(code: .error, message: "broken", unknownFields: unknown),
      flags: 0xffff_ffff, unknownFields: unknown)
    var bare = SpanRecord(traceID: full.traceID, spanID: SpanID(1), name: "cafe\u{301}", start: noon, end: noon)
    var unset = bare
    unset.spanID = SpanID(2)
    unset.parentSpanID = SpanID(0)
    unset.status = SpanStatus()
    bare.kind = SpanKind(rawValue: -1)
    var inverted = bare
    inverted.end = time(-1)
    return TraceData(
      resourceSpans: [batch(resource, [full, bare, inverted], scope: scope), batch(Resource(), [unset])]
        .flatMap(\.resourceSpans))
  }

  private static func nested(levels: Int) -> AttributeValue {
    (1..<levels).reduce("deep") { inner, level in level % 2 == 0 ? .array([inner]) : .map([Attribute("k", inner)]) }
  }
}

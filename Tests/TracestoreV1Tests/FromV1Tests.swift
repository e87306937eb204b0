import Testing
import TraceModel
import TracestoreV1

/// Row by row: what becomes of v1 in OTLP.
@Suite struct `v1 to OTLP` {
  @Test func `a process is a resource`() {
    #expect(
      Resource(V1Process(serviceName: "cart", tags: [V1Tag("a", 1)])).attributes
        == [Attribute("service.name", "cart"), Attribute("a", 1)])
    #expect(Resource(V1Process(serviceName: "OTLPResourceNoServiceName")) == Resource())
    #expect(
      Resource(V1Process(serviceName: "OTLPResourceNoServiceName", tags: [V1Tag("a", 1)])).attributes
        == [Attribute("a", 1)])
    #expect(Resource(V1Process()) == Resource())
    // Names stay as they are.
    let tags = [V1Tag("hostname", "h"), V1Tag("jaeger.version", "Go-2")]
    #expect(
      Resource(V1Process(tags: tags)).attributes == [Attribute("hostname", "h"), Attribute("jaeger.version", "Go-2")])
  }

  @Test func `each distinct process is one resource, each scope one group in it`() {
    func made(_ service: String, _ scope: String?) -> V1Span {
      v1Span(tags: scope.map { [V1Tag("otel.scope.name", .string($0))] } ?? []) {
        $0.process = V1Process(serviceName: service)
      }
    }
    let data = TraceData([made("a", "x"), made("b", nil), made("a", nil), made("a", "x"), made("caf\u{e9}", nil)])
    #expect(data.resourceSpans.map(\.resource.serviceName) == ["a", "b", "caf\u{e9}"])
    #expect(data.resourceSpans[0].scopeSpans.map(\.scope.name) == ["x", ""])
    #expect(data.resourceSpans[0].scopeSpans.map(\.spans.count) == [2, 1])
    #expect(TraceData([made("caf\u{e9}", nil), made("cafe\u{301}", nil)]).resourceSpans.count == 2)
    #expect(TraceData([V1Span]()).isEmpty)
  }

  @Test func `scope tags become the scope; a version needs a name`() {
    let name = V1Tag("otel.scope.name", "lib")
    let version = V1Tag("otel.scope.version", "1")
    let both = v1Span(tags: [version, V1Tag("a", 1), name]).record
    #expect(both.scope == InstrumentationScope(name: "lib", version: "1"))
    #expect(both.span.attributes == [Attribute("a", 1)])
    #expect(v1Span(tags: [name]).record.scope == InstrumentationScope(name: "lib"))
    let alone = v1Span(tags: [version]).record
    #expect(alone.scope == InstrumentationScope() && alone.span.attributes == [Attribute("otel.scope.version", "1")])
    // The first one is the scope, further ones and those that are no text are attributes.
    let twice = v1Span(tags: [V1Tag("otel.scope.name", 5), name, V1Tag("otel.scope.name", "second")]).record
    #expect(twice.scope.name == "lib")
    #expect(twice.span.attributes == [Attribute("otel.scope.name", 5), Attribute("otel.scope.name", "second")])
  }

  @Test(
    arguments: [
      ("server", SpanKind.server), ("client", .client), ("producer", .producer), ("consumer", .consumer),
      ("internal", .internal), ("unknown word", .unspecified), ("SERVER", .unspecified), (7, .unspecified),
    ] as [(V1Value, SpanKind)])
  func `the kind's tag goes away whatever it says`(_ value: V1Value, _ kind: SpanKind) {
    let record = v1Span(tags: [V1Tag("a", 1), V1Tag("span.kind", value)]).record.span
    #expect(record.kind == kind && record.attributes == [Attribute("a", 1)])
  }

  @Test func `the last of several tags counts, and others under its key stay`() {
    let record = v1Span(tags: [
      V1Tag("span.kind", "client"), V1Tag("span.kind", "server"), V1Tag("a", 1), V1Tag("span.kind", "server"),
    ]).record.span
    #expect(record.kind == .server)
    #expect(record.attributes == [Attribute("span.kind", "client"), Attribute("a", 1)])
  }

  struct StatusCase: Sendable, CustomTestStringConvertible {
    var tags: [V1Tag]
    var status: SpanStatus?
    var rest: [Attribute]
    var testDescription: String { tags.map { "\($0.key)=\($0.value.text)" }.joined(separator: " ") }

    init(_ tags: [V1Tag], _ status: SpanStatus?, _ rest: [Attribute] = []) {
      (self.tags, self.status, self.rest) = (tags, status, rest)
    }
  }

  static let error = V1Tag("error", true)
  static let described = V1Tag("otel.status_description", "why")
  static func code(_ word: V1Value) -> V1Tag { V1Tag("otel.status_code", word) }

  static let statusCases: [StatusCase] = [
    StatusCase([], nil),
    StatusCase([error], SpanStatus(code: .error)),
    StatusCase([error, described], SpanStatus(code: .error, message: "why")),
    StatusCase(
      [error, V1Tag("http.status_message", "gone")], SpanStatus(code: .error, message: "gone"),
      [Attribute("http.status_message", "gone")]),
    StatusCase(
      [error, described, V1Tag("http.status_message", "gone")], SpanStatus(code: .error, message: "why"),
      [Attribute("http.status_message", "gone")]),
    StatusCase([code("OK"), error], SpanStatus(code: .error)),
    StatusCase([V1Tag("error", false)], nil, [Attribute("error", false)]),
    StatusCase([V1Tag("error", "true")], nil, [Attribute("error", "true")]),
    StatusCase([V1Tag("error", "true"), code("ok")], SpanStatus(code: .ok), [Attribute("error", "true")]),
    StatusCase([V1Tag("error", 1)], nil, [Attribute("error", 1)]),
    StatusCase([code("OK")], SpanStatus(code: .ok)),
    StatusCase([code("eRRor"), described], SpanStatus(code: .error, message: "why")),
    StatusCase([code("whatever"), described], SpanStatus(message: "why")),
    StatusCase([code(2)], SpanStatus()),
    StatusCase([described], nil, [Attribute("otel.status_description", "why")]),
    StatusCase(
      [code("OK"), V1Tag("http.status_code", 500)], SpanStatus(code: .ok), [Attribute("http.status_code", 500)]),
  ]

  @Test(arguments: statusCases)
  func `error beats status code`(_ item: StatusCase) {
    let record = v1Span(tags: item.tags).record.span
    #expect(record.status == item.status)
    #expect(record.attributes == item.rest)
  }

  @Test(
    arguments: [
      (100, "server", false), (200, "client", false), (302, "internal", false), (398, "client", false),
      (399, "client", true), (399, "server", true), (400, "server", false), (404, "client", true),
      (404, "internal", true), (499, "server", false), (499, nil, true), (500, "server", true), (599, "client", true),
      (99, "client", true), (0, nil, true), (-1, "server", true), (600, "client", true),
    ] as [(Int64, String?, Bool)])
  func `without a status the HTTP code decides`(_ code: Int64, _ kind: String?, _ isError: Bool) {
    let kindTag = kind.map { [V1Tag("span.kind", .string($0))] } ?? []
    for value in [V1Value.int64(code), .string(String(code))] {
      let tag = V1Tag("http.status_code", value)
      let record = v1Span(tags: kindTag + [tag, V1Tag("http.status_message", "text")]).record.span
      #expect(record.status == (isError ? SpanStatus(code: .error, message: "text") : nil))
      #expect(record.attributes == [tag.attribute, Attribute("http.status_message", "text")])
    }
    #expect(v1Span(tags: [V1Tag("http.status_code", 500.0)]).record.span.status == nil)
    #expect(v1Span(tags: [V1Tag("http.status_code", "five")]).record.span.status == nil)
    #expect(v1Span(tags: [V1Tag("http.response.status_code", 500)]).record.span.status == nil)
  }

  @Test func `trace state leaves the tags, if it is text`() {
    let record = v1Span(tags: [V1Tag("w3c.tracestate", "v=1"), V1Tag("a", 1)]).record.span
    #expect(record.traceState == "v=1" && record.attributes == [Attribute("a", 1)])
    #expect(v1Span(tags: [V1Tag("w3c.tracestate", 1)]).record.span.attributes == [Attribute("w3c.tracestate", 1)])
  }

  static func link(_ trace: TraceID, _ id: UInt64, _ word: String) -> SpanLink {
    SpanLink(
      traceID: trace, spanID: SpanID(id), attributes: [Attribute("opentracing.ref_type", .string(word))])
  }

  @Test(
    arguments: [
      ([], nil, []),
      ([V1Reference(.childOf, traceID, SpanID(9))], 9, []),
      ([V1Reference(.followsFrom, traceID, SpanID(9))], 9, [link(traceID, 9, "follows_from")]),
      ([V1Reference(.childOf, otherTraceID, SpanID(9))], nil, [link(otherTraceID, 9, "child_of")]),
      (
        [V1Reference(.followsFrom, traceID, SpanID(8)), V1Reference(.childOf, traceID, SpanID(9))], 9,
        [link(traceID, 8, "follows_from")]
      ),
      (
        [V1Reference(.childOf, traceID, SpanID(9)), V1Reference(.childOf, traceID, SpanID(8))], 9,
        [link(traceID, 8, "child_of")]
      ),
      // Whatever is child of a span with the parent's id counts as the parent.
      ([V1Reference(.childOf, traceID, SpanID(9)), V1Reference(.childOf, otherTraceID, SpanID(9))], 9, []),
      (
        [V1Reference(.childOf, traceID, SpanID(9)), V1Reference(.followsFrom, otherTraceID, SpanID(9))], 9,
        [link(otherTraceID, 9, "follows_from")]
      ),
      ([V1Reference(.childOf, traceID, SpanID(0))], nil, []),
    ] as [([V1Reference], UInt64?, [SpanLink])])
  func `references are the parent and links`(_ references: [V1Reference], _ parent: UInt64?, _ links: [SpanLink]) {
    let span = v1Span(references: references)
    #expect(span.parentSpanID == parent.map { SpanID($0) })
    #expect(span.record.span.parentSpanID == parent.map { SpanID($0) })
    #expect(span.record.span.links == links)
  }

  @Test func `logs are events, a text under event their name`() {
    let log = V1Log(timestamp: Timestamp(nanoseconds: 7), fields: [V1Tag("a", 1), V1Tag("event", "started")])
    #expect(
      SpanEvent(log) == SpanEvent(time: Timestamp(nanoseconds: 7), name: "started", attributes: [Attribute("a", 1)]))
    #expect(SpanEvent(V1Log(fields: [V1Tag("event", 5)])) == SpanEvent(attributes: [Attribute("event", 5)]))
    #expect(SpanEvent(V1Log()) == SpanEvent())
  }

  @Test func `a tag of an unknown type says so`() {
    let tag = V1Tag("k", .unknown(type: "decimal", text: "1.5"))
    #expect(tag.attribute == Attribute("k", #"<Unknown Jaeger TagType "decimal">"#))
    #expect(tag.value.text == "1.5" && tag.value.typeName == "decimal")
  }

  @Test func `warnings are an attribute of their own span`() {
    let record = v1Span(tags: [V1Tag("a", 1)]) { $0.warnings = ["one", "two"] }.record.span
    #expect(
      record.attributes == [Attribute("a", 1), Attribute("@jaeger@warnings", .array(["one", "two"]))])
  }

  @Test func `times and flags are carried`() {
    #expect(v1Span().record.span.end.nanoseconds == 7_000_000)
    #expect(v1Span { $0.durationNanoseconds = -1 }.record.span.end.nanoseconds == 4_999_999)
    #expect(v1Span { $0.durationNanoseconds = .min }.record.span.end == .zero)
    #expect(v1Span { ($0.startTime, $0.durationNanoseconds) = (.maximum, .max) }.record.span.end == .maximum)
    #expect(v1Span { $0.flags = 3 }.record.span.flags == 3)
    #expect(v1Span().record.span.name == "work")
  }
}

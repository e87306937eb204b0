import Testing
import TraceModel
import TracestoreV1

/// Row by row: what becomes of OTLP in v1.
@Suite struct `OTLP to v1` {
  @Test func `a resource is a process`() {
    #expect(V1Process(Resource()) == V1Process(serviceName: "OTLPResourceNoServiceName"))
    #expect(
      V1Process(Resource(attributes: [Attribute("a", 1), Attribute("service.name", "cart"), Attribute("b", "x")]))
        == V1Process(serviceName: "cart", tags: [V1Tag("a", 1), V1Tag("b", "x")]))
    #expect(
      V1Process(Resource(attributes: [Attribute("a", 1)]))
        == V1Process(serviceName: V1Process.noServiceName, tags: [V1Tag("a", 1)]))
    #expect(V1Process(Resource(attributes: [Attribute("service.name", "")])) == V1Process())
    // Not text: stays what it is.
    #expect(
      V1Process(Resource(attributes: [Attribute("service.name", 7)]))
        == V1Process(serviceName: V1Process.noServiceName, tags: [V1Tag("service.name", 7)]))
  }

  @Test func `tags stand in the order that Jaeger writes`() {
    let span = v1(scope: InstrumentationScope(name: "lib", version: "2", attributes: [Attribute("lost", 1)])) {
      $0.attributes = [Attribute("z", 1), Attribute("a", 2)]
      $0.kind = .server
      $0.status = SpanStatus(code: .error, message: "late")
      $0.traceState = "v=1"
    }
    #expect(
      span.tags == [
        V1Tag("otel.scope.name", "lib"), V1Tag("otel.scope.version", "2"), V1Tag("z", 1), V1Tag("a", 2),
        V1Tag("span.kind", "server"), V1Tag("otel.status_code", "ERROR"), V1Tag("error", true),
        V1Tag("otel.status_description", "late"), V1Tag("w3c.tracestate", "v=1"),
      ])
  }

  @Test(
    arguments: [
      (Int32(0), nil), (1, "internal"), (2, "server"), (3, "client"), (4, "producer"), (5, "consumer"), (6, nil),
    ] as [(Int32, String?)])
  func `a kind is a tag unless it says nothing`(_ raw: Int32, _ word: String?) {
    #expect(v1 { $0.kind = SpanKind(rawValue: raw) }.tags == (word.map { [V1Tag("span.kind", .string($0))] } ?? []))
  }

  @Test func `a status is one tag, or two for errors`() {
    #expect(v1 { $0.status = SpanStatus() }.tags.isEmpty)
    #expect(v1 { $0.status = SpanStatus(code: .ok) }.tags == [V1Tag("otel.status_code", "OK")])
    #expect(
      v1 { $0.status = SpanStatus(code: .error) }.tags == [V1Tag("otel.status_code", "ERROR"), V1Tag("error", true)])
    #expect(v1 { $0.status = SpanStatus(message: "m") }.tags == [V1Tag("otel.status_description", "m")])
    #expect(v1 { $0.status = SpanStatus(code: SpanStatus.Code(rawValue: 9)) }.tags.isEmpty)
  }

  @Test func `the parent is the first reference`() {
    #expect(v1 { $0.parentSpanID = SpanID(9) }.references == [V1Reference(.childOf, traceID, SpanID(9))])
    #expect(v1 { $0.parentSpanID = SpanID(0) }.references.isEmpty)
  }

  @Test func `links are references of the type that an attribute names`() {
    func link(_ trace: TraceID?, _ id: UInt64?, _ type: AttributeValue?) -> SpanLink {
      SpanLink(
        traceID: trace, spanID: id.map { SpanID($0) }, traceState: "lost",
        attributes: (type.map { [Attribute("opentracing.ref_type", $0)] } ?? []) + [Attribute("lost", 1)], flags: 1)
    }
    let references = v1 {
      $0.parentSpanID = SpanID(9)
      $0.links = [
        link(otherTraceID, 3, "child_of"), link(otherTraceID, 3, "follows_from"), link(otherTraceID, 4, nil),
        link(otherTraceID, 5, "anything"), link(otherTraceID, 6, 7), link(nil, nil, nil), link(otherTraceID, 9, nil),
      ]
    }.references
    #expect(
      references == [
        V1Reference(.childOf, traceID, SpanID(9)), V1Reference(.childOf, otherTraceID, SpanID(3)),
        V1Reference(.followsFrom, otherTraceID, SpanID(3)), V1Reference(.followsFrom, otherTraceID, SpanID(4)),
        V1Reference(.followsFrom, otherTraceID, SpanID(5)), V1Reference(.followsFrom, otherTraceID, SpanID(6)),
        V1Reference(.followsFrom, TraceID(high: 0, low: 0), SpanID(0)),
        V1Reference(.followsFrom, otherTraceID, SpanID(9)),
      ])
    // What says the same as the parent changes its type.
    for (word, type) in [("child_of", V1Reference.Kind.childOf), ("follows_from", .followsFrom)] {
      let parent = v1 {
        $0.parentSpanID = SpanID(9)
        $0.links = [link(traceID, 9, .string(word)), link(otherTraceID, 1, nil)]
      }.references
      #expect(parent == [V1Reference(type, traceID, SpanID(9)), V1Reference(.followsFrom, otherTraceID, SpanID(1))])
    }
    // Without a parent a link to nowhere is a reference of its own.
    #expect(
      v1 { $0.links = [link(traceID, 0, nil)] }.references == [V1Reference(.followsFrom, traceID, SpanID(0))])
  }

  @Test func `events are logs, their names the first field`() {
    func fields(_ name: String, _ attributes: [Attribute]) -> [V1Tag] {
      let event = SpanEvent(
        time: Timestamp(nanoseconds: 1_234_567), name: name, attributes: attributes, droppedAttributeCount: 2)
      let log = V1Log(event)
      #expect(log.timestamp.nanoseconds == 1_234_567)
      return log.fields
    }
    #expect(fields("started", [Attribute("a", 1)]) == [V1Tag("event", "started"), V1Tag("a", 1)])
    #expect(fields("", [Attribute("a", 1)]) == [V1Tag("a", 1)])
    #expect(fields("started", [Attribute("a", 1), Attribute("event", 5)]) == [V1Tag("a", 1), V1Tag("event", 5)])
    #expect(fields("", []).isEmpty)
  }

  @Test func `times keep their nanoseconds, and durations their sign`() {
    #expect(v1 { $0.start = Timestamp(nanoseconds: 1_001) }.startTime.nanoseconds == 1_001)
    #expect(v1().durationNanoseconds == 2_000_000)
    #expect(v1 { $0.end = Timestamp(nanoseconds: 4_000_000) }.durationNanoseconds == -1_000_000)
    #expect(v1 { $0.end = .zero }.durationNanoseconds == -5_000_000)
    #expect(v1 { $0.end = .maximum }.durationNanoseconds == .max)
    #expect(v1 { ($0.start, $0.end) = (.maximum, .zero) }.durationNanoseconds == -.max)
  }

  @Test func `flags are carried, dropped counts are not`() {
    let span = v1 {
      $0.flags = 0x301
      $0.droppedAttributeCount = 5
    }
    #expect(span.flags == 0x301 && span.tags.isEmpty)
  }

  @Test func `warnings leave the attributes`() {
    func warnings(_ value: AttributeValue) -> [String] {
      let span = v1 { $0.attributes = [Attribute("a", 1), Attribute("@jaeger@warnings", value), Attribute("b", 2)] }
      #expect(span.tags == [V1Tag("a", 1), V1Tag("b", 2)])
      return span.warnings
    }
    #expect(warnings(.array(["one", "two"])) == ["one", "two"])
    #expect(warnings("plain") == ["plain"])
    #expect(warnings(.array(["one", 2, .empty])) == ["one", "2", ""])
    #expect(warnings(.array([])).isEmpty)
  }

  @Test(
    arguments: [
      ("text", "text", "string", "text"), (true, true, "bool", "true"),
      (.int(.min), .int64(.min), "int64", "\(Int64.min)"),
      (0.1, 0.1, "float64", "0.1"), (.bytes([1, 255]), .binary([1, 255]), "binary", "01ff"),
      (.array([1, "a", 0.5, .empty]), #"[1,"a",0.5,null]"#, "string", #"[1,"a",0.5,null]"#),
      (.map([Attribute("k", .bytes([255]))]), #"{"k":"/w=="}"#, "string", #"{"k":"/w=="}"#),
      (.empty, "", "string", ""), (.absent, "", "string", ""), (.opaque([9]), "", "string", ""),
    ] as [(AttributeValue, V1Value, String, String)])
  func `values have v1's types and texts`(_ value: AttributeValue, _ v1: V1Value, _ type: String, _ text: String) {
    #expect(V1Value(value) == v1)
    #expect(v1.typeName == type)
    #expect(v1.text == text)
  }

  @Test func `traces come apart by their ids, in the order of the first spans`() {
    var second = span { $0.traceID = otherTraceID }
    second.spanID = SpanID(2)
    let cart = Resource(attributes: [Attribute("service.name", "cart")])
    let data = TraceData(resourceSpans: [
      ResourceSpans(resource: cart, scopeSpans: [ScopeSpans(spans: [second, span()])]),
      ResourceSpans(scopeSpans: [ScopeSpans(scope: InstrumentationScope(name: "lib"), spans: [second])]),
    ])
    let traces = V1Trace.traces(of: [data, data])
    #expect(traces.map(\.traceID) == [otherTraceID, traceID])
    #expect(traces.map(\.spans.count) == [4, 2])
    #expect(
      traces[0].spans.map(\.process.serviceName) == ["cart", V1Process.noServiceName, "cart", V1Process.noServiceName])
    #expect(traces[0].spans[1].tags == [V1Tag("otel.scope.name", "lib")])
    #expect(V1Trace.traces(of: []).isEmpty && V1Trace().traceID == nil)
  }
}

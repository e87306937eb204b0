import Testing
import TraceModel
import TracestoreV1

@Suite struct `Zipkin's JSON` {
  func found(_ members: String) throws -> (resource: Resource, scope: InstrumentationScope, span: SpanRecord) {
    var all: [(Resource, InstrumentationScope, SpanRecord)] = []
    try ZipkinJSON.decode(bytes(#"[{"traceId":"b","id":"1",\#(members)}]"#)).forEachSpan { all.append(($0, $1, $2)) }
    return try #require(all.first)
  }

  func span(_ members: String) throws -> SpanRecord { try found(members).span }

  /// The span without the mark that it has no timestamp.
  func tagged(_ tags: String) throws -> (resource: Resource, scope: InstrumentationScope, span: SpanRecord) {
    try found(#""timestamp":1,"tags":{\#(tags)}"#)
  }

  @Test func `ids, names and times`() throws {
    let span = try span(
      #""parentId":"2","name":"get","kind":"CLIENT","timestamp":1500,"duration":2,"unheardOf":[{}]"#)
    #expect(span.traceID == TraceID(high: 0, low: 11) && span.spanID == SpanID(1) && span.parentSpanID == SpanID(2))
    #expect(span.name == "get" && span.kind == .client)
    #expect(span.start.nanoseconds == 1_500_000 && span.end.nanoseconds == 1_502_000)
    #expect(span.status == nil && span.attributes.isEmpty)
    let long = try ZipkinJSON.decode(bytes(#"{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","id":"00f067aa0ba902b7"}"#))
    #expect(long.resourceSpans[0].scopeSpans[0].spans[0].traceID.hex == "4bf92f3577b34da6a3ce929d0e0e4736")
    #expect(try self.span(#""parentId":"1""#).parentSpanID == nil)
    #expect(try self.span(#""parentId":null"#).parentSpanID == nil)
    #expect(try self.span(#""timestamp":9"#).end.nanoseconds == 9_000)
    for absent in [#""duration":5"#, #""timestamp":0,"duration":5"#] {
      let late = try self.span(absent)
      #expect(late.start == .zero && late.end.nanoseconds == 5_000)
      #expect(late.attributes == [Attribute("otel.zipkin.absentField.startTime", true)])
    }
  }

  @Test(
    arguments: [
      (#""kind":"SERVER""#, SpanKind.server, 0), (#""kind":"PRODUCER""#, .producer, 0),
      (#""kind":"CONSUMER""#, .consumer, 0), (#""kind":"client""#, .client, 0), (#""name":"x""#, .unspecified, 0),
      (#""tags":{"span.kind":"internal"}"#, .internal, 0), (#""tags":{"span.kind":"server"}"#, .server, 0),
      (#""tags":{"span.kind":"odd"}"#, .unspecified, 1),
      (#""kind":"CLIENT","tags":{"span.kind":"server"}"#, .client, 1),
    ] as [(String, SpanKind, Int)])
  func `the kind is a member or a tag`(_ members: String, _ kind: SpanKind, _ attributeCount: Int) throws {
    let span = try span(#""timestamp":1,\#(members)"#)
    #expect(span.kind == kind && span.attributes.count == attributeCount)
  }

  @Test func `the local endpoint is the resource and the host`() throws {
    let local = #""localEndpoint":{"serviceName":"cart","ipv4":"10.0.0.1","ipv6":"::1","port":80}"#
    let named = try found(#""timestamp":1,\#(local)"#)
    #expect(named.resource == Resource(attributes: [Attribute("service.name", "cart")]))
    #expect(
      named.span.attributes == [
        Attribute("net.host.ip", "10.0.0.1"), Attribute("zipkin.localEndpoint.ipv6", "::1"),
        Attribute("net.host.port", 80),
      ])
    #expect(try found(#""localEndpoint":{"ipv6":"::1"}"#).resource == Resource())
    #expect(
      try span(#""timestamp":1,"localEndpoint":{"ipv6":"::1","port":0}"#).attributes == [
        Attribute("net.host.ip", "::1")
      ])
    let function = try found(
      #""timestamp":1,"localEndpoint":{"serviceName":"f"},"tags":{"otlp.service.name.source":"faas.name"}"#)
    #expect(
      function.resource == Resource(attributes: [Attribute("faas.name", "f")]) && function.span.attributes.isEmpty)
  }

  @Test func `the remote endpoint is the peer`() throws {
    let remote = #""remoteEndpoint":{"serviceName":"db","ipv4":"10.0.0.2","port":5432}"#
    #expect(
      try span(#""timestamp":1,\#(remote)"#).attributes == [
        Attribute("peer.service", "db"), Attribute("net.peer.ip", "10.0.0.2"), Attribute("net.peer.port", 5432),
      ])
    // What tags say already stands; what differs is kept beside it.
    #expect(
      try span(#""timestamp":1,"tags":{"peer.service":"db","net.peer.port":"1"},\#(remote)"#).attributes == [
        Attribute("peer.service", "db"), Attribute("net.peer.port", "1"), Attribute("net.peer.ip", "10.0.0.2"),
        Attribute("zipkin.remoteEndpoint.port", 5432),
      ])
  }

  @Test func `annotations are events`() throws {
    func event(_ value: String) throws -> SpanEvent {
      try #require(try span(#""annotations":[{"timestamp":3,"value":"\#(value)"}]"#).events.first)
    }
    let time = Timestamp(nanoseconds: 3_000)
    #expect(try event("wire send") == SpanEvent(time: time, name: "wire send"))
    #expect(
      try event(#"exception|{\"a\":\"x|y\",\"n\":2,\"d\":0.5,\"b\":true,\"l\":[1,{}],\"e\":null}|7"#)
        == SpanEvent(
          time: time, name: "exception",
          attributes: [
            Attribute("a", "x|y"), Attribute("n", 2), Attribute("d", 0.5), Attribute("b", true),
            Attribute("l", .array([1, .map([])])), Attribute("e", .empty),
          ], droppedAttributeCount: 7))
    // Nothing is lost of what only looks like it.
    for value in ["a|b", "a|b|c", "a|{}|", "a|{}|-1", "a|{}|4294967296", "a|{|1", "a|[]|1", "|", "a|{}x|1"] {
      #expect(try event(value) == SpanEvent(time: time, name: value), "\(value)")
    }
    #expect(try event("|{}|0") == SpanEvent(time: time))
  }

  @Test(
    arguments: [
      (#""error":"true""#, SpanStatus(code: .error), []), (#""error":"""#, SpanStatus(code: .error), []),
      (#""error":"500 broken""#, SpanStatus(code: .error, message: "500 broken"), []),
      (#""error":"false""#, nil, [Attribute("error", "false")]), (#""error":true"#, SpanStatus(code: .error), []),
      (#""otel.status_code":"OK""#, SpanStatus(code: .ok), []),
      (
        #""otel.status_code":"STATUS_CODE_ERROR","otel.status_description":"d""#,
        SpanStatus(code: .error, message: "d"), []
      ),
      (#""otel.status_code":"STATUS_CODE_UNSET""#, SpanStatus(), []),
      (#""otel.status_code":"odd""#, nil, [Attribute("otel.status_code", "odd")]),
      (
        #""otel.status_code":"ERROR","error":"d","otel.status_description":"d""#,
        SpanStatus(code: .error, message: "d"), []
      ),
      (
        #""error":"e","otel.status_description":"d""#, SpanStatus(code: .error, message: "e"),
        [Attribute("otel.status_description", "d")]
      ), (#""otel.status_description":"d""#, nil, [Attribute("otel.status_description", "d")]),
    ] as [(String, SpanStatus?, [Attribute])])
  func `tags are the status`(_ tags: String, _ status: SpanStatus?, _ rest: [Attribute]) throws {
    let span = try tagged(tags).span
    #expect(span.status == status && span.attributes == rest)
  }

  @Test func `tags are scope, trace state and links`() throws {
    let new = try tagged(#""otel.scope.name":"lib","otel.scope.version":"1","w3c.tracestate":"v=1","a":"b""#)
    #expect(new.scope == InstrumentationScope(name: "lib", version: "1") && new.span.traceState == "v=1")
    #expect(new.span.attributes == [Attribute("a", "b")])
    #expect(
      try tagged(#""otel.library.name":"lib","otel.library.version":"1""#).scope
        == InstrumentationScope(name: "lib", version: "1"))
    let alone = try tagged(#""otel.scope.version":"1""#)
    #expect(alone.scope == InstrumentationScope() && alone.span.attributes.count == 1)
    let linked = try tagged(
      #""otlp.link.0":"a|1|s=1|{\"k\":\"x|y\"}|3","otlp.link.1":"bad","otlp.link.2":"a|2||{}|0","otlp.link.4":"a|2||{}|0""#
    )
    #expect(
      linked.span.links == [
        SpanLink(
          traceID: TraceID(high: 0, low: 10), spanID: SpanID(1), traceState: "s=1", attributes: [Attribute("k", "x|y")],
          droppedAttributeCount: 3), SpanLink(traceID: TraceID(high: 0, low: 10), spanID: SpanID(2)),
      ])
    #expect(linked.span.attributes.map(\.key) == ["otlp.link.1", "otlp.link.4"])
  }

  @Test func `tags are texts whatever they are, debug and shared are told`() throws {
    let span = try span(#""timestamp":1,"tags":{"a":"x","n":1.50,"b":true,"a":"y"},"debug":true,"shared":true"#)
    #expect(
      span.attributes == [
        Attribute("a", "x"), Attribute("n", "1.50"), Attribute("b", "true"), Attribute("a", "y"),
        Attribute("zipkin.debug", true), Attribute("zipkin.shared", true),
      ])
    #expect(try self.span(#""timestamp":1,"debug":false,"shared":false"#).attributes.isEmpty)
  }

  @Test(
    arguments: [
      (#"[{"traceId":"b","id":"1"},{"traceId":"b"}]"#, 26, "spans[1]: a span has no id"),
      (#"[{"id":"1"}]"#, 1, "spans[0]: a span has no traceId"), ("{}", 0, "a span has no traceId"),
      (#"[{"traceId":"xyz"}]"#, 12, "spans[0].traceId: a trace id has 1 to 32"),
      (#"[{"traceId":"b","id":"12345678901234567"}]"#, 21, "spans[0].id"),
      (#"[{"kind":"FRIEND"}]"#, 9, "spans[0].kind"),
      (#"[{"kind":"INTERNAL"}]"#, 9, "spans[0].kind"), (#"[{"timestamp":-5}]"#, 14, "spans[0].timestamp"),
      (#"[{"duration":-5}]"#, 13, "spans[0].duration: a duration is below zero"),
      (#"[{"localEndpoint":{"port":65536}}]"#, 26, "spans[0].localEndpoint.port: no whole number of 16 bits"),
      (#"[{"annotations":[{"timestamp":"x"}]}]"#, 30, "spans[0].annotations[0].timestamp"),
      (#"[{"annotations":[7]}]"#, 17, "spans[0].annotations[0]: an object"),
      (#"[[{"debug":7}]]"#, 11, "spans[0][0].debug"),
      ("[1]", 1, "spans[0]: an object"), ("[", 1, "spans: the text ends"), ("[] []", 3, "more text"),
      ("7", 0, "an object"),
      (#"[{"tags":{"a":"\ud800"}}]"#, 15, "spans[0].tags.a: a high surrogate"),
    ] as [(String, UInt64, String)])
  func `bad documents are refused with their place`(_ json: String, _ offset: UInt64, _ reason: String) throws {
    let error = try #require(errorOf { _ = try ZipkinJSON.decode(bytes(json)) })
    #expect(error.code == .malformedInput)
    #expect(error.offset == offset)
    #expect(error.message.contains(reason), "\(error.message)")
  }

  @Test func `fixtures hold what they say`() throws {
    let checkout = try ZipkinJSON.decode(Fixture.bytes("zipkin/spans.json"))
    let exported = try ZipkinJSON.decode(Fixture.bytes("zipkin/exported.json"))
    #expect(checkout.spanCount == 6 && exported.spanCount == 2)
    #expect(checkout.resourceSpans.map(\.resource.serviceName) == ["shop", "stock", "rechnung-ß"])
    // Both halves of the shared span.
    var shared: [SpanRecord] = []
    checkout.forEachSpan { if $2.spanID == SpanID(0x11) { shared.append($2) } }
    #expect(shared.map(\.kind) == [.client, .server] && shared[1].attributes.last?.key == "zipkin.shared")
    let run = try #require(exported.resourceSpans.first?.scopeSpans.first?.spans.first)
    #expect(run.kind == .internal && run.status == SpanStatus(code: .error, message: "a|b") && run.attributes.isEmpty)
    #expect(run.links.count == 1 && run.events.last?.droppedAttributeCount == 1 && run.traceState == "vendor=1")
    let both = try ZipkinJSON.decodeSpans(Fixture.bytes("zipkin/traces.json"))
    #expect(both.count == 8)
  }
}

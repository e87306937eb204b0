import Foundation
import Testing
import TraceModel
import TracestoreV1

@Suite struct `Jaeger's UI JSON` {
  func encoded(_ span: V1Span) -> String { text(JaegerJSON.encode(V1Trace(spans: [span]))) }

  func tag(_ value: V1Value) -> String {
    let all = encoded(v1Span(tags: [V1Tag("k", value)]))
    guard let range = all.range(of: #""tags":[{"key":"k","#), let end = all[range.upperBound...].firstIndex(of: "}")
    else { return all }
    return String(all[range.upperBound..<end])
  }

  @Test func `the whole form`() {
    let process = V1Process(serviceName: "cart", tags: [V1Tag("zone", "a")])
    let full = v1Span(
      tags: [V1Tag("on", true)], references: [V1Reference(.followsFrom, otherTraceID, SpanID(3))]
    ) {
      $0.flags = 1
      $0.logs = [V1Log(timestamp: Timestamp(nanoseconds: 5_001_999), fields: [V1Tag("event", "x")])]
      $0.process = process
      $0.warnings = ["w"]
    }
    let bare = v1Span { $0.process = V1Process(serviceName: "front") }
    #expect(
      text(JaegerJSON.encode([V1Trace(spans: [full, bare, full], warnings: ["t"])]))
        == #"{"data":[{"traceID":"00000000000000ab","spans":["#
        + #"{"traceID":"00000000000000ab","spanID":"0000000000000001","flags":1,"operationName":"work","#
        + #""references":[{"refType":"FOLLOWS_FROM","traceID":"000000000000000700000000000000cd","#
        + #""spanID":"0000000000000003"}],"startTime":5000,"duration":2000,"#
        + #""tags":[{"key":"on","type":"bool","value":true}],"#
        + #""logs":[{"timestamp":5001,"fields":[{"key":"event","type":"string","value":"x"}]}],"#
        + #""processID":"p1","warnings":["w"]},"#
        + #"{"traceID":"00000000000000ab","spanID":"0000000000000001","operationName":"work","references":[],"#
        + #""startTime":5000,"duration":2000,"tags":[],"logs":[],"processID":"p2","warnings":null},"#
        + #"{"traceID":"00000000000000ab","spanID":"0000000000000001","flags":1,"operationName":"work","#
        + #""references":[{"refType":"FOLLOWS_FROM","traceID":"000000000000000700000000000000cd","#
        + #""spanID":"0000000000000003"}],"startTime":5000,"duration":2000,"#
        + #""tags":[{"key":"on","type":"bool","value":true}],"#
        + #""logs":[{"timestamp":5001,"fields":[{"key":"event","type":"string","value":"x"}]}],"#
        + #""processID":"p1","warnings":["w"]}],"#
        + #""processes":{"p1":{"serviceName":"cart","tags":[{"key":"zone","type":"string","value":"a"}]},"#
        + #""p2":{"serviceName":"front","tags":[]}},"warnings":["t"]}]}"#)
    #expect(text(JaegerJSON.encode([V1Trace]())) == #"{"data":[]}"#)
    #expect(text(JaegerJSON.encode(V1Trace())) == #"{"traceID":"","spans":[],"processes":{},"warnings":null}"#)
  }

  @Test(
    arguments: [
      ("x\"", #""type":"string","value":"x\"""#), (false, #""type":"bool","value":false"#),
      (7, #""type":"int64","value":7"#), (.int64(9_007_199_254_740_991), #""type":"int64","value":9007199254740991"#),
      (.int64(9_007_199_254_740_992), #""type":"int64","value":"9007199254740992""#),
      (.int64(-9_007_199_254_740_991), #""type":"int64","value":-9007199254740991"#),
      (.int64(-9_007_199_254_740_992), #""type":"int64","value":"-9007199254740992""#),
      (.int64(.min), #""type":"int64","value":"-9223372036854775808""#), (72.5, #""type":"float64","value":72.5"#),
      (1.0, #""type":"float64","value":1"#), (.float64(.nan), #""type":"float64","value":"NaN""#),
      (.float64(-.infinity), #""type":"float64","value":"-Infinity""#),
      (.binary([0, 255]), #""type":"binary","value":"AP8=""#),
      (.unknown(type: "decimal", text: "1"), #""type":"decimal","value":"1""#),
    ] as [(V1Value, String)])
  func `tags of every type go out and come back`(_ value: V1Value, _ json: String) throws {
    #expect(tag(value) == json)
    let back = try JaegerJSON.decode(bytes(encoded(v1Span(tags: [V1Tag("k", value)]))))
    #expect(back.first?.spans.first?.tags == [V1Tag("k", value)])
  }

  @Test func `times are whole microseconds, and no duration is negative`() throws {
    let span = v1Span {
      $0.startTime = Timestamp(nanoseconds: 1_999)
      $0.durationNanoseconds = 2_999
    }
    #expect(encoded(span).contains(#""startTime":1,"duration":2,"#))
    #expect(encoded(v1Span { $0.durationNanoseconds = -5_000 }).contains(#""duration":0,"#))
    #expect(encoded(v1Span { $0.startTime = .maximum }).contains(#""startTime":18446744073709551,"#))
    let back = try #require(JaegerJSON.decode(bytes(encoded(span))).first?.spans.first)
    #expect(back.startTime.nanoseconds == 1_000 && back.durationNanoseconds == 2_000)
  }

  @Test func `an answer, a trace and a list are read alike`() throws {
    let trace = #"{"traceID":"b","spans":[{"traceID":"b","spanID":"1"}]}"#
    let one = try JaegerJSON.decode(bytes(trace))
    #expect(one.map(\.spans.count) == [1] && one[0].traceID?.low == 11)
    for (text, count) in [
      (#"{"data":[\#(trace)],"errors":null}"#, 1), ("[\(trace),\(trace)]", 2), (#"{"data":\#(trace)}"#, 1),
      (#"{"total":1,"data":[\#(trace),\#(trace)]}"#, 2),
    ] {
      #expect(try JaegerJSON.decode(bytes(text)) == Array(repeating: one[0], count: count), "\(text)")
    }
    for text in ["[]", #"{"data":[]}"#] {
      #expect(try JaegerJSON.decode(bytes(text)).isEmpty)
    }
    #expect(try JaegerJSON.decode(bytes(#"{"spans":[]}"#)) == [V1Trace()])
  }

  func span(_ members: String, trace: String = "") throws -> V1Span {
    try #require(
      try JaegerJSON.decode(bytes(#"{\#(trace)"spans":[{"traceID":"b","spanID":"1",\#(members)}]}"#)).first?.spans.first
    )
  }

  @Test func `spellings that producers use are read`() throws {
    #expect(try span(#""startTime":"12","duration":3.5"#).startTime.nanoseconds == 12_000)
    #expect(try span(#""startTime":1.5e3,"duration":"3.5""#).durationNanoseconds == 3_500)
    #expect(try span(#""flags":null,"unheardOf":[{"a":[1]}],"operationName":"x""#).operationName == "x")
    #expect(try span(#""duration":-2"#).durationNanoseconds == -2_000)
    #expect(try span(#""warnings":["a"],"tags":null"#).warnings == ["a"])
    #expect(try span(#""process":{"serviceName":"inside"}"#).process.serviceName == "inside")
    // The parent beside the references.
    let parent = V1Reference(.childOf, TraceID(high: 0, low: 11), SpanID(9))
    #expect(try span(#""parentSpanID":"9""#).references == [parent])
    #expect(
      try span(#""parentSpanID":"9","references":[{"refType":"CHILD_OF","traceID":"b","spanID":"9"}]"#).references
        == [parent])
    #expect(try span(#""parentSpanID":"","references":[]"#).references.isEmpty)
    // A reference without a trace, a span without one.
    #expect(try span(#""references":[{"refType":"CHILD_OF","spanID":"9"}]"#).references == [parent])
    let inherited = try JaegerJSON.decode(bytes(#"{"traceID":"c","spans":[{"spanID":"1"}]}"#))
    #expect(inherited.first?.spans.first?.traceID.low == 12)
    // Processes before and behind the spans.
    #expect(
      try span(#""processID":"p1""#, trace: #""processes":{"p1":{"serviceName":"s"}},"#).process.serviceName == "s")
  }

  @Test func `tags have the type that is named, or the one they look like`() throws {
    for (json, value) in [
      (#""value":"a""#, "a"), (#""value":7"#, 7), (#""value":7.0"#, 7), (#""value":7.5"#, 7.5),
      (#""value":true"#, true),
      (#""type":"string","value":7"#, "7"), (#""type":"string","value":[1, 2]"#, "[1, 2]"),
      (#""value":{"a":1}"#, #"{"a":1}"#),
      (#""type":"int64","value":"9007199254740993""#, .int64(9_007_199_254_740_993)),
      (#""value":"7","type":"int64""#, 7), (#""value":7,"type":"float64""#, 7.0),
      (#""type":"bool","value":"true""#, true),
      (#""type":"float64","value":"+Inf""#, .float64(.infinity)), (#""type":"binary","value":"_w""#, .binary([255])),
      (#""type":"int64""#, 0), (#""type":"string","value":null"#, ""),
      (#""type":"date","value":7"#, .unknown(type: "date", text: "7")),
    ] as [(String, V1Value)] {
      #expect(try span(#""tags":[{"key":"k",\#(json)}]"#).tags == [V1Tag("k", value)], "\(json)")
    }
  }

  @Test(
    arguments: [
      (#"{"data":[{"spans":[{},{"startTime":"x"}]}]}"#, 35, "data[0].spans[1].startTime: no microseconds"),
      (#"{"spans":[{"tags":[{"type":"int64","value":"1.5"}]}]}"#, 43, "spans[0].tags[0].value: no whole number"),
      (#"{"spans":[{"tags":[{"value":"1.5","type":"int64"}]}]}"#, 28, "spans[0].tags[0].value: no whole number"),
      (#"{"spans":[{"logs":[{"fields":[{"type":"binary","value":"?"}]}]}]}"#, 55, "spans[0].logs[0].fields[0].value"),
      (#"{"spans":[{"spanID":"xyz"}]}"#, 20, "spans[0].spanID: a span id has 1 to 16"),
      (#"{"spans":[{"traceID":"0123456789012345678901234567890123"}]}"#, 21, "spans[0].traceID"),
      (#"{"spans":[{"references":[{"refType":"FRIEND_OF"}]}]}"#, 36, "spans[0].references[0].refType"),
      (#"{"spans":[{"processID":"p9"}],"processes":{"p1":{}}}"#, 23, "spans[0].processID: the trace has no process p9"),
      (#"{"spans":[{"startTime":-1}]}"#, 23, "spans[0].startTime: a time lies before 1970"),
      (
        #"{"spans":[{"startTime":18446744073709552}]}"#, 23, "spans[0].startTime: a time lies before 1970 or after 2554"
      ),
      (#"{"spans":[{"flags":4294967296}]}"#, 19, "spans[0].flags"), (#"{"spans":{}}"#, 9, "spans: an array"),
      (#"{"spans":[{"duration":true}]}"#, 22, "spans[0].duration: a number"), ("{}", 0, "neither data nor a trace"),
      (#"{"errors":[]}"#, 0, "neither data nor a trace"),
      (#"[{"spans":[]},{"id":"1"}]"#, 14, "[1]: a trace has a traceID and spans"),
      (#"{"data":[{}]}"#, 9, "data[0]: a trace has a traceID"), ("7", 0, "an array should be here"),
      ("", 0, "the text ends"),
      (#"{"spans":[]}x"#, 12, "more text"), (#"{"spans":["#, 10, "spans: the text ends"),
    ] as [(String, UInt64, String)])
  func `bad documents are refused with their place`(_ json: String, _ offset: UInt64, _ reason: String) throws {
    let error = try #require(errorOf { _ = try JaegerJSON.decode(bytes(json)) })
    #expect(error.code == .malformedInput)
    #expect(error.offset == offset)
    #expect(error.message.contains(reason), "\(error.message)")
  }

  @Test func `fixtures hold what they say`() throws {
    let answer = try JaegerJSON.decode(Fixture.bytes("jaeger/answer.json"))
    #expect(answer.map(\.spans.count) == [4, 2])
    #expect(try JaegerJSON.decode(Fixture.bytes("jaeger/list.json")) == answer)
    #expect(try JaegerJSON.decode(Fixture.bytes("jaeger/trace.json")) == [answer[0]])
    let rental = answer[0].spans
    #expect(rental.map(\.process.serviceName) == ["hire-desk", "hire-desk", "fleet", "hire-desk"])
    #expect(rental[2].tags.contains(V1Tag("bicycle", .int64(9_007_199_254_740_993))))
    #expect(rental[2].tags.contains(V1Tag("token", .binary([0, 255, 16]))))
    #expect(rental[2].warnings.count == 1 && rental[3].references.count == 2)
    let data = try JaegerJSON.decodeSpans(Fixture.bytes("jaeger/answer.json")).data
    #expect(data == TraceData(answer.flatMap(\.spans)))
    let spans = data.resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans)
    #expect(spans.filter(\.isError).map(\.status?.message) == ["", "", "no bicycle left", "timed out"])
    #expect(
      data.resourceSpans.last?.scopeSpans.map(\.scope) == [InstrumentationScope(name: "reports", version: "1.4.0")])
    let loose = try JaegerJSON.decode(Fixture.bytes("jaeger/loose.json"))[0].spans
    #expect(loose.map(\.process.serviceName) == ["by-hand", "inside"])
    #expect(loose[1].parentSpanID == SpanID(1) && loose[1].tags.last == V1Tag("behind", 9))
  }
}

import Testing
import TraceModel

@testable import TraceOTLP

@Suite struct `OTLP in JSON` {
  func decode(_ text: String) throws -> TraceData { try OTLPJSON.decode(Array(text.utf8)) }

  func span(_ fields: String) throws -> SpanRecord {
    let ids = #""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174""#
    let data = try decode(#"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(ids),\#(fields)}]}]}]}"#)
    return try #require(data.resourceSpans.first?.scopeSpans.first?.spans.first)
  }

  func value(_ text: String) throws -> AttributeValue? {
    try span(#""attributes":[{"key":"k","value":\#(text)}]"#).attributes.first?.value
  }

  @Test func `what JSON can say comes back equal`() throws {
    for seed in UInt64(0)..<300 {
      var model = RandomModel(seed: seed)
      model.allowsUnknownFields = false
      let data = model.data()
      let back = try OTLPJSON.decode(OTLPJSON.encode(data))
      #expect(OTLP.encode(back) == OTLP.encode(data), "seed \(seed)")
    }
  }

  @Test func `what JSON cannot say is left out and nothing else`() throws {
    for seed in UInt64(0)..<200 {
      var model = RandomModel(seed: seed)
      let text = OTLPJSON.encode(model.data())
      #expect(try OTLPJSON.encode(OTLPJSON.decode(text)) == text, "seed \(seed)")
    }
  }

  @Test func `the written form is the one that the specification names`() throws {
    let data = TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", "a")], schemaURL: "s"),
        scopeSpans: [
          ScopeSpans(
            scope: InstrumentationScope(name: "n"),
            spans: [
              SpanRecord(
                traceID: TraceID(high: 0, low: 10), spanID: SpanID(11), name: "\"\n\u{1}", kind: .client,
                start: Timestamp(nanoseconds: .max),
                attributes: [
                  Attribute("i", .int(.min)), Attribute("d", 0.1), Attribute("n", .double(.nan)),
                  Attribute("b", .bytes([255])), Attribute("x", .absent), Attribute("y", .empty),
                ], status: SpanStatus(code: .error))
            ])
        ])
    ])
    #expect(
      String(decoding: OTLPJSON.encode(data), as: UTF8.self)
        == #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"#
        + #""scopeSpans":[{"scope":{"name":"n"},"spans":[{"traceId":"0000000000000000000000000000000a","#
        + #""spanId":"000000000000000b","name":"\"\n\u0001","kind":3,"startTimeUnixNano":"18446744073709551615","#
        + #""attributes":[{"key":"i","value":{"intValue":"-9223372036854775808"}},"#
        + #"{"key":"d","value":{"doubleValue":0.1}},"#
        + #"{"key":"n","value":{"doubleValue":"NaN"}},{"key":"b","value":{"bytesValue":"/w=="}},{"key":"x"},"#
        + #"{"key":"y","value":{}}],"status":{"code":2}}]}],"schemaUrl":"s"}]}"#)
  }

  @Test func `spellings that producers use are read`() throws {
    #expect(try span(#""name":"a""#).traceID.hex == "5b8efff798038103d269b633813fc60c")
    #expect(try span(#""kind":"SPAN_KIND_SERVER""#).kind == .server)
    #expect(try span(#""kind":7"#).kind.rawValue == 7)
    #expect(try span(#""start_time_unix_nano":12"#).start.nanoseconds == 12)
    #expect(try span(#""startTimeUnixNano":"18446744073709551615""#).start == .maximum)
    #expect(try span(#""startTimeUnixNano":1.5e3"#).start.nanoseconds == 1500)
    #expect(try span(#""status":{"code":"STATUS_CODE_ERROR"}"#).status?.code == .error)
    #expect(try span(#""status":{}"#).status == SpanStatus())
    #expect(try span(#""status":null,"unheardOf":[{"a":[1,{}]}],"parentSpanId":"""#).status == nil)
    #expect(try span(#""parentSpanId":"0000000000000000""#).parentSpanID == SpanID(0))
    #expect(try span(#""parentSpanId":"0102""#).unknownFields == [0x22, 2, 1, 2])
    #expect(try value(#"{"intValue":"-5"}"#) == -5)
    #expect(try value(#"{"int_value":-5}"#) == -5)
    #expect(try value(#"{"doubleValue":"-Infinity"}"#) == .double(-.infinity))
    #expect(try value(#"{"doubleValue":"1.5"}"#) == 1.5)
    #expect(try value(#"{"doubleValue":-0.0}"#) == .double(-0.0))
    #expect(try value(#"{"doubleValue":3}"#) == 3.0)
    for text in ["-_8=", "-_8", "+/8=", "+/8"] {
      #expect(try value(#"{"bytesValue":"\#(text)"}"#) == .bytes([0xfb, 0xff]))
    }
    #expect(try value("{}") == .empty)
    #expect(try value("null") == .absent)
    #expect(try value(#"{"stringValue":null}"#) == .empty)
    #expect(try value(#"{"arrayValue":{}}"#) == .array([]))
    #expect(try value(#"{"arrayValue":{"values":[{},null]}}"#) == .array([.empty, .empty]))
    #expect(try value(#"{"stringValue":"\u00e9\ud83d\ude80\/"}"#) == .string("\u{e9}\u{1f680}/"))
  }

  @Test func `bad JSON is refused with its place`() throws {
    let texts: [(String, UInt64)] = [
      ("", 0), ("[]", 0), ("{", 1), (#"{"resourceSpans":1}"#, 17), (#"{"resourceSpans":[],}"#, 20), ("{}x", 2),
      (#"{"a":"\ud800"}"#, 6), (#"{"a":"\udc00"}"#, 6), (#"{"a":"\x"}"#, 6), ("{\"a\":\"\n\"}", 6), (#"{"a":01}"#, 5),
      (#"{"a":1.}"#, 7), (#"{"a":tru}"#, 5), (#"{"a":1e}"#, 7), (#"{a:1}"#, 1), (#"{"a" 1}"#, 5), (#"{"a":[1,]}"#, 8),
    ]
    for (text, offset) in texts {
      do {
        _ = try decode(text)
        Issue.record("accepted: \(text)")
      } catch let error as TracestoreError {
        #expect(error.code == .malformedInput)
        #expect(error.offset == offset, "\(text)")
      }
    }
    for text in [
      #"{"intValue":"1x"}"#, #"{"intValue":1.5}"#, #"{"intValue":9223372036854775808}"#, #"{"doubleValue":"nan"}"#,
      #"{"doubleValue":"0x1p3"}"#, #"{"doubleValue":1e999}"#, #"{"bytesValue":"a"}"#, #"{"bytesValue":"a?=="}"#,
      #"{"boolValue":"true"}"#, #"{"stringValue":5}"#, "5", "[]",
    ] {
      #expect(throws: TracestoreError.self, "\(text)") { try value(text) }
    }
    #expect(throws: TracestoreError.self) { try span(#""parentSpanId":"012""#) }
    #expect(throws: TracestoreError.self) { try span(#""parentSpanId":"zz""#) }
    #expect(throws: TracestoreError.self) { try span(#""kind":"SPAN_KIND_""#) }
    #expect(throws: TracestoreError.self) { try span(#""flags":-1"#) }
    #expect(throws: TracestoreError.self) { try OTLPJSON.decode([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }
  }

  @Test func `spans without usable ids are refused alone`() throws {
    let text = #"""
      {"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"eee19b7ec3c1b174"},
      {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"},
      {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"0000000000000000"},
      {"traceId":"5b8e","spanId":"eee19b7ec3c1b174"}]}]}]}
      """#
    var refusals: [OTLP.Refusal] = []
    #expect(try OTLPJSON.decode(Array(text.utf8), refusals: &refusals).spanCount == 1)
    #expect(refusals.map(\.spanIndex) == [0, 2, 3])
    #expect(throws: TracestoreError.self) { try decode(text) }
  }

  @Test func `values nest to the limit and not beyond`() throws {
    func nested(_ depth: Int, map: Bool) -> String {
      let open = map ? #"{"kvlistValue":{"values":[{"key":"k","value":"# : #"{"arrayValue":{"values":["#
      let close = map ? "}]}}" : "]}}"
      return String(repeating: open, count: depth - 1) + "{}" + String(repeating: close, count: depth - 1)
    }
    for map in [false, true] {
      #expect(try value(nested(Limits.maximumValueDepth, map: map)) != nil)
      #expect(throws: TracestoreError.self) { try value(nested(Limits.maximumValueDepth + 1, map: map)) }
    }
    #expect(throws: TracestoreError.self) { try decode(String(repeating: #"{"a":"#, count: 100_000)) }
    #expect(throws: TracestoreError.self) { try decode(#"{"a":"# + String(repeating: "[", count: 1_000_000)) }
  }

  @Test func `flipped bytes never trap`() {
    for seed in UInt64(0)..<1500 {
      var model = RandomModel(seed: seed % 100)
      var random = SeededGenerator(seed: seed)
      var bytes = OTLPJSON.encode(model.data())
      for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
      var refusals: [OTLP.Refusal] = []
      guard let data = try? OTLPJSON.decode(bytes, refusals: &refusals) else { continue }
      #expect((try? OTLPJSON.decode(OTLPJSON.encode(data)).spanCount) == data.spanCount, "seed \(seed)")
    }
  }
}

import Testing
import TraceModel
import TracestoreTesting
import TracestoreV1

/// Bytes from outside never trap, and no document takes more than its limits.
@Suite struct `Hostile documents` {
  static let names = Fixture.jaeger + Fixture.zipkin

  private func read(_ bytes: [UInt8]) {
    _ = try? JaegerJSON.decode(bytes)
    _ = try? ZipkinJSON.decode(bytes)
    _ = ForeignJSON(prefix: bytes)
    _ = ForeignJSON.isOneDocumentALine(prefix: bytes)
  }

  @Test(arguments: names)
  func `every truncation is refused`(_ name: String) throws {
    var whole = try Fixture.bytes(name)
    while whole.last == UInt8(ascii: "\n") { whole.removeLast() }
    for count in stride(from: 0, to: whole.count, by: 7) {
      let part = Array(whole[..<count])
      let error = errorOf {
        _ = name.hasPrefix("jaeger") ? try JaegerJSON.decodeSpans(part) : try ZipkinJSON.decodeSpans(part)
      }
      #expect(error?.code == .malformedInput && (error?.offset ?? .max) <= UInt64(count), "\(count)")
      read(part)
    }
  }

  @Test func `flipped, doubled and removed bytes never trap`() throws {
    let whole = try Self.names.map { try Fixture.bytes($0) }
    for seed in UInt64(0)..<3_000 {
      var random = SeededRandom(seed: seed)
      var bytes = random.pick(whole)
      for _ in 0...random.below(4) {
        let place = random.below(bytes.count)
        switch random.below(3) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: place)
        default: bytes.insert(bytes[random.below(bytes.count)], at: place)
        }
      }
      read(bytes)
      // What can still be read can be written.
      if let traces = try? JaegerJSON.decode(bytes) {
        #expect((try? JaegerJSON.decode(JaegerJSON.encode(traces))) != nil, "seed \(seed)")
        _ = TraceData(traces.flatMap(\.spans))
      }
    }
  }

  @Test func `noise of the tokens of both forms never traps`() {
    let tokens = [
      "{", "}", "[", "]", ":", ",", "\"", "null", "true", "-1", "1e400", "0.5", "18446744073709551616", "\"data\":",
      "\"spans\":[", "\"traceID\":\"", "\"traceId\":\"b\"", "\"id\":\"1\"", "\"tags\":", "\"value\":",
      "\"type\":\"int64\"",
      "\"annotations\":[{\"value\":\"a|{}|1\"}]", "\"timestamp\":", "\\ud800", "\u{e9}", " ", "\n",
    ]
    for seed in UInt64(0)..<5_000 {
      var random = SeededRandom(seed: seed)
      read(bytes((0..<random.below(30)).map { _ in random.pick(tokens) }.joined()))
    }
  }

  @Test func `nesting is bounded`() {
    for open in ["[", #"{"data":["#, #"{"a":"#, #"[{"tags":{"a":"#, #"{"spans":[{"tags":[{"value":["#] {
      let text = bytes(String(repeating: open, count: 200_000))
      for error in [errorOf { _ = try JaegerJSON.decode(text) }, errorOf { _ = try ZipkinJSON.decode(text) }] {
        #expect(error?.code == .malformedInput, "\(open)")
      }
      read(text)
    }
    // An event's attributes deeper than values may be stay part of its name.
    let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
    let event = #"[{"traceId":"1","id":"1","annotations":[{"value":"n|{\"a\":\#(deep)}|0"}]}]"#
    let data = try? ZipkinJSON.decode(bytes(event))
    #expect(data?.resourceSpans.first?.scopeSpans.first?.spans.first?.events.first?.attributes.isEmpty == true)
  }

  @Test func `an item has as many attributes as a store takes`() throws {
    func document(_ count: Int) -> [UInt8] {
      bytes(#"{"spans":[{"tags":["# + Array(repeating: #"{"key":"k"}"#, count: count).joined(separator: ",") + "]}]}")
    }
    #expect(try JaegerJSON.decode(document(Limits.maximumAttributeCount))[0].spans[0].tags.count == 65_536)
    let error = try #require(errorOf { _ = try JaegerJSON.decode(document(Limits.maximumAttributeCount + 1)) })
    #expect(error.code == .limitExceeded && error.message.contains("spans[0].tags[65536]"))
    let tags = (0...Limits.maximumAttributeCount).map { #""k\#($0)":"""# }.joined(separator: ",")
    let zipkin = errorOf { _ = try ZipkinJSON.decode(bytes(#"[{"traceId":"1","id":"1","tags":{\#(tags)}}]"#)) }
    #expect(zipkin?.code == .limitExceeded)
  }

  @Test func `forms are told apart by their first member`() throws {
    for name in Fixture.jaeger + ["jaeger/lines.jsonl"] {
      #expect(ForeignJSON(prefix: try Fixture.bytes(name)) == .jaeger, "\(name)")
    }
    for name in Fixture.zipkin + ["zipkin/lines.jsonl"] {
      #expect(ForeignJSON(prefix: try Fixture.bytes(name)) == .zipkin, "\(name)")
    }
    for (text, form) in [
      ("[]", .zipkin), ("[[]]", .zipkin), (" \n[{\"name\":\"x\",\"id\":", .zipkin), (#"{"total":1,"data":"#, .jaeger),
      (#"{"resourceSpans":[{"spans":[]}]}"#, nil), (#"{"resource_spans":[]}"#, nil), ("{}", nil), ("{", nil), ("", nil),
      ("[{", nil), ("7", nil), (#"{"unheardOf":7}"#, nil), ("\u{a}\u{5}", nil), ("[[[]]]", nil),
    ] as [(String, ForeignJSON?)] {
      #expect(ForeignJSON(prefix: bytes(text)) == form, "\(text)")
    }
    for name in ["otlp/shop-small.json", "otlp/shop-small.jsonl", "otlp/edge-dialects.jsonl", "otlp/shop-morning.otlp"]
    {
      #expect(ForeignJSON(prefix: try Fixture.bytes(name)) == nil, "\(name)")
    }
  }

  @Test func `lines are told from documents over several lines`() throws {
    for (name, isLines) in [
      ("jaeger/lines.jsonl", true), ("jaeger/answer.json", false), ("jaeger/trace.json", true),
      ("zipkin/spans.json", false), ("zipkin/lines.jsonl", true), ("zipkin/traces.json", true),
    ] {
      #expect(ForeignJSON.isOneDocumentALine(prefix: try Fixture.bytes(name)) == isLines, "\(name)")
    }
    #expect(ForeignJSON.isOneDocumentALine(prefix: bytes("\n\n[]\n[]")))
    #expect(!ForeignJSON.isOneDocumentALine(prefix: bytes("[\n{")))
    #expect(ForeignJSON.isOneDocumentALine(prefix: bytes("[{\"a\":\"beyond")))
  }

  @Test func `what is settled by the beginning of an input stays so, and whole lines settle it`() throws {
    for name in ["jaeger/lines.jsonl", "jaeger/answer.json", "zipkin/lines.jsonl", "otlp/shop-small.jsonl"] {
      let whole = try Fixture.bytes(name)
      let form = ForeignJSON(prefix: whole)
      let isLines = ForeignJSON.isOneDocumentALine(prefix: whole)
      for count in stride(from: 0, through: whole.count, by: max(1, whole.count / 200)) {
        let prefix = Array(whole.prefix(count))
        guard ForeignJSON.isSettled(prefix: prefix) else { continue }
        #expect(ForeignJSON(prefix: prefix) == form, "\(name), \(count) bytes")
        #expect(ForeignJSON.isOneDocumentALine(prefix: prefix) == isLines, "\(name), \(count) bytes")
      }
      let lineEnd = try #require(whole.firstIndex(of: UInt8(ascii: "\n")))
      #expect(ForeignJSON.isSettled(prefix: Array(whole[...lineEnd])) == isLines, "\(name)")
    }
    #expect(ForeignJSON.isSettled(prefix: [0, 0, 1, 0, 0x0a]))
    #expect(!ForeignJSON.isSettled(prefix: bytes(" \n")))
  }
}

import Testing
import TraceModel
import TracestoreTesting
import TracestoreV2

@testable import TraceFilter

@Suite struct FilterRoundTripTests {
  @Test(arguments: [1, 2, 3, 4, 8, 20]) func `a printed filter is read as the same tree`(_ depth: Int) throws {
    for seed in UInt64(0)..<1_000 {
      let filter = randomFilter(seed: seed, maximumDepth: depth)
      let resolved = try finalized(filter)
      for tree in [filter, resolved] {
        #expect(try FilterExpression(text: tree.text) == tree, "seed \(seed), depth \(depth): \(tree.text)")
      }
      #expect(try FilterExpression(json: filter.json) == asDecoded(filter), "seed \(seed): \(filter.json)")
      #expect(
        try finalized(FilterExpression(json: resolved.json)) == finalized(asDecoded(resolved)),
        "seed \(seed): \(resolved.json)")
    }
  }

  /// JSON has no durations and instants.
  private func asDecoded(_ filter: FilterExpression) -> FilterExpression {
    switch filter {
    case .duration(let nanoseconds): .untyped(FilterConstant.text(durationNanoseconds: nanoseconds))
    case .timestamp(let time): .untyped(time.rfc3339)
    case .call(let call): .call(FilterCall(call.operation, call.arguments.map(asDecoded)))
    default: filter
    }
  }

  @Test func `any key and any text survive printing`() throws {
    var random = SeededRandom(seed: 5)
    let pieces = [
      "a", ".", "\"", "\\", "span", "name", " ", "é", "\u{301}", "\n", "\u{0}", "]", "/", "-", "1", "µs", "true", "🧵",
    ]
    for _ in 0..<5_000 {
      let text = (0..<random.below(5)).map { _ in random.pick(pieces) }.joined()
      let level = random.pick(AttributeLevel.all + [.unqualified])
      let key = text.isEmpty ? "k" : text
      for tree: FilterExpression in [
        .call(.equal, .attribute(key, level), .untyped(text)), .call(.regex, .attribute(key, level), .untyped(text)),
        .call(.equal, .string(text), .untyped(text)),
        .call(.in, .attribute(key, level), .list(FilterList([text, key], type: .string))),
        .call(.in, .field(.span, "name"), .list(FilterList([text, key]))),
      ] {
        #expect(try FilterExpression(text: tree.text) == tree, "\(tree.text)")
        #expect(try FilterExpression(json: tree.json) == tree, "\(tree.json)")
      }
    }
  }

  @Test func `trees that break the rules can be printed`() {
    let oddities: [FilterExpression] = [
      .untyped("a"), .attribute("a"), events, .list(FilterList([])), .call(.and), .call(.or, anyCall), .call(.not),
      .call(.exists), .call(.some, anyCall), .call(.some, events, duration), .call(.equal, anyCall, events),
      .call(.in, .attribute("a"), .untyped("b")), .call(.not, .untyped("b")), nested(100),
      .call(FilterOperator(rawValue: "x"), .list(FilterList(["1"], type: FilterScalarType(rawValue: "y")))),
    ]
    for oddity in oddities {
      #expect(!oddity.text.isEmpty)
      #expect(!oddity.json.isEmpty)
    }
  }

  @Test(arguments: UInt64(0)..<40) func `garbage is refused by both readers, never met with a trap`(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let words = Array(
      "span. resource event some( exists( in not ( ) [ ] \" \\ , && || ! = != < > =~ 1 2s .a 2026-01-07T10:00:00Z int( string( true server {\"op\":\"eq\",\"args\":[{\"attr\":{\"key\":\"k\"}}] : null"
        .utf8
    )
    .split(separator: 32)
    for _ in 0..<500 {
      var bytes: [UInt8] = []
      for _ in 0..<random.below(30) {
        switch random.below(4) {
        case 0: bytes.append(UInt8(truncatingIfNeeded: random.next()))
        default: bytes += random.pick(words)
        }
      }
      let text = String(decoding: bytes, as: UTF8.self)
      if let tree = try? FilterExpression(text: text) {
        #expect((try? FilterExpression(text: tree.text)) == tree, "seed \(seed): \(text)")
      }
      _ = try? FilterExpression(json: bytes)
    }
    // Valid filters with single bytes changed reach further in.
    for index in UInt64(0)..<50 {
      let filter = randomFilter(seed: seed &* 1_000 &+ index)
      var text = Array(filter.text.utf8)
      var json = Array(filter.json.utf8)
      for _ in 0..<10 {
        text[random.below(text.count)] = UInt8(truncatingIfNeeded: random.next())
        json[random.below(json.count)] = UInt8(truncatingIfNeeded: random.next())
        let changed = String(decoding: text, as: UTF8.self)
        do { _ = try FilterExpression(text: changed) } catch { _ = error.rendered(in: changed) }
        if let tree = try? FilterExpression(json: json) { _ = refusal(of: tree) }
      }
    }
  }
}

import Testing
import TraceModel

@Suite struct RecordTests {
  @Test func `a key is found by its bytes, the first one first`() {
    let attributes = [Attribute("caf\u{e9}", 1), Attribute("cafe\u{301}", 2), Attribute("cafe\u{301}", 3)]
    #expect(attributes.value(of: "caf\u{e9}") == 1)
    #expect(attributes.value(of: "cafe\u{301}") == 2)
    #expect(attributes.value(of: "cafe") == nil)
  }

  @Test func `the service is the text of its first attribute, or nothing`() {
    #expect(Resource(attributes: [Attribute("service.name", "a"), Attribute("service.name", "b")]).serviceName == "a")
    #expect(Resource(attributes: [Attribute("service.name", 7)]).serviceName == "")
    #expect(Resource().serviceName == "")
  }

  @Test func `a duration is never negative`() {
    func duration(_ start: UInt64, _ end: UInt64) -> UInt64 {
      SpanRecord(
        traceID: TraceID(high: 1, low: 1), spanID: SpanID(1), start: Timestamp(nanoseconds: start),
        end: Timestamp(nanoseconds: end)
      ).durationNanoseconds
    }
    #expect(duration(5, 9) == 4)
    #expect(duration(9, 5) == 0)
    #expect(duration(9, 0) == 0)
    #expect(duration(0, .max) == .max)
  }

  @Test func `kinds and status codes have words, and unknown numbers are kept`() {
    for raw in 0...5 as ClosedRange<Int32> {
      let kind = SpanKind(rawValue: raw)
      #expect(SpanKind(word: kind.word) == kind)
      #expect(SpanKind(word: kind.word.uppercased()) == kind)
    }
    for raw in 0...2 as ClosedRange<Int32> {
      let code = SpanStatus.Code(rawValue: raw)
      #expect(SpanStatus.Code(word: code.word) == code)
    }
    for raw in [-1, 6, .min, .max] as [Int32] {
      #expect(SpanKind(rawValue: raw).word == "\(raw)")
      #expect(SpanStatus.Code(rawValue: raw).word == "\(raw)")
    }
    #expect(SpanKind(word: "proxy") == nil && SpanKind(word: "") == nil)
    #expect(SpanStatus.Code(word: "fine") == nil)
  }

  @Test func `a batch counts and visits its spans in the order they stand`() throws {
    func span(_ number: UInt64) -> SpanRecord { SpanRecord(traceID: TraceID(high: 0, low: 1), spanID: SpanID(number)) }
    let data = TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(schemaURL: "r"),
        scopeSpans: [
          ScopeSpans(scope: InstrumentationScope(name: "s"), spans: [span(1), span(2)]), ScopeSpans(spans: [span(3)]),
        ]), ResourceSpans(), ResourceSpans(scopeSpans: [ScopeSpans(spans: [span(4)])]),
    ])
    var seen: [String] = []
    data.forEachSpan { seen.append("\($0.schemaURL)/\($1.name)/\($2.spanID.rawValue)") }
    #expect(seen == ["r/s/1", "r/s/2", "r//3", "//4"])
    #expect(data.spanCount == 4 && !data.isEmpty)
    #expect(TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans()])]).isEmpty)
    struct Stop: Error {}
    #expect(throws: Stop.self) { try data.forEachSpan { _, _, _ in throw Stop() } }
  }

  @Test func `an error says what, where and why`() {
    struct Cause: Error, CustomStringConvertible { var description: String { "no more disk" } }
    let whole = TracestoreError(.corrupt, "A page is bad", path: "a.seg", offset: 12, cause: Cause())
    #expect("\(whole)" == "A page is bad [a.seg at byte 12]: no more disk")
    #expect("\(TracestoreError(.corrupt, "A page is bad", offset: 12))" == "A page is bad [at byte 12]")
    #expect("\(TracestoreError(.closed, "The store is closed"))" == "The store is closed")
    #expect(whole.code == .corrupt && whole.code != .closed)
  }
}

import Testing
import TraceModel
import TracestoreTesting
import TracestoreV2

@Suite struct RecordedSpansTests {
  private static func span(
    _ id: UInt64, _ name: String, parent: UInt64? = nil, trace: UInt64 = 1, start: UInt64 = 1_000,
    duration: UInt64 = 500, state: SpanState = .final, change: (inout SpanRecord) -> Void = { _ in }
  ) -> FoundSpan {
    var span = SpanRecord(
      traceID: TraceID(high: 0, low: trace), spanID: SpanID(id), parentSpanID: parent.map(SpanID.init), name: name,
      start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + duration))
    change(&span)
    return FoundSpan(
      resource: Resource(attributes: [Attribute("service.name", "shop")]), scope: InstrumentationScope(), span: span,
      state: state)
  }

  private let spans = RecordedSpans([
    span(3, "capture", parent: 2, start: 3_000),
    span(1, "check out", duration: 2_500_000) { $0.kind = .server },
    span(2, "pay", parent: 1, start: 2_000) {
      $0.status = SpanStatus(code: .error, message: "declined")
      $0.attributes = [Attribute("amount", 12)]
      $0.events = [SpanEvent(name: "exception", attributes: [Attribute("type", "Declined")])]
    },
    span(4, "capture", parent: 2, start: 2_500, duration: 0, state: SpanState(.open, isEnriched: true)),
    span(5, "torn", parent: 99, trace: 2), span(6, "cafe\u{301}", parent: 6, trace: 3),
    span(7, "left", parent: 8, trace: 4), span(8, "right", parent: 7, trace: 4),
  ])

  @Test func `spans are found by name, byte by byte`() throws {
    #expect(spans.map(\.span.spanID.rawValue) == [1, 2, 4, 3, 5, 6, 7, 8])
    #expect(spans.named("capture").map(\.span.spanID.rawValue) == [4, 3])
    #expect(try spans.only("pay").span.spanID == SpanID(2))
    #expect(spans.named("caf\u{e9}").isEmpty && spans.named("cafe\u{301}").count == 1)
  }

  @Test func `children are those that name the span, and roots those that name none of these`() throws {
    #expect(spans.children(of: try spans.only("check out")).map(\.span.name) == ["pay"])
    #expect(spans.children(of: try spans.only("pay")).map(\.span.spanID.rawValue) == [4, 3])
    #expect(spans.children(of: try spans.only("cafe\u{301}")).isEmpty)
    #expect(spans.roots.map(\.span.spanID.rawValue) == [1, 5, 6])
  }

  @Test func `a span that is not the only one, or missing, is an error that draws what is there`() throws {
    for (name, code, count) in [("capture", TracestoreError.Code.invalidArgument, 2), ("refund", .notFound, 0)] {
      let error = try #require(throws: TracestoreError.self) { try spans.only(name) }
      #expect(error.code == code && error.message.hasPrefix("\(count) spans are named \"\(name)\""))
      #expect(error.message.contains("    pay  shop"))
    }
  }

  @Test func `a drawing shows every span once, below its parent`() {
    let zeros = String(repeating: "0", count: 31)
    #expect(
      spans.description == """
        trace \(zeros)1
          check out  shop  server  2.5 ms
            pay  shop  500 ns  error: declined
                amount = 12
                event exception  type = Declined
              capture  shop  0 ns  open  enriched
              capture  shop  500 ns
        trace \(zeros)2
          torn  shop  500 ns
        trace \(zeros)3
          cafe\u{301}  shop  500 ns
        trace \(zeros)4
          left  shop  500 ns
            right  shop  500 ns
        """)
    #expect(RecordedSpans([]).description.isEmpty)
  }

  @Test func `a store gives all its spans, or those of the traces that a search finds`() async throws {
    let store = ReferenceStore()
    for found in spans {
      _ = try await store.writeTraces(
        TraceData(resourceSpans: [
          ResourceSpans(resource: found.resource, scopeSpans: [ScopeSpans(spans: [found.span])])
        ]))
    }
    #expect(try await store.recordedSpans().map(\.span.spanID) == spans.map(\.span.spanID))
    let some = try await store.recordedSpans(TraceQuery(operationName: "pay"))
    #expect(some.map(\.span.spanID.rawValue) == [1, 2, 4, 3])
  }
}

import Testing
import TraceEngine
import TracestoreTesting

/// An id of zeros is none, as in OTLP: in filters as in everything else.
@Suite struct ZeroIDTests {
  private static let trace = TraceID(high: 7, low: 7)

  private static func span(_ id: UInt64, parent: SpanID?, links: [SpanLink] = []) -> SpanRecord {
    SpanRecord(
      traceID: trace, spanID: SpanID(id), parentSpanID: parent, name: "work", kind: .server,
      start: Timestamp(nanoseconds: 1000 + id), end: Timestamp(nanoseconds: 2000 + id), links: links)
  }

  private static let zeroTrace = TraceID(high: 0, low: 0)

  private static let spans = [
    span(1, parent: nil), span(2, parent: SpanID(0)), span(3, parent: SpanID(1)), span(4, parent: SpanID(99)),
    span(5, parent: SpanID(1), links: [SpanLink(traceID: zeroTrace, spanID: SpanID(0))]),
    span(6, parent: SpanID(1), links: [SpanLink()]),
    span(7, parent: SpanID(1), links: [SpanLink(traceID: TraceID(high: 0, low: 9), spanID: SpanID(9))]),
    span(8, parent: SpanID(1), links: [SpanLink(traceID: TraceID(high: 9, low: 0), spanID: SpanID(0))]),
  ]

  private static let answers: [(String, Set<UInt64>)] = [
    ("!exists(span.parentSpanID)", [1, 2]), ("exists(span.parentSpanID)", [3, 4, 5, 6, 7, 8]),
    (#"span.parentSpanID = "0000000000000000""#, []),
    (#"span.parentSpanID != "0000000000000001""#, [4]),
    (#"span.parentSpanID in ("0000000000000000", "0000000000000063")"#, [4]),
    (#"span.parentSpanID =~ "000000000000000""#, [3, 5, 6, 7, 8]),
    (#"span.parentSpanID < "0000000000000002""#, [3, 5, 6, 7, 8]),
    ("exists(link.traceID)", [7, 8]), ("exists(link.spanID)", [7]),
    (#"link.spanID = "0000000000000000""#, []), (#"link.traceID != "00000000000000090000000000000000""#, [7]),
    ("some(link, !exists(link.spanID))", [5, 6, 8]),
    ("some(link, exists(link.traceID) && !exists(link.spanID))", [8]),
    (#"link.spanID =~ "0""#, [7]),
  ]

  private static func check(_ store: some TraceReader, _ place: String) async throws {
    for (text, expected) in answers {
      var query = TraceQuery(limit: 100)
      query.filter = try FilterExpression(text: text)
      let found = try await store.findSpans(query).collect().elements
      #expect(Set(found.map(\.span.spanID.rawValue)) == expected, "\(text), \(place)")
    }
    // What is no parent is none for the summary either: one span has a parent that is missing.
    let summary = try #require(try await store.findTraceSummaries(TraceQuery(limit: 10)).collect().elements.first)
    #expect(summary.orphanSpanCount == 1, "\(place)")
    let stored = try await store.getTraces([trace]).collect().elements.flatMap(\.foundSpans)
    let zeros = stored.first { $0.span.spanID == SpanID(2) }
    #expect(zeros?.span.parentSpanID == SpanID(0), "it comes back as it was sent, \(place)")
  }

  @Test func `a filter takes an id of zeros for none, in memory, in segments and in the reference`() async throws {
    let data = TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: Self.spans)])])
    let store = try await TraceStore.inMemory()
    _ = try await store.writeTraces(data)
    try await Self.check(store, "in memory")
    try await store.seal()
    try await Self.check(store, "in a segment")
    try await store.close()
    let reference = ReferenceStore()
    _ = try await reference.writeTraces(data)
    try await Self.check(reference, "in the reference")
  }
}

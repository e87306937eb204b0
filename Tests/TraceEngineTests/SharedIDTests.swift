import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// A client that gives all of its spans one id makes bad traces, and must not make the store slow.
@Suite struct SharedIDTests {
  private static let traceID = TraceID(high: 1, low: 1)

  /// Different spans under one trace id and one span id; half of them differ in nothing but an attribute.
  private static func spans(_ count: Int) -> TraceData {
    let spans = (0..<count).map { index in
      let start = UInt64(index % 2 == 0 ? 1000 : 1000 + index)
      return SpanRecord(
        traceID: traceID, spanID: SpanID(1), name: "work", kind: .server, start: Timestamp(nanoseconds: start),
        end: Timestamp(nanoseconds: start + 5), attributes: [Attribute("number", .int(Int64(index)))])
    }
    return TraceData(resourceSpans: [ResourceSpans(resource: Resource(), scopeSpans: [ScopeSpans(spans: spans)])])
  }

  @Test(.timeLimit(.minutes(1)))
  func `equal spans are one and different ones are kept, in time, however many share an id`()
    async throws
  {
    let count = 30_000
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(
      in: files, at: "store", options: StoreOptions(isCompactionAutomatic: false))
    // Sent again to memory, then to a segment that has them; and a segment that has more.
    for batchCount in [count, count] { _ = try await store.writeTraces(Self.spans(batchCount)) }
    try await store.seal()
    #expect(try await store.statistics().spanCount == count)
    _ = try await store.writeTraces(Self.spans(count))
    try await store.seal()
    #expect(try await store.statistics().spanCount == count)
    _ = try await store.writeTraces(Self.spans(count + 2))
    try await store.seal()
    #expect(try await store.statistics().spanCount == count + 2)
    try await store.compact(.all)
    let (traces, _) = try await store.findTraceSummaries(TraceQuery()).collect()
    #expect(traces.map(\.spanCount) == [count + 2])
    try await store.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: [8, 9, 16, 17, 18, 500, 60_000])
  func `calls are paired in time, however many spans share an id`(count: Int) async throws {
    let store = try await TraceStore.inMemory()
    for (service, id, parent, kind) in [("front", 1, nil, .client), ("back", 2, 1, .server)]
      as [(String, UInt64, UInt64?, SpanKind)]
    {
      let spans = (0..<count).map { index in
        SpanRecord(
          traceID: Self.traceID, spanID: SpanID(id), parentSpanID: parent.map { SpanID($0) }, kind: kind,
          start: Timestamp(nanoseconds: 1000 + UInt64(index)), end: Timestamp(nanoseconds: 2000 + UInt64(index)))
      }
      let resource = Resource(attributes: [Attribute("service.name", .string(service))])
      _ = try await store.writeTraces(
        TraceData(resourceSpans: [ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(spans: spans)])]))
    }
    try await store.seal()
    let graph = try await store.serviceGraph(DependencyQuery(start: .zero, end: .maximum))
    #expect(graph.links.map(\.callCount) == [UInt64(count)])
    #expect(graph.links.map(\.parent) == ["front"] && graph.links.map(\.child) == ["back"])
    try await store.close()
  }
}

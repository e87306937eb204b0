import Testing
import TraceEngine
import TraceFiles

/// A memtable holds so many texts; here few enough to reach the limit.
@Suite struct TextRoomTests {
  /// A span of a trace of its own with as many attributes, each with a key and a text that no other has.
  private func span(_ number: UInt64, textCount: Int) -> TraceData {
    let attributes = (0..<textCount).map { Attribute("key \(number) \($0)", .string("text \(number) \($0)")) }
    let span = SpanRecord(
      traceID: TraceID(high: 1, low: number), spanID: SpanID(number), name: "n",
      start: Timestamp(nanoseconds: number), end: Timestamp(nanoseconds: number + 1), attributes: attributes)
    return TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span])])])
  }

  private func options(_ count: Int?) -> StoreOptions {
    var options = StoreOptions(isCompactionAutomatic: false)
    options.maximumMemtableStringCount = count
    return options
  }

  private func count(_ store: TraceStore) async throws -> Int {
    try await store.findTraceIDs(TraceQuery(limit: 1000)).collect().elements.count
  }

  @Test func `a memtable without room for a request is sealed early, and nothing is refused`() async throws {
    let store = try await TraceStore.inMemory(options: options(200))
    for number in 1...20 as ClosedRange<UInt64> { _ = try await store.writeTraces(span(number, textCount: 30)) }
    try await store.seal()
    #expect(try await count(store) == 20)
    #expect(try await store.statistics().segments.count > 5)
    try await store.close()
  }

  @Test func `a request that an empty memtable has no room for is refused, and nothing of it is stored`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(in: files, at: "store", options: options(200))
    _ = try await store.writeTraces(span(1, textCount: 3))
    await #expect { try await store.writeTraces(span(2, textCount: 200)) } throws: {
      ($0 as? TracestoreError)?.code == .limitExceeded
    }
    _ = try await store.writeTraces(span(3, textCount: 3))
    #expect(try await count(store) == 2)
    try await store.close()
    let again = try await TraceStore.open(in: files, at: "store", options: options(nil))
    #expect(try await count(again) == 2)
    try await again.close()
  }

  @Test func `a log with more texts than a memtable holds is read back into several segments`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(in: files, at: "store", options: options(nil))
    for number in 1...20 as ClosedRange<UInt64> { _ = try await store.writeTraces(span(number, textCount: 30)) }
    try await store.close()
    let again = try await TraceStore.open(in: files, at: "store", options: options(200))
    #expect(try await count(again) == 20)
    #expect(try await again.statistics().segments.count > 5)
    try await again.close()
  }
}

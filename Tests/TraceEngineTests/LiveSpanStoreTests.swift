import Testing
import TraceEngine
import TraceFiles

@Suite struct LiveSpanStoreTests {
  /// Records of the span as they were written: those that still contribute, at least.
  private func records(_ store: TraceStore, _ trace: TraceID) async throws -> [SpanRecord] {
    let chunks = try await store.getTraces([GetTraceParameters(trace)], options: ReadOptions(isRaw: true)).collect()
    var spans: [SpanRecord] = []
    for chunk in chunks.elements { chunk.data.forEachSpan { _, _, span in spans.append(span) } }
    return spans
  }

  private func eventNames(_ store: TraceStore, _ trace: TraceID) async throws -> Set<String> {
    Set(try await records(store, trace).flatMap(\.events).map(\.name))
  }

  @Test func `what was acknowledged of an open span outlives a crash at any moment`() async throws {
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store")
    let span = try await store.beginSpan("pay", service: "shop")
    let child = try await store.beginSpan("card", service: "shop", kind: .client, parent: span)
    for number in 0..<8 {
      span.addEvent("\(number)")
      try await span.snapshot()
      let crashed = try await TraceStore.open(
        in: files.crashClone(keeping: .loseUnsynced, seed: UInt64(number)), at: "store")
      #expect(try await eventNames(crashed, span.traceID) == Set((0...number).map(String.init)))
      let found = try await records(crashed, span.traceID)
      #expect(found.allSatisfy { $0.end == .zero })
      #expect(found.contains { $0.spanID == child.spanID && $0.parentSpanID == span.spanID })
      try await crashed.close()
    }
    try await child.end()
    try await span.end()
    #expect(Set(try await records(store, span.traceID).filter { $0.end != .zero }.map(\.spanID)).count == 2)
    try await store.close()
  }

  @Test func `closing a store writes what is open, and leaves it open`() async throws {
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store")
    let span = try await store.beginSpan("pay", service: "shop")
    span.addEvent("last")
    try await store.close()
    await #expect { _ = try await store.beginSpan("late", service: "shop") } throws: {
      ($0 as? TracestoreError)?.code == .closed
    }
    let again = try await TraceStore.open(in: files, at: "store")
    let found = try await records(again, span.traceID)
    #expect(found.contains { $0.events.map(\.name) == ["last"] } && found.allSatisfy { $0.end == .zero })
    try await again.close()
  }

  /// The one span of a trace, as readers get it.
  private func view(_ store: TraceStore, _ trace: TraceID) async throws -> (SpanRecord, SpanState) {
    let chunks = try await store.getTraces([trace]).collect().elements
    let chunk = try #require(chunks.first)
    #expect(chunks.count == 1 && chunk.data.spanCount == 1)
    var spans: [SpanRecord] = []
    chunk.data.forEachSpan { spans.append($2) }
    return (try #require(spans.first), chunk.state(at: 0))
  }

  @Test(arguments: [false, true])
  func `readers see one span, open and ended, without what was removed`(_ isSealed: Bool) async throws {
    let store = try await TraceStore.inMemory()
    let span = try await store.beginSpan("pay", service: "shop", attributes: [Attribute("gone", 1)])
    span.addEvent("one")
    try await span.snapshot()
    span.removeAttribute("gone")
    span.setAttribute("kept", 2)
    span.addEvent("two")
    span.setStatus(.error)
    try await span.snapshot()
    if isSealed { try await store.seal() }
    let (open, openState) = try await view(store, span.traceID)
    #expect(openState == .open)
    #expect(open.attributes == [Attribute("kept", 2)])
    #expect(open.events.map(\.name) == ["one", "two"] && open.status?.code == .error)
    #expect(try await store.findTraceIDs(TraceQuery(attributes: [Attribute("gone", 1)])).collect().elements.isEmpty)
    span.setStatus(.ok)
    try await span.end()
    let (ended, state) = try await view(store, span.traceID)
    #expect(state == .final)
    #expect(ended.attributes == [Attribute("kept", 2)])
    #expect(ended.events.map(\.name) == ["one", "two"] && ended.status?.code == .ok && ended.end != .zero)
    #expect(try await store.findTraceIDs(TraceQuery(attributes: [Attribute("gone", 1)])).collect().elements.isEmpty)
    try await store.close()
  }

  @Test func `a store that reads spans without an end as ended refuses to begin one`() async throws {
    let store = try await TraceStore.inMemory(options: StoreOptions(isZeroEndOpen: false))
    await #expect { _ = try await store.beginSpan("pay", service: "shop") } throws: {
      ($0 as? TracestoreError)?.code == .unsupported
    }
    try await store.close()
  }
}

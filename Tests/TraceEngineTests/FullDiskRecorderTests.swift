import Testing
import TraceEngine
import TraceFiles

/// A service records its own spans, and the disk fills up: the service goes on, and what is lost is counted and said.
@Suite struct FullDiskRecorderTests {
  private static let waitingSpanCount = 50

  private static func recorder(_ store: TraceStore) -> SpanRecorder {
    store.makeRecorder(
      RecorderOptions(
        snapshotIntervalNanoseconds: nil, maximumOpenSpanCount: 100, maximumWaitingSpanCount: waitingSpanCount,
        clock: { 1_000 }, randomBits: { .random(in: 1...(.max)) }))
  }

  private static func record(_ id: UInt64) -> SpanRecord {
    SpanRecord(
      traceID: TraceID(high: 0, low: id), spanID: SpanID(id), name: "work", start: Timestamp(nanoseconds: 900))
  }

  private static let shop = Resource(attributes: [Attribute("service.name", "shop")])

  private static func names(_ store: TraceStore) async throws -> Set<UInt64> {
    Set(try await store.findSpans(TraceQuery(limit: 10_000)).collect().elements.map(\.span.spanID.rawValue))
  }

  @Test func `a full disk stops no span, and what has no room to wait is counted`() async throws {
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store")
    let recorder = Self.recorder(store)
    let long = try recorder.startSpan(Self.record(1_000), resource: Self.shop)
    try await long.snapshot()
    files.inject(Fault([.write, .create], errorNumber: Fault.noSpace, isSticky: true))
    for id in 1...80 as ClosedRange<UInt64> {
      let span = try recorder.startSpan(Self.record(id), resource: Self.shop)
      span.addEvent("done")
      span.finish()
      if id % 20 == 0 { await #expect(throws: TracestoreError.self) { try await recorder.flush() } }
    }
    long.addEvent("still here")
    await #expect { try await long.snapshot() } throws: { ($0 as? TracestoreError)?.code == .diskFull }
    let full = recorder.statistics
    #expect(
      full.waitingSpanCount == Self.waitingSpanCount && full.droppedSpanCount == 80 - UInt64(full.waitingSpanCount))
    #expect(full.openSpanCount == 1 && full.failedRequestCount >= 5)
    #expect(full.lastFailure?.contains("No space left") == true, "\(full.lastFailure ?? "nothing is said")")
    // Room again: what waited is written, and the open span has what it was told meanwhile.
    files.clearFaults()
    try await recorder.flush()
    try await long.end()
    #expect(try await Self.names(store) == Set(1...UInt64(Self.waitingSpanCount)).union([1_000]))
    let events = try await store.getTraces([TraceID(high: 0, low: 1_000)]).collect().elements
      .flatMap { $0.data.resourceSpans }.flatMap(\.scopeSpans).flatMap(\.spans).flatMap(\.events).map(\.name)
    #expect(events == ["still here"])
    #expect(recorder.statistics.waitingSpanCount == 0 && recorder.statistics.openSpanCount == 0)
    try await store.close()
  }

  @Test func `what a shut down recorder could not write is counted, and later spans are too`() async throws {
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store")
    let recorder = Self.recorder(store)
    files.inject(Fault([.write, .create], errorNumber: Fault.noSpace, isSticky: true))
    for id in 1...5 as ClosedRange<UInt64> { try recorder.startSpan(Self.record(id), resource: Self.shop).finish() }
    await #expect { try await recorder.shutDown() } throws: { ($0 as? TracestoreError)?.code == .diskFull }
    #expect(recorder.statistics.droppedSpanCount == 5)
    #expect(recorder.startOrCount(Self.record(6), resource: Self.shop, scope: InstrumentationScope()) == nil)
    #expect(recorder.statistics.droppedSpanCount == 6)
    try? await store.close()
  }
}

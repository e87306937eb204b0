import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

@Suite struct LifecycleTests {
  private func span(_ number: UInt64, service: String = "cart") -> TraceData {
    TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]),
        scopeSpans: [
          ScopeSpans(spans: [
            SpanRecord(
              traceID: TraceID(high: 1, low: number), spanID: SpanID(number), name: "work",
              start: Timestamp(nanoseconds: number * 1000), end: Timestamp(nanoseconds: number * 1000 + 500))
          ])
        ])
    ])
  }

  private func count(_ store: TraceStore) async throws -> Int {
    try await store.findTraceIDs(TraceQuery(limit: 10_000)).collect().elements.count
  }

  @Test func `a store that was closed and let go leaves nothing in memory`() async throws {
    final class Token: Sendable {}
    weak var token: Token?
    do {
      let kept = Token()
      token = kept
      let store = try await TraceStore.inMemory(options: StoreOptions(observer: { _ in withExtendedLifetime(kept) {} }))
      _ = try await store.writeTraces(randomTraces(seed: 1, count: 1)[0])
      try await store.compact(.all)
      try await store.close()
    }
    // The threads of the store let go of it as they end.
    for _ in 0..<200 where token != nil { try await Task.sleep(nanoseconds: 10_000_000) }
    #expect(token == nil)
  }

  @Test func `a second writer is refused while the first is open, and welcome afterwards`() async throws {
    let files = SimulatedFileSystem()
    let first = try await TraceStore.open(in: files, at: "store")
    await #expect { try await TraceStore.open(in: files, at: "store") } throws: {
      ($0 as? TracestoreError)?.code == .locked
    }
    try await first.close()
    let second = try await TraceStore.open(in: files, at: "store")
    try await second.close()
  }

  @Test func `a closed store refuses everything with the code closed, and closing twice is harmless`() async throws {
    let store = try await TraceStore.inMemory()
    try await store.close()
    try await store.close()
    await #expect { try await store.writeTraces(span(1)) } throws: { ($0 as? TracestoreError)?.code == .closed }
    await #expect { try await store.getServices() } throws: { ($0 as? TracestoreError)?.code == .closed }
    await #expect { try await store.seal() } throws: { ($0 as? TracestoreError)?.code == .closed }
  }

  @Test func `a reader refuses to write, and sees what was written once it refreshes`() async throws {
    let files = SimulatedFileSystem()
    let writer = try await TraceStore.open(in: files, at: "store")
    _ = try await writer.writeTraces(span(1))
    let reader = try await TraceStore.open(in: files, at: "store", isReadOnly: true)
    #expect(try await count(reader) == 1)
    await #expect { try await reader.writeTraces(span(2)) } throws: { ($0 as? TracestoreError)?.code == .readOnly }
    _ = try await writer.writeTraces(span(2))
    try await reader.refresh()
    #expect(try await count(reader) == 2)
    try await writer.seal()
    _ = try await writer.writeTraces(span(3))
    try await reader.refresh()
    #expect(try await count(reader) == 3)
    try await reader.close()
    try await writer.close()
  }

  @Test func `a reader of nothing says that there is no store`() async throws {
    await #expect { try await TraceStore.open(in: SimulatedFileSystem(), at: "none", isReadOnly: true) } throws: {
      ($0 as? TracestoreError)?.code == .notFound
    }
  }

  @Test func `run returns when its task is cancelled, and has closed the store`() async throws {
    let store = try await TraceStore.inMemory()
    let task = Task { try await store.run() }
    _ = try await store.writeTraces(span(1))
    task.cancel()
    try await task.value
    await #expect { try await store.writeTraces(span(2)) } throws: { ($0 as? TracestoreError)?.code == .closed }
  }

  @Test func `a batch is sealed once, and sending it again moves nothing`() async throws {
    let store = try await TraceStore.inMemory()
    for number in 1...20 { _ = try await store.writeTraces(span(UInt64(number))) }
    try await store.seal()
    let before = try await store.statistics()
    let services = try await store.getAttributeKeys(AttributeKeyQuery())
    for number in 1...20 { _ = try await store.writeTraces(span(UInt64(number))) }
    #expect(try await count(store) == 20)
    try await store.seal()
    let after = try await store.statistics()
    #expect(after.segments == before.segments)
    #expect(after.spanCount == 20)
    #expect(after.columns == before.columns)
    #expect(try await store.getAttributeKeys(AttributeKeyQuery()) == services)
    try await store.close()
  }

  @Test func `a full disk fails writes cleanly, loses nothing, and is forgotten when there is room`() async throws {
    let files = SimulatedFileSystem(capacityByteCount: 60_000)
    let store = try await TraceStore.open(
      in: files, at: "store", options: StoreOptions(sealSpanCount: 100, stripeSpanCount: 16))
    var accepted: Set<UInt64> = []
    var failures = 0
    for number in 1...3000 as ClosedRange<UInt64> {
      do {
        _ = try await store.writeTraces(span(number))
        accepted.insert(number)
      } catch let error as TracestoreError {
        failures += 1
        #expect(error.code == .diskFull, "\(error)")
        if failures > 20 { break }
      }
    }
    #expect(failures > 0, "the disk never filled up")
    #expect(try await count(store) == accepted.count)
    files.capacityByteCount = .max
    // A seal that had failed is tried again by itself within a second.
    for _ in 0..<100 {
      if (try? await store.writeTraces(span(9_000_000))) != nil { break }
      try await Task.sleep(nanoseconds: 50_000_000)
    }
    accepted.insert(9_000_000)
    try await store.seal()
    #expect(try await count(store) == accepted.count)
    try await store.close()
    let again = try await TraceStore.open(in: files, at: "store")
    #expect(try await count(again) == accepted.count)
    try await again.close()
  }

  @Test func `what a write returned is visible at once to queries that run beside other writes and seals`() async throws
  {
    let store = try await TraceStore.inMemory(options: StoreOptions(sealSpanCount: 64, stripeSpanCount: 16))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<8 as Range<UInt64> {
        group.addTask {
          for step in 0..<60 as Range<UInt64> {
            let number = worker * 1000 + step + 1
            _ = try await store.writeTraces(span(number))
            let found = try await store.getTraces([TraceID(high: 1, low: number)]).collect().elements
            #expect(found.count == 1, "trace \(number) is not there after its write returned")
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await count(store) == 480)
    try await store.close()
  }

  @Test func `a span with an unusable id is refused alone, in either encoding`() async throws {
    let store = try await TraceStore.inMemory()
    let good = #"{"traceId":"000000000000000000000000000000aa","spanId":"00000000000000bb","name":"good"}"#
    let bad = #"{"traceId":"00000000000000000000000000000000","spanId":"00000000000000cc","name":"bad"}"#
    let json = #"{"resourceSpans":[{"scopeSpans":[{"spans":["# + bad + "," + good + "]}]}]}"
    let receipt = try await store.writeEncoded(Array(json.utf8), encoding: .json)
    #expect(receipt.acceptedSpanCount == 1)
    #expect(receipt.refused.map(\.spanIndex) == [0])
    var data = span(5)
    data.resourceSpans[0].scopeSpans[0].spans.append(SpanRecord(traceID: TraceID(high: 0, low: 0), spanID: SpanID(1)))
    let other = try await store.writeTraces(data)
    #expect(other.acceptedSpanCount == 1)
    #expect(other.refused.map(\.spanIndex) == [1])
    #expect(try await count(store) == 2)
    try await store.close()
  }

  @Test func `a log file that cannot be removed is no failed seal, and goes later`() async throws {
    let files = SimulatedFileSystem()
    let failures = Mutex(0)
    var options = StoreOptions()
    options.observer = { event in if case .sealFailed = event { failures.withLock { $0 += 1 } } }
    let store = try await TraceStore.open(in: files, at: "store", options: options)
    for number in 1...2 as ClosedRange<UInt64> {
      _ = try await store.writeTraces(span(number))
      files.inject(Fault([.remove], pathSuffix: ".log"))
      try await store.seal()
    }
    try await store.close()
    #expect(failures.withLock { $0 } == 0)
    let again = try await TraceStore.open(in: files, at: "store")
    #expect(try await count(again) == 2)
    #expect(try await again.statistics().segments.count == 2)
    try await again.close()
  }

  @Test func `a store that is dropped open ends its threads, and can be opened again`() async throws {
    final class Canary: Sendable {}
    let files = SimulatedFileSystem()
    weak var canary: Canary?
    do {
      let strong = Canary()
      canary = strong
      let options = StoreOptions(observer: { _ in withExtendedLifetime(strong) {} })
      let store = try await TraceStore.open(in: files, at: "store", options: options)
      _ = try await store.writeTraces(span(1))
      let stream = try await store.findTraces(TraceQuery())
      // The stream alone keeps the store open.
      #expect(try await stream.collect().elements.count == 1)
    }
    var isGone = false
    for _ in 0..<500 where !isGone {
      try await Task.sleep(nanoseconds: 10_000_000)
      isGone = canary == nil
    }
    #expect(isGone, "the threads of a dropped store still run")
    let again = try await TraceStore.open(in: files, at: "store")
    #expect(try await count(again) == 1)
    try await again.close()
  }

  @Test func `options outside their bounds are refused`() async throws {
    for options in [
      StoreOptions(memoryBudgetByteCount: 1), StoreOptions(sealSpanCount: 0), StoreOptions(stripeSpanCount: 1 << 20),
    ] {
      await #expect { try await TraceStore.inMemory(options: options) } throws: {
        ($0 as? TracestoreError)?.code == .invalidArgument
      }
    }
  }
}

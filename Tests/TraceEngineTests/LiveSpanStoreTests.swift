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
  private func view(_ store: TraceStore, _ trace: TraceID) async throws -> FoundSpan? {
    var found: [FoundSpan] = []
    for chunk in try await store.getTraces([trace]).collect().elements {
      chunk.data.forEachSpan {
        found.append(FoundSpan(resource: $0, scope: $1, span: $2, state: chunk.state(at: found.count)))
      }
    }
    return found.count == 1 ? found[0] : nil
  }

  private func countOf(_ key: String, _ store: TraceStore) async throws -> Int {
    try await store.findTraceIDs(TraceQuery(attributes: [Attribute(key, 1)])).collect().elements.count
  }

  /// An open span whose first snapshot has an attribute that the second has not.
  private func changedSpan(_ store: TraceStore) async throws -> LiveSpan {
    let span = try await store.beginSpan("pay", service: "shop", attributes: [Attribute("gone", 1)])
    span.addEvent("one")
    try await span.snapshot()
    span.removeAttribute("gone")
    span.setAttribute("kept", 1)
    span.addEvent("two")
    span.setStatus(.error)
    try await span.snapshot()
    return span
  }

  @Test func `an open span is read as one, without what was removed`() async throws {
    let store = try await TraceStore.inMemory()
    let span = try await changedSpan(store)
    let open = try await view(store, span.traceID)
    #expect(open?.state == .open && open?.span.status?.code == .error)
    #expect(open?.span.attributes == [Attribute("kept", 1)])
    #expect(open?.span.events.map(\.name) == ["one", "two"])
    let counts = [try await countOf("gone", store), try await countOf("kept", store)]
    #expect(counts == [0, 1])
    try await store.close()
  }

  @Test func `an ended span is read as one, without what was removed, its snapshots in a segment`() async throws {
    let store = try await TraceStore.inMemory()
    let span = try await changedSpan(store)
    try await store.seal()
    span.setStatus(.ok)
    try await span.end()
    let ended = try await view(store, span.traceID)
    #expect(ended?.state == .final && ended?.span.status?.code == .ok)
    #expect(ended?.span.attributes == [Attribute("kept", 1)])
    #expect(ended?.span.events.map(\.name) == ["one", "two"])
    let counts = [try await countOf("gone", store), try await countOf("kept", store)]
    #expect(counts == [0, 1])
    try await store.close()
  }

  @Test func `ids are drawn by chance, by every recorder its own`() {
    let options = [RecorderOptions(), RecorderOptions()]
    var seen: Set<UInt64> = []
    var counts = [Int](repeating: 0, count: 64)
    for _ in 0..<10_000 {
      for option in options {
        let bits = option.randomBits()
        seen.insert(bits)
        for place in 0..<64 where bits >> UInt64(place) & 1 == 1 { counts[place] += 1 }
      }
    }
    #expect(seen.count == 20_000)
    // Ten standard deviations.
    #expect(counts.allSatisfy { (9_300...10_700).contains($0) }, "\(counts)")
  }

  @Test func `a store that reads spans without an end as ended refuses to begin one`() async throws {
    let store = try await TraceStore.inMemory(options: StoreOptions(isZeroEndOpen: false))
    await #expect { _ = try await store.beginSpan("pay", service: "shop") } throws: {
      ($0 as? TracestoreError)?.code == .unsupported
    }
    try await store.close()
  }

  @Test func `a store that reads spans without an end as ended gets none, and those that end once`() async throws {
    let store = try await TraceStore.inMemory(options: StoreOptions(isZeroEndOpen: false))
    func start(_ id: UInt64) throws -> LiveSpan {
      try store.recorder.startSpan(
        SpanRecord(traceID: TraceID(high: 0, low: id), spanID: SpanID(id), start: Timestamp(nanoseconds: 1)),
        resource: Resource())
    }
    let (open, ended) = (try start(1), try start(2))
    _ = try start(3)
    await #expect { try await open.snapshot() } throws: { ($0 as? TracestoreError)?.code == .unsupported }
    ended.finish()
    try await store.recorder.flush()
    #expect(try await store.findSpans(TraceQuery()).collect().elements.map(\.span.spanID) == [SpanID(2)])
    // The third was forgotten: nobody can end it.
    #expect(store.recorder.statistics.openSpanCount == 1 && store.recorder.statistics.droppedSpanCount == 1)
    try await open.end()
    #expect(try await store.findSpans(TraceQuery()).collect().elements.count == 2)
    try await store.close()
  }

  @Test func `a span that a shutdown gave up is counted once`() async throws {
    let store = try await TraceStore.inMemory(options: StoreOptions(isZeroEndOpen: false))
    func start(_ id: UInt64) throws -> LiveSpan {
      try store.recorder.startSpan(
        SpanRecord(traceID: TraceID(high: 0, low: id), spanID: SpanID(id), start: Timestamp(nanoseconds: 1)),
        resource: Resource())
    }
    var forgotten: LiveSpan? = try start(1)
    let late = try start(2)
    #expect(forgotten != nil)
    try await store.recorder.shutDown()
    #expect(store.recorder.statistics.droppedSpanCount == 2)
    forgotten = nil
    late.finish()
    #expect(store.recorder.statistics.droppedSpanCount == 2)
    try await store.close()
  }

  @Test func `keys that only look equal replace each other`() async throws {
    let store = try await TraceStore.inMemory()
    let span = try await store.beginSpan("pay", service: "shop")
    span.setAttributes([Attribute("caf\u{e9}", .int(1))])
    span.setAttributes([Attribute("cafe\u{301}", .int(1))])
    try await span.end()
    let keys = try await store.findSpans(TraceQuery()).collect().elements.flatMap(\.span.attributes).map(\.key)
    #expect(keys.map { Array($0.utf8) } == [Array("cafe\u{301}".utf8)])
    try await store.close()
  }
}

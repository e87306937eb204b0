import Synchronization
import Testing
import TraceModel
import TracestoreTesting
import TracestoreV2

@Suite struct ReferenceStoreTests {
  private let id = TraceID(high: 0, low: 1)

  private func batch(_ spans: SpanRecord...) -> TraceData {
    TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: spans)])])
  }

  @Test func `an open span is abandoned once its lease has run out`() async throws {
    let now = Mutex(Timestamp(nanoseconds: 100))
    let store = ReferenceStore(clock: { now.withLock(\.self) })
    let open = SpanRecord(traceID: id, spanID: SpanID(1), start: Timestamp(nanoseconds: 100))
    _ = try await store.writeTraces(batch(open))
    func state(lease: UInt64) async throws -> SpanState? {
      let options = ReadOptions(leaseNanoseconds: lease)
      return try await store.getTraces([GetTraceParameters(id)], options: options).collect().elements.first?.state(
        at: 0)
    }
    #expect(try await state(lease: 10) == .open)
    now.withLock { $0 = Timestamp(nanoseconds: 110) }
    #expect(try await state(lease: 10) == .open)
    now.withLock { $0 = Timestamp(nanoseconds: 111) }
    #expect(try await state(lease: 10) == .abandoned)
    #expect(try await state(lease: .max) == .open)
    let literal = ReferenceStore(readsZeroEndAsOpen: false)
    _ = try await literal.writeTraces(batch(open))
    #expect(try await literal.getTraces([id]).collect().elements.first?.states == [:])
  }

  @Test func `a page token of another store is refused`() async throws {
    var tokens: [String?] = []
    let stores = [ReferenceStore(), ReferenceStore()]
    for store in stores {
      for low in UInt64(1)...3 {
        let span = SpanRecord(traceID: TraceID(high: 0, low: low), spanID: SpanID(1), end: .maximum)
        _ = try await store.writeTraces(batch(span))
      }
      tokens.append(try await store.findTraceIDs(TraceQuery(limit: 1)).collect().summary.continuation)
    }
    #expect(tokens[0] != nil && tokens[0] != tokens[1])
    let error = await #expect(throws: TracestoreError.self) {
      try await stores[1].findTraceIDs(TraceQuery(limit: 1, pageToken: tokens[0]))
    }
    #expect(error?.message.contains("another store") == true)
    let spans = await #expect(throws: TracestoreError.self) {
      try await stores[1].findSpans(TraceQuery(limit: 1, pageToken: tokens[1]))
    }
    #expect(spans?.message.contains("another query") == true)
  }

  @Test func `an unknown order is refused`() async throws {
    let error = await #expect(throws: TracestoreError.self) {
      try await ReferenceStore().findTraces(TraceQuery(order: TraceOrder(rawValue: "prettiest")))
    }
    #expect(error?.code == .unsupported)
  }

  @Test func `a lock is held until it is given back or its lease ends`() async throws {
    let now = Mutex(Timestamp(nanoseconds: 100))
    let store = ReferenceStore(clock: { now.withLock(\.self) })
    #expect(try await !store.forfeit("a"))
    #expect(try await store.acquire("a", leaseNanoseconds: 10))
    #expect(try await store.forfeit("a"))
    #expect(try await !store.forfeit("a"))
    #expect(try await store.acquire("a", leaseNanoseconds: 10))
    now.withLock { $0 = Timestamp(nanoseconds: 110) }
    #expect(try await !store.forfeit("a"))
  }

  @Test func `random traces and queries depend on the seed alone`() {
    let data = randomTraces(seed: 5, count: 50, openSpanShare: 8)
    #expect(ContentKey.set(of: data) == ContentKey.set(of: randomTraces(seed: 5, count: 50, openSpanShare: 8)))
    #expect(ContentKey.set(of: data) != ContentKey.set(of: randomTraces(seed: 6, count: 50, openSpanShare: 8)))
    var openCount = 0
    for batch in data { batch.forEachSpan { openCount += $2.end == .zero ? 1 : 0 } }
    #expect(openCount > 0)
    let queries = (0..<50).map { randomQuery(seed: $0, from: data) }
    #expect(queries.map(\.description) == (0..<50).map { randomQuery(seed: $0, from: data).description })
    #expect(Set(queries.map(\.description)).count > 25)
    #expect(randomQuery(seed: 1, from: []).attributes.isEmpty)
    #expect(randomTraces(seed: 1, count: 0).isEmpty)
  }

  @Test func `the seeded numbers are those of SplitMix64`() {
    // The published sequence of the seed 1234567.
    var random = SeededRandom(seed: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
    #expect(random.next() == 9_817_491_932_198_370_423)
    #expect((0..<1_000).allSatisfy { _ in (0..<3).contains(random.below(3)) })
    var elements = Array(0..<20)
    random.shuffle(&elements)
    #expect(elements != Array(0..<20) && elements.sorted() == Array(0..<20))
  }
}

extension TraceQuery {
  fileprivate var description: String { String(describing: self) }
}

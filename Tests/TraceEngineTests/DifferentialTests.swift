import Testing
import TraceEngine
import TracestoreTesting

/// The engine against the naive store: one history, random questions, one answer.
@Suite struct DifferentialTests {
  /// An engine of random small sizes, and the naive store, at the same time.
  private func stores(
    _ seed: UInt64, _ random: inout SeededRandom
  ) async throws -> (store: TraceStore, reference: ReferenceStore) {
    let now: UInt64 = 4_000_000_000_000_000_000
    let store = try await TraceStore.inMemory(
      options: StoreOptions(
        sealSpanCount: 150, stripeSpanCount: 16 + Int(random.next() % 100), isCompactionAutomatic: seed % 2 == 0,
        mergedSegmentSpanCount: 64 + Int(random.next() % 400), clock: { now }))
    return (store, ReferenceStore(clock: { Timestamp(nanoseconds: now) }))
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `random histories and questions have the answers of the naive store`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let (store, reference) = try await stores(seed, &random)
    let traces = randomTraces(seed: seed, count: 60, openSpanShare: seed % 3 == 0 ? 5 : 0)
    for (index, batch) in traces.enumerated() {
      _ = try await reference.writeTraces(batch)
      _ = try await store.writeTraces(batch)
      if random.next() % 8 == 0 { _ = try await store.writeTraces(batch) }
      if random.next() % 16 == 0 { try await store.seal() }
      if random.next() % 16 == 0 { try await store.compact(random.next() % 2 == 0 ? .all : .due) }
      if index % 10 == 9 { try await compare(store, reference, traces, seed &* 1000 &+ UInt64(index)) }
    }
    try await store.close()
  }

  /// The same for structured filters and for span searches, which go page by page.
  @Test(arguments: 101...112 as ClosedRange<UInt64>)
  func `random filters have the answers of the naive store`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let (store, reference) = try await stores(seed, &random)
    let traces = randomTraces(seed: seed, count: 60, openSpanShare: seed % 3 == 0 ? 5 : 0)
    for batch in traces {
      _ = try await reference.writeTraces(batch)
      _ = try await store.writeTraces(batch)
      if random.next() % 16 == 0 { try await store.seal() }
      if random.next() % 16 == 0 { try await store.compact(random.next() % 2 == 0 ? .all : .due) }
    }
    for offset in 0..<25 as Range<UInt64> {
      let filter = randomFilter(seed: seed &* 1_000 &+ offset)
      let order = [TraceOrder.newest, .slowest, .traceID][Int(random.next() % 3)]
      let query = TraceQuery(filter: filter, limit: 10 + Int(random.next() % 40), order: order)
      let place: Comment = "seed \(seed), filter \(offset): \(filter.text), \(order.rawValue), limit \(query.limit)"
      let (ours, ourSummary) = try await store.findTraceSummaries(query).collect()
      let (theirs, theirSummary) = try await reference.findTraceSummaries(query).collect()
      #expect(ours == theirs, place)
      #expect(ourSummary.isTruncated == theirSummary.isTruncated, place)
      guard order != .traceID, offset % 10 == 0 else { continue }
      #expect(try await pages(store, query) == pages(reference, query), place)
    }
    try await store.close()
  }

  /// The spans of all pages, in order. Those that differ in content alone may come in any order.
  private func pages(_ store: any TraceReader, _ query: TraceQuery) async throws -> [[ContentKey]] {
    var found: [(ids: String, key: ContentKey)] = []
    var query = query
    repeat {
      let (spans, summary) = try await store.findSpans(query).collect()
      #expect(spans.count <= query.limit)
      found += spans.map {
        let rank = query.order == .slowest ? $0.span.durationNanoseconds : $0.span.start.nanoseconds
        return ("\(rank) \($0.span.traceID.hex)\($0.span.spanID.hex)", ContentKey($0.resource, $0.scope, $0.span))
      }
      query.pageToken = summary.continuation
    } while query.pageToken != nil
    var groups: [(ids: String, keys: Set<ContentKey>)] = []
    for item in found {
      if groups.last?.ids != item.ids { groups.append((item.ids, [])) }
      #expect(groups[groups.count - 1].keys.insert(item.key).inserted, "a span is repeated")
    }
    return groups.map { $0.keys.sorted() }
  }

  private func compare(
    _ store: TraceStore, _ reference: ReferenceStore, _ traces: [TraceData], _ seed: UInt64
  ) async throws {
    #expect(try await store.getServices() == reference.getServices(), "seed \(seed)")
    for service in try await reference.getServices() {
      let query = OperationQuery(serviceName: service)
      #expect(try await store.getOperations(query) == reference.getOperations(query), "seed \(seed)")
    }
    for offset in 0..<12 {
      let query = randomQuery(seed: seed &+ UInt64(offset) &* 7919, from: traces)
      guard query.order == .newest else { continue }
      let (ours, ourSummary) = try await store.findTraceSummaries(query).collect()
      let (theirs, theirSummary) = try await reference.findTraceSummaries(query).collect()
      #expect(ours == theirs, "seed \(seed), query \(offset): \(query)")
      #expect(ourSummary.isTruncated == theirSummary.isTruncated, "seed \(seed), query \(offset): \(query)")
      let whole = try await store.findTraces(query).collect().elements.flatMap(\.foundSpans)
      let expected = try await reference.findTraces(query).collect().elements.flatMap(\.foundSpans)
      #expect(
        Set(whole.map { ContentKey($0.resource, $0.scope, $0.span) })
          == Set(expected.map { ContentKey($0.resource, $0.scope, $0.span) }),
        "seed \(seed), query \(offset): \(query)")
      #expect(whole.count == expected.count, "seed \(seed), query \(offset): \(query)")
    }
  }
}

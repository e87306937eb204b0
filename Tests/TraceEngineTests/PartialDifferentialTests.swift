import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Histories in which half of the records are partial, with seals, merges and reopenings in between: the engine has the
/// naive store's answers, also when the cache keeps no span that was joined.
@Suite struct PartialDifferentialTests {
  private static let now: UInt64 = 1_767_225_600_000_000_000 + 330_000_000_000

  @Test(arguments: 1...9 as ClosedRange<UInt64>)
  func `random histories of partial records have the answers of the naive store`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    var options = StoreOptions(
      sealSpanCount: 100, stripeSpanCount: 16 + Int(random.next() % 40), isCompactionAutomatic: false,
      mergedSegmentSpanCount: 64 + Int(random.next() % 400), clock: { Self.now })
    // Few spans are joined together, and are let go of before the next question, or soon.
    options.joinedSpanCount = seed % 3 == 0 ? nil : 1 + Int(seed % 4)
    options.cacheByteCount = [nil, 0, 1 << 16][Int(seed % 3)]
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    let reference = ReferenceStore(clock: { Timestamp(nanoseconds: Self.now) })
    let traces = randomTraces(seed: seed, count: 24, openSpanShare: 2)
    for (index, batch) in traces.enumerated() {
      _ = try await reference.writeTraces(batch)
      _ = try await store.writeTraces(batch)
      switch random.next() % 16 {
      case 0, 1: try await store.seal()
      case 2: try await store.compact(.all)
      case 3: try await store.compact(.due)
      case 4:
        try await store.close()
        store = try await TraceStore.open(in: files, at: "store", options: options)
      default: break
      }
      // Searched often, so that what the store keeps from one search to the next is put to the test.
      if index % 5 == 0 {
        try await compareSpans(store, reference, seed &* 1_000 &+ UInt64(index), "seed \(seed), batch \(index)")
      }
      if index % 8 == 7 {
        try await compareTraces(store, reference, "seed \(seed), batch \(index)")
        try await compareLists(store, reference, "seed \(seed), batch \(index)")
      }
    }
    // What was written twice is counted twice until it is merged.
    try await store.compact(.all)
    try await compareCounts(store, reference, "seed \(seed)")
    try await store.close()
  }

  private struct Shown: Hashable {
    var key: ContentKey
    var state: SpanState

    init(_ found: FoundSpan) {
      key = ContentKey(found.resource, found.scope, found.span)
      state = found.state
    }
  }

  private func compareSpans(
    _ store: TraceStore, _ reference: ReferenceStore, _ seed: UInt64, _ place: String
  ) async throws {
    for query in [
      TraceQuery(limit: 10_000), TraceQuery(serviceName: "cart", limit: 10_000),
      TraceQuery(attributes: [Attribute("region", "eu")], limit: 10_000),
      TraceQuery(filter: randomFilter(seed: seed), limit: 10_000),
      TraceQuery(durationMinimumNanoseconds: 1_000_000_000, limit: 10_000, order: .slowest),
    ] {
      let ours = try await store.findSpans(query).collect().elements
      let theirs = try await reference.findSpans(query).collect().elements
      #expect(ours.count == theirs.count, "\(place): \(query)")
      #expect(Set(ours.map(Shown.init)) == Set(theirs.map(Shown.init)), "\(place): \(query)")
    }
  }

  private func compareTraces(_ store: TraceStore, _ reference: ReferenceStore, _ place: String) async throws {
    for isRaw in [false, true] {
      var query = TraceQuery(limit: 10_000, order: .traceID)
      query.options.isRaw = isRaw
      let ours = try await store.findTraces(query).collect().elements.flatMap(\.foundSpans)
      let theirs = try await reference.findTraces(query).collect().elements.flatMap(\.foundSpans)
      #expect(Set(ours.map(Shown.init)) == Set(theirs.map(Shown.init)), "\(place), raw: \(isRaw)")
      #expect(ours.count == theirs.count, "\(place), raw: \(isRaw)")
      let ids = Set(theirs.map(\.span.traceID)).map { GetTraceParameters($0) }
      let read = try await store.getTraces(ids, options: query.options).collect().elements.flatMap(\.foundSpans)
      #expect(Set(read.map(Shown.init)) == Set(theirs.map(Shown.init)), "\(place), raw: \(isRaw)")
    }
    let query = TraceQuery(limit: 10_000)
    #expect(
      try await store.findTraceSummaries(query).collect().elements
        == reference.findTraceSummaries(query).collect().elements, "\(place)")
    #expect(
      try await store.findTraceIDs(query).collect().elements == reference.findTraceIDs(query).collect().elements,
      "\(place)")
  }

  private func compareLists(_ store: TraceStore, _ reference: ReferenceStore, _ place: String) async throws {
    #expect(try await store.getServices() == reference.getServices(), "\(place)")
    for service in ["cart", "caf\u{e9}", "front"] {
      let query = OperationQuery(serviceName: service)
      #expect(try await store.getOperations(query) == reference.getOperations(query), "\(place)")
    }
  }

  private func compareCounts(_ store: TraceStore, _ reference: ReferenceStore, _ place: String) async throws {
    for service in ["", "cart", "front"] {
      let keys = AttributeKeyQuery(serviceName: service)
      #expect(try await store.getAttributeKeys(keys) == reference.getAttributeKeys(keys), "\(place)")
      for key in ["user", "region", "note", "tracestore.sequence"] {
        let query = AttributeValueQuery(key: key, serviceName: service)
        let ours = try await store.getAttributeValues(query).collect().elements
        let theirs = try await reference.getAttributeValues(query).collect().elements
        #expect(ours.count == theirs.count, "\(place): \(key)")
        #expect(Set(ours) == Set(theirs), "\(place): \(key)")
      }
    }
  }
}

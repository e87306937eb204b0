import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Open and enriched spans through the whole store: what is visible when, wherever the records lie.
@Suite struct PartialSpanTests {
  private static let now: UInt64 = 2_000_000_000_000
  private static let trace = TraceID(high: 1, low: 2)

  private static func options(_ now: UInt64 = Self.now) -> StoreOptions {
    StoreOptions(stripeSpanCount: 16, isCompactionAutomatic: false, clock: { now })
  }

  private static func data(
    id spanID: UInt64 = 3, service: String = "batch", end: UInt64 = 0, _ attributes: [Attribute]
  ) -> TraceData {
    let span = SpanRecord(
      traceID: trace, spanID: SpanID(spanID), name: "import", kind: .internal,
      start: Timestamp(nanoseconds: Self.now - 1_000_000_000), end: Timestamp(nanoseconds: end), attributes: attributes)
    return TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]),
        scopeSpans: [ScopeSpans(spans: [span])])
    ])
  }

  private static func update(_ sequence: Int64, _ attributes: [Attribute]) -> TraceData {
    data(attributes + [Attribute("tracestore.sequence", .int(sequence))])
  }

  private static func enrichment(_ attributes: [Attribute]) -> TraceData {
    data(service: "judge", attributes + [Attribute("tracestore.partial", true)])
  }

  private static let final = data(end: now, [Attribute("rows", 9)])

  private static func only(_ store: TraceStore, _ options: ReadOptions = ReadOptions()) async throws -> FoundSpan {
    let chunks = try await store.getTraces([GetTraceParameters(trace)], options: options).collect().elements
    let spans = chunks.flatMap(\.foundSpans)
    #expect(spans.count == 1)
    return try #require(spans.first)
  }

  private static func found(_ store: TraceStore, _ attributes: [Attribute]) async throws -> [FoundSpan] {
    try await store.findSpans(TraceQuery(attributes: attributes)).collect().elements
  }

  @Test func `an open span is there at once, grows with its updates, and is closed by its final`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options())
    _ = try await store.writeTraces(Self.update(1, [Attribute("rows", 1), Attribute("file", "a.csv")]))
    #expect(try await Self.only(store).state == .open)
    _ = try await store.writeTraces(Self.update(2, [Attribute("rows", 5)]))
    let open = try await Self.only(store)
    #expect(open.span.attributes == [Attribute("rows", 5), Attribute("file", "a.csv")])
    #expect(open.state == .open)
    #expect(try await Self.found(store, [Attribute("rows", "5"), Attribute("file", "a.csv")]) == [open])
    #expect(try await Self.found(store, [Attribute("rows", "1")]).isEmpty)
    _ = try await store.writeTraces(Self.final)
    let final = try await Self.only(store)
    #expect(final.state == .final && final.span.attributes == [Attribute("rows", 9), Attribute("file", "a.csv")])
    let summary = try #require(try await store.findTraceSummaries(TraceQuery()).collect().elements.first)
    #expect(summary.spanCount == 1 && summary.openSpanCount == 0)
    try await store.close()
  }

  @Test func `a filter sees the joined span wherever its parts lie`() async throws {
    let parts = [
      Self.update(1, [Attribute("file", "a.csv")]), Self.final, Self.enrichment([Attribute("verdict", "good")]),
      Self.update(2, [Attribute("step", 7)]),
    ]
    // Every part is sealed or not, and the segments merged or not.
    for choice in 0..<32 {
      let store = try await TraceStore.inMemory(options: Self.options())
      for (index, part) in parts.enumerated() {
        _ = try await store.writeTraces(part)
        // Asked in between, so that what is known of earlier states must give way.
        _ = try await Self.found(store, [])
        if choice >> index & 1 == 1 { try await store.seal() }
      }
      if choice >> 4 == 1 { try await store.compact(.all) }
      let wanted = [
        Attribute("file", "a.csv"), Attribute("rows", "9"), Attribute("verdict", "good"), Attribute("step", "7"),
      ]
      let found = try await Self.found(store, wanted)
      #expect(found.map(\.state) == [SpanState(.final, isEnriched: true)], "choice \(choice)")
      #expect(try await found == [Self.only(store)], "choice \(choice)")
      #expect(try await store.findTraceIDs(TraceQuery(serviceName: "judge")).collect().elements.isEmpty)
      #expect(try await store.getServices().elements == ["batch"], "choice \(choice)")
      #expect(
        try await store.getAttributeKeys(AttributeKeyQuery(level: .span)).elements.map(\.count).allSatisfy { $0 == 1 })
      #expect(try await store.findTraceSummaries(TraceQuery()).collect().elements.map(\.spanCount) == [1])
      try await store.close()
    }
  }

  @Test func `an open span is abandoned when its lease has run out`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    var store = try await TraceStore.open(in: files, at: "store", options: Self.options())
    _ = try await store.writeTraces(Self.update(1, [Attribute("tracestore.observed", .int(Int64(Self.now)))]))
    #expect(try await Self.only(store).state == .open)
    #expect(try await Self.only(store, ReadOptions(leaseNanoseconds: 0)).state == .open)
    try await store.close()
    let later = Self.now + ReadOptions.defaultLeaseNanoseconds
    for (now, state) in [(later, SpanState.open), (later + 1, .abandoned)] {
      store = try await TraceStore.open(in: files, at: "store", options: Self.options(now))
      #expect(try await Self.only(store).state == state)
      #expect(try await Self.found(store, []).map(\.state) == [state])
      try await store.close()
    }
  }

  @Test func `raw reads give the records that contribute, and these make the same span in another store`() async throws
  {
    let store = try await TraceStore.inMemory(options: Self.options())
    for sequence in 1...5 as ClosedRange<Int64> {
      _ = try await store.writeTraces(
        Self.update(sequence, [Attribute("rows", .int(sequence)), Attribute("k\(sequence / 4)", true)]))
    }
    _ = try await store.writeTraces(Self.enrichment([Attribute("verdict", "good")]))
    let raw = try await store.getTraces([GetTraceParameters(Self.trace)], options: ReadOptions(isRaw: true)).collect()
      .elements
    let spans = raw.flatMap(\.foundSpans).map(\.span)
    #expect(spans.count == 3, "updates 1, 2 and 4 are overruled")
    #expect(spans.allSatisfy { $0.attributes.contains { $0.key.hasPrefix("tracestore.") } })
    let copy = try await TraceStore.inMemory(options: Self.options())
    for chunk in raw { _ = try await copy.writeTraces(chunk.data) }
    #expect(try await Self.only(copy) == Self.only(store))
    #expect(try await Self.only(copy).state == SpanState(.open, isEnriched: true))
    try await copy.close()
    try await store.close()
  }

  @Test func `what is overruled is dropped when it is sealed and when it is merged`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options())
    for sequence in 1...10 as ClosedRange<Int64> {
      _ = try await store.writeTraces(Self.update(sequence, [Attribute("rows", .int(sequence))]))
      if sequence == 5 { try await store.seal() }
    }
    try await store.seal()
    #expect(try await store.statistics().partialRecordCount == 2)
    try await store.compact(.all)
    #expect(try await store.statistics().partialRecordCount == 1)
    #expect(try await Self.only(store).span.attributes == [Attribute("rows", 10)])
    try await store.close()
  }

  @Test func `a page goes on where the last ended, though spans were joined meanwhile`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options())
    for id in 1...6 as ClosedRange<UInt64> {
      _ = try await store.writeTraces(Self.data(id: id, [Attribute("tracestore.sequence", 1), Attribute("a", 1)]))
    }
    var query = TraceQuery(limit: 2)
    var seen: [SpanID] = []
    repeat {
      let (spans, summary) = try await store.findSpans(query).collect()
      seen += spans.map(\.span.spanID)
      query.pageToken = summary.continuation
      for id in 1...6 as ClosedRange<UInt64> {
        let sequence = Attribute("tracestore.sequence", .int(Int64(seen.count) + 1))
        _ = try await store.writeTraces(Self.data(id: id, [sequence, Attribute("b", .int(Int64(seen.count)))]))
      }
    } while query.pageToken != nil
    #expect(Set(seen).count == 6)
    try await store.close()
  }
}

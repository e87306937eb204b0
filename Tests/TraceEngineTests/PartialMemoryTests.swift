import Testing
import TraceEngine
import TraceSegment
import TracestoreTesting

/// What open spans hold in memory, counted in bytes.
@Suite struct PartialMemoryTests {
  private static let start: UInt64 = 1_767_225_600_000_000_000
  private static let spanCount = 6_000
  private static let cacheByteCount = 1 << 20

  private static func options() -> StoreOptions {
    var options = StoreOptions(isCompactionAutomatic: false)
    options.cacheByteCount = cacheByteCount
    options.joinedSpanCount = 256
    return options
  }

  /// Every span once more. Each update has a key that the others lack, so that all of them contribute.
  private static func update(_ number: Int, end: UInt64 = 0) -> TraceData {
    let spans = (0..<spanCount).map { index in
      var attributes = [Attribute("tracestore.sequence", .int(Int64(number)))]
      for key in end > 0 ? 0...number : number...number {
        attributes.append(Attribute("step.\(key)", .string("\(index) of \(key)")))
      }
      return SpanRecord(
        traceID: TraceID(high: UInt64(index) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(index) + 1),
        spanID: SpanID(UInt64(index) + 1), name: "job", kind: .internal,
        start: Timestamp(nanoseconds: start + UInt64(index)), end: Timestamp(nanoseconds: end), attributes: attributes)
    }
    let resource = Resource(attributes: [Attribute("service.name", "worker")])
    return TraceData(resourceSpans: [ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(spans: spans)])])
  }

  private static func expectBound(_ store: TraceStore, _ place: String) {
    let (cache, overlayByteCount) = store.cacheStatistics
    #expect(cache.residentByteCount + overlayByteCount <= cacheByteCount, "\(place)")
    // The ids of a span, and some bits for each of its records.
    #expect(overlayByteCount <= spanCount * 26 + 20_000, "\(place)")
  }

  @Test func `joined spans come and go within the cache, and every one of them is found`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options())
    for number in 0..<3 {
      _ = try await store.writeTraces(Self.update(number))
      try await store.seal()
      _ = try await store.findSpans(TraceQuery(limit: 20)).collect()
      Self.expectBound(store, "after update \(number)")
    }
    #expect(store.cacheStatistics.overlayByteCount >= Self.spanCount * 24)
    let before = store.cacheStatistics.cache.evictionCount
    let all = try await store.findSpans(TraceQuery(limit: Self.spanCount * 2)).collect().elements
    #expect(all.count == Self.spanCount && all.allSatisfy { $0.state != .final && $0.span.attributes.count == 3 })
    #expect(store.cacheStatistics.cache.evictionCount > before)
    Self.expectBound(store, "after all were read")
    // Found one by one too, whatever the cache still holds.
    for index in stride(from: 0, to: Self.spanCount, by: 997) {
      let query = TraceQuery(attributes: [
        Attribute("step.0", .string("\(index) of 0")), Attribute("step.2", .string("\(index) of 2")),
      ])
      #expect(try await store.findSpans(query).collect().elements.map(\.span.spanID) == [SpanID(UInt64(index) + 1)])
    }
    #expect(try await store.getOperations(OperationQuery(serviceName: "worker")).elements.count == 1)
    Self.expectBound(store, "after lists")
    try await store.close()
  }

  @Test func `spans that have ended hold nothing once their records are merged`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options())
    for number in 0..<2 { _ = try await store.writeTraces(Self.update(number)) }
    try await store.seal()
    _ = try await store.findSpans(TraceQuery(limit: 20)).collect()
    #expect(store.cacheStatistics.overlayByteCount >= Self.spanCount * 24)
    _ = try await store.writeTraces(Self.update(1, end: Self.start + 1_000_000_000))
    try await store.compact(.all)
    let found = try await store.findSpans(TraceQuery(limit: Self.spanCount * 2)).collect().elements
    #expect(found.count == Self.spanCount && found.allSatisfy { $0.state == .final })
    // A bit for each record.
    #expect(store.cacheStatistics.overlayByteCount < 20_000)
    try await store.close()
  }

  @Test func `what the overlay knows counts as memory of the store`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options())
    for number in 0..<2 { _ = try await store.writeTraces(Self.update(number)) }
    try await store.seal()
    let before = try await store.statistics().memoryByteCount
    let cached = store.cacheStatistics.cache.residentByteCount
    _ = try await store.findSpans(TraceQuery(limit: 1)).collect()
    let (cache, overlayByteCount) = store.cacheStatistics
    let after = try await store.statistics().memoryByteCount
    #expect(after - before >= cache.residentByteCount - cached + overlayByteCount - 4_096)
    try await store.close()
  }
}

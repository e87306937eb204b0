import Testing
import TraceEngine
import TraceFiles
import TraceModel
import TracestoreTesting
import TracestoreV2

/// Metrics of the engine against a recount.
@Suite struct MetricsTests {
  private func options(_ seed: UInt64, _ random: inout SeededRandom) -> StoreOptions {
    StoreOptions(
      sealSpanCount: 150, stripeSpanCount: 16 + Int(random.next() % 100), isCompactionAutomatic: seed % 2 == 0,
      mergedSegmentSpanCount: 64 + Int(random.next() % 400))
  }

  /// Some of the records of a batch become partial by their flag.
  private func withPartials(_ batch: TraceData, _ random: inout SeededRandom) -> TraceData {
    var batch = batch
    for group in batch.resourceSpans.indices {
      for scope in batch.resourceSpans[group].scopeSpans.indices {
        for span in batch.resourceSpans[group].scopeSpans[scope].spans.indices where random.next() % 6 == 0 {
          batch.resourceSpans[group].scopeSpans[scope].spans[span].attributes.append(
            Attribute("tracestore.partial", .bool(random.next() % 4 != 0)))
        }
      }
    }
    return batch
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `random histories have the figures of a recount, before and after seals, merges and restarts`(
    _ seed: UInt64
  ) async throws {
    var random = SeededRandom(seed: seed)
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let options = options(seed, &random)
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    let reference = ReferenceStore()
    let batches = randomTraces(seed: seed, count: 60, openSpanShare: seed % 3 == 0 ? 5 : 0)
    for (index, batch) in batches.enumerated() {
      let batch = withPartials(batch, &random)
      _ = try await reference.writeTraces(batch)
      _ = try await store.writeTraces(batch)
      if random.next() % 6 == 0 { _ = try await store.writeTraces(batch) }
      if random.next() % 12 == 0 { try await store.seal() }
      if random.next() % 12 == 0 { try await store.compact(random.next() % 2 == 0 ? .all : .due) }
      if random.next() % 30 == 0 {
        try await store.close()
        store = try await TraceStore.open(in: files, at: "store", options: options)
      }
      if index % 30 == 29 { try await compare(store, reference, batches, seed &* 1000 &+ UInt64(index)) }
    }
    try await store.compact(.all)
    try await compare(store, reference, batches, seed &* 1000 &+ 999)
    try await store.close()
  }

  private func compare(
    _ store: any MetricsReader, _ reference: any MetricsReader, _ batches: [TraceData], _ seed: UInt64
  ) async throws {
    for offset in 0..<6 as Range<UInt64> {
      let query = randomMetricsQuery(seed: seed &+ offset &* 7919, from: batches)
      let place: Comment = "seed \(seed), query \(offset): \(query)"
      let pairs = try await [
        (store.getLatencies(query), reference.getLatencies(query)),
        (store.getCallRates(query), reference.getCallRates(query)),
        (store.getErrorRates(query), reference.getErrorRates(query)),
      ]
      for (ours, theirs) in pairs {
        #expect(ours.name == theirs.name, place)
        #expect(ours.metrics == theirs.metrics, place)
        #expect(ours.errorBound == 0, place)
        #expect(ours.summary.isTruncated == theirs.summary.isTruncated, place)
        #expect(ours.summary.damage.isEmpty, place)
      }
    }
  }

  @Test func `an estimate keeps its bound, and exact means exact`() async throws {
    let store = try await TraceStore.inMemory(options: StoreOptions(stripeSpanCount: 500))
    let reference = ReferenceStore()
    for batch in Self.manyCalls(count: 1200) {
      _ = try await store.writeTraces(batch)
      _ = try await reference.writeTraces(batch)
    }
    // Whole minutes come from cells where they can.
    for (isSealed, isByMinute) in [(false, false), (true, false), (true, true)] {
      if isSealed { try await store.compact(.all) }
      for quantile in [0, 0.05, 0.95, 1] {
        var query = MetricsQuery(
          serviceNames: ["api"], end: Timestamp(nanoseconds: 4_000_000_000_000),
          lookbackNanoseconds: 4_000_000_000_000, stepNanoseconds: isByMinute ? 1_800_000_000_000 : 2_000_000_000_000,
          quantile: quantile)
        let exact = try await reference.getLatencies(query)
        let estimate = try await store.getLatencies(query)
        #expect(estimate.errorBound == 1.0 / 64)
        #expect(estimate.metrics.map(\.labels) == exact.metrics.map(\.labels))
        for (ours, theirs) in zip(estimate.metrics[0].points, exact.metrics[0].points) {
          #expect(ours.time == theirs.time)
          #expect(abs(ours.value - theirs.value) <= theirs.value * (estimate.errorBound + 1e-12))
        }
        query.isExact = true
        let precise = try await store.getLatencies(query)
        #expect(precise.errorBound == 0)
        #expect(precise.metrics == exact.metrics)
      }
    }
    try await store.close()
  }

  /// Calls of one operation, some of which are errors.
  private static func manyCalls(count: Int) -> [TraceData] {
    var random = SeededRandom(seed: 77)
    return (0..<(count / 100)).map { batch in
      let spans = (0..<100).map { index in
        let start = UInt64(random.below(4_000)) * 1_000_000_000
        return SpanRecord(
          traceID: TraceID(high: 7, low: UInt64(batch * 100 + index + 1)), spanID: SpanID(UInt64(index + 1)),
          name: "get",
          kind: .server, start: Timestamp(nanoseconds: start),
          end: Timestamp(nanoseconds: start + random.next() >> UInt64(24 + random.below(24))),
          status: SpanStatus(code: random.isOneIn(5) ? .error : .unset))
      }
      return TraceData(resourceSpans: [
        ResourceSpans(
          resource: Resource(attributes: [Attribute("service.name", .string("api"))]),
          scopeSpans: [ScopeSpans(spans: spans)])
      ])
    }
  }

  @Test func `windows are half open`() async throws {
    let store = try await TraceStore.inMemory()
    let times: [UInt64] = [99, 100, 149, 150, 199, 200]
    for (index, time) in times.enumerated() {
      _ = try await store.writeTraces(Self.call(index + 1, start: time, duration: UInt64(index + 1) * 1_000_000))
    }
    // [100, 200) in steps of 50.
    let query = MetricsQuery(
      serviceNames: ["api"], spanKinds: [], end: Timestamp(nanoseconds: 200), lookbackNanoseconds: 100,
      stepNanoseconds: 50, ratePerNanoseconds: 100, quantile: 1)
    let latencies = try await store.getLatencies(query).metrics.first?.points
    #expect(latencies?.map(\.time.nanoseconds) == [100, 150] && latencies?.map(\.value) == [3, 5])
    // Points at 100 and 150, over [0, 100) and [50, 150).
    let rates = try await store.getCallRates(query).metrics.first?.points
    #expect(rates?.map(\.time.nanoseconds) == [100, 150] && rates?.map(\.value) == [1e7, 3e7])
    try await store.close()
  }

  @Test func `rates that look back further than time goes have their points`() async throws {
    let store = try await TraceStore.inMemory()
    for time in [UInt64(100), 103] {
      _ = try await store.writeTraces(Self.call(Int(time), start: time, duration: 1_000_000))
    }
    for lookBack: UInt64 in [.max, .max - 1, 1 << 63] {
      let query = MetricsQuery(
        serviceNames: ["api"], spanKinds: [], end: Timestamp(nanoseconds: 106), lookbackNanoseconds: 10,
        stepNanoseconds: 1, ratePerNanoseconds: lookBack)
      let rates = try await store.getCallRates(query).metrics.first?.points
      #expect(rates?.map(\.time.nanoseconds) == [101, 102, 103, 104, 105])
    }
    try await store.close()
  }

  private static func call(_ id: Int, start: UInt64, duration: UInt64) -> TraceData {
    let span = SpanRecord(
      traceID: TraceID(high: 1, low: UInt64(id)), spanID: SpanID(UInt64(id)), name: "get", kind: .server,
      start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + duration))
    return TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string("api"))]),
        scopeSpans: [ScopeSpans(spans: [span])])
    ])
  }

  @Test func `a query out of bounds is refused by name`() async throws {
    let store = try await TraceStore.inMemory()
    var query = MetricsQuery(serviceNames: ["api"], end: .maximum)
    await #expect(throws: TracestoreError.self) { try await store.getLatencies(query) }
    query.quantile = .nan
    await #expect(throws: TracestoreError.self) { try await store.getLatencies(query) }
    query = MetricsQuery(
      serviceNames: ["api"], groups: [.attribute(AttributeReference("a", AttributeLevel(rawValue: "planet")))],
      end: .maximum)
    await #expect(throws: TracestoreError.self) { try await store.getCallRates(query) }
    query = MetricsQuery(serviceNames: ["api"], end: .zero, quantile: 0.5)
    #expect(try await store.getLatencies(query).metrics.isEmpty)
    try await store.close()
  }
}

import Testing
import TraceIngest
import TraceModel
import TraceOTLP
import TraceQuery
import TraceSource
import TracestoreTesting
import TracestoreV2

/// Many sources that repeat each other, read at once and one after the other.
@Suite struct MetricsPassesTests {
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `no way of walking through the sources changes a figure`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let reference = ReferenceStore()
    let memtables = (0..<4).map { _ in Memtable(endZeroMeansOpen: true) }
    let batches = randomTraces(seed: seed, count: 50, openSpanShare: seed % 2 == 0 ? 5 : 0)
    for batch in batches {
      _ = try await reference.writeTraces(batch)
      for _ in 0...random.below(2) { try Self.append(batch, to: random.pick(memtables)) }
    }
    let snapshot = QuerySnapshot(
      sources: memtables.map { $0.source() as any SpanSource }.filter { !$0.stripes.isEmpty }, storeFingerprint: 0)
    for offset in 0..<8 as Range<UInt64> {
      let query = randomMetricsQuery(seed: seed &* 1000 &+ offset, from: batches)
      let pairs: [(MetricsSearch.Measure, MetricFamily)] = try await [
        (.latencies, reference.getLatencies(query)), (.callRates, reference.getCallRates(query)),
        (.errorRates, reference.getErrorRates(query)),
      ]
      for (measure, expected) in pairs {
        for maximumRowCount in [1, MetricsSearch.maximumRowCount] {
          let family = try MetricsSearch(
            measure, query, in: snapshot, parallel: { count, body in (0..<count).forEach(body) },
            maximumRowCount: maximumRowCount
          ).run()
          #expect(
            family.metrics == expected.metrics,
            "seed \(seed), query \(offset) of \(maximumRowCount): \(measure) \(query)")
          #expect(family.summary.isTruncated == expected.summary.isTruncated)
        }
      }
    }
  }

  @Test func `what is folded gives the same estimates and the same exact quantiles`() throws {
    var random = SeededRandom(seed: 5)
    let memtables = (0..<3).map { _ in Memtable(endZeroMeansOpen: true) }
    for memtable in memtables {
      let spans = (0..<300).map { index in
        let start = 1_000_000_000 + UInt64(random.below(60)) * 1_000_000_000
        return SpanRecord(
          traceID: TraceID(high: 1, low: random.next() | 1), spanID: SpanID(UInt64(index + 1)), name: "get",
          kind: .server,
          start: Timestamp(nanoseconds: start),
          end: Timestamp(nanoseconds: start + random.next() >> UInt64(24 + random.below(24))))
      }
      try Self.append(
        TraceData(resourceSpans: [
          ResourceSpans(
            resource: Resource(attributes: [Attribute("service.name", .string("api"))]),
            scopeSpans: [ScopeSpans(spans: spans)])
        ]), to: memtable)
    }
    let snapshot = QuerySnapshot(sources: memtables.map { $0.source() }, storeFingerprint: 0)
    for isExact in [false, true] {
      let query = MetricsQuery(
        serviceNames: ["api"], end: Timestamp(nanoseconds: 100_000_000_000), lookbackNanoseconds: 100_000_000_000,
        stepNanoseconds: 50_000_000_000, quantile: 0.9, isExact: isExact, exemplarCount: 2)
      let families = try [1, MetricsSearch.maximumRowCount].map {
        try MetricsSearch(
          .latencies, query, in: snapshot, parallel: { count, body in (0..<count).forEach(body) }, maximumRowCount: $0
        ).run()
      }
      #expect(families[0] == families[1])
      #expect(families[0].errorBound == (isExact ? 0 : 1.0 / 64))
      #expect(families[0].metrics.first?.points.count == 2)
    }
  }

  private static func append(_ data: TraceData, to memtable: Memtable) throws {
    let batch = SpanBatch()
    try OTLP.encode(data).withUnsafeBytes { bytes in
      try OTLPBatchDecoder.decode(bytes, into: batch)
      memtable.publish(try memtable.append(batch, arrivalNanoseconds: 1))
    }
  }
}

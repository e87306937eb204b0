import Testing
import TraceBytes
import TraceFiles
import TraceIngest
import TraceModel
import TraceOTLP
import TraceQuery
import TraceSegment
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

  /// Small stripes of segments, which have cells, beside a memtable; whole minutes and cut ones, in one slice and in
  /// many.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `cells and slices change no figure`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let reference = ReferenceStore()
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    var sources: [any SpanSource] = []
    var sent: [TraceData] = []
    for number in 1...3 as ClosedRange<UInt64> {
      let data = Self.minutes(seed: seed &* 10 &+ number, traceCount: 120)
      _ = try await reference.writeTraces(data)
      let memtable = Memtable(endZeroMeansOpen: true)
      try Self.append(data, to: memtable)
      // What another segment has too counts once.
      if let again = sent.last, seed % 2 == 0 { try Self.append(again, to: memtable) }
      sent.append(data)
      sources.append(number == 3 ? memtable.source() : try Self.segment(of: memtable, number, in: files))
    }
    let snapshot = QuerySnapshot(sources: sources, storeFingerprint: 0)
    let minute = CallCells.nanoseconds
    for isExact in [false, true] {
      for seriesCount in [1, 3, 1000] {
        var query = MetricsQuery(
          serviceNames: ["api", "cart"], groups: random.isOneIn(2) ? [.operation] : [], spanKinds: [],
          end: Timestamp(nanoseconds: Self.epoch + 20 * minute + random.pick([0, 7, minute / 3])),
          lookbackNanoseconds: random.pick([20, 9]) * minute, stepNanoseconds: minute * random.pick([1, 3]),
          ratePerNanoseconds: minute * random.pick([1, 5]), quantile: random.pick([0, 0.01, 0.05, 0.5, 0.95, 1]),
          isExact: isExact)
        query.maximumSeriesCount = seriesCount
        let pairs: [(MetricsSearch.Measure, MetricFamily)] = try await [
          (.latencies, reference.getLatencies(query)), (.callRates, reference.getCallRates(query)),
          (.errorRates, reference.getErrorRates(query)),
        ]
        for (measure, expected) in pairs {
          for maximumRowCount in [1, 40, 400, 1000, MetricsSearch.maximumRowCount] {
            let family = try MetricsSearch(
              measure, query, in: snapshot, parallel: { count, body in (0..<count).forEach(body) },
              maximumRowCount: maximumRowCount, maximumGroupRowCount: seed < 3 ? CallGroup.maximumRowCount : 100
            ).run()
            #expect(family.metrics == expected.metrics, "seed \(seed), \(maximumRowCount) rows: \(measure) \(query)")
          }
        }
      }
    }
  }

  @Test func `calls that are read twice are ranked by their number`() throws {
    // More calls of "a" in one bucket than are held, but fewer than "b" has.
    let calls = [("a", 300, 1), ("b", 500, 10)]
    let memtables = try calls.map { name, count, bucketCount in
      let memtable = Memtable(endZeroMeansOpen: true)
      try Self.append(
        Self.data(
          (0..<count).map { index in
            Self.span(name, start: UInt64(1 + index % bucketCount) * 1_000_000_000, duration: UInt64(index), id: index)
          }), to: memtable)
      return memtable
    }
    let snapshot = QuerySnapshot(sources: memtables.map { $0.source() }, storeFingerprint: 0)
    var query = MetricsQuery(
      serviceNames: ["api"], groups: [.operation], end: Timestamp(nanoseconds: 20_000_000_000),
      lookbackNanoseconds: 20_000_000_000, stepNanoseconds: 1_000_000_000, quantile: 0.5, isExact: true)
    query.maximumSeriesCount = 1
    for maximumRowCount in [200, MetricsSearch.maximumRowCount] {
      let family = try MetricsSearch(
        .latencies, query, in: snapshot, parallel: { count, body in (0..<count).forEach(body) },
        maximumRowCount: maximumRowCount
      ).run()
      #expect(family.metrics.first?.labels.last?.value == "b", "\(maximumRowCount)")
    }
  }

  @Test func `operations whose hashes agree stay apart`() async throws {
    let service = String(repeating: "s", count: 14)
    let names = ["GET /products/abtdrvr1rf114ef221", "GET /products/xy[L+p/rp'Zfø\u{15}ry."]
    let hashes = names.map { name in
      var writer = ByteWriter()
      for text in [service, name] { writer.appendLengthPrefixed(Array(text.utf8)) }
      return Hash128(of: writer.bytes)
    }
    #expect(hashes[0] == hashes[1])
    let reference = ReferenceStore()
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    // One of them in each source, so that they meet in the table of series, and both in the last. Often enough that
    // segments have cells of them.
    var segments: [any SpanSource] = []
    var memtables: [any SpanSource] = []
    for (number, places) in [[0], [1], [0], [1], [0, 1]].enumerated() {
      let memtable = Memtable(endZeroMeansOpen: true)
      let spans = (0..<12).map { index in
        let place = places[index % places.count]
        return Self.span(names[place], start: Self.epoch, duration: UInt64(1 + place), id: 100 * number + index)
      }
      let data = Self.data(spans, service: service)
      _ = try await reference.writeTraces(data)
      try Self.append(data, to: memtable)
      if [0, 3, 4].contains(number) {
        segments.append(try Self.segment(of: memtable, UInt64(number + 1), in: files))
      } else {
        memtables.append(memtable.source())
      }
    }
    let snapshot = QuerySnapshot(sources: segments + memtables, storeFingerprint: 0)
    let query = MetricsQuery(
      serviceNames: [service], groups: [.operation], end: Timestamp(nanoseconds: Self.epoch + CallCells.nanoseconds),
      lookbackNanoseconds: CallCells.nanoseconds, stepNanoseconds: CallCells.nanoseconds, quantile: 1)
    let family = try MetricsSearch(
      .latencies, query, in: snapshot, parallel: { count, body in (0..<count).forEach(body) }
    ).run()
    #expect(family.metrics.map { $0.labels.last?.value } == names)
    #expect(try await family.metrics == reference.getLatencies(query).metrics)
  }

  private static let epoch: UInt64 = 28_333_333 * 60_000_000_000

  private static func span(_ name: String, start: UInt64, duration: UInt64, id: Int) -> SpanRecord {
    SpanRecord(
      traceID: TraceID(high: 9, low: UInt64(id / 3 + 1)), spanID: SpanID(UInt64(id + 1)), name: name, kind: .server,
      start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + duration),
      status: SpanStatus(code: id % 7 == 0 ? .error : .unset))
  }

  private static func data(_ spans: [SpanRecord], service: String = "api") -> TraceData {
    TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]),
        scopeSpans: [ScopeSpans(spans: spans)])
    ])
  }

  /// Traces of two services over twenty minutes.
  private static func minutes(seed: UInt64, traceCount: Int) -> TraceData {
    var random = SeededRandom(seed: seed)
    var data = TraceData()
    for service in ["api", "cart"] {
      let spans = (0..<traceCount).map { index in
        var span = span(
          "operation \(random.below(4))", start: epoch + UInt64(random.below(1_200_000)) * 1_000_000,
          duration: random.next() >> UInt64(24 + random.below(30)), id: index)
        span.traceID = TraceID(high: seed, low: UInt64(index + 1))
        return span
      }
      data.resourceSpans += Self.data(spans, service: service).resourceSpans
    }
    return data
  }

  private static func segment(
    of memtable: Memtable, _ number: UInt64, in files: SimulatedFileSystem
  ) throws -> Segment {
    let view = memtable.source().view
    let selection = try SealSelection(view, live: [])
    let file = try files.open("segment \(number)", .create)
    _ = try SegmentWriter.write(
      view, rows: selection.rows, partialRows: selection.partialRows, options: SegmentOptions(stripeRowCount: 40),
      to: file)
    return try Segment.open(
      file: files.open("segment \(number)", .read), number: number, path: "segment \(number)",
      cache: BlockCache(maximumByteCount: number == 1 ? 0 : 1 << 20))
  }

  private static func append(_ data: TraceData, to memtable: Memtable) throws {
    let batch = SpanBatch()
    try OTLP.encode(data).withUnsafeBytes { bytes in
      try OTLPBatchDecoder.decode(bytes, into: batch)
      memtable.publish(try memtable.append(batch, arrivalNanoseconds: 1))
    }
  }
}

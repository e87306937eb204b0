import Testing
import TraceEngine
import TraceFiles
import TraceIngest
import TraceModel
import TraceOTLP
import TraceQuery
import TraceSegment
import TraceSource
import TracestoreTesting
import TracestoreV2

/// Segments over one cache and a memtable, some of whose spans stand in several of them.
struct KeptSources {
  static let minute: UInt64 = 60_000_000_000
  static let epoch: UInt64 = 28_333_333 * minute
  static let segmentCount = 6

  private(set) var all: [any SpanSource] = []
  private(set) var batches: [[TraceData]] = []
  let cache: BlockCache
  private let files = SimulatedFileSystem(isDurabilityTracked: false)
  private let repeats = RepeatMemory()

  /// None yet.
  init(cacheByteCount: Int) { cache = BlockCache(maximumByteCount: cacheByteCount) }

  /// - Parameters:
  ///   - cacheByteCount: of all blocks.
  ///   - damaged: the segment of which a page of durations cannot be read.
  ///   - isRepeating: whether segments may have a batch of the one before.
  init(seed: UInt64, cacheByteCount: Int, damaged: Int?, isRepeating: Bool = true) throws {
    self.init(cacheByteCount: cacheByteCount)
    var random = SeededRandom(seed: seed)
    for number in 0...Self.segmentCount {
      var own = [Self.spans(&random, number: number, count: [40, 300, 900][random.below(3)])]
      if isRepeating, random.isOneIn(4), let earlier = batches.last?.first { own.append(earlier) }
      if number < Self.segmentCount {
        try seal(own, stripeRowCount: 60 + random.below(40), isDamaged: number == damaged)
      } else {
        all.append(try Self.memtable(own).source())
        batches.append(own)
      }
    }
  }

  /// One more segment.
  mutating func seal(_ own: [TraceData], stripeRowCount: Int, isDamaged: Bool = false) throws {
    let view = try Self.memtable(own).source().view
    let selection = try SealSelection(view, live: [])
    let path = "segment \(all.count)"
    _ = try SegmentWriter.write(
      view, rows: selection.rows, partialRows: selection.partialRows,
      options: SegmentOptions(stripeRowCount: stripeRowCount), to: try files.open(path, .create))
    if isDamaged {
      let file = try files.open(path, .read)
      let segment = try Segment.open(file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: 1 << 20))
      let stripes = try segment.spanStripes()
      let column = try #require(
        try stripes[stripes.count / 2].describe().chunks.first { $0.name == "span.duration" })
      var bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
      bytes[Int(column.offset) + column.byteCount - 3] ^= 0x10
      try files.overwrite(path, with: bytes)
    }
    all.append(
      try Segment.open(file: files.open(path, .read), number: UInt64(all.count + 1), path: path, cache: cache))
    batches.append(own)
  }

  private static func memtable(_ batches: [TraceData]) throws -> Memtable {
    let memtable = Memtable(endZeroMeansOpen: true)
    for data in batches {
      let batch = SpanBatch()
      try OTLP.encode(data).withUnsafeBytes { bytes in
        try OTLPBatchDecoder.decode(bytes, into: batch)
        memtable.publish(try memtable.append(batch, arrivalNanoseconds: 1))
      }
    }
    return memtable
  }

  /// - Parameters:
  ///   - chosen: places of sources.
  ///   - maximumGroupRowCount: 0 for nothing that is kept.
  ///   - damage: what is known before the question.
  func answer(
    _ measure: MetricsSearch.Measure, _ query: MetricsQuery, of chosen: [Int],
    maximumRowCount: Int = MetricsSearch.maximumRowCount, maximumGroupRowCount: Int = 100, damage: [String] = [],
    parallel: @escaping SegmentParallelism = { count, body in (0..<count).forEach(body) }
  ) throws -> MetricFamily {
    let snapshot = QuerySnapshot(
      sources: chosen.map { all[$0] }, storeFingerprint: 0, damage: damage, repeats: repeats)
    return try MetricsSearch(
      measure, query, in: snapshot, parallel: parallel, maximumRowCount: maximumRowCount,
      maximumGroupRowCount: maximumGroupRowCount
    ).run()
  }

  /// Compares the answers of some sources with those of a scan, and with a recount.
  ///
  /// - Parameter isWhole: whether none of the sources is damaged.
  func check(
    _ query: MetricsQuery, of chosen: [Int], maximumRowCounts: [Int], isWhole: Bool, _ random: inout SeededRandom,
    _ place: String
  ) async throws {
    let reference = ReferenceStore()
    for source in chosen { for batch in batches[source] { _ = try await reference.writeTraces(batch) } }
    let expected: [(MetricsSearch.Measure, MetricFamily)] = try await [
      (.latencies, reference.getLatencies(query)), (.callRates, reference.getCallRates(query)),
      (.errorRates, reference.getErrorRates(query)),
    ]
    for (measure, counted) in expected {
      let maximumRowCount = random.pick(maximumRowCounts)
      let family = try answer(measure, query, of: chosen, maximumRowCount: maximumRowCount)
      let scanned = try answer(measure, query, of: chosen, maximumGroupRowCount: 0)
      let what: Comment = "\(place) of \(chosen), \(maximumRowCount) rows: \(measure) \(query)"
      #expect(family == scanned, what)
      if isWhole {
        // The reference is always exact.
        if family.errorBound == 0 { #expect(family.metrics == counted.metrics, what) }
        #expect(family.summary.damage.isEmpty)
      }
    }
  }

  /// The cache forgets what stands in files: what is left is kept of questions.
  func forgetFiles() {
    for place in all.indices { cache.removeBlocks(ofFile: UInt64(place + 1)) }
  }

  static func spans(_ random: inout SeededRandom, number: Int, count: Int) -> TraceData {
    let services = ["api", "cart"].map { service in
      let spans = (0..<count / 2).map { index in
        // Segments overlap those beside them.
        let start = epoch + UInt64(number) * 4 * minute + UInt64(random.below(300_000)) * 1_000_000
        let duration = random.next() >> UInt64(24 + random.below(30))
        return SpanRecord(
          traceID: TraceID(high: UInt64(number + 1), low: UInt64(index + 1)),
          spanID: SpanID(UInt64(index * 2 + (service == "api" ? 1 : 2))),
          name: "operation \(random.below(4))", kind: random.isOneIn(3) ? .client : .server,
          start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + duration),
          attributes: random.isOneIn(4) ? [] : [Attribute("http.route", .string("/\(random.below(3))"))],
          status: SpanStatus(code: random.isOneIn(5) ? .error : .unset))
      }
      return ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]),
        scopeSpans: [ScopeSpans(spans: spans)])
    }
    return TraceData(resourceSpans: services)
  }

  static func query(_ random: inout SeededRandom) -> MetricsQuery {
    var query = MetricsQuery(
      serviceNames: random.pick([["api"], ["api", "cart"]]), groups: random.isOneIn(2) ? [.operation] : [],
      spanKinds: random.pick([[], [.server], [.server, .client]]),
      end: Timestamp(
        nanoseconds: epoch + UInt64(5 + random.below(30)) * minute + random.pick([0, 0, 7, minute / 3])),
      lookbackNanoseconds: random.pick([40, 9, 3]) * minute, stepNanoseconds: minute * random.pick([1, 1, 3]),
      ratePerNanoseconds: minute * random.pick([1, 5]), quantile: random.pick([0, 0.05, 0.5, 0.95, 1]),
      isExact: random.isOneIn(3))
    query.maximumSeriesCount = random.pick([2, 1000])
    return query
  }
}

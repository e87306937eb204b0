import Synchronization
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

/// Cells that are kept and brought together, while segments come and go.
@Suite struct KeptCellsTests {
  private static let minute: UInt64 = 60_000_000_000
  private static let epoch: UInt64 = 28_333_333 * minute
  private static let segmentCount = 6

  /// Segments over one cache and a memtable, some of whose spans stand in several of them.
  private struct Sources {
    var all: [any SpanSource] = []
    var batches: [[TraceData]] = []
    let cache: BlockCache
    private let repeats = RepeatMemory()

    /// - Parameters:
    ///   - cacheByteCount: of all blocks.
    ///   - damaged: the segment of which a page of durations cannot be read.
    ///   - isRepeating: whether segments may have a batch of the one before.
    init(seed: UInt64, cacheByteCount: Int, damaged: Int?, isRepeating: Bool = true) throws {
      var random = SeededRandom(seed: seed)
      let files = SimulatedFileSystem(isDurabilityTracked: false)
      cache = BlockCache(maximumByteCount: cacheByteCount)
      for number in 0...KeptCellsTests.segmentCount {
        var own = [KeptCellsTests.spans(&random, number: number, count: [40, 300, 900][random.below(3)])]
        if isRepeating, random.isOneIn(4), let earlier = batches.last?.first { own.append(earlier) }
        let memtable = Memtable(endZeroMeansOpen: true)
        for batch in own { try memtable.append(batch) }
        batches.append(own)
        guard number < KeptCellsTests.segmentCount else {
          all.append(memtable.source())
          continue
        }
        let view = memtable.source().view
        let selection = try SealSelection(view, live: [])
        let path = "segment \(number)"
        _ = try SegmentWriter.write(
          view, rows: selection.rows, partialRows: selection.partialRows,
          options: SegmentOptions(stripeRowCount: 60 + random.below(40)), to: try files.open(path, .create))
        if number == damaged {
          let file = try files.open(path, .read)
          let segment = try Segment.open(
            file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: 1 << 20))
          let stripes = try segment.spanStripes()
          let column = try #require(
            try stripes[stripes.count / 2].describe().chunks.first { $0.name == "span.duration" })
          var bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
          bytes[Int(column.offset) + column.byteCount - 3] ^= 0x10
          try files.overwrite(path, with: bytes)
        }
        all.append(
          try Segment.open(file: files.open(path, .read), number: UInt64(number + 1), path: path, cache: cache))
      }
    }

    /// - Parameter maximumGroupRowCount: 0 for nothing that is kept.
    func answer(
      _ measure: MetricsSearch.Measure, _ query: MetricsQuery, of chosen: [Int], maximumRowCount: Int,
      maximumGroupRowCount: Int
    ) throws -> MetricFamily {
      try MetricsSearch(
        measure, query, in: QuerySnapshot(sources: chosen.map { all[$0] }, storeFingerprint: 0, repeats: repeats),
        parallel: { count, body in (0..<count).forEach(body) }, maximumRowCount: maximumRowCount,
        maximumGroupRowCount: maximumGroupRowCount
      ).run()
    }
  }

  /// One of four seeds has a cache in which nothing stays, one of two a damaged segment.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `segments that come and go leave no wrong figure behind`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed &+ 7)
    let damaged = seed % 2 == 0 ? random.below(Self.segmentCount) : nil
    let sources = try Sources(
      seed: seed, cacheByteCount: [64 << 20, 64 << 20, 1 << 18, 0][Int(seed % 4)], damaged: damaged)
    var chosen = Array(0...Self.segmentCount)
    for turn in 0..<24 {
      if random.isOneIn(2) {
        let changed = random.below(sources.all.count)
        chosen = chosen.contains(changed) ? chosen.filter { $0 != changed } : (chosen + [changed]).sorted()
      }
      let query = Self.query(&random)
      let reference = ReferenceStore()
      for source in chosen { for batch in sources.batches[source] { _ = try await reference.writeTraces(batch) } }
      let expected: [(MetricsSearch.Measure, MetricFamily)] = try await [
        (.latencies, reference.getLatencies(query)), (.callRates, reference.getCallRates(query)),
        (.errorRates, reference.getErrorRates(query)),
      ]
      for (measure, counted) in expected {
        let maximumRowCount = random.pick([200, 2000, MetricsSearch.maximumRowCount])
        let family = try sources.answer(
          measure, query, of: chosen, maximumRowCount: maximumRowCount, maximumGroupRowCount: 100)
        let scanned = try sources.answer(
          measure, query, of: chosen, maximumRowCount: MetricsSearch.maximumRowCount, maximumGroupRowCount: 0)
        let what: Comment = "seed \(seed), turn \(turn) of \(chosen), \(maximumRowCount) rows: \(measure) \(query)"
        #expect(family == scanned, what)
        if damaged.map({ !chosen.contains($0) }) ?? true {
          // The reference is always exact.
          if family.errorBound == 0 { #expect(family.metrics == counted.metrics, what) }
          #expect(family.summary.damage.isEmpty)
        }
      }
    }
  }

  @Test func `the second question brings groups together, and the third one finds them`() throws {
    let sources = try Sources(seed: 3, cacheByteCount: 64 << 20, damaged: nil)
    let segments = sources.all.compactMap { $0 as? Segment }
    let query = MetricsQuery(
      serviceNames: [], groups: [.operation], spanKinds: [], end: Timestamp(nanoseconds: Self.epoch + 60 * Self.minute),
      lookbackNanoseconds: 60 * Self.minute, stepNanoseconds: Self.minute, quantile: 0.9)
    var answers: [MetricFamily] = []
    var cells: [Set<ObjectIdentifier>] = []
    for _ in 0..<4 {
      answers.append(
        try sources.answer(
          .latencies, query, of: [0, 1, 2, 3, 4, 5], maximumRowCount: MetricsSearch.maximumRowCount,
          maximumGroupRowCount: 100))
      let groups = try segments.flatMap { try $0.callGroups(maximumRowCount: 100) }
      let blocks = groups.compactMap(\.heldCells)
      cells.append(Set(blocks.map(ObjectIdentifier.init)))
    }
    #expect(cells[0].count > 4 * cells[1].count, "\(cells.map(\.count))")
    #expect(cells[2].count <= cells[1].count && cells[3] == cells[2])
    #expect(Set(answers).count == 1)
  }

  @Test func `quantiles are kept where cells are points, not where these bring them together`() throws {
    let sources = try Sources(seed: 5, cacheByteCount: 64 << 20, damaged: nil)
    let segments = sources.all.compactMap { $0 as? Segment }
    func byteCount(after groups: [MetricsGroup], quantile: Double, isExact: Bool) throws -> Int {
      let query = MetricsQuery(
        serviceNames: ["api", "cart"], groups: groups, spanKinds: [],
        end: Timestamp(nanoseconds: Self.epoch + 60 * Self.minute), lookbackNanoseconds: 60 * Self.minute,
        stepNanoseconds: Self.minute, quantile: quantile, isExact: isExact)
      for _ in 0..<4 {
        _ = try sources.answer(
          .latencies, query, of: [0, 1, 2, 3, 4, 5], maximumRowCount: MetricsSearch.maximumRowCount,
          maximumGroupRowCount: 100)
      }
      let held = try segments.flatMap { try $0.callGroups(maximumRowCount: 100) }.compactMap(\.heldCells)
      return Dictionary(held.map { (ObjectIdentifier($0), $0.residentByteCount) }) { one, _ in one }
        .values.reduce(0, +)
    }
    let none = try byteCount(after: [], quantile: 0.5, isExact: true)
    #expect(try byteCount(after: [], quantile: 0.75, isExact: true) == none)
    let one = try byteCount(after: [.operation], quantile: 0.75, isExact: true)
    #expect(one > none)
    #expect(try byteCount(after: [.operation], quantile: 0.5, isExact: false) - one == one - none)
  }

  /// Questions at once, each of which spreads its own loops over threads, of sources that are not the same for each.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `questions that are asked at once have the answers of those asked one by one`(_ seed: UInt64) throws {
    let sources = try Sources(seed: seed, cacheByteCount: [64 << 20, 1 << 18][Int(seed % 2)], damaged: nil)
    var random = SeededRandom(seed: seed &+ 31)
    let questions = (0..<48).map { _ in
      let chosen = (0...Self.segmentCount).filter { _ in !random.isOneIn(5) }
      return (query: Self.query(&random), chosen: chosen)
    }
    @Sendable func ask(
      _ question: (query: MetricsQuery, chosen: [Int]), _ parallel: @escaping SegmentParallelism, isKept: Bool
    ) throws -> MetricFamily {
      try MetricsSearch(
        .latencies, question.query,
        in: QuerySnapshot(sources: question.chosen.map { sources.all[$0] }, storeFingerprint: 0), parallel: parallel,
        maximumGroupRowCount: isKept ? 100 : 0
      ).run()
    }
    let expected = try questions.map { try ask($0, { count, body in (0..<count).forEach(body) }, isKept: false) }
    let answers = Mutex([Int: MetricFamily]())
    // Twice, so that what the first ones kept is brought together meanwhile.
    for turn in 0..<2 {
      answers.withLock { $0 = [:] }
      threads(4) { thread in
        for index in questions.indices where (index + turn) % 4 == thread {
          let answer = try? ask(questions[index], { count, body in threads(count, body) }, isKept: true)
          answers.withLock { $0[index] = answer }
        }
      }
      for index in questions.indices {
        #expect(answers.withLock { $0[index] } == expected[index], "seed \(seed), turn \(turn), question \(index)")
      }
    }
  }

  /// Two questions that are scanned, asked in turn, of windows that end anywhere. One of four seeds has a cache in
  /// which nothing stays, one of two a damaged segment.
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `what is known of a question leaves no wrong figure behind`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed &+ 77)
    let damaged = seed % 2 == 0 ? random.below(Self.segmentCount) : nil
    let sources = try Sources(
      seed: seed, cacheByteCount: [64 << 20, 64 << 20, 1 << 18, 0][Int(seed % 4)], damaged: damaged)
    let questions = try (0..<2).map { _ in
      var query = Self.query(&random)
      query.filter = random.isOneIn(2) ? try FilterExpression(text: "span.duration > 10ms") : nil
      if query.filter == nil || random.isOneIn(2) { query.groups.append(.attribute(AttributeReference("http.route"))) }
      query.lookbackNanoseconds = random.pick([40, 9]) * Self.minute
      query.stepNanoseconds = random.pick([Self.minute, Self.minute, Self.minute / 4])
      return query
    }
    var chosen = Array(0...Self.segmentCount)
    for turn in 0..<32 {
      if random.isOneIn(3) {
        let changed = random.below(sources.all.count)
        chosen = chosen.contains(changed) ? chosen.filter { $0 != changed } : (chosen + [changed]).sorted()
      }
      var query = questions[turn % 2]
      query.end = Timestamp(
        nanoseconds: Self.epoch + UInt64(15 + random.below(20)) * Self.minute + random.pick([0, 0, 7, Self.minute / 3]))
      query.maximumSeriesCount = random.pick([2, 1000, 1000])
      let reference = ReferenceStore()
      for source in chosen { for batch in sources.batches[source] { _ = try await reference.writeTraces(batch) } }
      let expected: [(MetricsSearch.Measure, MetricFamily)] = try await [
        (.latencies, reference.getLatencies(query)), (.callRates, reference.getCallRates(query)),
        (.errorRates, reference.getErrorRates(query)),
      ]
      for (measure, counted) in expected {
        let maximumRowCount = random.pick([200, 8000, MetricsSearch.maximumRowCount])
        let family = try sources.answer(
          measure, query, of: chosen, maximumRowCount: maximumRowCount, maximumGroupRowCount: 100)
        let scanned = try sources.answer(
          measure, query, of: chosen, maximumRowCount: MetricsSearch.maximumRowCount, maximumGroupRowCount: 0)
        let what: Comment = "seed \(seed), turn \(turn) of \(chosen), \(maximumRowCount) rows: \(measure) \(query)"
        #expect(family == scanned, what)
        if damaged.map({ !chosen.contains($0) }) ?? true {
          if family.errorBound == 0 { #expect(family.metrics == counted.metrics, what) }
          #expect(family.summary.damage.isEmpty)
        }
      }
    }
  }

  @Test func `a question that is scanned is known once it was asked twice, but for what is new`() throws {
    let sources = try Sources(seed: 3, cacheByteCount: 64 << 20, damaged: nil, isRepeating: false)
    var query = MetricsQuery(
      serviceNames: [], groups: [.attribute(AttributeReference("http.route"))], spanKinds: [],
      end: Timestamp(nanoseconds: Self.epoch + 60 * Self.minute), lookbackNanoseconds: 60 * Self.minute,
      stepNanoseconds: Self.minute, quantile: 0.9)
    /// How many stripes are read for an answer.
    func readCount(of chosen: [Int]) throws -> Int {
      for number in sources.all.indices { sources.cache.removeBlocks(ofFile: UInt64(number + 1)) }
      let before = sources.cache.statistics.loadCount
      let family = try sources.answer(
        .latencies, query, of: chosen, maximumRowCount: MetricsSearch.maximumRowCount, maximumGroupRowCount: 100)
      let readCount = sources.cache.statistics.loadCount - before
      let scanned = try sources.answer(
        .latencies, query, of: chosen, maximumRowCount: MetricsSearch.maximumRowCount, maximumGroupRowCount: 0)
      #expect(family == scanned)
      return readCount
    }
    // What segments repeat of each other is found the first time.
    _ = try readCount(of: [0, 1, 2, 3, 4])
    let all = try readCount(of: [0, 1, 2, 3, 4])
    #expect(all > 0)
    #expect(try readCount(of: [0, 1, 2, 3, 4]) == 0)
    // Segments overlap those beside them alone.
    let added = try readCount(of: [0, 1, 2, 3, 4, 5])
    #expect(added > 0)
    #expect(added < all)
    #expect(try readCount(of: [0, 1, 2, 3, 4, 5]) == 0)
    // A window that goes on cuts its first minute, of which nothing is known, and has nothing new at its end.
    query.end = Timestamp(nanoseconds: Self.epoch + 62 * Self.minute + 7)
    let moved = try readCount(of: [0, 1, 2, 3, 4, 5])
    #expect(moved > 0)
    #expect(moved < all)
  }

  @Test func `services that are spelt differently are different questions`() throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let memtable = Memtable(endZeroMeansOpen: true)
    let services = ["caf\u{e9}", "cafe\u{301}"]
    try memtable.append(
      TraceData(
        resourceSpans: services.enumerated().map { place, service in
          let span = SpanRecord(
            traceID: TraceID(high: 1, low: UInt64(place + 1)), spanID: SpanID(1), name: "get", kind: .server,
            start: Timestamp(nanoseconds: Self.epoch), end: Timestamp(nanoseconds: Self.epoch + 5_000_000))
          return ResourceSpans(
            resource: Resource(attributes: [Attribute("service.name", .string(service))]),
            scopeSpans: [ScopeSpans(spans: [span])])
        }))
    let view = memtable.source().view
    let selection = try SealSelection(view, live: [])
    _ = try SegmentWriter.write(
      view, rows: selection.rows, partialRows: selection.partialRows, options: SegmentOptions(),
      to: try files.open("segment", .create))
    let segment = try Segment.open(
      file: files.open("segment", .read), number: 1, path: "segment", cache: BlockCache(maximumByteCount: 1 << 20))
    for service in services {
      for _ in 0..<3 {
        let query = MetricsQuery(
          serviceNames: [service], filter: try FilterExpression(text: "span.duration > 1ms"),
          end: Timestamp(nanoseconds: Self.epoch + Self.minute), quantile: 0.5)
        let family = try MetricsSearch(
          .latencies, query, in: QuerySnapshot(sources: [segment], storeFingerprint: 0),
          parallel: { count, body in (0..<count).forEach(body) }
        ).run()
        let names = family.metrics.flatMap { $0.labels.map { Array($0.value.utf8) } }
        #expect(names == [Array(service.utf8)])
      }
    }
  }

  private static func spans(_ random: inout SeededRandom, number: Int, count: Int) -> TraceData {
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

  private static func query(_ random: inout SeededRandom) -> MetricsQuery {
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

extension Memtable {
  fileprivate func append(_ data: TraceData) throws {
    let batch = SpanBatch()
    try OTLP.encode(data).withUnsafeBytes { bytes in
      try OTLPBatchDecoder.decode(bytes, into: batch)
      publish(try append(batch, arrivalNanoseconds: 1))
    }
  }
}

/// Calls `body` with every number below `count`, each on a thread of its own.
@Sendable
func threads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let all = (0..<count).compactMap { number in try? WorkerThread(name: "test-\(number)") { body(number) } }
  precondition(all.count == count, "a thread could not be started")
  for thread in all { thread.join() }
}

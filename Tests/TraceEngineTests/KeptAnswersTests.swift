import Synchronization
import Testing
import TraceEngine
import TraceModel
import TraceQuery
import TraceSegment
import TracestoreTesting
import TracestoreV2

/// What is kept of questions that are scanned.
@Suite struct KeptAnswersTests {
  /// Two questions that are scanned, asked in turn, of windows that end anywhere. One of four seeds has a cache in
  /// which nothing stays, one of two a damaged segment.
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `what is known of a question leaves no wrong figure behind`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed &+ 77)
    let damaged = seed % 2 == 0 ? random.below(KeptSources.segmentCount) : nil
    let sources = try KeptSources(
      seed: seed, cacheByteCount: [64 << 20, 64 << 20, 1 << 18, 0][Int(seed % 4)], damaged: damaged)
    let questions = try (0..<2).map { _ in
      var query = KeptSources.query(&random)
      query.filter = random.isOneIn(2) ? try FilterExpression(text: "span.duration > 10ms") : nil
      if query.filter == nil || random.isOneIn(2) { query.groups.append(.attribute(AttributeReference("http.route"))) }
      query.lookbackNanoseconds = random.pick([40, 9]) * KeptSources.minute
      query.stepNanoseconds = random.pick([KeptSources.minute, KeptSources.minute, KeptSources.minute / 4])
      return query
    }
    var chosen = Array(0...KeptSources.segmentCount)
    for turn in 0..<32 {
      if random.isOneIn(3) {
        let changed = random.below(sources.all.count)
        chosen = chosen.contains(changed) ? chosen.filter { $0 != changed } : (chosen + [changed]).sorted()
      }
      var query = questions[turn % 2]
      query.end = Timestamp(
        nanoseconds: KeptSources.epoch + UInt64(15 + random.below(20)) * KeptSources.minute
          + random.pick([0, 0, 7, KeptSources.minute / 3]))
      query.maximumSeriesCount = random.pick([2, 1000, 1000])
      try await sources.check(
        query, of: chosen, maximumRowCounts: [200, 8000, MetricsSearch.maximumRowCount],
        isWhole: damaged.map { !chosen.contains($0) } ?? true, &random, "seed \(seed), turn \(turn)")
    }
  }

  /// Latencies of the last minutes by an attribute.
  private static func byRoute(minute: UInt64, lookback: UInt64) -> MetricsQuery {
    MetricsQuery(
      serviceNames: [], groups: [.attribute(AttributeReference("http.route"))], spanKinds: [],
      end: Timestamp(nanoseconds: KeptSources.epoch + minute * KeptSources.minute),
      lookbackNanoseconds: lookback * KeptSources.minute, stepNanoseconds: KeptSources.minute, quantile: 0.9,
      isExact: true)
  }

  /// How many blocks are loaded for an answer, which has to be equal to that of a scan.
  private func readCount(
    _ query: MetricsQuery, of chosen: [Int], _ sources: KeptSources, _ location: SourceLocation = #_sourceLocation
  ) throws -> Int {
    sources.forgetFiles()
    let before = sources.cache.statistics.loadCount
    let family = try sources.answer(.latencies, query, of: chosen)
    let readCount = sources.cache.statistics.loadCount - before
    let scanned = try sources.answer(.latencies, query, of: chosen, maximumGroupRowCount: 0)
    #expect(family == scanned, sourceLocation: location)
    return readCount
  }

  @Test func `a question that is scanned is known once it was asked twice, but for what is new`() throws {
    let sources = try KeptSources(seed: 3, cacheByteCount: 64 << 20, damaged: nil, isRepeating: false)
    var query = Self.byRoute(minute: 60, lookback: 60)
    // What segments repeat of each other is found the first time.
    _ = try readCount(query, of: [0, 1, 2, 3, 4], sources)
    let all = try readCount(query, of: [0, 1, 2, 3, 4], sources)
    #expect(all > 0)
    #expect(try readCount(query, of: [0, 1, 2, 3, 4], sources) == 0)
    // Segments overlap those beside them alone.
    let added = try readCount(query, of: [0, 1, 2, 3, 4, 5], sources)
    #expect(added > 0)
    #expect(added < all)
    #expect(try readCount(query, of: [0, 1, 2, 3, 4, 5], sources) == 0)
    // A window that goes on cuts its first minute, of which nothing is known, and has nothing new at its end.
    query.end = Timestamp(nanoseconds: KeptSources.epoch + 62 * KeptSources.minute + 7)
    let moved = try readCount(query, of: [0, 1, 2, 3, 4, 5], sources)
    #expect(moved > 0)
    #expect(moved < all)
  }

  @Test func `windows of one question that lie far apart are known beside each other`() throws {
    let sources = try KeptSources(seed: 3, cacheByteCount: 64 << 20, damaged: nil, isRepeating: false)
    let all = [0, 1, 2, 3, 4, 5]
    // The bound of a unit of four look-backs lies between them.
    let windows = [Self.byRoute(minute: 5, lookback: 5), Self.byRoute(minute: 25, lookback: 5)]
    for query in windows { for _ in 0..<2 { #expect(try readCount(query, of: all, sources) > 0) } }
    for query in windows { #expect(try readCount(query, of: all, sources) == 0) }
    // Another one is behind the second, so that the question starts anew.
    let behind = Self.byRoute(minute: 27, lookback: 5)
    _ = try readCount(behind, of: all, sources)
    #expect(try readCount(behind, of: all, sources) > 0)
    #expect(try readCount(behind, of: all, sources) == 0)
  }

  @Test func `a question is scanned anew after a compaction, and known again`() throws {
    var sources = try KeptSources(seed: 3, cacheByteCount: 64 << 20, damaged: nil, isRepeating: false)
    let query = Self.byRoute(minute: 60, lookback: 60)
    let inputs = [1, 2, 3, 4]
    for _ in 0..<2 { _ = try readCount(query, of: inputs, sources) }
    #expect(try readCount(query, of: inputs, sources) == 0)
    let before = try sources.answer(.latencies, query, of: inputs)
    try sources.seal(inputs.flatMap { sources.batches[$0] }, stripeRowCount: 200)
    let output = [sources.all.count - 1]
    #expect(try readCount(query, of: output, sources) > 0)
    #expect(try readCount(query, of: output, sources) == 0)
    #expect(try sources.answer(.latencies, query, of: output) == before)
    // A reader of an older snapshot may still ask.
    #expect(try readCount(query, of: inputs, sources) > 0)
  }

  @Test func `matches that come late all over a window cost no more than a scan`() throws {
    var sources = KeptSources(cacheByteCount: 64 << 20)
    /// One span of one series in each of some minutes.
    func spans(trace: UInt64, minutes: StrideTo<UInt64>) -> TraceData {
      let spans = minutes.map { minute in
        let start = KeptSources.epoch + minute * KeptSources.minute + trace
        return SpanRecord(
          traceID: TraceID(high: 1, low: trace), spanID: SpanID(minute + 1), name: "get", kind: .server,
          start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + 1000 * trace),
          attributes: [Attribute("http.route", .string("/"))])
      }
      return TraceData(
        resourceSpans: [
          ResourceSpans(
            resource: Resource(attributes: [Attribute("service.name", .string("api"))]),
            scopeSpans: [ScopeSpans(spans: spans)])
        ])
    }
    let early = (1...10).map { spans(trace: $0, minutes: stride(from: 0, to: 200, by: 1)) }
    try sources.seal(early, stripeRowCount: 10_000)
    try sources.seal([spans(trace: 11, minutes: stride(from: 0, to: 200, by: 2))], stripeRowCount: 10_000)
    let query = Self.byRoute(minute: 200, lookback: 200)
    /// The answer, and how many loops were run for it: two stripes that are read at once are two.
    func loopCount(of chosen: [Int], isKept: Bool = true) throws -> Int {
      let count = Mutex(0)
      let family = try sources.answer(.latencies, query, of: chosen, maximumGroupRowCount: isKept ? 100 : 0) {
        own, body in
        count.withLock { $0 += own }
        (0..<own).forEach(body)
      }
      if isKept { #expect(try family == sources.answer(.latencies, query, of: chosen, maximumGroupRowCount: 0)) }
      return count.withLock { $0 }
    }
    for _ in 0..<3 { _ = try loopCount(of: [0]) }
    let scanned = try loopCount(of: [0, 1], isKept: false)
    #expect(scanned >= 2)
    #expect(try loopCount(of: [0, 1]) <= scanned)
    // What was learnt is known.
    #expect(try readCount(query, of: [0, 1], sources) == 0)
  }

  @Test func `nothing is kept of a question beside known damage`() throws {
    let sources = try KeptSources(seed: 3, cacheByteCount: 64 << 20, damaged: nil, isRepeating: false)
    let query = Self.byRoute(minute: 60, lookback: 60)
    for _ in 0..<3 {
      let family = try sources.answer(.latencies, query, of: [0, 1], damage: ["A file is gone."])
      #expect(family.summary.damage == ["A file is gone."])
    }
    sources.forgetFiles()
    #expect(sources.cache.statistics.blockCount == 0)
  }

  @Test func `the texts of a question count as memory, and long ones are not kept`() throws {
    let sources = try KeptSources(seed: 3, cacheByteCount: 64 << 20, damaged: nil, isRepeating: false)
    /// What is kept of a question that was asked for the first time.
    func byteCount(textByteCount: Int) throws -> Int {
      var query = Self.byRoute(minute: 60, lookback: 60)
      query.filter = .call(.equal, .attribute("a"), .string(String(repeating: "x", count: textByteCount)))
      let before = sources.cache.statistics.residentByteCount
      _ = try sources.answer(.latencies, query, of: [0])
      sources.forgetFiles()
      return sources.cache.statistics.residentByteCount - before
    }
    sources.forgetFiles()
    let small = try byteCount(textByteCount: 1)
    #expect(small >= 512)
    #expect(try byteCount(textByteCount: 2049) >= small + 2048)
    #expect(try byteCount(textByteCount: 5000) == 0)
  }

  @Test func `of an answer that is too large for its share of the cache only the note stays`() throws {
    let sources = try KeptSources(seed: 3, cacheByteCount: 16 * 4096, damaged: nil, isRepeating: false)
    let query = Self.byRoute(minute: 60, lookback: 60)
    for _ in 0..<4 {
      #expect(try readCount(query, of: [0, 1, 2, 3, 4, 5], sources) > 0)
      sources.forgetFiles()
      #expect(sources.cache.statistics.blockCount <= 1)
      #expect(sources.cache.statistics.residentByteCount < 1024)
    }
  }

  @Test func `services that are spelt differently are different questions`() throws {
    var sources = KeptSources(cacheByteCount: 1 << 20)
    let services = ["caf\u{e9}", "cafe\u{301}"]
    let data = TraceData(
      resourceSpans: services.enumerated().map { place, service in
        let span = SpanRecord(
          traceID: TraceID(high: 1, low: UInt64(place + 1)), spanID: SpanID(1), name: "get", kind: .server,
          start: Timestamp(nanoseconds: KeptSources.epoch), end: Timestamp(nanoseconds: KeptSources.epoch + 5_000_000))
        return ResourceSpans(
          resource: Resource(attributes: [Attribute("service.name", .string(service))]),
          scopeSpans: [ScopeSpans(spans: [span])])
      })
    try sources.seal([data], stripeRowCount: 100)
    for service in services {
      for _ in 0..<3 {
        let query = MetricsQuery(
          serviceNames: [service], filter: try FilterExpression(text: "span.duration > 1ms"),
          end: Timestamp(nanoseconds: KeptSources.epoch + KeptSources.minute), quantile: 0.5)
        let family = try sources.answer(.latencies, query, of: [0])
        let names = family.metrics.flatMap { $0.labels.map { Array($0.value.utf8) } }
        #expect(names == [Array(service.utf8)])
      }
    }
  }
}

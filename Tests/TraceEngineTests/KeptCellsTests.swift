import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TraceModel
import TraceQuery
import TraceSegment
import TraceSource
import TracestoreTesting
import TracestoreV2

/// Cells that are kept and brought together, while segments come and go.
@Suite struct KeptCellsTests {
  /// One of four seeds has a cache in which nothing stays, one of two a damaged segment.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `segments that come and go leave no wrong figure behind`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed &+ 7)
    let damaged = seed % 2 == 0 ? random.below(KeptSources.segmentCount) : nil
    let sources = try KeptSources(
      seed: seed, cacheByteCount: [64 << 20, 64 << 20, 1 << 18, 0][Int(seed % 4)], damaged: damaged)
    var chosen = Array(0...KeptSources.segmentCount)
    for turn in 0..<24 {
      if random.isOneIn(2) {
        let changed = random.below(sources.all.count)
        chosen = chosen.contains(changed) ? chosen.filter { $0 != changed } : (chosen + [changed]).sorted()
      }
      let query = KeptSources.query(&random)
      try await sources.check(
        query, of: chosen, maximumRowCounts: [200, 2000, MetricsSearch.maximumRowCount],
        isWhole: damaged.map { !chosen.contains($0) } ?? true, &random, "seed \(seed), turn \(turn)")
    }
  }

  @Test func `the second question brings groups together, and the third one finds them`() throws {
    let sources = try KeptSources(seed: 3, cacheByteCount: 64 << 20, damaged: nil)
    let segments = sources.all.compactMap { $0 as? Segment }
    let query = MetricsQuery(
      serviceNames: [], groups: [.operation], spanKinds: [],
      end: Timestamp(nanoseconds: KeptSources.epoch + 60 * KeptSources.minute),
      lookbackNanoseconds: 60 * KeptSources.minute, stepNanoseconds: KeptSources.minute, quantile: 0.9)
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
    let sources = try KeptSources(seed: 5, cacheByteCount: 64 << 20, damaged: nil)
    let segments = sources.all.compactMap { $0 as? Segment }
    func byteCount(after groups: [MetricsGroup], quantile: Double, isExact: Bool) throws -> Int {
      let query = MetricsQuery(
        serviceNames: ["api", "cart"], groups: groups, spanKinds: [],
        end: Timestamp(nanoseconds: KeptSources.epoch + 60 * KeptSources.minute),
        lookbackNanoseconds: 60 * KeptSources.minute,
        stepNanoseconds: KeptSources.minute, quantile: quantile, isExact: isExact)
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
    let sources = try KeptSources(seed: seed, cacheByteCount: [64 << 20, 1 << 18][Int(seed % 2)], damaged: nil)
    var random = SeededRandom(seed: seed &+ 31)
    // Two that are scanned are asked often, of windows that move: what is known of them is read while it is made.
    var scanned = [KeptSources.query(&random), KeptSources.query(&random)]
    scanned[0].filter = try FilterExpression(text: "span.duration > 10ms")
    scanned[1].groups = [.attribute(AttributeReference("http.route"))]
    let questions = (0..<48).map { place in
      let chosen = (0...KeptSources.segmentCount).filter { _ in !random.isOneIn(5) }
      var query = KeptSources.query(&random)
      if place % 3 < 2 {
        let end = query.end
        query = scanned[place % 3]
        query.lookbackNanoseconds = 40 * KeptSources.minute
        query.end = end
      }
      return (query: query, chosen: chosen)
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
    // More than once, so that what the first ones kept is brought together meanwhile.
    for turn in 0..<3 {
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
}

/// Calls `body` with every number below `count`, each on a thread of its own.
@Sendable
func threads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let all = (0..<count).compactMap { number in try? WorkerThread(name: "test-\(number)") { body(number) } }
  precondition(all.count == count, "a thread could not be started")
  for thread in all { thread.join() }
}

import Testing
import TraceColumns
import TraceFiles
import TraceIngest
import TraceModel
import TraceOTLP
import TraceQuery
import TraceSegment
import TraceSource
import TracestoreTesting
import TracestoreV2

/// What searches read, counted at the file: it follows what a question touches, not what is stored.
@Suite struct SearchCostTests {
  private static let hour: UInt64 = 3_600_000_000_000
  /// When the newest hour ends.
  private static let end: UInt64 = 1_767_225_600_000_000_000

  /// Segments of one hour each, the newest first. The same hour has the same content in a store of any size.
  private struct Hours {
    let files = CountingFileSystem(SimulatedFileSystem(isDurabilityTracked: false))
    let count: Int

    init(_ count: Int) throws {
      self.count = count
      for number in 0..<count {
        let memtable = Memtable(endZeroMeansOpen: true)
        try memtable.append(SearchCostTests.traffic(hour: number))
        let view = memtable.source().view
        _ = try SegmentWriter.write(
          view, rows: (0..<UInt32(view.rows.count)).map { $0 }, options: SegmentOptions(stripeRowCount: 50),
          to: try files.open("segment \(number)", .create))
      }
    }

    /// What a process has that opened the store just now.
    func snapshot() throws -> QuerySnapshot {
      let cache = BlockCache(maximumByteCount: 64 << 20, frontByteCount: 0)
      let segments = try (0..<count).map { number in
        let path = "segment \(number)"
        return try Segment.open(file: files.open(path, .read), number: UInt64(number + 1), path: path, cache: cache)
      }
      files.reset()
      return QuerySnapshot(sources: segments, storeFingerprint: 0)
    }

    /// What a question finds and how often it reads.
    func ask(_ query: TraceQuery, in snapshot: QuerySnapshot) throws -> (found: [FoundTrace], readCount: Int) {
      files.reset()
      let page = try TraceSearch(query, in: snapshot).run()
      var damage = page.summary.damage
      let found = zip(page.traces, snapshot.narrowed(to: page.traces)).compactMap {
        FoundTrace.assemble($0, around: page.rows[$0], in: $1, damage: &damage)
      }
      #expect(damage.isEmpty && found.count == page.traces.count)
      return (found, files.snapshot().total().readCount)
    }
  }

  /// 60 traces of three spans, evenly over an hour.
  private static func traffic(hour number: Int) -> TraceData {
    var data = TraceData()
    for index in 0..<60 {
      let start = end - UInt64(number + 1) * hour + UInt64(index) * 60_000_000_000
      let spans = (0..<3 as Range<UInt64>).map { span in
        SpanRecord(
          traceID: TraceID(high: UInt64(number + 1), low: UInt64(index + 1) &* 0x9e37_79b9_7f4a_7c15),
          spanID: SpanID(span + 1), name: "operation \(index % 5)",
          start: Timestamp(nanoseconds: start + span * 1000), end: Timestamp(nanoseconds: start + span * 1000 + 500),
          attributes: [Attribute("user", .string("user-\(number)-\(index)-\(span)"))])
      }
      let resource = Resource(attributes: [Attribute("service.name", .string("service \(index % 3)"))])
      data.resourceSpans.append(
        ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(scope: InstrumentationScope(), spans: spans)]))
    }
    return data
  }

  private static var window: TraceQuery {
    TraceQuery(
      startMinimum: Timestamp(nanoseconds: end - 2 * hour), startMaximum: Timestamp(nanoseconds: end - hour - 1),
      limit: 10)
  }

  private static var firstPages: [TraceQuery] {
    var service = window
    service.serviceName = "service 1"
    return [
      TraceQuery(limit: 10), TraceQuery(serviceName: "service 2", limit: 10),
      TraceQuery(operationName: "operation 3", limit: 10), window, service,
      TraceQuery(attributes: [Attribute("user", .string("user-1-7-2"))], startMinimum: window.startMinimum, limit: 10),
    ]
  }

  @Test(arguments: 0..<6)
  func `a first page reads of a further segment the filter over its traces, once`(_ index: Int) throws {
    let query = Self.firstPages[index]
    let (small, large) = (try Hours(3), try Hours(12))
    let (smallSnapshot, largeSnapshot) = (try small.snapshot(), try large.snapshot())
    let first = (small: try small.ask(query, in: smallSnapshot), large: try large.ask(query, in: largeSnapshot))
    #expect(first.small.found == first.large.found && !first.small.found.isEmpty)
    // One of 256 filters says yes by mistake, and the index of traces is read.
    let further = large.count - small.count
    #expect((further...(2 * further)).contains(first.large.readCount - first.small.readCount))
    #expect(try small.ask(query, in: smallSnapshot).readCount == 0)
    #expect(try large.ask(query, in: largeSnapshot).readCount == 0)
  }

  @Test func `a text that is nowhere reads nothing of a segment that was asked for another one`() throws {
    let hours = try Hours(12)
    let snapshot = try hours.snapshot()
    var readCounts: [Int] = []
    for number in 0..<200 {
      let query = TraceQuery(attributes: [Attribute("user", .string("nobody \(number)"))], limit: 10)
      let (found, readCount) = try hours.ask(query, in: snapshot)
      #expect(found.isEmpty)
      readCounts.append(readCount)
    }
    // The filter over texts of each segment, and of one of 16 what stands behind that filter.
    #expect((hours.count...(hours.count * 3)).contains(readCounts[0]))
    #expect(readCounts[100...].allSatisfy { $0 <= 6 } && readCounts[100...].reduce(0, +) < 20)
  }

  @Test func `the traces of a page are found without the index of traces`() throws {
    let hours = try Hours(1)
    let snapshot = try hours.snapshot()
    let query = TraceQuery(limit: 1000)
    // Every stripe is in memory afterwards, and no block of the index.
    let found = try hours.ask(query, in: snapshot).found
    #expect(try hours.ask(query, in: snapshot).readCount == 0)
    let trace = try #require(found.first?.traceID)
    hours.files.reset()
    var damage: [String] = []
    _ = FoundTrace.assemble(trace, in: snapshot, damage: &damage)
    #expect(hours.files.snapshot().total().readCount > 0)
  }

  /// Traces that stand in several stripes, segments and memtables.
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `a trace is the same whether one of its rows is known or not`(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let batches = randomTraces(seed: seed, count: 60, openSpanShare: seed % 3 == 0 ? 5 : 0)
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let cache = BlockCache(maximumByteCount: seed % 4 == 0 ? 0 : 64 << 20, frontByteCount: 0)
    var sources: [any SpanSource] = []
    for number in 0..<4 {
      let memtable = Memtable(endZeroMeansOpen: true)
      for batch in batches where random.below(3) == 0 || number == 0 { try memtable.append(batch) }
      guard number < 3 else {
        sources.append(memtable.source())
        continue
      }
      let view = memtable.source().view
      let selection = try SealSelection(view, live: [])
      _ = try SegmentWriter.write(
        view, rows: selection.rows, partialRows: selection.partialRows,
        options: SegmentOptions(stripeRowCount: [1, 4, 30][number]), to: try files.open("\(number)", .create))
      sources.append(
        try Segment.open(file: files.open("\(number)", .read), number: UInt64(number), path: "\(number)", cache: cache))
    }
    let snapshot = QuerySnapshot(sources: sources, storeFingerprint: 0)
    var damage: [String] = []
    for turn in 0..<20 as Range<UInt64> {
      let page = try TraceSearch(randomQuery(seed: seed &* 100 &+ turn, from: batches), in: snapshot).run()
      for (trace, narrowed) in zip(page.traces, snapshot.narrowed(to: page.traces)) {
        #expect(
          FoundTrace.assemble(trace, around: page.rows[trace], in: narrowed, damage: &damage)
            == FoundTrace.assemble(trace, in: snapshot, damage: &damage), "seed \(seed), turn \(turn), \(trace)")
        #expect(
          TraceSummary.assemble(trace, around: page.rows[trace], in: narrowed, damage: &damage)
            == TraceSummary.assemble(trace, in: snapshot, damage: &damage), "seed \(seed), turn \(turn), \(trace)")
      }
    }
    #expect(damage.isEmpty)
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

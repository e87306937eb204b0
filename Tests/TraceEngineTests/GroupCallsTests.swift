import Synchronization
import Testing
import TraceFiles
import TraceGraph
import TraceIngest
import TraceMerge
import TraceModel
import TraceOTLP
import TraceSegment
import TraceSource
import TracestoreTesting
import TracestoreV2

@testable import TraceQuery

/// Sums of calls that are kept with segments, while other sources come and go.
@Suite struct GroupCallsTests {
  /// Sources over one cache, and what was written to each.
  private struct Sources {
    var all: [any SpanSource] = []
    var batches: [[TraceData]] = []
    let files = CountingFileSystem(SimulatedFileSystem(isDurabilityTracked: false))

    /// Segments, then two memtables, of batches that repeat and share traces.
    init(seed: UInt64, cacheByteCount: Int) throws {
      var random = SeededRandom(seed: seed)
      let cache = BlockCache(maximumByteCount: cacheByteCount)
      let calls = randomCalls(seed: seed, count: 60)
      let sourceCount = 6
      for number in 0..<sourceCount {
        let memtable = Memtable(endZeroMeansOpen: true)
        // Some batches stand in two sources; parts of a trace come in several batches.
        let own = calls.indices.filter { $0 % sourceCount == number || random.isOneIn(12) }.map { calls[$0] }
        for batch in own { try memtable.append(batch) }
        batches.append(own)
        guard number < 4 else {
          all.append(memtable.source())
          continue
        }
        let view = memtable.source().view
        let selection = try SealSelection(view, live: [])
        let path = "segment \(number)"
        _ = try SegmentWriter.write(
          view, rows: selection.rows, partialRows: selection.partialRows,
          options: SegmentOptions(stripeRowCount: 16 + random.below(20)), to: try files.open(path, .create))
        all.append(
          try Segment.open(file: files.open(path, .read), number: UInt64(number + 1), path: path, cache: cache))
      }
    }

    func graph(
      of chosen: [Int], _ query: DependencyQuery,
      parallel: @escaping SegmentParallelism = { count, body in (0..<count).forEach(body) }
    ) -> ServiceGraph {
      var asked = ServiceGraphQuery(
        query, in: QuerySnapshot(sources: chosen.map { all[$0] }, storeFingerprint: 0), parallel: parallel)
      asked.chunkCounts = 3...5
      return asked.run()
    }

    func reference(of chosen: [Int]) async throws -> ReferenceStore {
      let store = ReferenceStore()
      for source in chosen { for batch in batches[source] { _ = try await store.writeTraces(batch) } }
      return store
    }
  }

  /// - Parameter seed: of four, one has a cache in which nothing stays, and one where some of what is joined does.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `sources that come and go leave no wrong sum behind`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed &+ 77)
    let sources = try Sources(seed: seed, cacheByteCount: seed % 4 == 0 ? 0 : seed % 4 == 1 ? 48 << 10 : 64 << 20)
    var chosen = [0]
    for turn in 0..<24 {
      let changed = random.below(sources.all.count)
      chosen = chosen.contains(changed) ? chosen.filter { $0 != changed } : (chosen + [changed]).sorted()
      let reference = try await sources.reference(of: chosen)
      for query in [DependencyQuery(includesSelfCalls: true), Self.window(&random)] {
        let graph = sources.graph(of: chosen, query)
        let expected = reference.serviceGraph(query)
        #expect(graph.links.count == expected.links.count, "seed \(seed), turn \(turn) of \(chosen), \(query)")
        for (left, right) in zip(graph.links, expected.links) {
          #expect(left.isNear(right), "seed \(seed), turn \(turn) of \(chosen), \(query)")
        }
        #expect(graph.unpaired == expected.unpaired, "seed \(seed), turn \(turn) of \(chosen), \(query)")
        #expect(graph.summary == ResultSummary(), "seed \(seed), turn \(turn)")
      }
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `rows from columns say what records say`(_ seed: UInt64) throws {
    func described(_ row: CallRow, _ names: NameTable) -> String {
      let span = row.span
      let peer = span.peer == CallSpan.noPeer ? "none" : "\(names.names[Int(span.peer)]) \(span.peerConnection)"
      return """
        \(row.row) \(span.spanID) \(span.parentID) \(span.start) \(span.duration) \(names.names[Int(span.service)]) \
        \(peer) \(span.role) \(span.isError) \(row.targets)
        """
    }
    var random = SeededRandom(seed: seed)
    let sources = try Sources(seed: seed, cacheByteCount: 1 << 20)
    var peers: Set<UInt32> = []
    for case let segment as Segment in sources.all {
      for stripe in try segment.spanStripes() {
        for share in [1, 2, 7] {
          let rows = (0..<stripe.rowCount).filter { _ in random.isOneIn(share) }
          var (names, others) = (NameTable(), NameTable())
          let own = try stripe.callRows(rows, &names)
          let expected = zip(rows, try stripe.records(rows)).map {
            CallRow(row: $0, $1.span, service: $1.resource.serviceName, &others)
          }
          #expect(own.map { described($0, names) } == expected.map { described($0, others) }, "seed \(seed)")
          peers.formUnion(own.map(\.span.peer))
        }
      }
    }
    #expect(peers.count > 3, "seed \(seed) tests little")
  }

  @Test func `traces that go on in other segments are joined once, and anew when another segment has a part`() throws {
    let sources = try Sources(seed: 3, cacheByteCount: 64 << 20)
    let cache = try #require((sources.all[0] as? Segment)?.cache)
    let query = DependencyQuery()
    let first = sources.graph(of: [0, 1], query)
    let split = try #require(cache.splitTraceCalls())
    #expect(!split.calls.traces.isEmpty)
    #expect(sources.graph(of: [0, 1], query) == first)
    #expect(cache.splitTraceCalls() === split)
    #expect(sources.graph(of: [0, 1, 2], query) != first)
    #expect(cache.splitTraceCalls() !== split)
    #expect(sources.graph(of: [0, 1], query) == first)
    // What expires ends no keeping, and is not joined again and again.
    _ = sources.graph(of: [0], query)
    _ = sources.graph(of: [0, 2], query)
    let later = try #require(cache.splitTraceCalls())
    #expect(!later.calls.traces.isEmpty)
    _ = sources.graph(of: [0, 2], query)
    #expect(cache.splitTraceCalls() === later)
  }

  @Test func `of split traces that have no room together some stay`() throws {
    let all = try Sources(seed: 3, cacheByteCount: 64 << 20)
    _ = all.graph(of: [0, 1, 2, 3], DependencyQuery())
    let whole = try #require((all.all[0] as? Segment)?.cache.splitTraceCalls())
    var keptCount = 0
    for percent in stride(from: 30, through: 90, by: 10) {
      let sources = try Sources(seed: 3, cacheByteCount: whole.residentByteCount * 4 * percent / 100)
      _ = sources.graph(of: [0, 1, 2, 3], DependencyQuery())
      let kept = (sources.all[0] as? Segment)?.cache.splitTraceCalls()?.calls.traces.count ?? 0
      #expect(kept < whole.calls.traces.count)
      if kept > 0 { keptCount += 1 }
    }
    #expect(keptCount >= 5)
  }

  @Test func `a question that was answered reads no stripe again, and neither does one after a segment went`() throws {
    let sources = try Sources(seed: 3, cacheByteCount: 64 << 20)
    let segments = [0, 1, 2, 3]
    let query = DependencyQuery()
    let first = sources.graph(of: segments, query)
    _ = sources.graph(of: [0, 1, 3], query)
    sources.files.reset()
    #expect(sources.graph(of: segments, query) == first)
    #expect(!first.links.isEmpty)
    #expect(sources.files.snapshot().total().readCount == 0)
  }

  @Test func `of a group that a window cuts, parts that it leaves whole are kept`() throws {
    let sources = try Sources(seed: 5, cacheByteCount: 64 << 20)
    var keptPartCount = 0
    for (place, source) in sources.all.enumerated() {
      guard let segment = source as? Segment else { continue }
      let stripes = try segment.spanStripes().filter { $0.rowCount > 0 }
      for end in stripes.map({ $0.bounds.maximumStart + 1 }) {
        _ = sources.graph(of: [place], DependencyQuery(start: .zero, end: Timestamp(nanoseconds: end)))
        var damage = DamageReport()
        let groups = StripeGroup.groups(of: segment, in: 0...(end - 1), loose: [], &damage).groups
        for group in groups {
          #expect(group.isWhole || group.stripes.count == 1)
          #expect(try (group.kept(among: [segment]) != nil) == group.isWhole)
          if group.isWhole, group.isPart { keptPartCount += 1 }
        }
        #expect(
          groups.flatMap(\.stripes).map(\.index)
            == stripes.filter { $0.bounds.mayStart(in: 0...(end - 1)) }.map(\.index))
        #expect(damage.messages.isEmpty)
      }
    }
    #expect(keptPartCount > 2)
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `producers elsewhere are those of a walk over all spans`(_ seed: UInt64) throws {
    let sources = try Sources(seed: seed, cacheByteCount: 1 << 20)
    let segments = sources.all.compactMap { $0 as? Segment }
    var targets: Set<LinkTarget> = [LinkTarget(trace: TraceID(high: 9, low: 9), spanID: 1)]
    var first: [LinkTarget: FoundProducer] = [:]
    for source in segments.indices {
      for resource in sources.batches[source].flatMap(\.resourceSpans) {
        for span in resource.scopeSpans.flatMap(\.spans) {
          let target = LinkTarget(trace: span.traceID, spanID: span.spanID.rawValue)
          targets.insert(target)
          guard span.kind == .producer, span.end != .zero, !span.isEnrichment else { continue }
          let producer = FoundProducer(
            start: span.start.nanoseconds, service: Array(resource.resource.serviceName.utf8))
          if first[target].map(producer.precedes) ?? true { first[target] = producer }
        }
      }
    }
    #expect(!first.isEmpty)
    var damage = DamageReport()
    let found = ProducersElsewhere(targets, in: segments, { count, body in threads(count, body) }, &damage)
    for target in targets { #expect(found.service(of: target) == first[target]?.service, "seed \(seed)") }
    #expect(damage.messages.isEmpty)
  }

  @Test func `links into groups that are not joined read none of their stripes`() throws {
    let files = CountingFileSystem(SimulatedFileSystem(isDurabilityTracked: false))
    // Sixteen groups of eight stripes are joined, those behind by themselves.
    let (traceCount, targetCount) = (760, 32)
    let memtable = Memtable(endZeroMeansOpen: true)
    for number in 1...traceCount {
      let spans = (1...4).map { index in
        let start = 1_767_225_600_000_000_000 + UInt64(number * 10 + index) * 1_000_000
        var span = SpanRecord(
          traceID: TraceID(high: 7, low: UInt64(number)), spanID: SpanID(UInt64(index)), name: "work",
          kind: index == 1 && number <= targetCount ? .consumer : .internal, start: Timestamp(nanoseconds: start),
          end: Timestamp(nanoseconds: start + 1000))
        if span.kind == .consumer {
          // No producer: where the trace stands has to be known.
          let target = TraceID(high: 7, low: UInt64(traceCount - 4 * (number - 1) % (4 * targetCount)))
          span.links.append(SpanLink(traceID: target, spanID: SpanID(1)))
        }
        return span
      }
      try memtable.append(
        TraceData(resourceSpans: [
          ResourceSpans(
            resource: Resource(attributes: [Attribute("service.name", .string("service"))]),
            scopeSpans: [ScopeSpans(spans: spans)])
        ]))
    }
    let view = memtable.source().view
    let selection = try SealSelection(view, live: [])
    _ = try SegmentWriter.write(
      view, rows: selection.rows, partialRows: selection.partialRows, options: SegmentOptions(stripeRowCount: 16),
      to: try files.open("segment", .create))
    let segment = try Segment.open(
      file: files.open("segment", .read), number: 1, path: "segment", cache: BlockCache(maximumByteCount: 64 << 20))
    let targets = (0..<targetCount).map { TraceID(high: 7, low: UInt64(traceCount - 4 * $0)) }
    #expect(try segment.finalStripes(of: TraceID(high: 7, low: UInt64(targetCount))).allSatisfy { $0 < 128 })
    let stripes = try Set(targets.flatMap { try segment.finalStripes(of: $0) })
    #expect(stripes.count > 16 && stripes.allSatisfy { $0 >= 128 })

    let fresh = try Segment.open(
      file: files.open("segment", .read), number: 2, path: "segment", cache: BlockCache(maximumByteCount: 64 << 20))
    func graph() -> ServiceGraph {
      ServiceGraphQuery(
        DependencyQuery(includesSelfCalls: true), in: QuerySnapshot(sources: [fresh], storeFingerprint: 0),
        parallel: SegmentWriter.serial
      ).run()
    }
    let first = graph()
    files.reset()
    #expect(graph() == first)
    // The trace index, and its blocks.
    #expect(files.snapshot().total().readCount <= 4)
    files.reset()
    #expect(graph() == first)
    #expect(files.snapshot().total().readCount == 0)
  }

  /// Graphs at once, of sources that are not the same for each, over sums that are joined meanwhile.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `graphs that are asked for at once are those asked for one by one`(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed &+ 51)
    let sources = try Sources(seed: seed, cacheByteCount: 64 << 20)
    let questions = (0..<24).map { index in
      let chosen = sources.all.indices.filter { _ in !random.isOneIn(4) }
      return (chosen: chosen, query: index % 3 == 0 ? Self.window(&random) : DependencyQuery(includesSelfCalls: true))
    }
    // Sources of their own, of which nothing is kept from the others.
    let expected = try questions.map {
      try Sources(seed: seed, cacheByteCount: 0).graph(of: $0.chosen, $0.query)
    }
    let graphs = Mutex([Int: ServiceGraph]())
    for turn in 0..<3 {
      graphs.withLock { $0 = [:] }
      threads(4) { thread in
        for index in questions.indices where (index + turn) % 4 == thread {
          let graph = sources.graph(
            of: questions[index].chosen, questions[index].query, parallel: { count, body in threads(count, body) })
          graphs.withLock { $0[index] = graph }
        }
      }
      for index in questions.indices {
        #expect(graphs.withLock { $0[index] } == expected[index], "seed \(seed), turn \(turn), question \(index)")
      }
    }
  }

  /// Requests with such names are refused, segments of others may have them.
  @Test func `links whose services are repaired to one text have one order`() {
    let names: [[UInt8]] = [Array("front".utf8), [0xfe], [0xff]]
    let graphs = [[1, 2], [2, 1]].map { (callees: [UInt32]) -> ServiceGraph in
      var sums = GraphSums()
      for callee in callees {
        var tally = EdgeTally()
        let key = EdgeKey(caller: 0, callee: callee, connection: .messaging)
        [UInt64(callee)].withUnsafeBufferPointer { tally.add($0, errorCount: 0, to: key) }
        sums.add(tally, names)
      }
      return sums.graph(includesSelfCalls: true)
    }
    #expect(graphs[0].links.map(\.child) == ["\u{fffd}", "\u{fffd}"])
    #expect(graphs[0].links.map { $0.latency?.maximumNanoseconds } == [1, 2])
    #expect(graphs[1] == graphs[0])
  }

  private static func window(_ random: inout SeededRandom) -> DependencyQuery {
    let start = 1_767_225_600_000_000_000 + UInt64(random.below(40)) * 1_000_000_000
    return DependencyQuery(
      start: Timestamp(nanoseconds: start),
      end: Timestamp(nanoseconds: start + UInt64(1 + random.below(40)) * 1_000_000_000), includesSelfCalls: true)
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

extension DependencyLink {
  /// Whether two links differ by no more than quantiles of a histogram do.
  func isNear(_ other: DependencyLink) -> Bool {
    guard let left = latency, let right = other.latency else { return self == other }
    func isNear(_ left: UInt64, _ right: UInt64) -> Bool { max(left, right) - min(left, right) <= right / 64 }
    var same = self
    same.latency = right
    return same == other && left.sumNanoseconds == right.sumNanoseconds
      && left.maximumNanoseconds == right.maximumNanoseconds
      && isNear(left.medianNanoseconds, right.medianNanoseconds)
      && isNear(left.percentile95Nanoseconds, right.percentile95Nanoseconds)
  }
}

import Testing
import TraceEngine
import TraceFiles
import TraceModel
import TraceSegment
import TracestoreTesting
import TracestoreV2

/// Damage is found, named and contained: what is lost is what needs the damaged bytes, and nothing wrong comes back.
@Suite struct DamageTests {
  private static let spanCount = 2_400

  /// A closed store of one segment with one stripe of three pages, and where its columns stand.
  private final class DamagedStore {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let written: [SpanID: FoundSpan]
    let traces: [TraceID]
    let path: String
    let bytes: [UInt8]
    let columns: [ChunkDescription]

    init() async throws {
      let store = try await TraceStore.open(in: files, at: "store", options: StoreOptions())
      let data = Array(TrafficGenerator(shape: .uniform, spanCount: DamageTests.spanCount, seed: 7))
      for batch in data { _ = try await store.writeTraces(batch) }
      try await store.seal()
      try await store.close()
      var written: [SpanID: FoundSpan] = [:]
      var traces: Set<TraceID> = []
      for batch in data {
        batch.forEachSpan { resource, scope, span in
          written[span.spanID] = FoundSpan(resource: resource, scope: scope, span: span)
          traces.insert(span.traceID)
        }
      }
      self.written = written
      self.traces = traces.sorted()
      let name = try #require(try files.contents(ofDirectory: "store").first { $0.hasSuffix(".seg") })
      path = joinedPath("store", name)
      let file = try files.open(path, .read)
      bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
      let segment = try Segment.open(
        file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: 64 << 20))
      let stripes = try segment.spanStripes()
      #expect(stripes.count == 1 && stripes.first?.rowCount == DamageTests.spanCount)
      columns = try #require(stripes.first).describe().chunks
    }

    /// Opens the store with one byte changed.
    func open(flipping offset: UInt64, isReadOnly: Bool = true) async throws -> TraceStore {
      var damaged = bytes
      damaged[Int(offset)] ^= 0x10
      try files.overwrite(path, with: damaged)
      return try await TraceStore.open(in: files, at: "store", options: StoreOptions(), isReadOnly: isReadOnly)
    }
  }

  /// How many spans come back by the ids of their traces; every one of them as it was written.
  private static func readable(_ store: TraceStore, _ damaged: DamagedStore) async throws -> (Int, ResultSummary) {
    let stream = try await store.getTraces(damaged.traces)
    var count = 0
    var wrong = 0
    for try await chunk in stream {
      chunk.data.forEachSpan { resource, scope, span in
        count += 1
        if damaged.written[span.spanID] != FoundSpan(resource: resource, scope: scope, span: span) { wrong += 1 }
      }
    }
    #expect(wrong == 0, "spans that nobody wrote")
    return (count, try #require(stream.summary))
  }

  @Test func `a damaged page costs the spans that need it, and is named`() async throws {
    let damaged = try await DamagedStore()
    var costs: [String: Int] = [:]
    let attributes = damaged.columns.filter { $0.name.hasPrefix("attribute:") }
    let others = damaged.columns.filter { !$0.name.hasPrefix("attribute:") }
    for column in others + attributes.prefix(3) {
      let store = try await damaged.open(flipping: column.offset + UInt64(column.byteCount) - 3)
      let (count, summary) = try await Self.readable(store, damaged)
      costs[column.name] = Self.spanCount - count
      if count < Self.spanCount {
        #expect(summary.damage.contains { $0.contains(damaged.path) && $0.contains(column.name) }, "\(summary.damage)")
      }
      try await store.close()
    }
    // A page of 1,024 rows at most; with span ids go the children of its spans, which name their parents by place.
    for name in ["span.duration", "span.start", "span.parent", "span.resource"] + attributes.prefix(3).map(\.name) {
      let cost = try #require(costs[name], "\(costs)")
      #expect((1...1024).contains(cost), "\(name): \(cost) spans")
    }
    #expect(costs["span.id"].map { (1..<Self.spanCount).contains($0) } == true, "\(costs)")
    // What says where everything else stands costs the stripe.
    #expect(costs["span.shape"] == Self.spanCount)
  }

  @Test func `figures of whole minutes leave out the rows of a damaged page, however often they are asked for`()
    async throws
  {
    let damaged = try await DamagedStore()
    let column = try #require(damaged.columns.first { $0.name == "span.start" })
    let store = try await damaged.open(flipping: column.offset + UInt64(column.byteCount) - 3)
    let minute: UInt64 = 60_000_000_000
    let starts = damaged.written.values.map(\.span.start.nanoseconds)
    let end = ((starts.max() ?? 0) / minute + 2) * minute
    let services = try await store.getServices().elements
    for groups in [[MetricsGroup.operation], []] {
      let query = MetricsQuery(
        serviceNames: services, groups: groups, spanKinds: [], end: Timestamp(nanoseconds: end),
        lookbackNanoseconds: end - (starts.min() ?? 0) / minute * minute, stepNanoseconds: minute,
        ratePerNanoseconds: minute, quantile: 0.5)
      var families: Set<MetricFamily> = []
      for _ in 0..<3 {
        let rates = try await store.getCallRates(query)
        let counted = rates.metrics.flatMap(\.points).reduce(0) { $0 + $1.value * 60 }
        #expect((1...1024).contains(Double(Self.spanCount) - counted.rounded()), "\(counted)")
        #expect(rates.summary.damage.contains { $0.contains(damaged.path) && $0.contains("span.start") })
        let latencies = try await store.getLatencies(query)
        #expect(!latencies.metrics.isEmpty && !latencies.summary.damage.isEmpty)
        families.formUnion([rates, latencies])
      }
      #expect(families.count == 2)
    }
    try await store.close()
  }

  @Test func `a search passes over the rows of a damaged page and finds what stands beside them`() async throws {
    let damaged = try await DamagedStore()
    let column = try #require(damaged.columns.first { $0.name == "span.duration" })
    let store = try await damaged.open(flipping: column.offset + UInt64(column.byteCount) - 3)
    for order in [TraceOrder.newest, .traceID] {
      let query = TraceQuery(durationMinimumNanoseconds: 1, limit: .max, order: order)
      let found = try await store.findTraceIDs(query).collect()
      // Of a trace of ten spans another one is found as well, unless all of them stand on the page.
      #expect(found.elements.count > damaged.traces.count / 2, "\(order.rawValue): \(found.elements.count)")
      #expect(found.summary.damage.contains { $0.contains("span.duration") }, "\(found.summary.damage)")
    }
    try await store.close()
  }

  @Test func `what a search newest first does not ask for costs it nothing when it is damaged`() async throws {
    let damaged = try await DamagedStore()
    let column = try #require(damaged.columns.first { $0.name == "span.duration" })
    let store = try await damaged.open(flipping: column.offset + UInt64(column.byteCount) - 3)
    var newest: [TraceID: Timestamp] = [:]
    for found in damaged.written.values {
      newest[found.span.traceID] = max(newest[found.span.traceID] ?? .zero, found.span.start)
    }
    let ordered = newest.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }.map(\.key)
    for limit in [7, ordered.count + 1] {
      let found = try await store.findTraceIDs(TraceQuery(limit: limit)).collect()
      #expect(found.elements.map(\.traceID) == Array(ordered.prefix(limit)))
      #expect(found.summary.damage.isEmpty, "\(found.summary.damage)")
    }
    // What shows durations says which are missing.
    let summaries = try await store.findTraceSummaries(TraceQuery(limit: ordered.count)).collect()
    #expect(summaries.summary.damage.contains { $0.contains("span.duration") }, "\(summaries.summary.damage)")
    try await store.close()
  }

  @Test func `an explanation counts what was looked at again once`() async throws {
    let damaged = try await DamagedStore()
    let column = try #require(damaged.columns.first { $0.name == "span.duration" })
    let store = try await damaged.open(flipping: column.offset + UInt64(column.byteCount) - 3)
    let filter = try FilterExpression(text: "span.duration >= 0s && !(span.duration < 1ns)")
    for order in [TraceOrder.newest, .traceID] {
      let query = TraceQuery(filter: filter, limit: .max, order: order, options: ReadOptions(isExplained: true))
      let explanation = try #require(try await store.findTraceIDs(query).collect().summary.explanation)
      let spans = try await store.findSpans(TraceQuery(filter: filter, limit: .max)).collect()
      #expect(!spans.summary.damage.isEmpty && (1..<Self.spanCount).contains(spans.elements.count))
      #expect(
        explanation.contains("rows: \(Self.spanCount) in these stripes, \(spans.elements.count) matched"),
        "\(explanation)")
      // Only what could be decided went into a part of the filter.
      for line in explanation.split(separator: "\n") where line.contains("pass") {
        #expect(line.contains(": \(spans.elements.count) rows"), "\(explanation)")
      }
    }
    try await store.close()
  }

  @Test func `an explanation of a search that needed more room counts rows once`() async throws {
    let store = try await TraceStore.inMemory()
    func spans(_ count: Int, from start: UInt64) -> TraceData {
      let spans = (0..<count).map { number in
        SpanRecord(
          traceID: TraceID(high: 1, low: 1), spanID: SpanID(UInt64(number) + start),
          start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + 1))
      }
      return TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: spans)])])
    }
    // The newest one stands there often: until it is sealed, a span that is sent again takes a row.
    _ = try await store.writeTraces(spans(5, from: 1))
    for _ in 0..<60 { _ = try await store.writeTraces(spans(1, from: 1_000)) }
    let query = TraceQuery(limit: 3, options: ReadOptions(isExplained: true))
    let found = try await store.findSpans(query).collect()
    #expect(found.elements.count == 3)
    let explanation = try #require(found.summary.explanation)
    #expect(explanation.contains("rows: 65 in these stripes, 65 matched"), "\(explanation)")
    #expect(explanation.contains("everything: 65 rows, 65 pass"), "\(explanation)")
    try await store.close()
  }

  @Test(arguments: ["span.id", "span.duration", "span.shape"])
  func `spans whose stored copies cannot be read are sealed as new ones, and nothing waits for them`(
    _ name: String
  ) async throws {
    let damaged = try await DamagedStore()
    let column = try #require(damaged.columns.first { $0.name == name })
    let store = try await damaged.open(flipping: column.offset + UInt64(column.byteCount) - 3, isReadOnly: false)
    for batch in TrafficGenerator(shape: .uniform, spanCount: Self.spanCount, seed: 7) {
      _ = try await store.writeTraces(batch)
    }
    try await store.seal()
    let (count, summary) = try await Self.readable(store, damaged)
    #expect(count == Self.spanCount && !summary.damage.isEmpty, "\(count) spans, \(summary.damage)")
    let statistics = try await store.statistics()
    #expect(statistics.segments.count == 2 && statistics.unsealedRecordCount == 0)
    // What could be compared was not stored again.
    #expect(name != "span.duration" || statistics.spanCount < 2 * Self.spanCount, "\(statistics.spanCount) spans")
    try await store.close()
  }

  @Test func `whatever byte is flipped, nothing wrong comes back and what is missing is named`() async throws {
    let damaged = try await DamagedStore()
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededRandom(seed: seed)
    for _ in 0..<12 {
      let offset = UInt64(random.below(damaged.bytes.count))
      let label = "seed \(seed), byte \(offset)"
      do {
        let store = try await damaged.open(flipping: offset)
        let (count, summary) = try await Self.readable(store, damaged)
        #expect(count == Self.spanCount || !summary.damage.isEmpty, "\(label): \(count) spans and no word")
        let found = try await store.findTraceIDs(TraceQuery(limit: .max)).collect()
        #expect(
          found.elements.count == damaged.traces.count || !found.summary.damage.isEmpty,
          "\(label): \(found.elements.count) traces and no word")
        try await store.close()
      } catch let error as TracestoreError {
        #expect(error.code == .corrupt || error.code == .unsupportedFormat, "\(label): \(error)")
        #expect(error.path == damaged.path, "\(label): \(error)")
      }
    }
  }
}

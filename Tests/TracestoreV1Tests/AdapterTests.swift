import Synchronization
import Testing
import TraceModel
import TracestoreTesting
import TracestoreV1
import TracestoreV2

@Suite struct `v1 over a v2 store` {
  private func filled() async throws -> (store: ReferenceStore, batches: [TraceData]) {
    let store = ReferenceStore()
    let batches = randomTraces(seed: 5, count: 30)
    for batch in batches { _ = try await store.writeTraces(batch) }
    return (store, batches)
  }

  @Test func `every trace is found by its id, whole`() async throws {
    let (store, batches) = try await filled()
    let reader = V1SpanReader(store)
    for trace in V1Trace.traces(of: batches) {
      let id = try #require(trace.traceID)
      let found = try await reader.getTrace(GetTraceParameters(id))
      // The store keeps equal spans once.
      #expect(Set(found.spans) == Set(trace.spans))
      #expect(found.traceID == id && found.warnings.isEmpty)
    }
  }

  @Test func `a trace that is not there has the error that v1 knows`() async throws {
    let reader = V1SpanReader(ReferenceStore())
    let error = await awaitedError { _ = try await reader.getTrace(GetTraceParameters(traceID)) }
    #expect(error?.code == .notFound && error?.message == "trace not found")
  }

  @Test func `chunks side by side are one trace, apart they are too many`() async throws {
    func chunk(_ id: TraceID) -> TraceChunk {
      TraceChunk(
        traceID: id,
        data: TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span { $0.traceID = id }])])]))
    }
    let empty = TraceChunk(traceID: otherTraceID, data: TraceData())
    let one = V1SpanReader(CannedReader([chunk(traceID), empty, chunk(traceID)]))
    #expect(try await one.getTrace(GetTraceParameters(traceID)).spans.count == 2)
    for chunks in [[chunk(traceID), chunk(otherTraceID)], [chunk(traceID), chunk(otherTraceID), chunk(traceID)]] {
      let many = V1SpanReader(CannedReader(chunks))
      let error = await awaitedError { _ = try await many.getTrace(GetTraceParameters(traceID)) }
      #expect(error?.code == .tooManyTraces && error?.message == "too many traces found")
      #expect(try await many.findTraces(V1TraceQuery()).count == chunks.count)
    }
  }

  @Test func `damage is said, and never called "not found"`() async throws {
    let damage = ResultSummary(damage: ["page 3 of a.seg is damaged."])
    let reader = V1SpanReader(CannedReader([], summary: damage))
    for error in [
      await awaitedError { _ = try await reader.getTrace(GetTraceParameters(traceID)) },
      await awaitedError { _ = try await reader.findTraces(V1TraceQuery()) },
      await awaitedError { _ = try await reader.findTraceIDs(V1TraceQuery()) },
    ] {
      #expect(error?.code == .corrupt && error?.message.contains("page 3") == true)
    }
    let chunk = TraceChunk(
      traceID: traceID, data: TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span()])])]))
    let half = V1SpanReader(CannedReader([chunk], summary: damage))
    #expect(try await half.getTrace(GetTraceParameters(traceID)).warnings == damage.damage)
  }

  @Test func `searches find what v2 finds`() async throws {
    let (store, batches) = try await filled()
    let reader = V1SpanReader(store)
    let services = try await reader.getServices()
    #expect(services == (try await store.getServices()) && !services.isEmpty)
    for service in services {
      let query = OperationQuery(serviceName: service)
      #expect(try await reader.getOperations(query) == store.getOperations(query))
      let found = try await reader.findTraces(V1TraceQuery(serviceName: service, traceCount: 3))
      let ids = try await store.findTraceIDs(TraceQuery(serviceName: service, limit: 3)).collect().elements.map(
        \.traceID)
      #expect(found.map(\.traceID) == ids)
      #expect(try await reader.findTraceIDs(V1TraceQuery(serviceName: service, traceCount: 3)) == ids)
    }
    #expect(try await reader.findTraces(V1TraceQuery(serviceName: "nobody")).isEmpty)
    let all = try await reader.findTraceIDs(V1TraceQuery())
    #expect(all.count == Set(V1Trace.traces(of: batches).map(\.traceID)).count)
  }

  @Test func `a search carries every condition`() async throws {
    let canned = CannedReader([])
    let reader = V1SpanReader(canned)
    _ = try await reader.findTraces(
      V1TraceQuery(
        serviceName: "s", operationName: "o", tags: ["b": "2", "a": "1"], startTimeMinimum: Timestamp(nanoseconds: 1),
        startTimeMaximum: Timestamp(nanoseconds: 2), durationMinimumNanoseconds: 3, durationMaximumNanoseconds: 4,
        traceCount: 5))
    _ = try await reader.findTraces(V1TraceQuery(traceCount: -1))
    #expect(
      canned.queries == [
        TraceQuery(
          serviceName: "s", operationName: "o", attributes: [Attribute("a", "1"), Attribute("b", "2")],
          startMinimum: Timestamp(nanoseconds: 1), startMaximum: Timestamp(nanoseconds: 2),
          durationMinimumNanoseconds: 3, durationMaximumNanoseconds: 4, limit: 5),
        TraceQuery(limit: 100),
      ])
  }

  @Test func `a span is written, and a refusal is an error`() async throws {
    let store = ReferenceStore()
    let writer = V1SpanWriter(store)
    let good = v1Span(tags: [V1Tag("span.kind", "server")]) { $0.process = V1Process(serviceName: "cart") }
    try await writer.writeSpan(good)
    #expect(try await V1SpanReader(store).getTrace(GetTraceParameters(traceID)).spans == [good])
    let error = await awaitedError { try await writer.writeSpan(v1Span { $0.spanID = SpanID(0) }) }
    #expect(error?.code == .invalidArgument && error?.message.contains("all zero") == true)
    #expect(store.spanCount == 1)
  }

  @Test func `a batch is written span by span, and what is refused is named by its place`() async throws {
    let store = ReferenceStore()
    let batch = TraceData([1, 0, 2].map { id in v1Span { $0.spanID = SpanID(id) } })
    let receipt = try await V2TraceWriter(V1SpanWriter(store)).writeTraces(batch)
    #expect(receipt.acceptedSpanCount == 2 && receipt.refused.map(\.spanIndex) == [1])
    #expect(receipt.refused.first?.reason.contains("all zero") == true && store.spanCount == 2)
  }

  @Test func `behind an error nothing more is written, and it is thrown where nothing was`() async throws {
    let batch = TraceData((1...4).map { id in v1Span { $0.spanID = SpanID(UInt64(id)) } })
    let full = FillingWriter(roomSpanCount: 2)
    let receipt = try await V2TraceWriter(full).writeTraces(batch)
    #expect(receipt.acceptedSpanCount == 2 && receipt.refused.map(\.spanIndex) == [2, 3])
    #expect(receipt.refused.allSatisfy { $0.reason.contains("full") } && full.askedCount == 3)
    let error = await awaitedError { _ = try await V2TraceWriter(full).writeTraces(batch) }
    #expect(error?.code == .diskFull && full.askedCount == 4)
  }

  @Test func `dependencies are asked by their end`() async throws {
    let store = ReferenceStore()
    let writer = V1DependencyWriter(store)
    let link = V1DependencyLink(parent: "a", child: "b", callCount: 3)
    try await writer.writeDependencies([link], at: Timestamp(nanoseconds: 100))
    let reader = V1DependencyReader(store)
    for (end, lookback, isFound) in [
      (101, 1, true), (100, 50, false), (200, 100, true), (200, 99, false), (150, 1_000, true),
    ]
      as [(UInt64, UInt64, Bool)]
    {
      let links = try await reader.getDependencies(end: Timestamp(nanoseconds: end), lookbackNanoseconds: lookback)
      #expect(links.elements == (isFound ? [link] : []), "\(end) \(lookback)")
    }
  }

  @Test func `sampling keeps maps, and names by their bytes`() async throws {
    let store = V1SamplingStore(ReferenceStore())
    #expect(try await store.getLatestProbabilities().isEmpty)
    let rates: V1OperationRates = ["s": ["a": 0.1, "b": 0.2], "caf\u{e9}": ["x": 1], "cafe\u{301}": ["x": 0.5]]
    try await store.insertProbabilitiesAndQPS(hostname: "h", probabilities: rates, queriesPerSecond: [:])
    #expect(try await store.getLatestProbabilities() == rates)
    let throughput = [SamplingThroughput(serviceName: "s", operationName: "o", count: 2, probabilities: ["0.1"])]
    try await store.insertThroughput(throughput)
    let now = Timestamp(nanoseconds: 1_767_225_600_000_000_000)
    #expect(try await store.getThroughput(start: .zero, end: now) == throughput)
    #expect(try await store.getThroughput(start: now, end: .maximum).isEmpty)
  }

  @Test func `metrics are asked in words`() async throws {
    let canned = CannedReader([])
    let reader = V1MetricsReader(canned)
    let end = Timestamp(nanoseconds: 9)
    _ = try await reader.getLatencies(V1MetricsQuery(serviceNames: ["s"], end: end), quantile: 0.95)
    _ = try await reader.getCallRates(
      V1MetricsQuery(
        serviceNames: ["s"], groupsByOperation: true, spanKinds: ["Client", "span_kind_unspecified"], end: end))
    _ = try await reader.getErrorRates(V1MetricsQuery(serviceNames: ["s"], spanKinds: [], end: end))
    #expect(try await reader.getMinimumStepNanoseconds() == 7)
    #expect(
      canned.metrics == [
        MetricsQuery(serviceNames: ["s"], end: end, stepNanoseconds: 5_000_000_000, quantile: 0.95),
        MetricsQuery(
          serviceNames: ["s"], groups: [.operation], spanKinds: [.client, .unspecified], end: end,
          stepNanoseconds: 5_000_000_000),
        MetricsQuery(serviceNames: ["s"], spanKinds: [], end: end, stepNanoseconds: 5_000_000_000),
      ])
    let error = await awaitedError {
      _ = try await reader.getCallRates(V1MetricsQuery(serviceNames: ["s"], spanKinds: ["odd"], end: end))
    }
    #expect(error?.code == .invalidArgument && error?.message.contains("odd") == true)
  }
}

/// A v1 store on a small disk.
final class FillingWriter: V1SpanWriting {
  private let roomSpanCount: Int
  private let asked = Mutex(0)

  init(roomSpanCount: Int) { self.roomSpanCount = roomSpanCount }

  var askedCount: Int { asked.withLock(\.self) }

  func writeSpan(_ span: V1Span) async throws {
    let count = asked.withLock { asked in
      asked += 1
      return asked
    }
    guard count <= roomSpanCount else { throw TracestoreError(.diskFull, "The disk is full.") }
  }
}

/// Answers every question with the same chunks and notes the questions.
final class CannedReader: TraceReader, MetricsReader {
  private let chunks: [TraceChunk]
  private let summary: ResultSummary
  private let asked = Mutex<(queries: [TraceQuery], metrics: [MetricsQuery])>(([], []))

  var queries: [TraceQuery] { asked.withLock { $0.queries } }
  var metrics: [MetricsQuery] { asked.withLock { $0.metrics } }

  init(_ chunks: [TraceChunk], summary: ResultSummary = ResultSummary()) {
    self.chunks = chunks
    self.summary = summary
  }

  func getTraces(_ parameters: [GetTraceParameters], options: ReadOptions) async throws -> ResultStream<TraceChunk> {
    ResultStream(chunks, summary: summary)
  }

  func findTraces(_ query: TraceQuery) async throws -> ResultStream<TraceChunk> {
    asked.withLock { $0.queries.append(query) }
    return ResultStream(chunks, summary: summary)
  }

  func findTraceIDs(_ query: TraceQuery) async throws -> ResultStream<FoundTrace> {
    ResultStream(chunks.map { FoundTrace(traceID: $0.traceID) }, summary: summary)
  }

  func getServices() async throws -> ResultList<String> { [] }
  func getOperations(_ query: OperationQuery) async throws -> ResultList<TracestoreV2.Operation> { [] }
  func searchCapabilities() async throws -> SearchCapabilities { SearchCapabilities() }

  private func family(_ query: MetricsQuery) -> MetricFamily {
    asked.withLock { $0.metrics.append(query) }
    return MetricFamily(name: "", help: "")
  }

  func getLatencies(_ query: MetricsQuery) async throws -> MetricFamily { family(query) }
  func getCallRates(_ query: MetricsQuery) async throws -> MetricFamily { family(query) }
  func getErrorRates(_ query: MetricsQuery) async throws -> MetricFamily { family(query) }
  func getMinimumStepNanoseconds() async throws -> UInt64 { 7 }
}

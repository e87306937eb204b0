import Testing
import TraceModel
import TracestoreV2

/// A store that has only what it must.
private struct MinimalStore: TraceReader, MetricsReader, TracestoreFactory, TraceWriter {
  func createTraceReader() async throws -> any TraceReader { self }
  func createTraceWriter() async throws -> any TraceWriter { self }
  func writeTraces(_ data: TraceData) async throws -> WriteReceipt { WriteReceipt() }
  func getTraces(
    _ parameters: [GetTraceParameters], options: ReadOptions
  ) async throws -> ResultStream<TraceChunk> {
    ResultStream(parameters.map { TraceChunk(traceID: $0.traceID, data: TraceData()) })
  }
  func findTraces(_ query: TraceQuery) async throws -> ResultStream<TraceChunk> { ResultStream([]) }
  func findTraceIDs(_ query: TraceQuery) async throws -> ResultStream<FoundTrace> { ResultStream([]) }
  func getServices() async throws -> ResultList<String> { [] }
  func getOperations(_ query: OperationQuery) async throws -> ResultList<TracestoreV2.Operation> { [] }
  func searchCapabilities() async throws -> SearchCapabilities { SearchCapabilities() }
}

@Suite struct ValueTests {
  @Test func `what a store lacks throws unsupported and says what`() async throws {
    let store = MinimalStore()
    func expectUnsupported(_ body: () async throws -> Void) async {
      let error = await #expect(throws: TracestoreError.self) { try await body() }
      #expect(error?.code == .unsupported)
      #expect(error?.message.hasPrefix("This store does not offer ") == true)
    }
    let metrics = MetricsQuery(serviceNames: ["a"], end: .maximum)
    await expectUnsupported { _ = try await store.findTraceSummaries(TraceQuery()) }
    await expectUnsupported { _ = try await store.findSpans(TraceQuery()) }
    await expectUnsupported { _ = try await store.getAttributeKeys(AttributeKeyQuery()) }
    await expectUnsupported { _ = try await store.getAttributeValues(AttributeValueQuery(key: "a")) }
    await expectUnsupported { _ = try await store.getLatencies(metrics) }
    await expectUnsupported { _ = try await store.getCallRates(metrics) }
    await expectUnsupported { _ = try await store.getErrorRates(metrics) }
    await expectUnsupported { _ = try await store.getMinimumStepNanoseconds() }
    await expectUnsupported { _ = try await store.createEncodedTraceWriter() }
    await expectUnsupported { _ = try await store.createDependencyReader() }
    await expectUnsupported { _ = try await store.createDependencyWriter() }
    await expectUnsupported { _ = try await store.createMetricsReader() }
    await expectUnsupported { _ = try await store.createSamplingStore() }
    await expectUnsupported { _ = try await store.createLock() }
    await expectUnsupported { try await store.purge() }
    #expect(store.synchronousBulkWriteByteCap == nil)
    let chunks = try await store.getTraces([TraceID(high: 0, low: 1)]).collect().elements
    #expect(chunks.map(\.traceID.low) == [1])
  }

  @Test func `a default query is the widest one and its capabilities the least`() {
    let query = TraceQuery()
    #expect(query.limit == 100)
    #expect(query.order == .newest)
    #expect(!query.hasFlatConditions)
    #expect(throws: Never.self) { try query.validate() }
    #expect(SearchCapabilities().filter == nil)
    #expect(!SearchCapabilities().isServiceNameOptional)
  }

  @Test func `a query outside of its bounds is refused`() {
    func expectRefusal(_ change: (inout TraceQuery) -> Void) {
      var query = TraceQuery()
      change(&query)
      let error = #expect(throws: TracestoreError.self) { try query.validate() }
      #expect(error?.code == .invalidArgument)
    }
    expectRefusal { $0.limit = 0 }
    expectRefusal { $0.limit = -1 }
    expectRefusal { $0.attributes = [Attribute("", "a")] }
    let changes: [(inout TraceQuery) -> Void] = [
      { $0.serviceName = "a" }, { $0.operationName = "a" }, { $0.attributes = [Attribute("a", "b")] },
      { $0.spanKind = .server }, { $0.statusCode = .error }, { $0.durationMinimumNanoseconds = 0 },
      { $0.durationMaximumNanoseconds = 0 },
    ]
    for change in changes {
      expectRefusal {
        change(&$0)
        $0.filter = .call(.exists, .attribute("a"))
      }
    }
    let fine = TraceQuery(
      startMinimum: .zero, startMaximum: .maximum, filter: .call(.exists, .attribute("a")), limit: 1, order: .slowest,
      pageToken: "x")
    #expect(throws: Never.self) { try fine.validate() }
  }

  @Test func `a metrics query outside of its bounds is refused`() {
    func isRefused(_ change: (inout MetricsQuery) -> Void) -> Bool {
      var query = MetricsQuery(serviceNames: ["a"], end: .maximum, quantile: 0.95)
      change(&query)
      do {
        try query.validate()
        return false
      } catch { return true }
    }
    #expect(!isRefused { _ in })
    #expect(!isRefused { $0.quantile = 1 })
    #expect(!isRefused { ($0.serviceNames, $0.groups) = ([], [.operation]) })
    #expect(isRefused { $0.serviceNames = [] })
    #expect(isRefused { $0.stepNanoseconds = 0 })
    #expect(isRefused { $0.ratePerNanoseconds = 0 })
    #expect(isRefused { $0.maximumSeriesCount = 0 })
    #expect(isRefused { $0.exemplarCount = -1 })
    #expect(isRefused { $0.quantile = 1.01 })
    #expect(isRefused { $0.quantile = .nan })
  }

  @Test func `names that are only canonically equivalent are different`() {
    let (a, b) = ("caf\u{e9}", "cafe\u{301}")
    #expect(a == b)
    #expect(Operation(name: a) != Operation(name: b))
    #expect(ServiceSummary(name: a) != ServiceSummary(name: b))
    let id = TraceID(high: 0, low: 1)
    #expect(TraceSummary(traceID: id, rootServiceName: a) != TraceSummary(traceID: id, rootServiceName: b))
    #expect(AttributeReference(a) != AttributeReference(b))
    #expect(FieldReference(.span, a) != FieldReference(.span, b))
    #expect(FilterList([a]) != FilterList([b]))
    #expect(FilterExpression.untyped(a) != .untyped(b))
    #expect(FilterExpression.string(a) == .string(a))
    #expect(FilterExpression.string(a) != .untyped(a))
  }

  @Test func `filters are equal by structure, doubles by bits`() {
    let filter = FilterExpression.call(
      .and, .call(.greater, .field(.span, "duration"), .duration(nanoseconds: 2_000_000_000)),
      .call(.some, .nested(NestedReference(.event)), .call(.equal, .attribute("k", .event), .double(.nan))),
      .call(.in, .attribute("k"), .list(FilterList(["1", "2"], type: .int))))
    #expect(filter == filter)
    #expect(Set([filter, filter]).count == 1)
    #expect(FilterExpression.double(0) != .double(-0.0))
    #expect(FilterExpression.int(1) != .duration(nanoseconds: 1))
    #expect(FilterOperator.all.count == 14)
    #expect(Set(FilterOperator.all).count == 14)
  }

  @Test func `every type of value has its word`() {
    let values: [AttributeValue] = [
      .absent, .empty, "", true, 1, 0.5, .bytes([]), .array([]), .map([]), .opaque([]),
    ]
    #expect(
      values.map { AttributeType(of: $0).rawValue } == [
        "empty", "empty", "string", "bool", "int", "double", "bytes", "array", "map", "opaque",
      ])
  }

  @Test func `the states of a chunk go by the place of the span`() {
    let chunk = TraceChunk(traceID: TraceID(high: 0, low: 1), data: TraceData(), states: [1: .open])
    #expect(chunk.state(at: 0) == .final)
    #expect(chunk.state(at: 1) == .open)
    #expect(SpanState(.final, isEnriched: true) != .final)
  }
}

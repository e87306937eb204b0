import Testing
import TraceModel
import TracestoreTesting
import TracestoreV1
import TracestoreV2

@Suite struct `v2 over a v1 store` {
  /// v1 over the reference store, so that both adapters stand on each other.
  private func filled() async throws -> (reader: V2TraceReader, traceIDs: [TraceID], store: ReferenceStore) {
    let store = ReferenceStore()
    let batches = randomTraces(seed: 8, count: 20)
    for batch in batches { _ = try await store.writeTraces(batch) }
    return (V2TraceReader(V1SpanReader(store)), V1Trace.traces(of: batches).compactMap(\.traceID), store)
  }

  @Test func `ids are asked one after another, those not found skipped`() async throws {
    let (reader, ids, store) = try await filled()
    let asked = [otherTraceID, ids[1], ids[0], otherTraceID, ids[1]]
    let (chunks, summary) = try await reader.getTraces(asked).collect()
    #expect(chunks.map(\.traceID) == [ids[1], ids[0], ids[1]])
    #expect(summary == ResultSummary())
    for chunk in chunks {
      let direct = try await store.getTraces([chunk.traceID]).collect().elements
      #expect(chunk.data == TraceData(V1Trace.traces(of: direct.map(\.data)).flatMap(\.spans)))
    }
    #expect(try await reader.getTraces([otherTraceID]).collect().elements.isEmpty)
  }

  @Test func `any other error ends the stream, what came before stands`() async throws {
    let (reader, ids, _) = try await filled()
    let failing = V2TraceReader(FailingReader(good: V1SpanReader(reader), bad: ids[1]))
    var iterator = try await failing.getTraces([ids[0], ids[1], ids[2]]).makeAsyncIterator()
    #expect(try await iterator.next()?.traceID == ids[0])
    await #expect(throws: TracestoreError.self) { try await iterator.next() }
    #expect(try await iterator.next() == nil)
  }

  @Test func `nothing is declared`() async throws {
    let (reader, _, _) = try await filled()
    #expect(try await reader.searchCapabilities() == SearchCapabilities())
    let error = await awaitedError { _ = try await reader.findTraceSummaries(TraceQuery(serviceName: "cart")) }
    #expect(error?.code == .unsupported)
  }

  @Test func `searches go through both adapters`() async throws {
    let (reader, _, store) = try await filled()
    #expect(try await reader.getServices() == store.getServices())
    for service in try await store.getServices() {
      for limit in [1, 3, 100] {
        let query = TraceQuery(serviceName: service, limit: limit)
        let ids = try await store.findTraceIDs(query).collect().elements.map(\.traceID)
        #expect(try await reader.findTraces(query).collect().elements.map(\.traceID) == ids)
        #expect(try await reader.findTraceIDs(query).collect().elements.map(\.traceID) == ids)
      }
      let operations = OperationQuery(serviceName: service)
      #expect(try await reader.getOperations(operations) == store.getOperations(operations))
    }
  }

  @Test func `kind and status are asked by v1's tags`() async throws {
    let (reader, _, store) = try await filled()
    for query in [
      TraceQuery(serviceName: "cart", spanKind: .client), TraceQuery(serviceName: "cart", statusCode: .error),
      TraceQuery(serviceName: "cart", attributes: [Attribute("user", .int(200))]),
      TraceQuery(serviceName: "cart", durationMinimumNanoseconds: 1_000, durationMaximumNanoseconds: 3_000),
    ] {
      var textual = query
      textual.attributes = query.attributes.map { Attribute($0.key, .string($0.value.text)) }
      let ids = try await store.findTraceIDs(textual).collect().elements.map(\.traceID)
      #expect(try await reader.findTraceIDs(query).collect().elements.map(\.traceID) == ids)
    }
  }

  @Test func `what v1 cannot be asked is refused`() async throws {
    let (reader, _, _) = try await filled()
    let service = "cart"
    for query in [
      TraceQuery(serviceName: service, order: .slowest), TraceQuery(serviceName: service, pageToken: "x"),
      TraceQuery(filter: .call(.exists, .attribute("a"))), TraceQuery(serviceName: service, spanKind: .unspecified),
      TraceQuery(serviceName: service, statusCode: .unset), TraceQuery(serviceName: service, startMaximum: .zero),
      TraceQuery(serviceName: service, durationMaximumNanoseconds: 0),
      TraceQuery(serviceName: service, attributes: [Attribute("a", "1"), Attribute("a", "2")]),
      TraceQuery(serviceName: service, attributes: [Attribute("span.kind", "server")], spanKind: .client),
    ] {
      let error = await awaitedError { _ = try await reader.findTraces(query) }
      #expect(error?.code == .unsupported, "\(query)")
    }
    for query in [TraceQuery(), TraceQuery(serviceName: service, limit: 0)] {
      let error = await awaitedError { _ = try await reader.findTraceIDs(query) }
      #expect(error?.code == .invalidArgument)
    }
    // The same condition twice is one.
    let twice = TraceQuery(serviceName: service, attributes: [Attribute("a", "1"), Attribute("a", 1)])
    #expect(await awaitedError { _ = try await reader.findTraces(twice) } == nil)
  }
}

/// A v1 store whose answer for one trace is an error.
struct FailingReader: V1SpanReading {
  var good: any V1SpanReading
  var bad: TraceID

  func getTrace(_ parameters: GetTraceParameters) async throws -> V1Trace {
    if parameters.traceID == bad { throw TracestoreError(.inputOutput, "The store is away.") }
    return try await good.getTrace(parameters)
  }

  func getServices() async throws -> ResultList<String> { try await good.getServices() }
  func getOperations(_ query: OperationQuery) async throws -> ResultList<TracestoreV2.Operation> {
    try await good.getOperations(query)
  }
  func findTraces(_ query: V1TraceQuery) async throws -> [V1Trace] { try await good.findTraces(query) }
  func findTraceIDs(_ query: V1TraceQuery) async throws -> [TraceID] { try await good.findTraceIDs(query) }
}

import TraceModel
import TracestoreV2

/// One store under check, with the verbs that checks are written in.
struct ConformanceSession: Sendable {
  let store: any TracestoreFactory

  func reader() async throws -> any TraceReader { try await store.createTraceReader() }

  @discardableResult
  func write(_ batches: TraceData...) async throws -> [WriteReceipt] { try await write(batches) }

  @discardableResult
  func write(_ batches: [TraceData]) async throws -> [WriteReceipt] {
    let writer = try await store.createTraceWriter()
    var receipts: [WriteReceipt] = []
    for batch in batches { receipts.append(try await writer.writeTraces(batch)) }
    return receipts
  }

  func capabilities() async throws -> SearchCapabilities {
    do {
      return try await reader().searchCapabilities()
    } catch let error as TracestoreError where error.code == .unsupported {
      return SearchCapabilities()
    }
  }

  /// The whole traces that a query finds, in order, with the rules of chunks checked.
  func find(_ query: TraceQuery) async throws -> (traces: [FoundTraceContent], summary: ResultSummary) {
    let (chunks, summary) = try await reader().findTraces(query).collect()
    return (try joined(chunks), summary)
  }

  func get(_ traceIDs: TraceID...) async throws -> [FoundTraceContent] {
    try joined(try await reader().getTraces(traceIDs).collect().elements)
  }

  /// Joins neighbouring chunks of one trace and checks what every chunk promises.
  func joined(_ chunks: [TraceChunk]) throws -> [FoundTraceContent] {
    var traces: [FoundTraceContent] = []
    for chunk in chunks {
      try expect(!chunk.data.isEmpty, "a chunk of trace \(chunk.traceID) is empty")
      try expect(
        chunk.foundSpans.allSatisfy { $0.span.traceID == chunk.traceID },
        "a chunk of trace \(chunk.traceID) holds spans of another trace")
      if traces.last?.traceID == chunk.traceID {
        traces[traces.count - 1].chunks.append(chunk)
      } else {
        traces.append(FoundTraceContent(traceID: chunk.traceID, chunks: [chunk]))
      }
    }
    return traces
  }

  /// Asks every kind of search the same and expects exactly these traces, whole. In this order, if one is declared.
  func expectFinds(
    _ query: TraceQuery, _ expected: [TraceData], _ label: String = "the query"
  ) async throws {
    let ids = try expected.map { try $0.onlyTraceID }
    let found = try await find(query)
    try expectEqual(found.traces.map(\.traceID).sorted(), ids.sorted(), "\(label): traces")
    for trace in found.traces {
      let content = ContentKey.set(of: expected.filter { (try? $0.onlyTraceID) == trace.traceID })
      try expect(trace.keys == content, "\(label): trace \(trace.traceID) came back changed or incomplete")
      try expect(trace.spanCount == content.count, "\(label): trace \(trace.traceID) came back with repeated spans")
    }
    try expect(!found.summary.isTruncated, "\(label): a complete answer says that it is truncated")
    let foundIDs = try await reader().findTraceIDs(query).collect().elements.map(\.traceID)
    try expectEqual(foundIDs, found.traces.map(\.traceID), "\(label): findTraceIDs beside findTraces")
    guard try await capabilities().hasTraceSummaries else { return }
    let summarised = try await reader().findTraceSummaries(query).collect().elements.map(\.traceID)
    try expectEqual(summarised, foundIDs, "\(label): findTraceSummaries beside findTraces")
  }

  func expectError(
    _ code: TracestoreError.Code, _ label: String, _ body: () async throws -> Void
  ) async throws {
    do {
      try await body()
    } catch let error as TracestoreError {
      return try expectEqual(error.code, code, "\(label): error code")
    }
    throw ConformanceFailure(message: "\(label): no error where \(code.rawValue) was expected")
  }
}

/// A trace as it came back.
struct FoundTraceContent {
  var traceID: TraceID
  var chunks: [TraceChunk]

  var keys: Set<ContentKey> { ContentKey.set(of: chunks.map(\.data)) }
  var spanCount: Int { chunks.reduce(0) { $0 + $1.data.spanCount } }
}

extension TraceData {
  /// The trace id of a fixture that holds spans of one trace.
  var onlyTraceID: TraceID {
    get throws {
      var ids: Set<TraceID> = []
      forEachSpan { ids.insert($2.traceID) }
      guard let id = ids.first, ids.count == 1 else {
        throw ConformanceFailure(message: "a fixture does not hold exactly one trace")
      }
      return id
    }
  }
}

func expect(_ isTrue: Bool, _ message: @autoclosure () -> String) throws {
  guard isTrue else { throw ConformanceFailure(message: message()) }
}

func expectEqual<Value: Equatable>(_ actual: Value, _ expected: Value, _ label: @autoclosure () -> String) throws {
  guard actual == expected else {
    throw ConformanceFailure(message: "\(label()): expected \(shortened(expected)), got \(shortened(actual))")
  }
}

private func shortened(_ value: some Any) -> String {
  let text = String(describing: value)
  return text.count > 600 ? text.prefix(600) + "…" : text
}

import Synchronization
import TraceModel
import TracestoreTesting
import TracestoreV2

final class Counter: Sendable {
  private let count = Mutex(0)
  func add(_ number: Int) { count.withLock { $0 += number } }
  var value: Int { count.withLock(\.self) }
}

/// One way each to break the contract.
enum Flaw: CaseIterable {
  case losesSpans, dropsDroppedCounts, normalisesTexts, deduplicatesIDs, repeatsSpans, ignoresLimit, oldestFirst
  case exclusiveEnd, cutsTraces, hidesTruncation, acceptsZeroIDs, forgetsOrphans, ignoresTokens, ignoresAttributes
  case listsForeignOperations, losesEnrichments, ignoresSequences, hidesStates, countsOpenSpans
}

/// The reference store with one flaw.
struct FlawedStore: TraceReader, TraceWriter, TracestoreFactory {
  let flaw: Flaw
  let store = ReferenceStore()

  init(_ flaw: Flaw) { self.flaw = flaw }

  func createTraceReader() async throws -> any TraceReader { self }
  func createTraceWriter() async throws -> any TraceWriter { self }

  func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
    var seen: Set<SpanID> = []
    let changed = data.mapped { _, span in
      switch flaw {
      case .losesSpans where span.spanID.rawValue % 7 == 5: return nil
      case .losesEnrichments where span.attributes.value(of: "tracestore.partial") != nil: return nil
      case .ignoresSequences:
        for index in span.attributes.indices where span.attributes[index].key == "tracestore.sequence" {
          span.attributes[index].value = 0
        }
      case .deduplicatesIDs where !seen.insert(span.spanID).inserted: return nil
      case .dropsDroppedCounts: span.droppedEventCount = 0
      case .normalisesTexts: span.name = span.name == "caf\u{e9}" ? "cafe\u{301}" : span.name
      default: break
      }
      return span
    }
    var receipt = try await store.writeTraces(changed)
    if flaw == .acceptsZeroIDs { receipt.refused = [] }
    return receipt
  }

  func getTraces(
    _ parameters: [GetTraceParameters], options: ReadOptions
  ) async throws -> ResultStream<TraceChunk> {
    try await store.getTraces(parameters, options: options).mapped { chunk in
      var chunk = chunk
      if flaw == .hidesStates { chunk.states = [:] }
      if flaw == .repeatsSpans { chunk.data.resourceSpans += chunk.data.resourceSpans }
      return chunk
    }
  }

  private func changed(_ query: TraceQuery) -> TraceQuery {
    var query = query
    switch flaw {
    case .ignoresLimit where query.limit > 0: query.limit += 1
    case .exclusiveEnd:
      query.startMaximum = query.startMaximum.map { Timestamp(nanoseconds: max(1, $0.nanoseconds) - 1) }
    case .ignoresTokens: query.pageToken = nil
    case .ignoresAttributes: query.attributes.removeAll()
    default: break
    }
    return query
  }

  private func finished<Element>(_ stream: ResultStream<Element>) async throws -> ResultStream<Element> {
    var (elements, summary) = try await stream.collect()
    if flaw == .oldestFirst { elements.reverse() }
    if flaw == .hidesTruncation { summary.isTruncated = false }
    return ResultStream(elements, summary: summary)
  }

  func findTraces(_ query: TraceQuery) async throws -> ResultStream<TraceChunk> {
    let stream = try await store.findTraces(changed(query)).mapped { chunk in
      var chunk = chunk
      if flaw == .cutsTraces, chunk.data.resourceSpans.count > 1 { chunk.data.resourceSpans.removeLast() }
      return chunk
    }
    return try await finished(stream)
  }

  func findTraceIDs(_ query: TraceQuery) async throws -> ResultStream<FoundTrace> {
    try await finished(store.findTraceIDs(changed(query)))
  }

  func findTraceSummaries(_ query: TraceQuery) async throws -> ResultStream<TraceSummary> {
    let stream = try await store.findTraceSummaries(changed(query)).mapped { summary in
      var summary = summary
      if flaw == .countsOpenSpans { summary.spanCount += summary.openSpanCount }
      if flaw == .forgetsOrphans { summary.orphanSpanCount = 0 }
      return summary
    }
    return try await finished(stream)
  }

  func getServices() async throws -> ResultList<String> { try await store.getServices() }

  func getOperations(_ query: OperationQuery) async throws -> ResultList<TracestoreV2.Operation> {
    guard flaw == .listsForeignOperations else { return try await store.getOperations(query) }
    var operations: [TracestoreV2.Operation] = []
    for service in try await store.getServices() {
      operations += try await store.getOperations(OperationQuery(serviceName: service, spanKind: query.spanKind))
    }
    return ResultList(operations)
  }

  func searchCapabilities() async throws -> SearchCapabilities {
    var capabilities = try await store.searchCapabilities()
    capabilities.hasSpanSearch = false
    capabilities.hasAttributeDiscovery = false
    return capabilities
  }
}

extension TraceData {
  fileprivate func mapped(_ change: (Resource, inout SpanRecord) -> SpanRecord?) -> TraceData {
    var copy = self
    for group in copy.resourceSpans.indices {
      for scope in copy.resourceSpans[group].scopeSpans.indices {
        let resource = copy.resourceSpans[group].resource
        copy.resourceSpans[group].scopeSpans[scope].spans = copy.resourceSpans[group].scopeSpans[scope].spans
          .compactMap {
            var span = $0
            return change(resource, &span)
          }
      }
    }
    return copy
  }
}

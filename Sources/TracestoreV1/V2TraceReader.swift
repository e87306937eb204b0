import Synchronization
import TraceModel
public import TracestoreV2

/// A v1 store, read in v2's words: the least capable v2 reader.
///
/// A search needs a service name and takes no filter, no page token and no order but the default, which is whatever
/// the v1 store gives. Kinds and status codes are asked for by the tags that v1 has for them. What v1 cannot be asked
/// is refused, never approximated. Warnings of whole traces have no place in v2.
public struct V2TraceReader: TraceReader {
  private let reader: any V1SpanReading

  public init(_ reader: any V1SpanReading) { self.reader = reader }

  /// Asks for one trace after another, as the stream is read. An id that is not found is skipped; any other error ends
  /// the stream. Options have no meaning in v1.
  public func getTraces(
    _ parameters: [GetTraceParameters], options: ReadOptions
  ) async throws -> ResultStream<TraceChunk> {
    let rest = Mutex((parameters: parameters[...], chunks: [TraceChunk]()[...]))
    return ResultStream(next: { [reader] in
      while true {
        if let chunk = rest.withLock({ $0.chunks.popFirst() }) { return chunk }
        guard let next = rest.withLock({ $0.parameters.popFirst() }) else { return nil }
        do {
          let trace = try await reader.getTrace(next)
          rest.withLock { $0.chunks = Self.chunks(of: trace)[...] }
        } catch let error as TracestoreError where error.code == .notFound {
          continue
        }
      }
    })
  }

  public func findTraces(_ query: TraceQuery) async throws -> ResultStream<TraceChunk> {
    let traces = try await reader.findTraces(V1TraceQuery(query))
    return ResultStream(traces.prefix(query.limit).flatMap { Self.chunks(of: $0) })
  }

  public func findTraceIDs(_ query: TraceQuery) async throws -> ResultStream<FoundTrace> {
    let traceIDs = try await reader.findTraceIDs(V1TraceQuery(query))
    return ResultStream(traceIDs.prefix(query.limit).map { FoundTrace(traceID: $0) })
  }

  public func getServices() async throws -> ResultList<String> { try await reader.getServices() }

  public func getOperations(_ query: OperationQuery) async throws -> ResultList<Operation> {
    try await reader.getOperations(query)
  }

  public func searchCapabilities() async throws -> SearchCapabilities { SearchCapabilities() }

  /// One chunk for each trace id: v1 promises no more than that the first span has the right one.
  private static func chunks(of trace: V1Trace) -> [TraceChunk] {
    var spans: [TraceID: [V1Span]] = [:]
    var order: [TraceID] = []
    for span in trace.spans {
      if spans[span.traceID] == nil { order.append(span.traceID) }
      spans[span.traceID, default: []].append(span)
    }
    return order.map { TraceChunk(traceID: $0, data: TraceData(spans[$0] ?? [])) }
  }
}

extension V1TraceQuery {
  /// The same search in v1's words.
  ///
  /// - Throws: `unsupported` for what these words cannot say; `invalidArgument` as `TraceQuery.validate()`, and without
  ///   a service name.
  init(_ query: TraceQuery) throws {
    try query.validate()
    guard query.filter == nil else { throw TracestoreError.unsupported("structured filters") }
    guard query.pageToken == nil else { throw TracestoreError.unsupported("page tokens") }
    guard query.order == .newest else {
      throw TracestoreError.unsupported("the order \"\(query.order.rawValue)\"")
    }
    guard !query.serviceName.isEmpty else {
      throw TracestoreError(.invalidArgument, "The search names no service; this store requires one.")
    }
    var tags: [V1Name: String] = [:]
    func add(_ key: String, _ text: String) throws {
      if let present = tags.updateValue(text, forKey: V1Name(key)), !present.isExactly(text) {
        throw TracestoreError.unsupported("two conditions on the attribute \"\(key)\"")
      }
    }
    for attribute in query.attributes { try add(attribute.key, attribute.value.text) }
    if let kind = query.spanKind {
      guard (1...5).contains(kind.rawValue) else {
        throw TracestoreError.unsupported("searches by the kind \"\(kind.word)\"")
      }
      try add(V1Keys.spanKind, kind.word)
    }
    switch query.statusCode {
    case nil: break
    case .ok?: try add(V1Keys.statusCode, "OK")
    case .error?: try add(V1Keys.error, "true")
    case let code?: throw TracestoreError.unsupported("searches by the status \"\(code.word)\"")
    }
    self.init(
      serviceName: query.serviceName, operationName: query.operationName, tags: tags,
      startTimeMinimum: query.startMinimum ?? .zero, startTimeMaximum: query.startMaximum ?? .zero,
      durationMinimumNanoseconds: query.durationMinimumNanoseconds ?? 0,
      durationMaximumNanoseconds: query.durationMaximumNanoseconds ?? 0, traceCount: query.limit)
    // Zero is an instant and a duration in v2, and "not set" in v1.
    if query.startMaximum == .zero || query.durationMaximumNanoseconds == 0 {
      throw TracestoreError.unsupported("an upper bound of zero")
    }
  }
}

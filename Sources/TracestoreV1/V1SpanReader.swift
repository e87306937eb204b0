public import TraceModel
public import TracestoreV2

/// A v2 store, read in v1's words.
///
/// What an answer lacks because of damage is said in the warnings of its first trace; when nothing else remains, it is
/// an error, for "not found" would be a lie.
public struct V1SpanReader: V1SpanReading {
  private let reader: any TraceReader
  private let options: ReadOptions

  /// Reads what a v2 reader reads, its records shown as the options say.
  public init(_ reader: any TraceReader, options: ReadOptions = ReadOptions()) {
    self.reader = reader
    self.options = options
  }

  /// - Throws: `TracestoreError.v1TraceNotFound`; `.v1TooManyTraces` when the store answers with more than one.
  public func getTrace(_ parameters: GetTraceParameters) async throws -> V1Trace {
    let traces = try await traces(of: reader.getTraces([parameters], options: options))
    guard let trace = traces.first else { throw TracestoreError.v1TraceNotFound }
    guard traces.count == 1 else { throw TracestoreError.v1TooManyTraces }
    return trace
  }

  public func getServices() async throws -> ResultList<String> { try await reader.getServices() }

  public func getOperations(_ query: OperationQuery) async throws -> ResultList<Operation> {
    try await reader.getOperations(query)
  }

  public func findTraces(_ query: V1TraceQuery) async throws -> [V1Trace] {
    try await traces(of: reader.findTraces(query.query(options)))
  }

  public func findTraceIDs(_ query: V1TraceQuery) async throws -> [TraceID] {
    let (found, summary) = try await reader.findTraceIDs(query.query(options)).collect()
    if found.isEmpty { try check(summary) }
    return found.map(\.traceID)
  }

  /// Neighbours with one id are one trace, as in Jaeger; apart from each other they are two.
  private func traces(of stream: ResultStream<TraceChunk>) async throws -> [V1Trace] {
    var traces: [V1Trace] = []
    for try await chunk in stream {
      let spans = V1Trace.traces(of: [chunk.data]).flatMap(\.spans)
      guard !spans.isEmpty else { continue }
      if let last = traces.indices.last, traces[last].traceID == chunk.traceID {
        traces[last].spans += spans
      } else {
        traces.append(V1Trace(spans: spans))
      }
    }
    let summary = stream.summary ?? ResultSummary()
    if traces.isEmpty { try check(summary) } else { traces[0].warnings += summary.damage }
    return traces
  }

  private func check(_ summary: ResultSummary) throws {
    guard summary.damage.isEmpty else {
      throw TracestoreError(.corrupt, summary.damage.joined(separator: " "))
    }
  }
}

extension V1TraceQuery {
  /// The same search in v2's words.
  func query(_ options: ReadOptions) -> TraceQuery {
    func set(_ time: Timestamp) -> Timestamp? { time == .zero ? nil : time }
    func set(_ nanoseconds: UInt64) -> UInt64? { nanoseconds == 0 ? nil : nanoseconds }
    return TraceQuery(
      serviceName: serviceName, operationName: operationName,
      attributes: tags.keys.sorted().map { Attribute($0.text, .string(tags[$0] ?? "")) },
      startMinimum: set(startTimeMinimum), startMaximum: set(startTimeMaximum),
      durationMinimumNanoseconds: set(durationMinimumNanoseconds),
      durationMaximumNanoseconds: set(durationMaximumNanoseconds),
      limit: traceCount > 0 ? traceCount : TraceQuery.defaultLimit, options: options)
  }
}

/// A v2 store, written in v1's words.
public struct V1SpanWriter: V1SpanWriting {
  private let writer: any TraceWriter

  public init(_ writer: any TraceWriter) { self.writer = writer }

  /// - Throws: `invalidArgument` for a span that the store refuses, and what `TraceWriter.writeTraces` throws.
  public func writeSpan(_ span: V1Span) async throws {
    let receipt = try await writer.writeTraces(TraceData([span]))
    if let refusal = receipt.refused.first {
      throw TracestoreError(.invalidArgument, "The span was not stored: \(refusal.reason)")
    }
  }
}

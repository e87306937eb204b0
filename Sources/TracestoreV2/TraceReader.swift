public import TraceModel

/// Reads traces: Jaeger's v2 `Reader`.
///
/// Contract for every store:
/// - A returned write is visible to the next call.
/// - Every returned value belongs to the caller; changing it changes nothing in the store.
/// - A search is evaluated on single spans: one span has to satisfy every condition of the query. What comes back are
///   the whole traces of these spans, spans outside the searched window included.
/// - Finding nothing is an empty stream or list, not an error.
/// - An answer that damage makes incomplete has what remains, and its summary names what is missing.
///
/// Thread-safety: every method may be called from any number of tasks at once.
public protocol TraceReader: Sendable {
  /// The traces with the given ids, in the order of the request; unknown ids are skipped.
  ///
  /// Every chunk holds spans of exactly one trace and at least one span. A large trace may come in several chunks,
  /// which follow one another directly. An id that is asked twice is answered twice.
  func getTraces(_ parameters: [GetTraceParameters], options: ReadOptions) async throws -> ResultStream<TraceChunk>

  /// The traces that have a matching span, whole, in `query.order`, ties by trace id ascending; chunks as in
  /// `getTraces`.
  ///
  /// - Throws: `invalidArgument` for a query that breaks its bounds (`TraceQuery.validate()`), a malformed, foreign or
  ///   stale page token; `unsupported` for a filter or an order that `searchCapabilities` does not declare.
  func findTraces(_ query: TraceQuery) async throws -> ResultStream<TraceChunk>

  /// As `findTraces`, with the identity and the extent of each trace instead of its spans.
  func findTraceIDs(_ query: TraceQuery) async throws -> ResultStream<FoundTrace>

  /// As `findTraces`, with a summary over all spans of each trace. A store without native summaries throws
  /// `unsupported` here, before any element; callers then summarise `findTraces`.
  func findTraceSummaries(_ query: TraceQuery) async throws -> ResultStream<TraceSummary>

  /// The matching spans themselves; `query.limit` counts spans. Newest first means start descending, then trace id,
  /// then span id ascending; slowest first puts the duration in place of the start. Other orders are refused as
  /// `unsupported`. Default: throws `unsupported`.
  func findSpans(_ query: TraceQuery) async throws -> ResultStream<FoundSpan>

  /// The distinct non-empty names of services, ascending by their UTF-8 bytes.
  func getServices() async throws -> ResultList<String>

  /// The distinct operations of a service, ascending by name (UTF-8 bytes), then by raw kind.
  func getOperations(_ query: OperationQuery) async throws -> ResultList<Operation>

  /// What searches this store can answer. `unsupported` means that it can't tell, and counts as least capable.
  func searchCapabilities() async throws -> SearchCapabilities

  /// The attribute keys that occur, ascending by key (UTF-8 bytes), level, type. Default: throws `unsupported`.
  func getAttributeKeys(_ query: AttributeKeyQuery) async throws -> ResultList<AttributeKeyInfo>

  /// The values of one attribute key, most frequent first, ties by their text. Default: throws `unsupported`.
  func getAttributeValues(_ query: AttributeValueQuery) async throws -> ResultStream<AttributeValueInfo>
}

extension TraceReader {
  /// `getTraces` with default options.
  public func getTraces(_ parameters: [GetTraceParameters]) async throws -> ResultStream<TraceChunk> {
    try await getTraces(parameters, options: ReadOptions())
  }

  /// `getTraces` for bare ids.
  public func getTraces(_ traceIDs: [TraceID]) async throws -> ResultStream<TraceChunk> {
    try await getTraces(traceIDs.map { GetTraceParameters($0) }, options: ReadOptions())
  }

  public func findTraceSummaries(_ query: TraceQuery) async throws -> ResultStream<TraceSummary> {
    throw TracestoreError.unsupported("native trace summaries")
  }

  public func findSpans(_ query: TraceQuery) async throws -> ResultStream<FoundSpan> {
    throw TracestoreError.unsupported("span search")
  }

  public func getAttributeKeys(_ query: AttributeKeyQuery) async throws -> ResultList<AttributeKeyInfo> {
    throw TracestoreError.unsupported("the listing of attribute keys")
  }

  public func getAttributeValues(_ query: AttributeValueQuery) async throws -> ResultStream<AttributeValueInfo> {
    throw TracestoreError.unsupported("the listing of attribute values")
  }
}

extension TracestoreError {
  /// The error of a requirement that a store lacks; `feature` completes "This store does not offer …".
  public static func unsupported(_ feature: String) -> TracestoreError {
    TracestoreError(.unsupported, "This store does not offer \(feature).")
  }
}

/// How stored records are shown.
public struct ReadOptions: Hashable, Sendable {
  /// Jaeger's five minutes.
  public static let defaultLeaseNanoseconds: UInt64 = 300_000_000_000

  /// True to get the records as they were written, with their `tracestore.*` control keys, instead of joined views.
  public var isRaw: Bool
  /// How long after its last observation an open span counts as abandoned, in nanoseconds.
  public var leaseNanoseconds: UInt64
  /// True to get `ResultSummary.explanation`.
  public var isExplained: Bool

  public init(
    isRaw: Bool = false, leaseNanoseconds: UInt64 = ReadOptions.defaultLeaseNanoseconds, isExplained: Bool = false
  ) {
    self.isRaw = isRaw
    self.leaseNanoseconds = leaseNanoseconds
    self.isExplained = isExplained
  }
}

/// One trace to fetch.
public struct GetTraceParameters: Hashable, Sendable {
  public var traceID: TraceID
  /// About where the trace begins: a hint for finding it faster, never a filter. Zero counts as nil.
  public var start: Timestamp?
  /// About where the trace ends: a hint for finding it faster, never a filter. Zero counts as nil.
  public var end: Timestamp?

  public init(_ traceID: TraceID, start: Timestamp? = nil, end: Timestamp? = nil) {
    self.traceID = traceID
    self.start = start
    self.end = end
  }
}

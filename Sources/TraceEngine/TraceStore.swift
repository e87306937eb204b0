import TraceManifest
import TraceOTLP
import TraceQuery
import TraceSource

/// A trace store in a directory, or in memory.
///
/// Open one with `open(at:)`, `withTraceStore(at:)` or `inMemory()`. One process may have a store open for writing;
/// any number may have it open with `openReadOnly(at:)` at the same time.
///
/// - Durability: `writeTraces` and `writeEncoded` return after the batch is durable, in the mode that
///   `StoreOptions.durability` names; what has been returned is visible to every query that begins afterwards.
/// - Lifetime: close it. A store that is dropped open is closed in the background, and its lock is let go only then.
/// - Thread-safety: every method may be called from any task. Blocking work runs on the store's own threads.
/// - Errors are `TracestoreError`s.
public final class TraceStore: TraceReader, TraceWriter, EncodedTraceWriter, Sendable {
  let core: StoreCore
  /// Writes spans while they are open. Closed with the store, which drains it; make further ones with
  /// `makeRecorder(_:)`.
  public let recorder: SpanRecorder

  init(core: StoreCore) {
    self.core = core
    recorder = SpanRecorder(core: core, options: RecorderOptions(clock: core.options.clock))
  }

  // Without it the threads of a forgotten store would run for ever, and the writer lock would go before they do.
  deinit { core.closeInBackground() }

  // MARK: Writing

  public func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
    try await core.write { EncodedRequest(data) }
  }

  /// Stores one request as it came from the wire: decoded once, straight into columns. JSON is rewritten as protobuf
  /// first. A request may hold 256 MiB and what else `Limits` says: one that is small on the wire and large in memory is
  /// refused whole, with `limitExceeded`.
  public func writeEncoded(_ request: [UInt8], encoding: OTLPEncoding) async throws -> WriteReceipt {
    try await core.write { try EncodedRequest(request, encoding: encoding) }
  }

  /// A line of requests that are stored in order.
  /// - Parameter endsAtRefusal: whether a request whose bytes are refused keeps out those behind it. A store that cannot
  ///   be written keeps them out in any case.
  package func makeWriteLine(endsAtRefusal: Bool) -> WriteLine { WriteLine(core: core, endsAtRefusal: endsAtRefusal) }

  // MARK: Traces

  public func getTraces(
    _ parameters: [GetTraceParameters], options: ReadOptions
  ) async throws -> ResultStream<TraceChunk> {
    try await core.chunks(of: parameters.map(\.traceID), options, for: self)
  }

  public func findTraces(_ query: TraceQuery) async throws -> ResultStream<TraceChunk> {
    let now = core.options.clock()
    return try await core.stream(for: self) { snapshot in
      let page = try snapshot.search(query)
      return ChunkMaker(page.traces, in: snapshot, query.options, now, page.summary)
    }
  }

  public func findTraceIDs(_ query: TraceQuery) async throws -> ResultStream<FoundTrace> {
    try await core.stream(for: self) { snapshot in
      TraceMaker(try snapshot.search(query), in: snapshot) {
        FoundTrace.assemble($0, around: $1, in: $2, damage: &$3)
      }
    }
  }

  public func findTraceSummaries(_ query: TraceQuery) async throws -> ResultStream<TraceSummary> {
    try await core.stream(for: self) { snapshot in
      TraceMaker(try snapshot.search(query), in: snapshot) {
        TraceSummary.assemble($0, around: $1, in: $2, damage: &$3)
      }
    }
  }

  public func findSpans(_ query: TraceQuery) async throws -> ResultStream<FoundSpan> {
    let now = core.options.clock()
    let page = try await core.read { snapshot in
      var page = try SpanSearch(query, in: snapshot, nowNanoseconds: now).run()
      page.summary.add(damage: snapshot.damage)
      return page
    }
    return ResultStream(page.spans, summary: page.summary)
  }

  public func searchCapabilities() async throws -> SearchCapabilities {
    SearchCapabilities(
      isServiceNameOptional: true, isSameSpanConjunction: true,
      filter: FilterCapabilities(levels: AttributeLevel.all, operators: FilterOperator.all), isPaginated: true,
      hasSpanSearch: true, hasTraceSummaries: true, hasPartialSpans: core.manifest.current.settings.isZeroEndOpen,
      hasWholeModel: true,
      hasAttributeDiscovery: true,
      orders: [.newest, .slowest, .traceID])
  }

  // MARK: Catalogue

  public func getServices() async throws -> ResultList<String> {
    try await core.read { Catalogue($0).services() }
  }

  public func getOperations(_ query: OperationQuery) async throws -> ResultList<Operation> {
    try await core.read { Catalogue($0).operations(query) }
  }

  public func getAttributeKeys(_ query: AttributeKeyQuery) async throws -> ResultList<AttributeKeyInfo> {
    try await core.read { Catalogue($0).attributeKeys(query) }
  }

  public func getAttributeValues(_ query: AttributeValueQuery) async throws -> ResultStream<AttributeValueInfo> {
    let values = try await core.read { try Catalogue($0).attributeValues(query) }
    return ResultStream(values.elements, summary: values.summary)
  }

  // MARK: Lifecycle

  /// Writes everything that is in memory into segments. Returns once they are durable.
  public func seal() async throws { try await core.seal() }

  /// For read-only stores: sees what was written since the store was opened or refreshed. Costs what is new.
  public func refresh() async throws { try await core.refresh() }

  /// Figures about the store now.
  ///
  /// - Parameter withServiceSizes: also estimates the bytes of each service, which reads every segment whole.
  public func statistics(withServiceSizes: Bool = false) async throws -> StoreStatistics {
    try await core.statistics(withServiceSizes: withServiceSizes)
  }

  /// Keeps the store open until the task is cancelled, then closes it. Has the shape of swift-service-lifecycle's
  /// `Service.run()`: declare the conformance in your application.
  public func run() async throws {
    let (wait, cancel) = AsyncStream.makeStream(of: Never.self)
    await withTaskCancellationHandler {
      for await _ in wait {}
    } onCancel: {
      cancel.finish()
    }
    try await close()
  }

  /// Finishes the writes under way and releases the store. Harmless when repeated.
  ///
  /// What is in memory stays in the write-ahead log and is there at the next opening; more than 16,384 spans are
  /// sealed first, so that the next opening is quick. Spans that are open are written as they are, and stay open in the
  /// store; `close()` throws when that fails, and the store is closed all the same.
  public func close() async throws {
    do { try await recorder.shutDown() } catch {
      try await core.close()
      throw error
    }
    try await core.close()
  }
}

/// Opens a store, runs `body`, and closes the store whether it returns or throws.
public func withTraceStore<Result>(
  at path: String, options: StoreOptions = StoreOptions(), isolation: isolated (any Actor)? = #isolation,
  _ body: (TraceStore) async throws -> Result
) async throws -> Result {
  let store = try await TraceStore.open(at: path, options: options)
  do {
    let result = try await body(store)
    try await store.close()
    return result
  } catch {
    // The body's error says more than what closing after it could.
    try? await store.close()
    throw error
  }
}

import Synchronization
public import TraceModel
public import TracestoreV2

/// A naive store in memory: arrays, scanned whole by every query.
///
/// It exists to be right, not fast, and serves as the oracle that other stores are compared with. It keeps equal
/// (resource, scope, span) triples once and different spans under equal ids all, and joins partial spans at every read
/// as `RecordJoin` defines. Filters mean what `FilterMeaning` says; their patterns are those of Swift's `Regex`, which is
/// near enough to RE2 for tests and no bound on time.
///
/// Thread-safety: all methods may be called from any task; every call sees one moment of the store.
public final class ReferenceStore: Sendable {
  struct Record: Sendable {
    var resource: Resource
    var scope: InstrumentationScope
    var span: SpanRecord
    var key: ContentKey
    /// Of a view: whether no record ends the span.
    var isOpen = false
    /// Of a view: whether an enrichment took part.
    var isEnriched = false
  }

  struct State: Sendable {
    var records: [Record] = []
    var keys: Set<ContentKey> = []
    /// What the records say together; nil until somebody asks after a write.
    var views: [Record]?
    var dependencies: [(time: Timestamp, links: [DependencyLink])] = []
    var throughput: [(time: Timestamp, entries: [SamplingThroughput])] = []
    var probabilities: [SamplingRate] = []
    var lockEnds: [String: Timestamp] = [:]
  }

  let state = Mutex(State())
  let readsZeroEndAsOpen: Bool
  let clock: @Sendable () -> Timestamp
  /// Tells the page tokens of different stores of this process apart.
  let storeID: UInt64

  private static let nextStoreID = Atomic<UInt64>(1)

  /// Makes an empty store.
  ///
  /// - Parameters:
  ///   - readsZeroEndAsOpen: Whether a span whose end is zero is open; otherwise it ends in 1970.
  ///   - clock: The present time, for leases and for stamping sampling buckets. By default it stands still.
  public init(
    readsZeroEndAsOpen: Bool = true,
    clock: @escaping @Sendable () -> Timestamp = { Timestamp(nanoseconds: 1_767_225_600_000_000_000) }
  ) {
    self.readsZeroEndAsOpen = readsZeroEndAsOpen
    self.clock = clock
    storeID = Self.nextStoreID.wrappingAdd(1, ordering: .relaxed).oldValue
  }

  /// How many distinct spans are stored.
  public var spanCount: Int { state.withLock { $0.records.count } }

  /// The spans as readers see them.
  var views: [Record] {
    state.withLock { state in
      if let views = state.views { return views }
      let views = joins(of: state.records).flatMap(\.views)
      state.views = views
      return views
    }
  }

  /// The records that still contribute, as they were written.
  var rawRecords: [Record] {
    joins(of: state.withLock { $0.records }).flatMap { join in
      join.contributing.map { record in
        var record = record
        record.isOpen = join.kind(record) != .final
        record.isEnriched = join.kind(record) == .enrichment
        return record
      }
    }
  }

  private func joins(of records: [Record]) -> [RecordJoin] {
    struct Key: Hashable {
      var traceID: TraceID
      var spanID: SpanID
    }
    return Dictionary(grouping: records) { Key(traceID: $0.span.traceID, spanID: $0.span.spanID) }.values
      .map { RecordJoin(records: $0, readsZeroEndAsOpen: readsZeroEndAsOpen) }
  }

  func found(_ record: Record, _ options: ReadOptions) -> FoundSpan {
    var phase = SpanState.Phase.final
    if record.isOpen {
      let last = Timestamp(nanoseconds: RecordJoin.lastObserved(record.span))
      phase = isOver(last, leaseNanoseconds: options.leaseNanoseconds) ? .abandoned : .open
    }
    var span = record.span
    if !options.isRaw { span.attributes.removeAll { RecordJoin.isControlKey($0.key) } }
    return FoundSpan(
      resource: record.resource, scope: record.scope, span: span,
      state: SpanState(phase, isEnriched: record.isEnriched))
  }

  private func isOver(_ time: Timestamp, leaseNanoseconds: UInt64) -> Bool {
    let (end, isEndless) = time.nanoseconds.addingReportingOverflow(leaseNanoseconds)
    return !isEndless && Timestamp(nanoseconds: end) < clock()
  }
}

extension ReferenceStore: TraceWriter {
  public func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
    var receipt = WriteReceipt()
    var spanIndex = 0
    state.withLock { state in
      data.forEachSpan { resource, scope, span in
        defer { spanIndex += 1 }
        guard !span.traceID.isZero, !span.spanID.isZero else {
          let reason = span.traceID.isZero ? "The trace id is all zero." : "The span id is all zero."
          receipt.refused.append(WriteReceipt.Refusal(spanIndex: spanIndex, reason: reason))
          return
        }
        receipt.acceptedSpanCount += 1
        let key = ContentKey(resource, scope, span)
        guard state.keys.insert(key).inserted else { return }
        state.records.append(Record(resource: resource, scope: scope, span: span, key: key))
        state.views = nil
      }
    }
    return receipt
  }
}

extension ReferenceStore: TracestoreFactory, Purgeable {
  public func createTraceReader() async throws -> any TraceReader { self }
  public func createTraceWriter() async throws -> any TraceWriter { self }
  public func createDependencyReader() async throws -> any DependencyReader { self }
  public func createDependencyWriter() async throws -> any DependencyWriter { self }
  public func createMetricsReader() async throws -> any MetricsReader { self }
  public func createSamplingStore() async throws -> any SamplingStore { self }
  public func createLock() async throws -> any DistributedLock { self }

  public func purge() async throws { state.withLock { $0 = State() } }
}

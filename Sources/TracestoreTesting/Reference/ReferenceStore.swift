import Synchronization
public import TraceModel
public import TracestoreV2

/// A naive store in memory: arrays, scanned whole by every query.
///
/// It exists to be right, not fast, and serves as the oracle that other stores are compared with. It keeps equal
/// (resource, scope, span) triples once and different spans under equal ids all; it does not join partial spans: a
/// record whose end is zero is shown as it is, as an open span. Filters mean what `FilterMeaning` says; their patterns are
/// those of Swift's `Regex`, which is near enough to RE2 for tests and no bound on time.
///
/// Thread-safety: all methods may be called from any task; every call sees one moment of the store.
public final class ReferenceStore: Sendable {
  struct Record: Sendable {
    var resource: Resource
    var scope: InstrumentationScope
    var span: SpanRecord
    var key: ContentKey
  }

  struct State: Sendable {
    var records: [Record] = []
    var keys: Set<ContentKey> = []
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

  func found(_ record: Record, _ options: ReadOptions) -> FoundSpan {
    let phase: SpanState.Phase =
      if record.span.end != .zero || !readsZeroEndAsOpen {
        .final
      } else {
        isOver(record.span.lastObserved, leaseNanoseconds: options.leaseNanoseconds) ? .abandoned : .open
      }
    return FoundSpan(resource: record.resource, scope: record.scope, span: record.span, state: SpanState(phase))
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

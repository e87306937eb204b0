import Synchronization
public import TraceModel
public import TracestoreV2

/// Writes spans while they are open: the state of each is kept in memory, and the ones that changed are written together,
/// in a request or a few, at every interval.
///
/// - Bounds: `RecorderOptions.maximumOpenSpanCount` and `maximumWaitingSpanCount` spans, each with
///   `maximumElementCount` attributes, events and links; at most one flush at a time.
/// - A writer that refuses loses nothing: what it refused is written by a later flush. `RecorderStatistics` counts it.
/// - Thread-safety: every method may be called from any task. While there is nothing to write, no task runs.
public final class SpanRecorder: Sendable {
  struct State {
    var open: [ObjectIdentifier: SpanCell] = [:]
    /// Ended, to be written, oldest first. Not in `open` any more.
    var waiting: [SpanCell] = []
    var isTicking = false
    var isFlushDue = false
    var isShutDown = false
    /// The newest flush: the next one waits for it.
    var lastFlush: Task<Void, any Error>?
    var statistics = RecorderStatistics()
  }

  let writer: any TraceWriter
  let options: RecorderOptions
  let state = Mutex(State())

  public init(writer: any TraceWriter, options: RecorderOptions) {
    self.writer = writer
    self.options = options
  }

  /// What was done so far, and what waits now.
  public var statistics: RecorderStatistics {
    state.withLock { state in
      var result = state.statistics
      result.openSpanCount = state.open.count
      result.waitingSpanCount = state.waiting.count
      return result
    }
  }

  // MARK: Beginning

  /// Begins a span and writes its first snapshot. Durable when it returns.
  ///
  /// Without a trace id it begins a new trace, without a span id it draws one, and without a start it starts now.
  ///
  /// - Throws: `invalidArgument` for an id that is zero, `limitExceeded` when too many spans are open, `closed` after
  ///   `shutDown()`, `unsupported` where open spans are not recorded, and what the writer throws. There is no span then.
  public func beginSpan(
    _ name: String, kind: SpanKind = .internal, resource: Resource,
    scope: InstrumentationScope = InstrumentationScope(), traceID: TraceID? = nil, spanID: SpanID? = nil,
    parentSpanID: SpanID? = nil, attributes: [Attribute] = [], links: [SpanLink] = [], start: Timestamp? = nil
  ) async throws -> LiveSpan {
    try checkOpenSpans()
    let record = SpanRecord(
      traceID: traceID ?? makeTraceID(), spanID: spanID ?? makeSpanID(), parentSpanID: parentSpanID, name: name,
      kind: kind, start: start ?? Timestamp(nanoseconds: options.clock()), attributes: attributes, links: links)
    let span = try startSpan(record, resource: resource, scope: scope)
    do { try await span.snapshot() } catch {
      forget(span.cell)
      throw error
    }
    return span
  }

  /// Begins a span in memory alone. The first snapshot is written when it is older than an interval, or by `flush()` or
  /// `snapshot()`; a span that ends before is written once, as a final.
  ///
  /// The end of the record is ignored.
  ///
  /// - Throws: `invalidArgument` for an id that is zero, `limitExceeded` when too many spans are open, `closed` after
  ///   `shutDown()`.
  public func startSpan(
    _ record: SpanRecord, resource: Resource, scope: InstrumentationScope = InstrumentationScope()
  ) throws -> LiveSpan {
    guard !record.traceID.isZero, !record.spanID.isZero else {
      throw TracestoreError(.invalidArgument, "A span with an id of zeros cannot be found again; leave the id out.")
    }
    var record = record
    record.end = .zero
    let cell = SpanCell(SpanContent(resource: resource, scope: scope, record: record, begun: options.clock()))
    let mustTick = try state.withLock { state in
      guard !state.isShutDown else { throw TracestoreError(.closed, "The recorder is shut down.") }
      guard state.open.count < options.maximumOpenSpanCount else {
        throw TracestoreError(
          .limitExceeded,
          "\(state.open.count) spans are open, the most that RecorderOptions.maximumOpenSpanCount allows.")
      }
      state.open[ObjectIdentifier(cell)] = cell
      return beginTicking(&state)
    }
    if mustTick { tick() }
    return LiveSpan(cell: cell, recorder: self, traceID: record.traceID, spanID: record.spanID)
  }

  /// As `startSpan`, for callers that cannot fail: a span that is refused is counted as dropped, and nil.
  public func startOrCount(_ record: SpanRecord, resource: Resource, scope: InstrumentationScope) -> LiveSpan? {
    do { return try startSpan(record, resource: resource, scope: scope) } catch {
      state.withLock { $0.statistics.droppedSpanCount += 1 }
      return nil
    }
  }

  func checkOpenSpans() throws {
    guard options.recordsOpenSpans else {
      throw TracestoreError.unsupported("open spans: this store was created to read spans without an end as ended")
    }
  }

  /// A random trace id.
  public func makeTraceID() -> TraceID { TraceID(high: options.randomBits(), low: max(1, options.randomBits())) }

  /// A random span id.
  public func makeSpanID() -> SpanID { SpanID(max(1, options.randomBits())) }

  // MARK: Ending

  /// Takes a span that has ended into the queue.
  func enqueue(_ cell: SpanCell) {
    let (mustFlush, mustTick) = state.withLock { state in
      let wasOpen = state.open.removeValue(forKey: ObjectIdentifier(cell)) != nil
      guard !state.isShutDown, state.waiting.count < options.maximumWaitingSpanCount else {
        // Who records no open spans has counted those that were open when it was shut down.
        if wasOpen || options.recordsOpenSpans { state.statistics.droppedSpanCount += 1 }
        return (false, false)
      }
      state.waiting.append(cell)
      let mustFlush = state.waiting.count >= options.batchSpanCount && !state.isFlushDue
      if mustFlush { state.isFlushDue = true }
      return (mustFlush, beginTicking(&state))
    }
    if mustFlush { Task { try? await self.flush(minimumAge: self.options.snapshotIntervalNanoseconds ?? .max) } }
    if mustTick { tick() }
  }

  func forget(_ cell: SpanCell) {
    _ = state.withLock { $0.open.removeValue(forKey: ObjectIdentifier(cell)) }
  }

  /// Nobody holds the span any more. One that has an end keeps its place until it is written.
  func abandon(_ cell: SpanCell) {
    let (isDone, isLost) = cell.content.withLock { content in
      content.isDropped = true
      return (content.isSettled, content.phase == .open && !options.recordsOpenSpans)
    }
    guard isDone || isLost else { return }
    state.withLock { state in
      let wasOpen = state.open.removeValue(forKey: ObjectIdentifier(cell)) != nil
      if isLost, wasOpen { state.statistics.droppedSpanCount += 1 }
    }
  }

  // MARK: Ticking

  /// True for the caller who has to start the task. It ends when nothing is open and nothing waits.
  private func beginTicking(_ state: inout State) -> Bool {
    guard options.snapshotIntervalNanoseconds != nil, !state.isTicking else { return false }
    state.isTicking = true
    return true
  }

  private func tick() {
    guard let interval = options.snapshotIntervalNanoseconds else { return }
    // The recorder lives as long as somebody holds it, a span or what it has to write.
    Task { [self] in
      while true {
        try? await Task.sleep(nanoseconds: interval)
        try? await flush(minimumAge: interval)
        let isIdle = state.withLock { state in
          guard state.isShutDown || (state.open.isEmpty && state.waiting.isEmpty) else { return false }
          state.isTicking = false
          return true
        }
        if isIdle { return }
      }
    }
  }

  /// Writes everything, then takes no more. Spans that are open stay open in the store. Harmless when repeated.
  ///
  /// - Throws: what the writer threw; spans that had ended and could not be written are counted as dropped.
  public func shutDown() async throws {
    state.withLock { $0.isShutDown = true }
    defer { discardAll() }
    try await flush()
  }

  func discardAll() {
    state.withLock { state in
      let unwritten = state.open.values.filter { cell in
        cell.content.withLock { $0.phase == .ended || ($0.phase == .open && !options.recordsOpenSpans) }
      }
      state.statistics.droppedSpanCount += UInt64(state.waiting.count + unwritten.count)
      state.isShutDown = true
      state.waiting = []
      state.open = [:]
    }
  }
}

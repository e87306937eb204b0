import TraceFiles
import TraceIngest
import TraceManifest
import TraceMerge
import TraceOTLP
import TraceSource
import TraceWAL

/// What stands behind one `TraceEvents`.
final class EventSource: Sendable {
  private struct State: Sendable {
    var tail: LogTail
    var told: ToldSpans
    var ready: [TraceEvent] = []
    var nextReady = 0
    var pending: PendingTraces

    mutating func take() -> TraceEvent? {
      guard nextReady < ready.count else { return nil }
      defer { nextReady += 1 }
      return ready[nextReady]
    }
  }

  private let core: StoreCore
  private let predicate: SpanPredicate
  private let options: EventOptions
  private let isZeroEndOpen: Bool
  private let state: Monitor<State>

  init(_ core: StoreCore, _ predicate: SpanPredicate, _ options: EventOptions, _ tail: LogTail) {
    self.core = core
    self.predicate = predicate
    self.options = options
    isZeroEndOpen = core.manifest.current.settings.isZeroEndOpen
    state = Monitor(
      State(tail: tail, told: ToldSpans(from: tail.nextSequence), pending: PendingTraces(options)))
  }

  func next() async throws -> TraceEvent? {
    while true {
      try Task.checkCancellation()
      if let event = state.withLock({ $0.take() }) { return event }
      do {
        let hasMore = try await core.readers.run { [self] in try state.withLock { try fill(&$0) } }
        if hasMore { continue }
      } catch let error as TracestoreError where error.code == .closed {
        return nil
      }
      try await Task.sleep(nanoseconds: options.pollNanoseconds)
    }
  }

  /// Reads until there is an event; false when there is nothing to read.
  private func fill(_ state: inout State) throws -> Bool {
    state.ready.removeAll(keepingCapacity: true)
    state.nextReady = 0
    var events: [TraceEvent] = []
    // Taken out, so that they are changed in place.
    var pending = PendingTraces(options)
    var told = ToldSpans(from: 0)
    swap(&pending, &state.pending)
    swap(&told, &state.told)
    defer { (state.pending, state.told) = (pending, told) }
    if told.isFull, !state.tail.isInSegment {
      told.forget(below: try core.manifest.refresh().walTrimmedBelow, next: state.tail.nextSequence)
    }
    func tell(_ found: FoundSpan, arrivalNanoseconds: UInt64) {
      let isMatch = predicate.matches(resource: found.resource, scope: found.scope, span: found.span)
      if isMatch, options.includesSpans { events.append(.span(found)) }
      if options.includesTraces { pending.add(found, isMatch: isMatch, at: arrivalNanoseconds) }
    }
    try state.tail.forEachPiece(knownFrom: told.firstSequence) { piece in
      switch piece {
      case .request(let record):
        try OTLP.decode(record.payload()).forEachSpan { resource, scope, span in
          guard !span.isPartial(isZeroEndOpen: isZeroEndOpen) else { return }
          told.add(span, sequence: record.sequence)
          tell(
            FoundSpan(resource: resource, scope: scope, span: span), arrivalNanoseconds: record.arrivalNanoseconds)
        }
      case .sealed(let records, let arrivalNanoseconds):
        for record in records where !record.isPartial && !told.contains(record.span) {
          tell(
            FoundSpan(resource: record.resource, scope: record.scope, span: record.span),
            arrivalNanoseconds: arrivalNanoseconds)
        }
      }
      return events.isEmpty && !told.isFull
    }
    if !state.tail.isInSegment { told.endLookups() }
    for trace in pending.takeComplete(now: core.options.clock()) { events.append(.trace(trace)) }
    let lost = LostEvents(requestCount: state.tail.takeLost(), traceCount: pending.takeLost())
    if lost.requestCount > 0 || lost.traceCount > 0 { events.insert(.lost(lost), at: 0) }
    state.ready = events
    return !events.isEmpty
  }
}

/// Spans of traces that are not complete yet, a bounded number of them.
struct PendingTraces: Sendable {
  private struct Trace: Sendable {
    var spans: [FoundSpan] = []
    var isMatch = false
    var hasRoot = false
    var lastArrival: UInt64 = 0
  }

  private let options: EventOptions
  private var traces: [TraceID: Trace] = [:]
  private var spanCount = 0
  private var lostCount = 0

  init(_ options: EventOptions) { self.options = options }

  mutating func add(_ found: FoundSpan, isMatch: Bool, at arrival: UInt64) {
    let id = found.span.traceID
    var trace = traces[id] ?? Trace()
    traces[id] = nil
    trace.spans.append(found)
    trace.isMatch = trace.isMatch || isMatch
    trace.hasRoot = trace.hasRoot || found.span.parentSpanID?.isZero ?? true
    trace.lastArrival = max(trace.lastArrival, arrival)
    traces[id] = trace
    spanCount += 1
    if spanCount > options.maximumPendingSpanCount { makeRoom() }
  }

  /// Gives up the traces that have waited longest until an eighth is free, so that room is made rarely.
  private mutating func makeRoom() {
    let target = options.maximumPendingSpanCount - options.maximumPendingSpanCount / 8
    for (id, trace) in traces.sorted(by: { ($0.value.lastArrival, $0.key) < ($1.value.lastArrival, $1.key) }) {
      if spanCount <= target { return }
      traces[id] = nil
      spanCount -= trace.spans.count
      lostCount += 1
    }
  }

  /// The matching traces that are complete, by their last arrival; those that do not match are forgotten with them.
  mutating func takeComplete(now: UInt64) -> [CompletedTrace] {
    let quiet = options.quietNanoseconds
    let complete = traces.filter {
      $0.value.hasRoot && now >= $0.value.lastArrival && now - $0.value.lastArrival >= quiet
    }
    for (id, trace) in complete {
      traces[id] = nil
      spanCount -= trace.spans.count
    }
    return complete.filter(\.value.isMatch)
      .sorted { ($0.value.lastArrival, $0.key) < ($1.value.lastArrival, $1.key) }
      .map { CompletedTrace(traceID: $0.key, spans: $0.value.spans) }
  }

  mutating func takeLost() -> Int {
    defer { lostCount = 0 }
    return lostCount
  }
}

extension SpanRecord {
  /// Whether the record says that its span has not ended, or only adds to another.
  fileprivate func isPartial(isZeroEndOpen: Bool) -> Bool {
    if isZeroEndOpen, end == .zero { return true }
    return attributes.value(of: ControlKey.partial) == .bool(true)
  }
}

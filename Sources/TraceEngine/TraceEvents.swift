/// Something that `TraceStore.events(matching:options:)` tells of.
public enum TraceEvent: Sendable {
  /// A span that has ended and passes the filter.
  case span(FoundSpan)
  /// A trace whose root has ended and that has been quiet since.
  case trace(CompletedTrace)
  /// What could not be told of since the event before.
  case lost(LostEvents)
}

/// The finished spans of a trace, as far as they came while somebody listened.
public struct CompletedTrace: Sendable {
  public var traceID: TraceID
  /// In the order in which they came; spans that were sent again come again.
  public var spans: [FoundSpan]
}

/// How much a listener missed. Spans that are lost here are stored like all others.
public struct LostEvents: Hashable, Sendable {
  /// Requests that went from the log into a segment before the listener came to them, and that cannot be told of from
  /// there either, or not without telling of others twice. Writes that failed in between, and requests whose spans were
  /// all stored before, are counted with them.
  public var requestCount: UInt64
  /// Traces that were given up before they were complete, because too many spans were waiting.
  public var traceCount: Int

  public init(requestCount: UInt64, traceCount: Int) {
    self.requestCount = requestCount
    self.traceCount = traceCount
  }
}

/// How events are gathered. Every field has a default.
public struct EventOptions: Sendable {
  public var includesSpans: Bool
  public var includesTraces: Bool
  /// How long nothing must have come of a trace whose root has ended until it counts as complete, in nanoseconds.
  public var quietNanoseconds: UInt64
  /// Spans that wait for their trace to be complete; above this the trace that has waited longest is given up.
  public var maximumPendingSpanCount: Int
  /// How often the store is looked at while nothing comes, in nanoseconds.
  public var pollNanoseconds: UInt64

  public init(
    includesSpans: Bool = true, includesTraces: Bool = true, quietNanoseconds: UInt64 = 5_000_000_000,
    maximumPendingSpanCount: Int = 50_000, pollNanoseconds: UInt64 = 100_000_000
  ) {
    self.includesSpans = includesSpans
    self.includesTraces = includesTraces
    self.quietNanoseconds = quietNanoseconds
    self.maximumPendingSpanCount = maximumPendingSpanCount
    self.pollNanoseconds = pollNanoseconds
  }
}

/// Events as they come, pulled by whoever listens. Single-use: all iterators share one position.
///
/// Nothing is buffered ahead: what was not asked for yet waits in the store's log, and then in the segment that takes its
/// place. Who is so slow that segments have been merged meanwhile misses these requests, and is told how many. Memory: the
/// events of one request or of 512 rows of a segment, the spans of traces that are not complete, and up to 8 MB to know
/// what it has been told of.
///
/// Ends when the store is closed; throws `CancellationError` when its task is cancelled.
public struct TraceEvents: AsyncSequence, Sendable {
  public typealias Element = TraceEvent
  public typealias Failure = any Error

  let source: EventSource

  public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

  public struct Iterator: AsyncIteratorProtocol, Sendable {
    let source: EventSource

    /// The next event; waits for it.
    public mutating func next() async throws -> TraceEvent? { try await source.next() }
  }
}

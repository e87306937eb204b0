public import TraceAnalysis

/// How live figures are kept. Every field has a default.
public struct LiveFigureOptions: Sendable {
  /// How many minutes are kept.
  public var minuteCount: Int
  /// How many services are told apart in a minute, and edges of the graph.
  public var maximumServiceCount: Int
  /// Bytes of cells, edges and names; the oldest minutes go first.
  public var maximumByteCount: Int
  /// How long nothing must have come of a trace until its calls become part of the graph, in nanoseconds.
  public var quietNanoseconds: UInt64
  /// Spans that wait for their trace to be quiet, about 100 bytes each; above this the trace that has waited longest is
  /// paired as it is.
  public var maximumWaitingSpanCount: Int
  /// The least time between two elements of the stream, in nanoseconds.
  public var intervalNanoseconds: UInt64
  /// How often the store is looked at, in nanoseconds.
  public var pollNanoseconds: UInt64

  public init(
    minuteCount: Int = 60, maximumServiceCount: Int = 1000, maximumByteCount: Int = 16 << 20,
    quietNanoseconds: UInt64 = 5_000_000_000, maximumWaitingSpanCount: Int = 1 << 16,
    intervalNanoseconds: UInt64 = 1_000_000_000, pollNanoseconds: UInt64 = 100_000_000
  ) {
    self.minuteCount = minuteCount
    self.maximumServiceCount = maximumServiceCount
    self.maximumByteCount = maximumByteCount
    self.quietNanoseconds = quietNanoseconds
    self.maximumWaitingSpanCount = maximumWaitingSpanCount
    self.intervalNanoseconds = intervalNanoseconds
    self.pollNanoseconds = pollNanoseconds
  }
}

/// Figures of what comes into a store, as they are now: asked for with `current()`, or one after the other as an
/// `AsyncSequence`. Single-use: all iterators share one position.
///
/// Nothing is queued for whoever is slow: the next element is the newest figures, which hold all that the ones between
/// would have said of the minutes in the window. What the figures lack stands in their `losses`.
///
/// In the process that writes, figures are counted from the columns that the writer makes anyway: each memtable is read to
/// its end before it becomes a segment, whether or not somebody asks, so that no request is ever missed. Beside the writer
/// they are counted from the log, when they are asked for.
///
/// Ends when the store is closed; throws `CancellationError` when its task is cancelled.
public struct LiveFigureStream: AsyncSequence, Sendable {
  public typealias Element = LiveFigures
  public typealias Failure = any Error

  let source: LiveFigureSource

  /// The figures of all that has been acknowledged since they began.
  ///
  /// - Throws: `closed`; beside the writer, what makes the log unreadable.
  public func current() async throws -> LiveFigures { try await source.current() }

  public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

  public struct Iterator: AsyncIteratorProtocol, Sendable {
    let source: LiveFigureSource

    /// The next figures; waits for the end of the interval.
    public mutating func next() async throws -> LiveFigures? { try await source.next() }
  }
}

extension TraceStore {
  /// Calls, errors and latencies by minute and service, and the service graph, of the final spans that are acknowledged
  /// after this call; in bounded memory.
  ///
  /// Works on a store that is open for writing and, beside its writer, on one that is open for reading. A span that is
  /// sent again counts again in its service, and once in the graph when it comes again before its trace is quiet.
  ///
  /// - Throws: `closed`; beside the writer, what makes the log unreadable.
  public func liveFigures(_ options: LiveFigureOptions = LiveFigureOptions()) async throws -> LiveFigureStream {
    let core = core
    return LiveFigureStream(source: try await core.readers.run { try LiveFigureSource.begin(core, options) })
  }
}

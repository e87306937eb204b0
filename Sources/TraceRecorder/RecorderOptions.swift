/// How spans are recorded while they are open.
public struct RecorderOptions: Sendable {
  /// How often the spans that have changed are written, in nanoseconds: what a crash can lose of spans that did not ask
  /// for `snapshot()`. Nil: only when it is asked for.
  public var snapshotIntervalNanoseconds: UInt64?
  /// A span without news is written again when this has passed, so that it does not look abandoned while its program
  /// lives. Keep it below the reader's lease, which is five minutes unless a query says otherwise.
  public var heartbeatNanoseconds: UInt64
  /// Spans that may be open at a time. One more is refused with `limitExceeded`: memory is bounded by it.
  public var maximumOpenSpanCount: Int
  /// Spans that have ended by `finish()` and wait to be written. One more is dropped and counted.
  public var maximumWaitingSpanCount: Int
  /// The most spans in one request. When this many wait, they are written before the interval is over.
  public var batchSpanCount: Int
  /// Attributes, events and links, each, that a span keeps. More are counted as dropped. Every snapshot writes them all.
  public var maximumElementCount: Int
  /// False for a store that would take an open span for one that ended in 1970: only ended spans are written then, and
  /// `beginSpan` and `snapshot()` are refused as `unsupported`.
  public var recordsOpenSpans: Bool
  /// The wall clock in nanoseconds since the epoch.
  public var clock: @Sendable () -> UInt64
  /// Random bits for ids.
  public var randomBits: @Sendable () -> UInt64

  public init(
    snapshotIntervalNanoseconds: UInt64? = 1_000_000_000, heartbeatNanoseconds: UInt64 = 60_000_000_000,
    maximumOpenSpanCount: Int = 1 << 16, maximumWaitingSpanCount: Int = 1 << 14, batchSpanCount: Int = 1 << 10,
    maximumElementCount: Int = 128, recordsOpenSpans: Bool = true, clock: @escaping @Sendable () -> UInt64,
    randomBits: @escaping @Sendable () -> UInt64
  ) {
    self.snapshotIntervalNanoseconds = snapshotIntervalNanoseconds
    self.heartbeatNanoseconds = heartbeatNanoseconds
    self.maximumOpenSpanCount = max(1, maximumOpenSpanCount)
    self.maximumWaitingSpanCount = max(1, maximumWaitingSpanCount)
    self.batchSpanCount = max(1, batchSpanCount)
    self.maximumElementCount = max(0, maximumElementCount)
    self.recordsOpenSpans = recordsOpenSpans
    self.clock = clock
    self.randomBits = randomBits
  }
}

/// What a recorder has done, and what it holds.
public struct RecorderStatistics: Hashable, Sendable {
  /// Spans that have begun and have not ended.
  public var openSpanCount = 0
  /// Spans that have ended and are not written yet.
  public var waitingSpanCount = 0
  /// Records, snapshots and finals, that the writer has acknowledged.
  public var writtenRecordCount: UInt64 = 0
  public var requestCount: UInt64 = 0
  /// Requests that the writer refused. What they held is tried again.
  public var failedRequestCount: UInt64 = 0
  /// Spans whose end was lost: the queue was full, or the recorder was shut down before they could be written. Where open
  /// spans are not recorded, also those that nobody ended.
  public var droppedSpanCount: UInt64 = 0
  /// What the writer said when it refused last.
  public var lastFailure: String?

  public init() {}
}

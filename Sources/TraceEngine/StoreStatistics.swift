/// Figures about a store at one moment. Sealed spans only, unless said otherwise.
public struct StoreStatistics: Hashable, Sendable {
  /// Final spans in segments.
  public var spanCount = 0
  /// Traces, counted once for each segment that holds spans of them.
  public var traceCount = 0
  /// Partial records in segments.
  public var partialRecordCount = 0
  /// Records that are in memory and in the log, not in a segment yet; re-sent ones included.
  public var unsealedRecordCount = 0
  /// Ascending by number.
  public var segments: [SegmentInfo] = []
  /// Bytes of all segments.
  public var segmentByteCount: UInt64 = 0
  /// Files with hourly figures of spans that have expired, and their bytes.
  public var metricsSegmentCount = 0
  public var metricsSegmentByteCount: UInt64 = 0
  /// Bytes of the write-ahead log.
  public var logByteCount: UInt64 = 0
  /// Bytes that memtables and caches hold now, and what searches keep of open spans.
  public var memoryByteCount = 0
  /// Bytes they may hold.
  public var memoryBudgetByteCount = 0
  /// Bytes of every column and section over all segments, largest first.
  public var columns: [ColumnSize] = []
  /// Spans by service, ascending by name.
  public var services: [ServiceSize] = []

  /// What could not be counted, or not in full, because bytes of it are damaged or gone: a sentence for each.
  public var damage: [String] = []

  public init() {}

  public struct SegmentInfo: Hashable, Sendable {
    public var number: UInt64
    public var byteCount: UInt64
    public var spanCount: Int
    public var traceCount: Int
    /// Of the spans' starts; zero when there are no final spans.
    public var minimumStart: Timestamp
    public var maximumStart: Timestamp
  }

  public struct ColumnSize: Hashable, Sendable {
    public var name: String
    public var byteCount: UInt64
  }

  public struct ServiceSize: Hashable, Sendable {
    public var name: String
    public var spanCount: Int
    /// About how many bytes of the segments its spans take; nil when it was not asked for. Columns are divided by how
    /// many of their values a service has, so that all services together have the bytes of all segments.
    public var estimatedByteCount: UInt64?
  }
}

import TraceMaintenance
import TraceManifest
public import TraceModel

extension TraceStore {
  /// What a retention pass dropped, or would drop.
  public struct RetentionReport: Hashable, Sendable {
    /// Segments of spans, oldest first.
    public var segments: [ExpiredSegment] = []
    /// Metrics segments whose own time was over, and their bytes.
    public var metricsSegmentCount = 0
    public var metricsSegmentByteCount: UInt64 = 0
    /// Places that could not be read, so that the hourly figures lack what stood there: a sentence for each.
    public var damage: [String] = []

    public init() {}

    /// A segment whose time is over.
    public struct ExpiredSegment: Hashable, Sendable {
      public var number: UInt64
      public var byteCount: UInt64
      /// Final spans and partial records.
      public var recordCount: Int
      /// Of the spans' starts; zero when there are no final spans.
      public var minimumStart: Timestamp
      public var maximumStart: Timestamp
    }
  }

  /// Drops segments whose time is over, now, and keeps hourly figures of their spans (see <doc:Retention>).
  ///
  /// A store that was opened with `StoreOptions.retention` does so by itself; this is for stores that are opened now and
  /// then. Segments go a few at a time, each time by one durable edit of the manifest, which also brings in the figures;
  /// then files are removed. A crash leaves the spans or their figures. Queries that began before go on reading what they
  /// see, and its room on disk is free when they end. Reads the columns of times and statuses of what goes, and waits for
  /// a merge that is under way.
  ///
  /// - Parameter policy: nil for the store's own.
  /// - Throws: `invalidArgument`, `readOnly`, `closed`, `diskFull`, `inputOutput`. What was dropped until then is gone and
  ///   counted, all else is as it was. On a full disk the store's reserve is used up first; beyond it there may be no room
  ///   for the figures, and `maximumMetricsAgeNanoseconds: 0` needs none.
  @discardableResult
  public func retain(_ policy: RetentionPolicy? = nil) async throws -> RetentionReport {
    RetentionReport(try await core.retain(policy ?? core.options.retention))
  }

  /// What `retain(_:)` would drop now. Reads nothing but the manifest; also for stores that are open for reading.
  public func retentionPlan(_ policy: RetentionPolicy? = nil) throws -> RetentionReport {
    RetentionReport(try core.retentionPlan(policy ?? core.options.retention))
  }
}

extension TraceStore.RetentionReport {
  init(_ result: ExpiryResult) {
    segments = result.segments.map {
      ExpiredSegment(
        number: $0.key.number, byteCount: $0.byteCount, recordCount: $0.recordCount,
        minimumStart: Timestamp(nanoseconds: $0.minimumStartNanoseconds),
        maximumStart: Timestamp(nanoseconds: $0.maximumStartNanoseconds))
    }
    metricsSegmentCount = result.metrics.count
    metricsSegmentByteCount = result.metrics.reduce(0) { $0 + $1.byteCount }
    damage = result.damage
  }
}

import TraceMaintenance
import TraceManifest
public import TraceModel

extension TraceStore {
  /// What a retention pass dropped, or would drop.
  public struct RetentionReport: Hashable, Sendable {
    /// Oldest first.
    public var segments: [ExpiredSegment] = []

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

  /// Drops segments whose time is over, now.
  ///
  /// A store that was opened with `StoreOptions.retention` does so by itself; this is for stores that are opened now and
  /// then. One durable edit of the manifest takes the segments away, then their files are removed: a crash leaves all of
  /// them or none. Queries that began before go on reading what they see, and its room on disk is free when they end.
  /// Waits for a merge that is under way.
  ///
  /// - Parameter policy: nil for the store's own.
  /// - Throws: `invalidArgument`, `readOnly`, `closed`, `diskFull`, `inputOutput`. Nothing has changed then.
  @discardableResult
  public func retain(_ policy: RetentionPolicy? = nil) async throws -> RetentionReport {
    RetentionReport(try await core.retain(policy ?? core.options.retention).segments)
  }

  /// What `retain(_:)` would drop now. Reads nothing but the manifest; also for stores that are open for reading.
  public func retentionPlan(_ policy: RetentionPolicy? = nil) throws -> RetentionReport {
    RetentionReport(try core.retentionPlan(policy ?? core.options.retention))
  }
}

extension TraceStore.RetentionReport {
  init(_ segments: [ManifestFile]) {
    self.segments = segments.map {
      ExpiredSegment(
        number: $0.key.number, byteCount: $0.byteCount, recordCount: $0.recordCount,
        minimumStart: Timestamp(nanoseconds: $0.minimumStartNanoseconds),
        maximumStart: Timestamp(nanoseconds: $0.maximumStartNanoseconds))
    }
  }
}

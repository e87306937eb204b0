import TraceMaintenance

extension TraceStore {
  /// How much a compaction takes on.
  public enum CompactionExtent: Hashable, Sendable {
    /// The merges that are due: small segments of the same time that have gathered.
    case due
    /// Everything: what is in memory is sealed, and all segments become as few as they can be. Their content then
    /// depends on the stored records alone, not on how and when they came.
    case all
  }

  /// How far a merge has come.
  public struct CompactionProgress: Hashable, Sendable {
    public var recordCount: Int
    public var totalRecordCount: Int
  }

  /// What a compaction did.
  public struct CompactionReport: Hashable, Sendable {
    /// Segments that were merged, and segments that took their place.
    public var segmentCount = 0
    public var newSegmentCount = 0
    public var byteCountBefore: UInt64 = 0
    public var byteCountAfter: UInt64 = 0
    /// Records that were written.
    public var recordCount = 0
    /// Records that several segments held, beyond the first.
    public var droppedRecordCount = 0
    /// Segments that were left as they were, because bytes of them are damaged: a sentence for each.
    public var damage: [String] = []

    public init() {}
  }

  /// Merges segments. Reads and writes go on meanwhile, and no answer changes; at any moment either the old segments
  /// or the new ones are the store's, and a crash leaves the one or the other.
  ///
  /// Needs room on disk for the new segments beside the old ones, and memory for the spans of one new segment. A second
  /// call waits for the first.
  ///
  /// - Parameters:
  ///   - extent: what is merged.
  ///   - progress: called now and then on the thread that merges; it must be quick.
  /// - Throws: `readOnly`, `closed`, `diskFull` with the room that is needed and where, `inputOutput`. Nothing has changed
  ///   then.
  @discardableResult
  public func compact(
    _ extent: CompactionExtent = .due, progress: (@Sendable (CompactionProgress) -> Void)? = nil
  ) async throws -> CompactionReport {
    let result = try await core.compact(isFull: extent == .all) { done in
      progress?(CompactionProgress(recordCount: done.recordCount, totalRecordCount: done.totalRecordCount))
    }
    var report = CompactionReport()
    report.segmentCount = result.inputCount
    report.newSegmentCount = result.outputCount
    report.byteCountBefore = result.inputByteCount
    report.byteCountAfter = result.outputByteCount
    report.recordCount = result.recordCount
    report.droppedRecordCount = result.droppedCount
    report.damage = result.damaged.map(\.reason)
    return report
  }
}

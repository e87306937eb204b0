import TraceMaintenance
import TraceManifest
public import TraceModel
public import TracestoreV2

extension TraceStore {
  /// What a delete removed.
  public struct DeletionReceipt: Hashable, Sendable {
    /// A segment that held some of the traces.
    public struct RewrittenSegment: Hashable, Sendable {
      public var number: UInt64
      public var byteCount: UInt64
      /// Final spans and partial records that are gone.
      public var deletedRecordCount: Int
      /// The segments that have taken its place, with everything else: none when there was nothing else.
      public var newNumbers: [UInt64]
      public var newByteCount: UInt64
      /// Final spans and partial records in them.
      public var remainingRecordCount: Int
    }

    /// Traces of which something was there.
    public var traceCount = 0
    /// Final spans and partial records that are gone. A record that several segments held counts in each.
    public var recordCount = 0
    public var segments: [RewrittenSegment] = []
    /// Segments that stay as they were, because bytes of them are damaged; they may hold some of the traces. A sentence for
    /// each.
    public var damage: [String] = []

    public init() {}
  }

  /// Deletes traces: every record of them that was acknowledged before the call, in memory, in the log and in segments. What
  /// is written after it has returned stays, also when it was there before; what is written meanwhile goes or stays.
  ///
  /// When this returns, the delete is durable and no answer has anything of the traces: no span, no count, no metric, no
  /// dictionary entry, and no file that counts any bytes. Hourly figures of spans that had expired still count them, links
  /// that were written as such stay, and so do copies in folders that a repair has made. Queries that began before go on
  /// reading what they see; the room on disk is free when they end. An old file that the system does not let go of, or
  /// brings back after a power cut, is removed when the store is next opened for writing. A crash leaves all of the traces
  /// or none.
  ///
  /// What is in memory is sealed, and each segment that holds one of the traces is written again: about half a
  /// second for 262,144 spans, with room on disk for the new ones beside the old (see <doc:DeletesRewrite>). Waits for a merge
  /// that is under way. Reads and writes go on meanwhile.
  ///
  /// - Parameters:
  ///   - ids: traces, of which some or all may not be there.
  ///   - progress: called now and then on the thread that writes; it must be quick. Counts the records of the segments that
  ///     may hold one of the traces.
  /// - Throws: `readOnly`, `closed`, `diskFull` with the room that is needed and where, `inputOutput`. Nothing has been
  ///   deleted then, unless the manifest could not be written (`poisoned`): then the next opening finds all or none.
  @discardableResult
  public func deleteTraces(
    _ ids: some Sequence<TraceID>, progress: (@Sendable (CompactionProgress) -> Void)? = nil
  ) async throws -> DeletionReceipt {
    let result = try await core.delete(Set(ids)) { done in
      progress?(CompactionProgress(recordCount: done.recordCount, totalRecordCount: done.totalRecordCount))
    }
    return DeletionReceipt(result)
  }

  /// Deletes every trace that a query finds, whatever its limit and page: whole traces, of which one span matches. What
  /// matches only later stays.
  ///
  /// Holds the ids in memory, 16 bytes a trace and as much again for looking them up. Otherwise as `deleteTraces(_:progress:)`.
  ///
  /// - Throws: what a search throws, too. A search that cannot read everything deletes what it finds, and `damage` of the
  ///   receipt says what it could not read.
  @discardableResult
  public func deleteTraces(
    matching query: TraceQuery, progress: (@Sendable (CompactionProgress) -> Void)? = nil
  ) async throws -> DeletionReceipt {
    try await deleteTraces(matching: query, pageTraceCount: 1 << 16, progress: progress)
  }

  /// For tests, which have few traces: how many ids are found at a time.
  package func deleteTraces(
    matching query: TraceQuery, pageTraceCount: Int, progress: (@Sendable (CompactionProgress) -> Void)? = nil
  ) async throws -> DeletionReceipt {
    var query = query
    query.limit = pageTraceCount
    query.pageToken = nil
    var ids: Set<TraceID> = []
    var damage: [String] = []
    repeat {
      let page = try await findTracePage(query)
      ids.formUnion(page.traces.map(\.id))
      damage += page.summary.damage.filter { !damage.contains($0) }
      query.pageToken = page.summary.continuation
    } while query.pageToken != nil
    var receipt = try await deleteTraces(ids, progress: progress)
    receipt.damage = damage + receipt.damage.filter { !damage.contains($0) }
    return receipt
  }
}

extension TraceStore.DeletionReceipt {
  init(_ result: DeletionResult) {
    traceCount = result.traces.count
    recordCount = result.changes.reduce(0) { $0 + $1.recordCount }
    segments = result.changes.map { change in
      RewrittenSegment(
        number: change.old.key.number, byteCount: change.old.byteCount, deletedRecordCount: change.recordCount,
        newNumbers: change.new.map(\.key.number), newByteCount: change.new.reduce(0) { $0 + $1.byteCount },
        remainingRecordCount: change.new.reduce(0) { $0 + $1.recordCount })
    }
    damage = result.damaged.map(\.reason)
  }
}

package import TraceFiles
package import TraceModel

/// When a frame counts as written.
package enum WALDurability: Hashable, Sendable {
  /// Once it is synced. One sync serves all frames that were waiting.
  case sync
  /// Once it is handed to the system; synced in the background at most this much later.
  case interval(nanoseconds: UInt64)
  /// Once it is handed to the system; synced only by `sync()`, `rotate()` and `close()`.
  case none
}

package struct WALOptions: Hashable, Sendable {
  package var durability: WALDurability
  /// Appends wait while this many bytes are queued: the memory that the queue may hold.
  package var maximumQueuedByteCount: Int

  package init(durability: WALDurability = .sync, maximumQueuedByteCount: Int = 16 << 20) {
    self.durability = durability
    self.maximumQueuedByteCount = maximumQueuedByteCount
  }
}

/// Figures of a writer since it was opened, and what the log holds now.
package struct WALStatistics: Hashable, Sendable {
  package var frameCount: UInt64 = 0
  package var writtenByteCount: UInt64 = 0
  package var syncCount: UInt64 = 0
  /// All files together.
  package var byteCount: UInt64 = 0
  package var fileCount = 0

  package init() {}
}

/// Appends frames to the log of one directory. There is one writer a directory; the caller holds the writer lock.
///
/// Thread-safe. All writing happens on one thread of its own, which also runs the completions, in frame order;
/// a completion must be quick and must not call `append`, `rotate`, `sync` or `close`.
package final class WALWriter: Sendable {
  package typealias Completion = @Sendable (Result<Void, any Error>) -> Void

  private let core: WALWriterCore
  private let thread: WorkerThread

  /// Starts a new file after what recovery has found; on a full disk, the first frame that finds room does. The first
  /// frame gets a sequence above `report.lastSequence`.
  package init(
    fileSystem: any FileSystem, directory: String, storeID: StoreID, after report: WALRecoveryReport,
    options: WALOptions = WALOptions()
  ) throws {
    let core = try WALWriterCore(
      fileSystem: fileSystem, directory: directory, storeID: storeID, report: report, options: options)
    thread = try WorkerThread(name: "tracestore-wal") { core.run() }
    self.core = core
  }

  deinit {
    core.requestEnd()
    if !thread.isCurrent { thread.join() }
  }

  /// Queues a frame and returns its sequence. `completion` is called exactly once, unless this call throws:
  /// `poisoned` after a failure that leaves the log unknown, `closed` after `close()`.
  ///
  /// Blocks while the queue is full, so it must not be called from the cooperative pool. A completion fails with
  /// `diskFull` when there was no room; nothing of the frame is left then, and later appends may succeed.
  ///
  /// - Parameter refusalCount: for a frame that must not stand behind one that found no room: `refusalCount` as it was
  ///   when the caller decided to append. When it has risen since, this one fails as well, even if it would fit.
  @discardableResult
  package func append(
    _ frame: WALFrame, after refusalCount: Int? = nil, completion: @escaping Completion
  ) throws -> UInt64 {
    try core.append(frame, refusalCount: refusalCount, completion)
  }

  /// How many writes have found no room. It rises after the completions of such a write have run.
  package var refusalCount: Int { core.refusalCount }

  /// Waits until an append would not block. For callers that append under a lock of their own.
  package func waitForRoom() { core.waitForRoom() }

  /// Appends and waits for the completion.
  @discardableResult
  package func appendAndWait(_ frame: WALFrame) throws -> UInt64 {
    let outcome = Monitor<Result<Void, any Error>?>(nil)
    let sequence = try append(frame) { result in
      outcome.withLock { $0 = result }
      outcome.wakeAll()
    }
    try outcome.withLock(waitingUntil: { $0 != nil }, { $0 })?.get()
    return sequence
  }

  /// Syncs what has been queued so far, whatever the mode.
  package func sync() throws { try core.request(.sync) }

  /// Ends the current file after the frames queued so far and starts a new one. Returns the file that was ended;
  /// with `trim(below:)` it goes once its last sequence is no longer needed. Nil, and nothing done, when no frame has
  /// been written since a full disk had no room for a file. A failure to make the new file leaves the writer on the old
  /// one, unless a sync has failed.
  package func rotate() throws -> WALRecoveryReport.ClosedFile? { try core.request(.rotate) }

  /// Removes the ended files all of whose frames are below `sequence`. Returns the bytes freed.
  @discardableResult
  package func trim(below sequence: UInt64) throws -> UInt64 { try core.trim(below: sequence) }

  /// The sequence that the next append gets.
  package var nextSequence: UInt64 { core.nextSequence }

  package var statistics: WALStatistics { core.statistics }

  /// Why appends fail, once the writer is poisoned.
  package var failure: TracestoreError? { core.failure }

  /// Writes and syncs what is queued, runs the completions and ends the thread. Throws when that sync fails.
  /// Calling it again does nothing.
  package func close() throws {
    core.requestEnd()
    thread.join()
    if let failure { throw failure }
  }
}

import TraceFiles
import TraceModel

/// The queue between producers and the log's thread, and the lists that both see.
final class WALWriterCore: Sendable {
  enum Request: Sendable {
    case sync, rotate
  }

  typealias RequestResult = Result<WALRecoveryReport.ClosedFile?, any Error>

  struct PendingFrame: Sendable {
    var frame: WALFrame
    var sequence: UInt64
    /// How many writes had been refused when the frame was admitted, if that matters.
    var refusalCount: Int?
    var completion: WALWriter.Completion
  }

  enum Item: Sendable {
    case frame(PendingFrame)
    case request(Request, Monitor<RequestResult?>)
  }

  struct State: Sendable {
    var queue: [Item] = []
    /// Bytes of frames whose completions have not run.
    var queuedByteCount = 0
    var nextSequence: UInt64
    var isEnding = false
    var hasEnded = false
    var failure: TracestoreError?
    /// How many writes found no room, and what the last of them met.
    var refusalCount = 0
    var refusal: TracestoreError?
    var closedFiles: [WALRecoveryReport.ClosedFile]
    var statistics = WALStatistics()
    /// Of the file that is being written; 0 as long as there has been no room for one.
    var currentByteCount: UInt64
  }

  let fileSystem: any FileSystem
  let directory: String
  let options: WALOptions
  let monitor: Monitor<State>
  private let log: WALLogFile

  init(
    fileSystem: any FileSystem, directory: String, storeID: StoreID, report: WALRecoveryReport, options: WALOptions
  ) throws {
    self.fileSystem = fileSystem
    self.directory = directory
    self.options = options
    log = try WALLogFile(
      fileSystem: fileSystem, directory: directory, storeID: storeID, fileNumber: report.nextFileNumber,
      lastSequence: report.lastSequence)
    // A file without frames says nothing that the new file's header does not say. Without a new one it stays.
    let isEmpty = { (file: WALRecoveryReport.ClosedFile) in file.byteCount <= UInt64(WALFormat.fileHeaderByteCount) }
    for file in report.files where log.isStarted && isEmpty(file) {
      try fileSystem.remove(joinedPath(directory, WALFormat.fileName(file.fileNumber)))
    }
    monitor = Monitor(
      State(
        nextSequence: report.lastSequence &+ 1, closedFiles: report.files.filter { !isEmpty($0) },
        currentByteCount: log.endOffset))
  }

  // MARK: Producers

  func append(
    _ frame: WALFrame, refusalCount: Int?, _ completion: @escaping WALWriter.Completion
  ) throws -> UInt64 {
    let sequence = try monitor.withLock(waitingUntil: hasRoom) { state in
      if let failure = state.failure { throw failure }
      if state.isEnding { throw TracestoreError(.closed, "the log is closed") }
      let sequence = state.nextSequence
      state.nextSequence = sequence &+ 1
      state.queuedByteCount += frame.byteCount
      let pending = PendingFrame(
        frame: frame, sequence: sequence, refusalCount: refusalCount, completion: completion)
      state.queue.append(.frame(pending))
      return sequence
    }
    monitor.wakeAll()
    return sequence
  }

  func waitForRoom() { monitor.wait(until: hasRoom) }

  private func hasRoom(_ state: inout State) -> Bool {
    state.queuedByteCount < options.maximumQueuedByteCount || state.failure != nil || state.isEnding
  }

  @discardableResult
  func request(_ request: Request) throws -> WALRecoveryReport.ClosedFile? {
    let outcome = Monitor<RequestResult?>(nil)
    try monitor.withLock { state in
      if let failure = state.failure { throw failure }
      if state.isEnding { throw TracestoreError(.closed, "the log is closed") }
      state.queue.append(.request(request, outcome))
    }
    monitor.wakeAll()
    return try outcome.withLock(waitingUntil: { $0 != nil }, { $0 })?.get()
  }

  func requestEnd() {
    monitor.withLock { $0.isEnding = true }
    monitor.wakeAll()
  }

  func trim(below sequence: UInt64) throws -> UInt64 {
    // Oldest first, so that a crash in between leaves no hole.
    let due = monitor.withLock { state in state.closedFiles.prefix { $0.lastSequence < sequence } }
    var freed: UInt64 = 0
    for file in due {
      do {
        try fileSystem.remove(joinedPath(directory, WALFormat.fileName(file.fileNumber)))
      } catch let error as TracestoreError where error.code == .notFound {}
      freed += file.byteCount
      monitor.withLock { state in state.closedFiles.removeAll { $0.fileNumber == file.fileNumber } }
    }
    return freed
  }

  var nextSequence: UInt64 { monitor.withLock { $0.nextSequence } }
  var failure: TracestoreError? { monitor.withLock { $0.failure } }
  var refusalCount: Int { monitor.withLock { $0.refusalCount } }

  var statistics: WALStatistics {
    monitor.withLock { state in
      var result = state.statistics
      result.byteCount = state.closedFiles.reduce(state.currentByteCount) { $0 + $1.byteCount }
      result.fileCount = state.closedFiles.count + (state.hasEnded || state.currentByteCount == 0 ? 0 : 1)
      return result
    }
  }

  // MARK: The log's thread

  func run() {
    while true {
      let items = nextItems()
      if let items, !items.isEmpty {
        process(items)
      } else if items == nil {
        break
      } else {
        syncLog()
      }
    }
    syncLog()
    log.close()
    monitor.withLock { $0.hasEnded = true }
  }

  /// What is queued; empty when it is time for a background sync, nil when the end has come.
  private func nextItems() -> [Item]? {
    func take(_ state: inout State) -> [Item]? {
      if state.queue.isEmpty { return state.isEnding ? nil : [] }
      var items: [Item] = []
      swap(&items, &state.queue)
      return items
    }
    let isReady = { (state: inout State) in !state.queue.isEmpty || state.isEnding }
    guard case .interval(let interval) = options.durability, log.isWhole, let since = log.unsyncedSinceNanoseconds
    else {
      return monitor.withLock(waitingUntil: isReady, take)
    }
    let elapsed = monotonicNanoseconds() &- since
    if elapsed >= interval { return [] }
    return monitor.withLock(waitingAtMost: interval - elapsed, until: isReady) { state, _ in take(&state) }
  }

  private func process(_ items: [Item]) {
    var frames: [PendingFrame] = []
    for item in items {
      switch item {
      case .frame(let frame): frames.append(frame)
      case .request(let request, let outcome):
        write(frames)
        frames = []
        let result = RequestResult { try perform(request) }
        outcome.withLock { $0 = result }
        outcome.wakeAll()
      }
    }
    write(frames)
  }

  /// Writes the frames but those behind a refusal that nobody knew of when they were admitted.
  private func write(_ frames: [PendingFrame]) {
    let (refusalCount, refusal) = monitor.withLock { ($0.refusalCount, $0.refusal) }
    let isDue = { (frame: PendingFrame) in frame.refusalCount ?? refusalCount == refusalCount }
    let due = frames.filter(isDue)
    let result = Result<Void, any Error> {
      if let failure { throw failure }
      guard let last = due.last else { return }
      do {
        try log.append(due, lastSequence: last.sequence)
        if options.durability == .sync { try log.sync() }
        // Before any completion: whoever opens the store after one must find the frame below the position.
        try log.publishPosition()
      } catch let error as TracestoreError where error.code == .diskFull && log.isWhole {
        throw error
      } catch {
        throw poison(error)
      }
    }
    monitor.withLock { state in
      state.queuedByteCount -= frames.reduce(0) { $0 + $1.frame.byteCount }
      state.currentByteCount = log.endOffset
      state.statistics.syncCount = log.syncCount
      if case .success = result {
        state.statistics.frameCount += UInt64(due.count)
        state.statistics.writtenByteCount += due.reduce(0) { $0 + UInt64($1.frame.byteCount) }
      }
    }
    monitor.wakeAll()
    for frame in frames {
      if let refusal, !isDue(frame) {
        frame.completion(.failure(failure ?? refusal))
      } else {
        frame.completion(result)
      }
    }
    // Only now: whoever reads the new count has been told by the completions.
    if case .failure(let error as TracestoreError) = result, error.code == .diskFull {
      monitor.withLock { state in
        state.refusalCount += 1
        state.refusal = error
      }
    }
  }

  private func perform(_ request: Request) throws -> WALRecoveryReport.ClosedFile? {
    if let failure { throw failure }
    do {
      try log.sync()
    } catch {
      throw poison(error)
    }
    // Without a file of its own the log has nothing to end.
    guard case .rotate = request, log.isStarted else { return nil }
    do {
      let closed = try log.startNextFile()
      monitor.withLock { state in
        if let closed { state.closedFiles.append(closed) }
        state.currentByteCount = log.endOffset
        state.statistics.syncCount = log.syncCount
      }
      return closed
    } catch {
      if log.isWhole { throw error }
      throw poison(error)
    }
  }

  private func syncLog() {
    guard failure == nil else { return }
    do {
      try log.sync()
      let count = log.syncCount
      monitor.withLock { $0.statistics.syncCount = count }
    } catch {
      _ = poison(error)
    }
  }

  private func poison(_ error: any Error) -> TracestoreError {
    let failure = TracestoreError(
      .poisoned, "the log could not be written, so nothing more is promised; close the store and open it again",
      path: log.path, cause: error)
    monitor.withLock { $0.failure = $0.failure ?? failure }
    monitor.wakeAll()
    return failure
  }
}

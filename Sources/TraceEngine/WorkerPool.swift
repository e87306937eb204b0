import TraceFiles

/// The engine's own threads for work that blocks: reads, decoding, waiting for room. The cooperative pool has as many
/// threads as cores, so a blocked pair of them would stall the whole process.
final class WorkerPool: Sendable {
  private struct Queue {
    /// Taken jobs leave a gap at once: a job holds the request it is about.
    var jobs: [(@Sendable () -> Void)?] = []
    var nextJob = 0
    var isClosed = false

    var isEmpty: Bool { nextJob == jobs.count }
    var count: Int { jobs.count - nextJob }

    mutating func take() -> (@Sendable () -> Void)? {
      guard !isEmpty else { return nil }
      let job = jobs[nextJob]
      jobs[nextJob] = nil
      nextJob += 1
      if nextJob == jobs.count || nextJob == 1024 {
        jobs.removeFirst(nextJob)
        nextJob = 0
      }
      return job
    }
  }

  private let queue = Monitor(Queue())
  private let threads: [WorkerThread]

  init(name: String, threadCount: Int) throws {
    let queue = queue
    do {
      threads = try (0..<threadCount).map { index in
        try WorkerThread(name: "\(name)-\(index)") {
          while let job = queue.withLock(waitingUntil: { !$0.isEmpty || $0.isClosed }, { $0.take() }) { job() }
        }
      }
    } catch {
      // Threads that were started before the one that could not be must not wait for ever.
      queue.withLock { $0.isClosed = true }
      queue.wakeAll()
      throw error
    }
  }

  /// Queues a job. After `close()` it is not run and false is returned.
  func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
    let isAccepted = queue.withLock { queue in
      if !queue.isClosed { queue.jobs.append(job) }
      return !queue.isClosed
    }
    // All of them: the C library may lose a signal for one (glibc bug 25847, up to 2.40), and the job would wait.
    queue.wakeAll()
    return isAccepted
  }

  /// Runs `body` on one of the threads: one hop there, one back.
  func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      let isAccepted = submit { continuation.resume(with: Swift.Result { try body() }) }
      if !isAccepted { continuation.resume(throwing: StoreFailure.closed) }
    }
  }

  /// Calls `body` with every index below `count`, on the calling thread and on those of the pool that come in time, and
  /// returns when all calls have. A loop inside a loop is fine: nobody waits for a thread that has not come.
  func perform(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let loop = SharedLoop(count, body)
    if count > 1 {
      queue.withLock { queue in
        // Behind so many others none comes in time, and what waits takes memory.
        let wantedCount = min(count - 1, threads.count - queue.count)
        if queue.isClosed || wantedCount < 1 { return }
        for _ in 0..<wantedCount { queue.jobs.append { [self] in help(loop) } }
      }
      queue.wakeAll()
    }
    loop.run()
    loop.wait()
  }

  /// Goes through a loop until another one waits for a thread: then it is continued behind that.
  private func help(_ loop: SharedLoop) {
    while loop.runOnce() {
      guard queue.withLock({ $0.isEmpty }) else {
        _ = submit { [self] in help(loop) }
        return
      }
    }
  }

  /// Runs `body` on a thread that ends with it: for what blocks for long, and rarely.
  static func once<Result: Sendable>(
    name: String, _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    let pool = try WorkerPool(name: name, threadCount: 1)
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await pool.run(body)) } catch { result = .failure(error) }
    pool.requestEnd()
    return try result.get()
  }

  /// Lets the threads end once what is queued has run.
  func requestEnd() {
    queue.withLock { $0.isClosed = true }
    queue.wakeAll()
  }

  /// Runs what is queued and ends the threads. Must not be called from one of them.
  func close() {
    requestEnd()
    for thread in threads { thread.join() }
  }
}

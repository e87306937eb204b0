import TraceFiles

/// The engine's own threads for work that blocks: reads, decoding, waiting for room. The cooperative pool has as many
/// threads as cores, so a blocked pair of them would stall the whole process.
final class WorkerPool: Sendable {
  /// Rings for one thread alone: where several wait for one condition, the C library may lose the signal for one of them
  /// (glibc bug 25847, up to 2.40), and to wake all of them for each job costs more than a short job.
  private typealias Bell = Monitor<Bool>

  private struct Queue {
    /// Taken jobs leave a gap at once: a job holds the request it is about.
    private var jobs: [(@Sendable () -> Void)?] = []
    private var nextJob = 0
    private(set) var isClosed = false
    /// Of the threads that sleep. The one that went to sleep last is woken first: what it needs is still in its caches.
    private var bells: [Bell] = []

    enum Turn {
      case job(@Sendable () -> Void)
      case sleep
      case end
    }

    /// What a thread does next. It sleeps only while there is no job.
    mutating func next(_ bell: Bell) -> Turn {
      if let job = take() { return .job(job) }
      if isClosed { return .end }
      bells.append(bell)
      return .sleep
    }

    private mutating func take() -> (@Sendable () -> Void)? {
      guard nextJob < jobs.count else { return nil }
      let job = jobs[nextJob]
      jobs[nextJob] = nil
      nextJob += 1
      if nextJob == jobs.count || nextJob == 1024 {
        jobs.removeFirst(nextJob)
        nextJob = 0
      }
      return job
    }

    /// Gives back whom to wake: nobody when all threads are at work, who look for jobs before they sleep.
    mutating func append(_ job: @escaping @Sendable () -> Void) -> Bell? {
      jobs.append(job)
      return bells.popLast()
    }

    mutating func close() -> [Bell] {
      isClosed = true
      defer { bells = [] }
      return bells
    }
  }

  private let queue = Monitor(Queue())
  private let threads: [WorkerThread]

  init(name: String, threadCount: Int) throws {
    let queue = queue
    do {
      threads = try (0..<threadCount).map { index in
        try WorkerThread(name: "\(name)-\(index)") { Self.work(queue) }
      }
    } catch {
      // Threads that were started before the one that could not be must not wait for ever.
      queue.withLock { $0.close() }.forEach(Self.ring)
      throw error
    }
  }

  private static func work(_ queue: Monitor<Queue>) {
    let bell = Bell(false)
    while true {
      switch queue.withLock({ $0.next(bell) }) {
      case .job(let job): job()
      case .sleep: bell.withLock(waitingUntil: { $0 }, { $0 = false })
      case .end: return
      }
    }
  }

  private static func ring(_ bell: Bell) {
    bell.withLock { $0 = true }
    bell.wakeAll()
  }

  /// Queues a job. After `close()` it is not run and false is returned.
  func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
    let (isAccepted, bell) = queue.withLock { queue in queue.isClosed ? (false, nil) : (true, queue.append(job)) }
    if let bell { Self.ring(bell) }
    return isAccepted
  }

  /// Runs `body` on one of the threads: one hop there, one back.
  func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      let isAccepted = submit { continuation.resume(with: Swift.Result { try body() }) }
      if !isAccepted { continuation.resume(throwing: StoreFailure.closed) }
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
  func requestEnd() { queue.withLock { $0.close() }.forEach(Self.ring) }

  /// Runs what is queued and ends the threads. Must not be called from one of them.
  func close() {
    requestEnd()
    for thread in threads { thread.join() }
  }
}

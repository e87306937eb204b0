import TraceFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

enum ProcessorCount {
  /// Processors that can run threads now; at least 1.
  static var online: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}

/// Loops spread over threads.
enum Concurrency {
  /// Calls `body` with every index below `count`, on as many threads as there are processors, the calling one among
  /// them, and returns when all calls have. Where no other thread can be started, the calling one does it all.
  ///
  /// The threads are started for the loop and have the caller's priority: for seals and merges, which take long. What
  /// somebody waits for is spread by `WorkerPool.perform`.
  @Sendable
  static func perform(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let loop = SharedLoop(count, body)
    for _ in 1..<max(1, min(count, ProcessorCount.online)) {
      _ = try? WorkerThread(name: "tracestore-part") { loop.run() }
    }
    loop.run()
    loop.wait()
  }
}

/// A loop that threads go through together. One that comes late finds nothing to do, and nobody waits for it.
final class SharedLoop: Sendable {
  private struct State {
    /// Nil once the last index was taken: a thread that never comes must not hold what the loop is about.
    var body: (@Sendable (Int) -> Void)?
    var next = 0
    var runningCount = 0
  }

  private let count: Int
  private let state: Monitor<State>

  init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    state = Monitor(State(body: count > 0 ? body : nil))
  }

  /// Takes indices until there are none left.
  func run() {
    let body = state.withLock { state in
      if state.body != nil { state.runningCount += 1 }
      return state.body
    }
    guard let body else { return }
    while let index = take() { body(index) }
    let isLast = state.withLock { state in
      state.runningCount -= 1
      return state.runningCount == 0
    }
    if isLast { state.wakeAll() }
  }

  private func take() -> Int? {
    state.withLock { state in
      guard state.next < count else { return nil }
      defer { state.next += 1 }
      if state.next + 1 == count { state.body = nil }
      return state.next
    }
  }

  /// Waits until all calls have returned. For a thread that has run the loop itself, so that every index is taken.
  func wait() { state.wait(until: { $0.runningCount == 0 }) }
}

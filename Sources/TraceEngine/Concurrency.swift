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
  /// The threads are started for the loop, and on Linux have the caller's priority: for seals and merges, which take long.
  /// What somebody waits for is spread by `WorkerPool.perform`.
  @Sendable
  static func perform(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let loop = SharedLoop(count, body)
    let helpers = (1..<max(1, min(count, ProcessorCount.online))).compactMap { _ in
      try? WorkerThread(name: "tracestore-part") { loop.run() }
    }
    loop.run()
    for helper in helpers { helper.join() }
  }
}

/// A loop that threads go through together. One that comes late finds nothing to do.
final class SharedLoop: Sendable {
  private struct State {
    /// Nil once the last index was taken: a thread that never comes must not hold what the loop is about.
    var body: (@Sendable (Int) -> Void)?
    var next = 0
    var runningCount = 0

    var isDone: Bool { body == nil && runningCount == 0 }
  }

  private let count: Int
  private let state: Monitor<State>

  init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    self.count = count
    state = Monitor(State(body: count > 0 ? body : nil))
  }

  /// Takes indices until there are none left.
  func run() { while runOnce() {} }

  /// Calls the body with the next index; false when there is none left.
  func runOnce() -> Bool {
    guard call() else { return false }
    let isDone = state.withLock { state in
      state.runningCount -= 1
      return state.isDone
    }
    if isDone { state.wakeAll() }
    return true
  }

  /// Returns before the call counts as over: then nothing here holds the body any more.
  @inline(never)
  private func call() -> Bool {
    let taken = state.withLock { state in
      let taken = state.body.map { (index: state.next, body: $0) }
      if taken != nil {
        state.next += 1
        state.runningCount += 1
        if state.next == count { state.body = nil }
      }
      return taken
    }
    guard let taken else { return false }
    taken.body(taken.index)
    return true
  }

  /// Waits until all calls have returned, whoever makes them.
  func wait() { state.wait(until: { $0.isDone }) }
}

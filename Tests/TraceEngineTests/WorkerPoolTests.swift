import Synchronization
import Testing
import TraceFiles

@testable import TraceEngine

/// Loops that the threads of a pool go through together.
@Suite struct WorkerPoolTests {
  /// How often a loop was called with each index.
  private func calls(_ count: Int, _ perform: (Int, @escaping @Sendable (Int) -> Void) -> Void) -> [Int] {
    let calls = Monitor([Int](repeating: 0, count: count))
    perform(count) { index in calls.withLock { $0[index] += 1 } }
    return calls.withLock { $0 }
  }

  @Test(arguments: [0, 1, 3])
  func `each index is called once, in loops of any length, one inside the other, from many threads`(
    _ threadCount: Int
  ) throws {
    let pool = try WorkerPool(name: "test", threadCount: threadCount)
    for count in [0, 1, 2, 3, 100] {
      #expect(calls(count, pool.perform).allSatisfy { $0 == 1 })
      #expect(calls(count, Concurrency.perform).allSatisfy { $0 == 1 })
    }
    let sum = Monitor(0)
    threads(6) { _ in
      for _ in 0..<50 {
        pool.perform(4) { outer in pool.perform(5) { inner in sum.withLock { $0 += outer * inner } } }
      }
    }
    #expect(sum.withLock { $0 } == 6 * 50 * 60)
    pool.close()
    #expect(calls(20, pool.perform).allSatisfy { $0 == 1 })
  }

  private final class Held: Sendable {}

  @Test func `a thread that never comes is not waited for, and holds nothing`() throws {
    let pool = try WorkerPool(name: "test", threadCount: 1)
    let isFree = Monitor(false)
    let isTaken = Monitor(false)
    _ = pool.submit {
      isTaken.withLock { $0 = true }
      isTaken.wakeAll()
      isFree.wait { $0 }
    }
    isTaken.wait { $0 }
    weak var held: Held?
    do {
      let own = Held()
      held = own
      // Once the thread is busy; of these loops at most one waits for it.
      for _ in 0..<1000 { pool.perform(8) { _ in withExtendedLifetime(own) {} } }
    }
    #expect(held == nil)
    isFree.withLock { $0 = true }
    isFree.wakeAll()
    pool.close()
  }

  @Test func `a long loop leaves the threads to others that wait`() throws {
    let pool = try WorkerPool(name: "test", threadCount: 1)
    /// Waits until two threads have come.
    @Sendable func meet(_ arrivals: Monitor<Int>) {
      arrivals.withLock { $0 += 1 }
      arrivals.wakeAll()
      arrivals.wait { $0 >= 2 }
    }
    let inLong = Monitor(0)
    let inShort = Monitor(0)
    let long = try WorkerThread(name: "long") {
      // Goes on until the thread of the pool has come to the short loop, or for ten seconds.
      pool.perform(20_000) { index in
        if index < 2 { meet(inLong) }
        inShort.withLock(waitingAtMost: 1_000_000, until: { $0 >= 2 }, { _, _ in })
      }
    }
    inLong.wait { $0 >= 2 }
    pool.perform(2) { _ in meet(inShort) }
    #expect(inShort.withLock { $0 } == 2)
    long.join()
    pool.close()
  }
}

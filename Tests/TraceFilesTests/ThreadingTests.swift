import Testing
import TraceModel

@testable import TraceFiles

@Suite struct ThreadingTests {
  @Test func aMonitorHandsValuesFromThreadToThread() throws {
    let queue = Monitor<[Int]>([])
    let sum = Monitor(0)
    let consumer = try WorkerThread(name: "consumer") {
      for _ in 0..<1000 {
        let value = queue.withLock(waitingUntil: { !$0.isEmpty }, { $0.removeFirst() })
        queue.wakeAll()
        sum.withLock { $0 += value }
      }
    }
    for value in 1...1000 {
      queue.withLock(waitingUntil: { $0.count < 3 }, { $0.append(value) })
      queue.wakeAll()
    }
    consumer.join()
    consumer.join()
    #expect(sum.withLock { $0 } == 500_500)
    #expect(!consumer.isCurrent)
  }

  @Test func aWaitWithALimitEnds() {
    let monitor = Monitor(false)
    let start = monotonicNanoseconds()
    let isReady = monitor.withLock(waitingAtMost: 3_000_000, until: { $0 }, { _, isReady in isReady })
    #expect(!isReady && monotonicNanoseconds() - start >= 3_000_000)
    monitor.withLock { $0 = true }
    #expect(monitor.withLock(waitingAtMost: .max, until: { $0 }, { _, isReady in isReady }))
  }

  @Test func shortAndInterruptedCallsAreContinued() throws {
    var steps: [(Int, Int32)] = [(3, 0), (-1, 4), (2, 0), (-1, 4), (5, 0)]
    var places: [Int] = []
    let done = try transferred(10, operation: "read", path: "p") { done in
      places.append(done)
      return steps.removeFirst()
    }
    #expect(done == 10 && places == [0, 3, 3, 5, 5])
    #expect(try transferred(10, operation: "read", path: "p") { $0 < 4 ? (4, 0) : (0, 0) } == 4)
    #expect(code { _ = try transferred(10, operation: "read", path: "p") { _ in (-1, 5) } } == .inputOutput)
    #expect(code { _ = try transferred(10, operation: "write", path: "p") { _ in (-1, 28) } } == .diskFull)
  }
}

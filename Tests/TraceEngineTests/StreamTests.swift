import Synchronization
import Testing

@testable import TraceEngine

/// How the elements of an answer come to those who read them.
@Suite struct StreamTests {
  private final class Calls: Sendable {
    let count = Mutex(0)
  }

  /// Gives batches of numbers, and counts how often it was asked.
  private struct Numbers: ElementMaker {
    var batches: [[Int]]
    let calls: Calls
    var summary = ResultSummary()
    var isAtEnd: Bool { batches.isEmpty }

    mutating func makeNext() -> [Int] {
      calls.count.withLock { $0 += 1 }
      if batches.isEmpty { return [] }
      summary.add(damage: ["batch \(batches.count)"])
      return batches.removeFirst()
    }
  }

  @Test(arguments: [[], [[1]], [[1, 2], [3]], [[1], [2, 3, 4], [5]]])
  func `the first elements come with the answer, others a batch each, and the end by itself`(
    _ batches: [[Int]]
  ) async throws {
    let store = try await TraceStore.inMemory()
    let calls = Calls()
    let stream = try await store.core.stream(for: store) { _ in Numbers(batches: batches, calls: calls) }
    #expect(calls.count.withLock { $0 } == 1)
    let (elements, summary) = try await stream.collect()
    #expect(elements == batches.flatMap { $0 })
    #expect(summary.damage.count == batches.count)
    #expect(calls.count.withLock { $0 } == max(1, batches.count))
    try await store.close()
  }
}

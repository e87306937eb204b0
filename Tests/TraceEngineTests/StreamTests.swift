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

  @Test(arguments: [false, true])
  func `chunks and batches of them end at so many bytes, however few spans these are`(isSealed: Bool) async throws {
    let store = try await TraceStore.inMemory()
    let text = String(repeating: "x", count: 128 << 10)
    func write(_ trace: UInt64, _ spans: Range<UInt64>) async throws {
      let spans = spans.map { number in
        SpanRecord(
          traceID: TraceID(high: 1, low: trace), spanID: SpanID(number), name: "work",
          start: Timestamp(nanoseconds: 1000), end: Timestamp(nanoseconds: 2000),
          attributes: [Attribute("text", .string("\(number) \(text)"))])
      }
      _ = try await store.writeTraces(TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: spans)])]))
    }
    try await write(1, 1..<151)
    for trace in 2...80 as ClosedRange<UInt64> { try await write(trace, 1..<2) }
    if isSealed { try await store.seal() }
    let traces = (1...80 as ClosedRange<UInt64>).map { TraceID(high: 1, low: $0) }
    let batches = try await store.core.read { snapshot in
      var maker = ChunkMaker(traces, in: snapshot, ReadOptions(isRaw: true), 0, ResultSummary())
      var counts: [[Int]] = []
      while !maker.isAtEnd { counts.append(maker.makeNext().map(\.data.spanCount)) }
      return counts
    }
    let counts: [Int] = batches.flatMap { $0 }
    #expect(counts.reduce(0, +) == 229)
    // What is read before it is known how large spans are, and then 4 MiB at a time.
    #expect(counts[0] <= 64)
    #expect(counts.dropFirst().allSatisfy { $0 < 32 }, "\(counts)")
    let batchCounts: [Int] = batches.map { $0.reduce(0, +) }
    #expect(batchCounts.allSatisfy { $0 <= 64 }, "\(batchCounts)")
    let read = try await store.getTraces(traces).collect().elements.flatMap { $0.data.resourceSpans }
      .flatMap(\.scopeSpans).flatMap(\.spans)
    #expect(read.count == 229)
    #expect(read.allSatisfy { $0.attributes.count == 1 })
    try await store.close()
  }
}

import Synchronization
import Testing
import TraceModel
import TracestoreV2

private struct Broken: Error {}

/// Counts what a stream does to its producer.
private final class Probe: Sendable {
  let produced = Mutex(0)
  let cancelled = Mutex(0)
  let summarised = Mutex(0)

  func stream(count: Int, failingAt failure: Int? = nil) -> ResultStream<Int> {
    ResultStream(
      next: { [self] in
        let index = produced.withLock {
          $0 += 1
          return $0
        }
        if index == failure { throw Broken() }
        return index <= count ? index : nil
      },
      summary: { [self] in
        summarised.withLock { $0 += 1 }
        return ResultSummary(isTruncated: true, continuation: "more")
      },
      cancel: { [self] in cancelled.withLock { $0 += 1 } })
  }

  var counts: [Int] { [produced.withLock(\.self), summarised.withLock(\.self), cancelled.withLock(\.self)] }
}

@Suite struct ResultStreamTests {
  @Test func `nothing is produced before it is asked for`() async throws {
    let probe = Probe()
    let stream = probe.stream(count: 3)
    #expect(probe.counts == [0, 0, 0])
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next() == 1)
    #expect(probe.counts == [1, 0, 0])
    #expect(stream.summary == nil)
    #expect(iterator.summary == nil)
  }

  @Test func `the summary is there after the end, and nothing is asked again`() async throws {
    let probe = Probe()
    let stream = probe.stream(count: 2)
    var elements: [Int] = []
    for try await element in stream { elements.append(element) }
    #expect(elements == [1, 2])
    #expect(stream.summary == ResultSummary(isTruncated: true, continuation: "more"))
    var again = stream.makeAsyncIterator()
    #expect(try await again.next() == nil)
    #expect(probe.counts == [3, 1, 0])
    stream.cancel()
    #expect(probe.counts == [3, 1, 0])
    #expect(stream.summary != nil)
  }

  @Test func `collect gives the elements and the summary, also of the rest and of nothing`() async throws {
    let stream = Probe().stream(count: 3)
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next() == 1)
    let rest = try await stream.collect()
    #expect(rest.elements == [2, 3])
    #expect(rest.summary.isTruncated)
    #expect(try await stream.collect().elements.isEmpty)
    let ready = try await ResultStream([1, 2], summary: ResultSummary(damage: ["page"])).collect()
    #expect(ready.elements == [1, 2])
    #expect(ready.summary == ResultSummary(damage: ["page"]))
    #expect(try await ResultStream<Int>([]).collect().summary == ResultSummary())
  }

  @Test func `an error in mid-stream comes after the earlier elements and ends the stream`() async throws {
    let probe = Probe()
    let stream = probe.stream(count: 9, failingAt: 3)
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next() == 1)
    #expect(try await iterator.next() == 2)
    await #expect(throws: Broken.self) { try await stream.collect() }
    #expect(try await iterator.next() == nil)
    #expect(stream.summary == nil)
    #expect(probe.counts == [3, 0, 1])
    await #expect(throws: TracestoreError.self) { try await stream.collect() }
  }

  @Test func `dropping a stream early releases the producer once`() async throws {
    let probe = Probe()
    do {
      let stream = probe.stream(count: 9)
      for try await element in stream where element == 2 { break }
      #expect(probe.counts == [2, 0, 0])
      withExtendedLifetime(stream) {}
    }
    #expect(probe.counts == [2, 0, 1])
    do { _ = probe.stream(count: 9) }
    #expect(probe.counts == [2, 0, 2])
  }

  @Test func `a stream that was given up yields nothing more`() async throws {
    let probe = Probe()
    let stream = probe.stream(count: 9)
    var iterator = stream.makeAsyncIterator()
    #expect(try await iterator.next() == 1)
    stream.cancel()
    stream.cancel()
    #expect(try await iterator.next() == nil)
    #expect(probe.counts == [1, 0, 1])
    await #expect(throws: TracestoreError.self) { try await stream.collect() }
  }

  @Test func `a cancelled task gets a cancellation error and the producer is released`() async throws {
    let probe = Probe()
    let stream = probe.stream(count: 9)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await stream.collect().elements
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(probe.counts == [0, 0, 1])
  }

  @Test func `cancelling while an element is produced drops the element`() async throws {
    let (signal, started) = AsyncStream.makeStream(of: Void.self)
    let (gate, release) = AsyncStream.makeStream(of: Void.self)
    let cancelled = Mutex(0)
    let stream = ResultStream<Int>(
      next: {
        started.finish()
        for await _ in gate {}
        return 1
      },
      cancel: {
        cancelled.withLock { $0 += 1 }
        release.finish()
      })
    let task = Task {
      var iterator = stream.makeAsyncIterator()
      return try await iterator.next()
    }
    for await _ in signal {}
    var other = stream.makeAsyncIterator()
    await #expect(throws: TracestoreError.self) { try await other.next() }
    stream.cancel()
    #expect(try await task.value == nil)
    #expect(cancelled.withLock(\.self) == 1)
    #expect(stream.summary == nil)
  }

  @Test func `a mapped stream transforms, forwards the summary and releases its source`() async throws {
    let mapped = try await Probe().stream(count: 2).mapped { String($0) }.collect()
    #expect(mapped.elements == ["1", "2"])
    #expect(mapped.summary.continuation == "more")
    let probe = Probe()
    do {
      let failing = probe.stream(count: 3).mapped { _ -> Int in throw Broken() }
      await #expect(throws: Broken.self) { try await failing.collect() }
    }
    #expect(probe.counts == [1, 0, 1])
  }
}

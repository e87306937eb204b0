import Synchronization
import Testing
import TraceModel
import TraceRecorder
import TracestoreV2

private let shop = Resource(attributes: [Attribute("service.name", "shop")])

@Suite struct RecorderTests {
  let writer = HeldWriter()
  let hand = Hand()

  private func record(_ id: UInt64, _ name: String = "work") -> SpanRecord {
    SpanRecord(
      traceID: TraceID(high: 0, low: id), spanID: SpanID(id), name: name, start: Timestamp(nanoseconds: 1_000_000_000))
  }

  @Test func `snapshots of many spans share a request, and spans without news are left out`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let spans = try (1...100).map { try recorder.startSpan(record($0), resource: shop) }
    try await recorder.flush()
    #expect(writer.requestCount == 1 && writer.snapshots.count == 100)
    spans[3].addEvent("news")
    try await recorder.flush()
    #expect(writer.requestCount == 2 && writer.records.last?.spanID == SpanID(4))
    try await recorder.flush()
    #expect(writer.requestCount == 2)
    // After the heartbeat all of them say that they are alive.
    hand.move(by: 60_000_000_000)
    try await recorder.flush()
    #expect(writer.requestCount == 3 && writer.records.count == 201)
    withExtendedLifetime(spans) {}
  }

  @Test func `a writer that refuses loses nothing, and every sequence rises`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try await recorder.beginSpan("pay", resource: shop)
    writer.fail(TracestoreError(.diskFull, "full"))
    span.addEvent("one")
    await #expect(throws: TracestoreError.self) { try await span.snapshot() }
    span.addEvent("two")
    await #expect(throws: TracestoreError.self) { try await recorder.flush() }
    let ended = try recorder.startSpan(record(900), resource: shop)
    ended.finish()
    await #expect(throws: TracestoreError.self) { try await span.end() }
    #expect(recorder.statistics.failedRequestCount == 3 && recorder.statistics.lastFailure?.contains("full") == true)
    #expect(recorder.statistics.waitingSpanCount == 1 && recorder.statistics.openSpanCount == 1)
    writer.fail(nil)
    try await recorder.flush()
    #expect(Set(writer.finals.map(\.spanID)) == [span.spanID, SpanID(900)])
    #expect(writer.finals.first { $0.spanID == span.spanID }?.events.map(\.name) == ["one", "two"])
    #expect(recorder.statistics.waitingSpanCount == 0 && recorder.statistics.openSpanCount == 0)
    let sequences = writer.snapshots.filter { $0.spanID == span.spanID }.compactMap(\.sequence)
    #expect(sequences == sequences.sorted() && Set(sequences).count == sequences.count)
  }

  @Test func `a begin that fails leaves no span`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    writer.fail(TracestoreError(.diskFull, "full"))
    await #expect(throws: TracestoreError.self) { _ = try await recorder.beginSpan("pay", resource: shop) }
    writer.fail(nil)
    try await recorder.flush()
    #expect(writer.records.isEmpty && recorder.statistics.openSpanCount == 0)
  }

  @Test func `one span that is too large does not hold up the others`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    writer.state.withLock { $0.refusesLarger = 1 }
    for id in 1...5 { try recorder.startSpan(record(UInt64(id)), resource: shop).finish() }
    try await recorder.flush()
    #expect(writer.finals.count == 5 && recorder.statistics.waitingSpanCount == 0)
  }

  @Test func `a full queue drops and counts, and what is kept is written once`() async throws {
    var options = hand.options()
    options.maximumWaitingSpanCount = 10
    let recorder = SpanRecorder(writer: writer, options: options)
    for id in 1...25 { try recorder.startSpan(record(UInt64(id)), resource: shop).finish() }
    #expect(recorder.statistics.droppedSpanCount == 15)
    try await recorder.flush()
    #expect(writer.records.map(\.spanID.rawValue) == Array(1...10))
  }

  @Test func `shutting down drains, and takes no more`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let open = try recorder.startSpan(record(1), resource: shop)
    try recorder.startSpan(record(2), resource: shop).finish()
    try await recorder.shutDown()
    #expect(writer.snapshots.map(\.spanID) == [SpanID(1)] && writer.finals.map(\.spanID) == [SpanID(2)])
    #expect(throws: TracestoreError.self) { _ = try recorder.startSpan(record(3), resource: shop) }
    open.finish()
    #expect(recorder.statistics.droppedSpanCount == 1)
    try await recorder.shutDown()
  }

  @Test func `tasks that begin, change and end spans at once lose nothing`() async throws {
    var options = hand.options()
    options.batchSpanCount = 16
    let recorder = SpanRecorder(writer: writer, options: options)
    let shared = try await recorder.beginSpan("shared", resource: shop)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<8 {
        group.addTask {
          for round in 0..<50 {
            let span = try recorder.startSpan(record(UInt64(1_000 + task * 50 + round)), resource: shop)
            span.addEvent("\(round)")
            if round % 5 == 0 { shared.setAttribute("\(task)", .int(Int64(round))) }
            if round % 7 == 0 { try await span.snapshot() }
            if round % 11 == 0 { try await recorder.flush() }
            if round % 2 == 0 { span.finish() } else { try await span.end() }
          }
        }
      }
      try await group.waitForAll()
    }
    try await shared.end()
    try await recorder.flush()
    let finals = writer.finals
    #expect(Set(finals.map(\.spanID)).count == 401)
    // A final that two flushes met may be written twice; it is the same bytes then, and the store keeps one.
    #expect(Set(finals).count == 401)
    #expect(finals.first { $0.name == "shared" }?.attributes.count == 8)
    #expect(recorder.statistics.openSpanCount == 0 && recorder.statistics.waitingSpanCount == 0)
  }

  @Test func `the recorder's own task writes a long span while it is open, a short one once`() async throws {
    var options = RecorderOptions(
      snapshotIntervalNanoseconds: 20_000_000, clock: { 5 }, randomBits: { [hand] in hand.nextBits() })
    let short = SpanRecorder(writer: writer, options: options)
    try short.startSpan(record(1), resource: shop).finish()
    try await wait { writer.records.count == 1 }
    #expect(writer.snapshots.isEmpty && writer.finals.count == 1)
    // By a clock that runs, the second span comes of age.
    options.clock = { [hand] in
      hand.move(by: 20_000_000)
      return hand.options().clock()
    }
    let recorder = SpanRecorder(writer: writer, options: options)
    let span = try recorder.startSpan(record(2), resource: shop)
    try await wait { writer.snapshots.contains { $0.spanID == SpanID(2) } }
    span.finish()
    try await wait { writer.finals.contains { $0.spanID == SpanID(2) } }
  }

  private func wait(until isDone: () -> Bool) async throws {
    for _ in 0..<2_000 {
      if isDone() { return }
      try await Task.sleep(nanoseconds: 5_000_000)
    }
    Issue.record("waited in vain")
  }
}

import Synchronization
import Testing
import TraceEngine
import TraceFiles

/// Spans and traces as they come.
@Suite struct EventTests {
  private static func span(
    _ trace: UInt64, _ id: UInt64, parent: UInt64? = nil, _ name: String = "work", end: UInt64 = 20
  ) -> SpanRecord {
    SpanRecord(
      traceID: TraceID(high: 7, low: trace), spanID: SpanID(id), parentSpanID: parent.map { SpanID($0) }, name: name,
      kind: .server, start: Timestamp(nanoseconds: 10), end: Timestamp(nanoseconds: end))
  }

  private static func batch(_ spans: SpanRecord...) -> TraceData {
    TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string("cart"))]),
        scopeSpans: [ScopeSpans(spans: spans)])
    ])
  }

  /// A store whose clock a test moves.
  private final class Clock: Sendable {
    let now = Atomic<UInt64>(1_000_000_000)
    func advance(_ nanoseconds: UInt64) { now.add(nanoseconds, ordering: .relaxed) }
  }

  private static func store(
    _ files: SimulatedFileSystem, _ clock: Clock, isReadOnly: Bool = false, sealSpanCount: Int = 1 << 18
  ) async throws -> TraceStore {
    try await TraceStore.open(
      in: files, at: "store",
      options: StoreOptions(sealSpanCount: sealSpanCount, clock: { clock.now.load(ordering: .relaxed) }),
      isReadOnly: isReadOnly)
  }

  private static let quick = EventOptions(quietNanoseconds: 5_000, pollNanoseconds: 1_000_000)

  private static func name(_ event: TraceEvent?) -> String {
    switch event {
    case .span(let found): "span \(found.span.name) of \(found.resource.serviceName)"
    case .trace(let trace): "trace \(trace.traceID.low): \(trace.spans.map(\.span.spanID.rawValue))"
    case .lost(let lost): "lost \(lost.requestCount) \(lost.traceCount)"
    case nil: "end"
    }
  }

  @Test(arguments: [false, true])
  func `finished spans come after they were written, a trace once its root has ended and it is quiet`(
    _ readsBeside: Bool
  ) async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let writer = try await Self.store(files, clock)
    _ = try await writer.writeTraces(Self.batch(Self.span(1, 1, "before")))
    let listener = readsBeside ? try await Self.store(files, clock, isReadOnly: true) : writer
    var events = try await listener.events(options: Self.quick).makeAsyncIterator()
    _ = try await writer.writeTraces(Self.batch(Self.span(2, 2, parent: 1, "child"), Self.span(2, 3, "open", end: 0)))
    #expect(Self.name(try await events.next()) == "span child of cart")
    clock.advance(1_000_000)
    _ = try await writer.writeTraces(Self.batch(Self.span(2, 1, "root"), Self.span(3, 9, parent: 8, "rootless")))
    #expect(Self.name(try await events.next()) == "span root of cart")
    #expect(Self.name(try await events.next()) == "span rootless of cart")
    clock.advance(1_000_000)
    #expect(Self.name(try await events.next()) == "trace 2: [2, 1]")
    if readsBeside { try await listener.close() }
    try await writer.close()
    #expect(Self.name(try await events.next()) == "end")
  }

  @Test func `a filter chooses spans, and the traces that have one of them`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    let filter = try FilterExpression(text: #"span.name = "wanted""#)
    var events = try await store.events(matching: filter, options: Self.quick).makeAsyncIterator()
    _ = try await store.writeTraces(Self.batch(Self.span(1, 1, "other"), Self.span(2, 1, "other")))
    _ = try await store.writeTraces(Self.batch(Self.span(2, 2, parent: 1, "wanted")))
    #expect(Self.name(try await events.next()) == "span wanted of cart")
    clock.advance(1_000_000)
    #expect(Self.name(try await events.next()) == "trace 2: [1, 2]")
    try await store.close()
  }

  @Test func `who is slower than the log is told how much is missing, and goes on`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    var options = Self.quick
    options.includesTraces = false
    var events = try await store.events(options: options).makeAsyncIterator()
    for index in 1...3 as ClosedRange<UInt64> {
      _ = try await store.writeTraces(Self.batch(Self.span(index, 1)))
    }
    try await store.seal()
    _ = try await store.writeTraces(Self.batch(Self.span(9, 1, "late")))
    #expect(Self.name(try await events.next()) == "lost 3 0")
    #expect(Self.name(try await events.next()) == "span late of cart")
    try await store.close()
  }

  @Test func `spans that wait for their traces are bounded, and what is given up is counted`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    let options = EventOptions(
      includesSpans: false, quietNanoseconds: 1 << 40, maximumPendingSpanCount: 8, pollNanoseconds: 1_000_000)
    var events = try await store.events(options: options).makeAsyncIterator()
    for index in 1...20 as ClosedRange<UInt64> {
      clock.advance(1)
      _ = try await store.writeTraces(Self.batch(Self.span(index, 1)))
    }
    #expect(Self.name(try await events.next()).hasPrefix("lost 0 1"))
    try await store.close()
  }

  @Test func `a task that is cancelled stops listening`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    let events = try await store.events(options: Self.quick)
    let task = Task { for try await _ in events {} }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    try await store.close()
  }
}

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

  private static let spansOnly = EventOptions(includesTraces: false, pollNanoseconds: 1_000_000)

  /// The names of the next spans, sorted: those of a segment come in its order.
  private static func names(_ count: Int, of events: inout TraceEvents.Iterator) async throws -> [String] {
    var names: [String] = []
    for _ in 0..<count { names.append(Self.name(try await events.next())) }
    return names.sorted()
  }

  @Test(arguments: [false, true], [0, 1, 2, 3])
  func `what was sealed before it was read comes from the segment, each span once`(
    _ readsBeside: Bool, _ readCount: Int
  ) async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let writer = try await Self.store(files, clock)
    _ = try await writer.writeTraces(Self.batch(Self.span(1, 1, "before")))
    try await writer.seal()
    let listener = readsBeside ? try await Self.store(files, clock, isReadOnly: true) : writer
    var events = try await listener.events(options: Self.spansOnly).makeAsyncIterator()
    for index in 1...3 as ClosedRange<UInt64> {
      // These differ by their kind, and from a span that was there before.
      var twin = Self.span(1, 1, "twin \(index)")
      twin.kind = SpanKind(rawValue: 3 + Int32(index))
      _ = try await writer.writeTraces(
        Self.batch(Self.span(index + 1, 1, "a \(index)"), twin, Self.span(index, 7, "open", end: 0)))
    }
    let expected = ["a 1", "a 2", "a 3", "twin 1", "twin 2", "twin 3"].map { "span \($0) of cart" }
    var told = try await Self.names(2 * readCount, of: &events)
    try await writer.seal()
    told += try await Self.names(6 - 2 * readCount, of: &events)
    #expect(told.sorted() == expected)
    // The stream goes on in the log, and nothing was lost.
    _ = try await writer.writeTraces(Self.batch(Self.span(9, 1, "late")))
    #expect(Self.name(try await events.next()) == "span late of cart")
    if readsBeside { try await listener.close() }
    try await writer.close()
  }

  @Test func `several segments come one after the other, and a filter chooses from them`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let writer = try await Self.store(files, clock)
    let listener = try await Self.store(files, clock, isReadOnly: true)
    let filter = try FilterExpression(text: #"span.name = "wanted""#)
    var events = try await listener.events(matching: filter, options: Self.quick).makeAsyncIterator()
    for index in 1...3 as ClosedRange<UInt64> {
      _ = try await writer.writeTraces(Self.batch(Self.span(index, 1, "wanted"), Self.span(index, 2, "other")))
      try await writer.seal()
    }
    for _ in 1...3 { #expect(Self.name(try await events.next()) == "span wanted of cart") }
    clock.advance(1_000_000)
    for index in 1...3 {
      let name = Self.name(try await events.next())
      #expect(["trace \(index): [1, 2]", "trace \(index): [2, 1]"].contains(name), "\(name)")
    }
    try await listener.close()
    try await writer.close()
  }

  @Test(arguments: [0, 1, 2])
  func `what no segment of its own holds any more is counted at once, exactly`(_ readCount: Int) async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    var events = try await store.events(options: Self.spansOnly).makeAsyncIterator()
    for index in 1...3 as ClosedRange<UInt64> {
      _ = try await store.writeTraces(Self.batch(Self.span(index, 1)))
    }
    for _ in 0..<readCount { #expect(Self.name(try await events.next()) == "span work of cart") }
    // A merged segment does not say which requests it holds.
    _ = try await store.compact(.all)
    #expect(Self.name(try await events.next()) == "lost \(3 - readCount) 0")
    _ = try await store.writeTraces(Self.batch(Self.span(9, 1, "late")))
    #expect(Self.name(try await events.next()) == "span late of cart")
    try await store.close()
  }

  @Test func `a segment that also holds what came before somebody listened is counted, not told`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    _ = try await store.writeTraces(Self.batch(Self.span(1, 1, "before")))
    var events = try await store.events(options: Self.spansOnly).makeAsyncIterator()
    _ = try await store.writeTraces(Self.batch(Self.span(2, 1)))
    try await store.seal()
    #expect(Self.name(try await events.next()) == "lost 1 0")
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

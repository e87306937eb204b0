import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Live figures against a recount of the spans that were written.
@Suite struct LiveFigureTests {
  /// The epoch of random traces.
  private static let epoch: UInt64 = 1_767_225_600_000_000_000

  /// A store whose clock a test moves.
  private final class Clock: Sendable {
    let now = Atomic<UInt64>(epoch + 60_000_000_000)
    func advance(_ nanoseconds: UInt64) { now.add(nanoseconds, ordering: .relaxed) }
  }

  private static func store(
    _ files: SimulatedFileSystem, _ clock: Clock, isReadOnly: Bool = false, sealSpanCount: Int = 1 << 18
  ) async throws -> TraceStore {
    try await TraceStore.open(
      in: files, at: "store",
      options: StoreOptions(
        sealSpanCount: sealSpanCount, isCompactionAutomatic: false,
        clock: { clock.now.load(ordering: .relaxed) }),
      isReadOnly: isReadOnly)
  }

  /// The final spans of requests, each as often as it came.
  private static func finals(_ batches: [TraceData]) -> [FoundSpan] {
    var spans: [FoundSpan] = []
    for batch in batches {
      batch.forEachSpan { resource, scope, span in
        let isFlagged = span.attributes.contains { $0.key == "tracestore.partial" && $0.value == .bool(true) }
        if span.end != .zero, !isFlagged, !span.traceID.isZero, !span.spanID.isZero {
          spans.append(FoundSpan(resource: resource, scope: scope, span: span))
        }
      }
    }
    return spans
  }

  private struct Cell: Hashable {
    var callCount = 0
    var errorCount = 0
    var durations: [UInt64] = []

    init() {}
  }

  /// Minute and service, by their bytes.
  private struct CellKey: Hashable {
    var minute: UInt64
    var service: [UInt8]
  }

  private static func compare(_ live: LiveFigures, _ batches: [TraceData], _ place: Comment) {
    let spans = finals(batches)
    #expect(live.spanCount == UInt64(spans.count), place)
    var cells: [CellKey: Cell] = [:]
    for found in spans {
      let span = found.span
      guard span.kind == .server || span.kind == .consumer || span.parentSpanID?.isZero ?? true else { continue }
      let key = CellKey(
        minute: span.start.nanoseconds / LiveFigures.minuteNanoseconds, service: Array(found.resource.serviceName.utf8))
      cells[key, default: Cell()].callCount += 1
      if span.isError { cells[key, default: Cell()].errorCount += 1 }
      cells[key, default: Cell()].durations.append(span.durationNanoseconds)
    }
    var count = 0
    for minute in live.minutes {
      for (service, cell) in live.cells(ofMinute: minute) {
        count += 1
        let expected = cells[CellKey(minute: minute, service: Array(service.utf8))] ?? Cell()
        let durations = expected.durations.sorted()
        #expect(Int(cell.callCount) == expected.callCount && Int(cell.errorCount) == expected.errorCount, place)
        #expect(cell.sumNanoseconds == durations.reduce(0, +) && cell.maximumNanoseconds == durations.last, place)
        let middle = durations.isEmpty ? 0 : durations[(durations.count + 1) / 2 - 1]
        #expect(abs(Int(cell.nanoseconds(quantile: 0.5)) - Int(middle)) <= Int(middle) / 64, place)
      }
    }
    #expect(count == cells.count && count > 0, place)
    compareGraph(live, spans, place)
  }

  /// The graph of what was written, each span once. Links to other traces are not followed.
  private static func compareGraph(_ live: LiveFigures, _ spans: [FoundSpan], _ place: Comment) {
    let distinct = Set(
      spans.map { found in
        var found = found
        if found.span.kind == .consumer { found.span.links = [] }
        return found
      })
    let graph = ServiceGraph(spans: Array(distinct), DependencyQuery())
    #expect(live.links.count == graph.links.count, place)
    for (left, right) in zip(live.links, graph.links) where !left.isNear(right) {
      Issue.record("\(place): \(left) is not \(right)")
    }
    #expect(live.unpaired == graph.unpaired, place)
  }

  /// How somebody looks on.
  enum Onlooker: CaseIterable {
    /// In the process that writes, now and then.
    case inside
    /// The same, but only when all is over: memtables have become segments meanwhile.
    case insideLate
    /// In another process.
    case beside
    /// The same, but only when all is over: the log has become segments meanwhile.
    case besideLate
  }

  @Test(arguments: 1...5 as ClosedRange<UInt64>, Onlooker.allCases)
  func `figures of random histories are those of a recount`(_ seed: UInt64, _ onlooker: Onlooker) async throws {
    var random = SeededRandom(seed: seed)
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let writer = try await Self.store(files, clock, sealSpanCount: 40 + random.below(100))
    let batches = randomCalls(seed: seed, count: 60)
    _ = try await writer.writeTraces(batches[0])
    let isBeside = onlooker == .beside || onlooker == .besideLate
    if isBeside { try await writer.seal() }
    let reader = isBeside ? try await Self.store(files, clock, isReadOnly: true) : writer
    let options = LiveFigureOptions(quietNanoseconds: 1_000_000_000)
    let stream = try await reader.liveFigures(options)
    var later: LiveFigureStream?
    var written: [TraceData] = []
    var writtenLater: [TraceData] = []
    for batch in batches.dropFirst() {
      // A segment has once what was sent twice, and whether it is read depends on when somebody asked.
      if isBeside, written.contains(batch) || batch == batches[0] { continue }
      _ = try await writer.writeTraces(batch)
      written.append(batch)
      if later != nil { writtenLater.append(batch) }
      if onlooker == .inside || onlooker == .beside, random.isOneIn(3) { _ = try await stream.current() }
      if random.isOneIn(15) { try await writer.seal() }
      if written.count == 30, !isBeside {
        later = try await writer.liveFigures(options)
      }
    }
    _ = try await stream.current()
    _ = try await later?.current()
    clock.advance(2_000_000_000)
    let live = try await stream.current()
    #expect(live.losses == LiveFigures.Losses(), "seed \(seed), \(onlooker)")
    Self.compare(live, written, "seed \(seed), \(onlooker)")
    if let later { Self.compare(try await later.current(), writtenLater, "seed \(seed), \(onlooker), later") }
    if isBeside { try await reader.close() }
    try await writer.close()
  }

  private static func batch(_ trace: UInt64, _ ids: ClosedRange<UInt64> = 1...1) -> TraceData {
    let spans = ids.map { id in
      SpanRecord(
        traceID: TraceID(high: 7, low: trace), spanID: SpanID(id), name: "work", kind: .server,
        start: Timestamp(nanoseconds: epoch + 10), end: Timestamp(nanoseconds: epoch + 20))
    }
    return TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string("cart"))]),
        scopeSpans: [ScopeSpans(spans: spans)])
    ])
  }

  @Test func `many writers at a time, memtables that are sealed meanwhile: every span counts once`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock, sealSpanCount: 100)
    let streams = try await [store.liveFigures(), store.liveFigures()]
    let asking = Task {
      while !Task.isCancelled { _ = try await streams[0].current() }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 as Range<UInt64> {
        group.addTask {
          for index in 0..<60 as Range<UInt64> {
            _ = try await store.writeTraces(Self.batch(writer * 1000 + index, 1...7))
          }
        }
      }
      try await group.waitForAll()
    }
    asking.cancel()
    _ = await asking.result
    for stream in streams {
      let live = try await stream.current()
      #expect(live.spanCount == 8 * 60 * 7 && live.losses == LiveFigures.Losses())
      #expect(live.cells(ofMinute: Self.epoch / LiveFigures.minuteNanoseconds).map(\.cell.callCount) == [8 * 60 * 7])
    }
    try await store.close()
  }

  @Test(arguments: [0, 1, 2])
  func `what a process beside the writer misses is counted, exactly`(_ readCount: UInt64) async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let writer = try await Self.store(files, clock)
    let reader = try await Self.store(files, clock, isReadOnly: true)
    let stream = try await reader.liveFigures()
    for index in 1...3 as ClosedRange<UInt64> {
      _ = try await writer.writeTraces(Self.batch(index))
      if index == readCount { #expect(try await stream.current().spanCount == readCount) }
    }
    // A merged segment does not say which requests it holds.
    _ = try await writer.compact(.all)
    _ = try await writer.writeTraces(Self.batch(9))
    let live = try await stream.current()
    #expect(live.losses.requestCount == 3 - readCount && live.spanCount == readCount + 1)
    try await reader.close()
    try await writer.close()
  }

  @Test func `spans that wait for their traces are bounded, and traces that are paired early are counted`() async throws
  {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    let stream = try await store.liveFigures(LiveFigureOptions(maximumWaitingSpanCount: 8))
    for index in 1...20 as ClosedRange<UInt64> { _ = try await store.writeTraces(Self.batch(index)) }
    _ = try await stream.current()
    #expect(try await stream.current().losses.earlyTraceCount == 12)
    try await store.close()
  }

  @Test func `many names come and go while traces wait`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    let stream = try await store.liveFigures(LiveFigureOptions(minuteCount: 3, maximumServiceCount: 4))
    for round in 0..<40 as Range<UInt64> {
      let start = Self.epoch + round * LiveFigures.minuteNanoseconds
      var batch = TraceData()
      for index in 0..<4 as Range<UInt64> {
        let spans = [
          SpanRecord(
            traceID: TraceID(high: round, low: 1), spanID: SpanID(index + 1),
            parentSpanID: index > 0 ? SpanID(index) : nil, name: "work", kind: index % 2 == 0 ? .client : .server,
            start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + 1))
        ]
        batch.resourceSpans.append(
          ResourceSpans(
            resource: Resource(attributes: [Attribute("service.name", .string("s \(round) \(index / 2)"))]),
            scopeSpans: [ScopeSpans(spans: spans)]))
      }
      _ = try await store.writeTraces(batch)
      let live = try await stream.current()
      for (service, cell) in live.cells(ofMinute: start / LiveFigures.minuteNanoseconds) {
        #expect(service.hasPrefix("s \(round) ") && cell.callCount > 0)
      }
      clock.advance(LiveFigures.minuteNanoseconds)
      let links = try await stream.current().links
      #expect(links.contains { $0.parent == "s \(round) 0" && $0.child == "s \(round) 1" && $0.callCount == 1 })
    }
    try await store.close()
  }

  @Test func `a stream gives figures at intervals, and ends with its store`() async throws {
    let (files, clock) = (SimulatedFileSystem(isDurabilityTracked: false), Clock())
    let store = try await Self.store(files, clock)
    let options = LiveFigureOptions(intervalNanoseconds: 2_000_000, pollNanoseconds: 1_000_000)
    var figures = try await store.liveFigures(options).makeAsyncIterator()
    #expect(try await figures.next()?.spanCount == 0)
    _ = try await store.writeTraces(Self.batch(1))
    #expect(try await figures.next()?.spanCount == 1)
    _ = try await store.writeTraces(Self.batch(2))
    #expect(try await figures.next()?.spanCount == 2)
    try await store.close()
    #expect(try await figures.next() == nil)
  }
}

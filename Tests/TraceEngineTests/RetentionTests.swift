import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Spans whose time is over go, whole segments at a time, and nothing else does.
@Suite struct RetentionTests {
  static let hour: UInt64 = 3_600_000_000_000
  /// Hour 0 of these tests.
  static let epoch: UInt64 = 500_000 * hour

  /// A clock that tests set.
  final class TestClock: Sendable {
    private let now: Mutex<UInt64>
    init(_ now: UInt64 = RetentionTests.epoch) { self.now = Mutex(now) }
    func set(_ nanoseconds: UInt64) { now.withLock { $0 = nanoseconds } }
    func set(hours: UInt64) { set(RetentionTests.epoch + hours * RetentionTests.hour) }
    var read: @Sendable () -> UInt64 { { self.now.withLock { $0 } } }
  }

  static func options(_ clock: TestClock, _ retention: RetentionPolicy = .keepAll) -> StoreOptions {
    StoreOptions(
      stripeSpanCount: 16, isCompactionAutomatic: false, mergedSegmentSpanCount: 200, retention: retention,
      clock: clock.read)
  }

  /// Ten traces of two spans that start in an hour.
  static func batch(_ hour: UInt64) -> TraceData {
    let spans = (0..<20 as Range<UInt64>).map { index in
      let start = epoch + hour * Self.hour + index * 1_000_000
      return SpanRecord(
        traceID: TraceID(high: hour + 1, low: index / 2 + 1), spanID: SpanID(index + 1), name: "step \(index % 3)",
        kind: .server, start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + 1000 * (index + 1)),
        status: SpanStatus(code: index % 5 == 0 ? .error : .unset))
    }
    return TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", "shop")]), scopeSpans: [ScopeSpans(spans: spans)])
    ])
  }

  static func traces(_ store: TraceStore) async throws -> Set<UInt64> {
    let (found, summary) = try await store.findTraceIDs(TraceQuery(limit: 10_000)).collect()
    #expect(summary.damage.isEmpty)
    return Set(found.map { $0.traceID.high - 1 })
  }

  /// A segment for each of the hours.
  static func write(_ hours: Range<UInt64>, to store: TraceStore, _ clock: TestClock) async throws {
    for hour in hours {
      clock.set(hours: hour + 1)
      _ = try await store.writeTraces(batch(hour))
      try await store.seal()
    }
  }

  @Test func `what is too old goes with its files, and the rest stays, also after a restart`() async throws {
    let clock = TestClock()
    let files = SimulatedFileSystem()
    var store = try await TraceStore.open(in: files, at: "store", options: Self.options(clock))
    try await Self.write(0..<6, to: store, clock)
    let policy = RetentionPolicy(maximumAgeNanoseconds: 3 * Self.hour)
    let plan = try store.retentionPlan(policy)
    #expect(plan.segments.map(\.recordCount) == [20, 20, 20])
    #expect(try await Self.traces(store) == Set(0..<6), "a plan drops nothing")
    let report = try await store.retain(policy)
    #expect(report == plan)
    #expect(try await store.retain(policy).segments.isEmpty)
    for _ in 0..<2 {
      #expect(try await Self.traces(store) == [3, 4, 5])
      #expect(try await store.statistics().spanCount == 60)
      #expect(try await store.getOperations(OperationQuery(serviceName: "shop")).count == 3)
      #expect(try files.contents(ofDirectory: "store").count { $0.hasPrefix("segment-") } == 3)
      try await store.close()
      store = try await TraceStore.open(in: files, at: "store", options: Self.options(clock))
    }
    try await store.close()
  }

  @Test func `bytes take the oldest segments until the rest fits`() async throws {
    let clock = TestClock()
    let store = try await TraceStore.inMemory(options: Self.options(clock))
    try await Self.write(0..<5, to: store, clock)
    let sizes = try await store.statistics().segments.map(\.byteCount)
    try await store.retain(RetentionPolicy(maximumByteCount: sizes[3] + sizes[4]))
    #expect(try await Self.traces(store) == [3, 4])
    try await store.retain(RetentionPolicy(maximumByteCount: 1))
    #expect(try await Self.traces(store) == [4])
    try await store.close()
  }

  /// What is known of a span between two searches must not outlive its records, whether its end stood in a segment or
  /// in memory at the first, and whatever is sealed meanwhile.
  @Test(arguments: [false, true], [false, true])
  func `a span that has lost its end is open again`(isEndSealed: Bool, isMoreSealed: Bool) async throws {
    let clock = TestClock()
    let store = try await TraceStore.inMemory(options: Self.options(clock))
    let start = Timestamp(nanoseconds: Self.epoch + 7)
    func job(end: Timestamp) -> TraceData {
      let span = SpanRecord(
        traceID: TraceID(high: 900, low: 1), spanID: SpanID(1), name: "job", start: start, end: end,
        attributes: [Attribute("step", 1)])
      return TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span])])])
    }
    func phases() async throws -> [SpanState.Phase] {
      let query = TraceQuery(operationName: "job", limit: 10)
      return try await store.findSpans(query).collect().elements.map(\.state.phase)
    }
    let end = job(end: Timestamp(nanoseconds: start.nanoseconds + 50))
    if isEndSealed {
      _ = try await store.writeTraces(end)
      try await store.seal()
    }
    _ = try await store.writeTraces(job(end: .zero))
    try await Self.write(4..<5, to: store, clock)
    if !isEndSealed { _ = try await store.writeTraces(end) }
    #expect(try await phases() == [.final])
    if !isEndSealed { try await store.seal() }
    clock.set(hours: 8)
    try await store.retain(RetentionPolicy(maximumByteCount: try await store.statistics().segmentByteCount - 1))
    if isMoreSealed { try await Self.write(8..<9, to: store, clock) }
    #expect(try await phases() == [.abandoned])
    try await store.close()
  }

  @Test func `an open store looks after its retention by itself and says so`() async throws {
    let clock = TestClock()
    let expired = Mutex(0)
    var options = Self.options(clock, RetentionPolicy(maximumAgeNanoseconds: 2 * Self.hour))
    options.observer = { event in
      if case .expired(_, let recordCount, _) = event { expired.withLock { $0 += recordCount } }
    }
    let store = try await TraceStore.inMemory(options: options)
    try await Self.write(0..<6, to: store, clock)
    for _ in 0..<400 where expired.withLock({ $0 }) < 80 { try await Task.sleep(nanoseconds: 25_000_000) }
    #expect(expired.withLock { $0 } == 80)
    #expect(try await Self.traces(store) == [4, 5])
    try await store.close()
  }

  @Test func `a store that fills slowly seals before its spans have outstayed their age`() async throws {
    let clock = TestClock()
    let second: UInt64 = 1_000_000_000
    let store = try await TraceStore.inMemory(
      options: Self.options(clock, RetentionPolicy(maximumAgeNanoseconds: 16 * second)))
    _ = try await store.writeTraces(Self.batch(0))
    clock.set(Self.epoch + 3 * second)
    try await Task.sleep(nanoseconds: 2 * second)
    #expect(try await store.statistics().segments.isEmpty, "a quarter of the age has not passed")
    clock.set(Self.epoch + 10 * second)
    for _ in 0..<400 {
      if try await !store.statistics().segments.isEmpty { break }
      try await Task.sleep(nanoseconds: 25_000_000)
    }
    #expect(try await store.statistics().segments.map(\.spanCount) == [20])
    #expect(try await Self.traces(store) == [0])
    try await store.close()
  }

  @Test func `queries that began before go on, in this process and in others`() async throws {
    let clock = TestClock()
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store", options: Self.options(clock))
    try await Self.write(0..<4, to: store, clock)
    let reader = try await TraceStore.open(in: files, at: "store", options: Self.options(clock), isReadOnly: true)
    let stream = try await store.findTraces(TraceQuery(limit: 1000))
    try await store.retain(RetentionPolicy(maximumAgeNanoseconds: 2 * Self.hour))
    let (chunks, summary) = try await stream.collect()
    #expect(Set(chunks.map { $0.traceID.high - 1 }) == Set(0..<4))
    #expect(summary.damage.isEmpty)
    #expect(try await Self.traces(store) == [2, 3])
    #expect(try await Self.traces(reader) == Set(0..<4))
    try await reader.refresh()
    #expect(try await Self.traces(reader) == [2, 3])
    let error = await #expect(throws: TracestoreError.self) {
      try await reader.retain(RetentionPolicy(maximumAgeNanoseconds: 1))
    }
    #expect(error?.code == .readOnly)
    try await reader.close()
    try await store.close()
  }

  @Test func `a span that has expired is new when it is sent again`() async throws {
    let clock = TestClock()
    let store = try await TraceStore.inMemory(options: Self.options(clock))
    try await Self.write(0..<3, to: store, clock)
    try await store.retain(RetentionPolicy(maximumAgeNanoseconds: Self.hour))
    #expect(try await Self.traces(store) == [2])
    _ = try await store.writeTraces(Self.batch(0))
    #expect(try await Self.traces(store) == [0, 2])
    try await store.seal()
    #expect(try await Self.traces(store) == [0, 2])
    #expect(try await store.statistics().spanCount == 40)
    try await store.close()
  }

  @Test func `pages of a search go on when segments behind them have gone`() async throws {
    let clock = TestClock()
    let store = try await TraceStore.inMemory(options: Self.options(clock))
    try await Self.write(0..<4, to: store, clock)
    var query = TraceQuery(limit: 5)
    var seen: [TraceID] = []
    var pageCount = 0
    repeat {
      let (found, summary) = try await store.findTraceIDs(query).collect()
      seen += found.map(\.traceID)
      query.pageToken = summary.continuation
      pageCount += 1
      if pageCount == 2 { try await store.retain(RetentionPolicy(maximumAgeNanoseconds: 2 * Self.hour)) }
    } while query.pageToken != nil
    #expect(seen.count == 20 && Set(seen).count == 20)
    #expect(Set(seen.map { $0.high - 1 }) == [2, 3])
    try await store.close()
  }

  @Test func `a full compaction of a store with an age is cut so that its spans can go`() async throws {
    let clock = TestClock()
    let policy = RetentionPolicy(maximumAgeNanoseconds: 8 * Self.hour)
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store", options: Self.options(clock, policy))
    for hour in 0..<24 as Range<UInt64> {
      try await Self.write(hour..<(hour + 1), to: store, clock)
      // As a job at night would.
      try await store.compact(.all)
      try await store.retain()
      #expect(try await Self.traces(store).count <= 12, "after hour \(hour)")
    }
    #expect(try await Self.traces(store).isSuperset(of: 17..<24))
    #expect(try await store.compact(.all).segmentCount == 0, "its outputs are what it would make of them")
    try await store.close()
  }

  @Test func `bounds that would drop everything are refused`() async throws {
    let clock = TestClock()
    let store = try await TraceStore.inMemory(options: Self.options(clock))
    for policy in [RetentionPolicy(maximumAgeNanoseconds: 0), RetentionPolicy(maximumByteCount: 0)] {
      let error = await #expect(throws: TracestoreError.self) { try await store.retain(policy) }
      #expect(error?.code == .invalidArgument)
      await #expect(throws: TracestoreError.self) {
        _ = try await TraceStore.inMemory(options: Self.options(clock, policy))
      }
    }
    try await store.close()
  }

  @Test(arguments: CrashPolicy.allCases)
  func `whatever call a crash follows, a pass has dropped all of its segments or none`(
    _ policy: CrashPolicy
  ) async throws {
    let clock = TestClock()
    var callCount = 0
    while true {
      let files = SimulatedFileSystem()
      let store = try await TraceStore.open(in: files, at: "store", options: Self.options(clock))
      try await Self.write(0..<4, to: store, clock)
      files.halt(afterOperations: callCount)
      let isDone = (try? await store.retain(RetentionPolicy(maximumAgeNanoseconds: 2 * Self.hour))) != nil
      let clone = files.crashClone(keeping: policy, seed: UInt64(callCount))
      let isHalted = files.isHalted
      try? await store.close()
      let again = try await TraceStore.open(in: clone, at: "store", options: Self.options(clock))
      let found = try await Self.traces(again)
      #expect(found == [2, 3] || found == Set(0..<4) && !isDone, "policy \(policy), call \(callCount): \(found)")
      let segmentCount = try await again.statistics().segments.count
      #expect(try clone.contents(ofDirectory: "store").count { $0.hasPrefix("segment-") } == segmentCount)
      try await again.close()
      if !isHalted { break }
      callCount += 1
    }
    #expect(callCount > 3, "a pass makes fewer calls than expected, so it tests little")
  }
}

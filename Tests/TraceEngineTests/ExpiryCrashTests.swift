import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Whatever happens to a retention pass, every call is alive, or expired and counted once.
@Suite struct ExpiryCrashTests {
  private typealias Clock = RetentionTests.TestClock
  private static let policy = RetentionPolicy(maximumAgeNanoseconds: 2 * RetentionTests.hour)

  /// A store whose next pass drops segments, merges metrics segments with theirs, and has copies of two of the batches
  /// that go: one in a segment, one in the log.
  private static func prepare(_ files: SimulatedFileSystem, _ clock: Clock) async throws -> TraceStore {
    let store = try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
    for hour in 0..<10 as Range<UInt64> {
      try await RetentionTests.write(hour..<(hour + 1), to: store, clock)
      if hour < 9 { try await store.retain(policy) }
    }
    try await RetentionTests.write(10..<12, to: store, clock)
    _ = try await store.writeTraces(RetentionTests.batch(8))
    _ = try await store.writeTraces(RetentionTests.batch(11))
    return store
  }

  /// 12 hours of 20 calls, each once.
  private static func check(_ files: SimulatedFileSystem, _ clock: Clock, _ place: Comment) async throws {
    let store = try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
    let calls = try await ExpiredMetricsTests.calls(store)
    #expect(calls.values.reduce(0, +) == 240, place)
    let statistics = try await store.statistics()
    let names = try files.contents(ofDirectory: "store")
    #expect(names.count { $0.hasPrefix("metrics-") } == statistics.metricsSegmentCount, place)
    #expect(names.count { $0.hasPrefix("segment-") } == statistics.segments.count, place)
    // Going on from here changes no count either.
    try await store.retain(policy)
    try await store.seal()
    clock.set(hours: 30)
    try await store.retain(policy)
    let later = try await ExpiredMetricsTests.calls(store)
    #expect(ExpiredMetricsTests.count(later, isExpired: true) == 240, place)
    #expect(later.count == calls.count, place)
    clock.set(hours: 12)
    try await store.close()
  }

  @Test(arguments: CrashPolicy.allCases)
  func `after a crash at any call`(_ policy: CrashPolicy) async throws {
    var callCount = 0
    while true {
      let clock = Clock()
      let files = SimulatedFileSystem()
      let store = try await Self.prepare(files, clock)
      files.halt(afterOperations: callCount)
      _ = try? await store.retain(Self.policy)
      let clone = files.crashClone(keeping: policy, seed: UInt64(callCount))
      let isHalted = files.isHalted
      try? await store.close()
      try await Self.check(clone, clock, "policy \(policy), call \(callCount)")
      if !isHalted { break }
      callCount += 1
    }
    #expect(callCount > 10, "a pass makes fewer calls than expected, so it tests little")
  }

  @Test func `after a call that failed once, and in the store that it failed in`() async throws {
    var isOver = false
    var skipped = 0
    while !isOver {
      for errorNumber in [Fault.noSpace, Fault.inputOutput] {
        let clock = Clock()
        let files = SimulatedFileSystem()
        let store = try await Self.prepare(files, clock)
        files.inject(Fault(skippedCount: skipped, errorNumber: errorNumber))
        let result = try? await store.retain(Self.policy)
        files.clearFaults()
        let place: Comment = "errno \(errorNumber) at call \(skipped)"
        #expect(try await ExpiredMetricsTests.calls(store).values.reduce(0, +) == 240, place)
        if errorNumber == Fault.noSpace, result == nil {
          // A full disk recovers by itself.
          try await store.retain(Self.policy)
          #expect(try await ExpiredMetricsTests.calls(store).values.reduce(0, +) == 240, place)
        }
        try? await store.close()
        try await Self.check(files, clock, place)
        isOver = result != nil && skipped > 20
      }
      skipped += 1
    }
  }
}

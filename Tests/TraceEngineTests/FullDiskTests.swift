import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// A store on a disk without a free byte opens, answers, and is cleared.
@Suite struct FullDiskTests {
  private typealias Clock = RetentionTests.TestClock
  private static let policy = RetentionPolicy(maximumAgeNanoseconds: 2 * RetentionTests.hour)

  /// Six hours in segments and one in the log alone, closed.
  private static func prepare(_ clock: Clock) async throws -> SimulatedFileSystem {
    let files = SimulatedFileSystem()
    let store = try await open(files, clock)
    try await RetentionTests.write(0..<6, to: store, clock)
    clock.set(hours: 7)
    _ = try await store.writeTraces(RetentionTests.batch(6))
    try await store.close()
    files.capacityByteCount = files.usedByteCount
    return files
  }

  private static func open(_ files: SimulatedFileSystem, _ clock: Clock) async throws -> TraceStore {
    try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
  }

  @Test func `the store opens, answers, refuses writes, and takes them when there is room`() async throws {
    let clock = Clock()
    let files = try await Self.prepare(clock)
    var store = try await Self.open(files, clock)
    #expect(try await RetentionTests.traces(store) == Set(0..<7))
    for _ in 0..<2 {
      await #expect { try await store.writeTraces(RetentionTests.batch(7)) } throws: {
        ($0 as? TracestoreError)?.code == .diskFull
      }
    }
    files.capacityByteCount = .max
    _ = try await store.writeTraces(RetentionTests.batch(7))
    try await store.seal()
    _ = try await store.writeTraces(RetentionTests.batch(8))
    try await store.close()
    store = try await Self.open(files, clock)
    #expect(try await RetentionTests.traces(store) == Set(0..<9))
    try await store.close()
  }

  @Test func `opening and closing again and again changes nothing`() async throws {
    let clock = Clock()
    let files = try await Self.prepare(clock)
    let names = try files.contents(ofDirectory: "store") + files.contents(ofDirectory: "store/wal")
    for _ in 0..<3 {
      let store = try await Self.open(files, clock)
      #expect(try await RetentionTests.traces(store) == Set(0..<7))
      try await store.close()
      #expect(try files.contents(ofDirectory: "store") + files.contents(ofDirectory: "store/wal") == names)
    }
  }

  @Test func `retention makes room without a free byte, and keeps the figures of what goes`() async throws {
    let clock = Clock()
    let files = try await Self.prepare(clock)
    let store = try await Self.open(files, clock)
    let report = try await store.retain(Self.policy)
    #expect(report.segments.count == 5)
    #expect(try await RetentionTests.traces(store) == [5, 6])
    let calls = try await ExpiredMetricsTests.calls(store)
    #expect(ExpiredMetricsTests.count(calls, isExpired: true) == 100)
    #expect(try files.contents(ofDirectory: "store").contains("RESERVE"), "the next full disk may come")
    try await store.seal()
    _ = try await store.writeTraces(RetentionTests.batch(7))
    #expect(try await RetentionTests.traces(store) == [5, 6, 7])
    try await store.close()
  }

  @Test func `where there is no room for a record of the manifest either, retention says so and loses nothing`()
    async throws
  {
    let clock = Clock()
    let files = try await Self.prepare(clock)
    try files.remove("store/RESERVE")
    files.capacityByteCount = files.usedByteCount
    let store = try await Self.open(files, clock)
    var policy = Self.policy
    var error = await #expect(throws: TracestoreError.self) { try await store.retain(policy) }
    #expect(error?.code == .diskFull && error?.message.contains("hourly figures") == true, "\(error as Any)")
    policy.maximumMetricsAgeNanoseconds = 0
    error = await #expect(throws: TracestoreError.self) { try await store.retain(policy) }
    #expect(error?.code == .diskFull && error?.message.contains("manifest") == true, "\(error as Any)")
    #expect(error?.path == "store")
    #expect(try await RetentionTests.traces(store) == Set(0..<7))
    // A record is not much.
    files.capacityByteCount += 512
    #expect(try await store.retain(policy).segments.count == 5)
    try await store.close()
  }

  @Test func `a compaction without room says how much it needs and where, and changes nothing`() async throws {
    let clock = Clock()
    let files = try await Self.prepare(clock)
    let store = try await Self.open(files, clock)
    let unsealed = await #expect(throws: TracestoreError.self) { try await store.compact(.all) }
    #expect(unsealed?.code == .diskFull && unsealed?.message.contains("stand in the log") == true)
    // Room for what is in memory, and no more.
    files.capacityByteCount = .max
    try await store.seal()
    files.capacityByteCount = files.usedByteCount
    let sizes = try await store.statistics().segments.map(\.byteCount)
    let error = await #expect(throws: TracestoreError.self) { try await store.compact(.all) }
    #expect(error?.code == .diskFull && error?.path == "store")
    #expect(error?.message.contains("merging 7 segments takes up to \(sizes.reduce(0, +)) bytes") == true)
    #expect(error?.message.contains("0 are free") == true, "\(error as Any)")
    #expect(try await store.statistics().segments.map(\.byteCount) == sizes)
    try await store.close()
  }

  @Test func `a log with more than a segment has room for is read all the same`() async throws {
    let files = SimulatedFileSystem(capacityByteCount: 50_000)
    let options = StoreOptions(sealSpanCount: 60, stripeSpanCount: 16, isCompactionAutomatic: false)
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    var accepted: Set<UInt64> = []
    for hour in 0..<400 as Range<UInt64> {
      guard (try? await store.writeTraces(RetentionTests.batch(hour))) != nil else { break }
      accepted.insert(hour)
    }
    #expect(accepted.count < 400, "the disk never filled up")
    try await store.close()
    files.capacityByteCount = files.usedByteCount
    store = try await TraceStore.open(in: files, at: "store", options: options)
    #expect(try await RetentionTests.traces(store) == accepted)
    files.capacityByteCount = .max
    try await store.seal()
    #expect(try await store.statistics().spanCount == accepted.count * 20)
    try await store.close()
  }

  @Test(arguments: CrashPolicy.allCases)
  func `whatever call a crash follows, what was acknowledged is there, and every call is counted once`(
    _ policy: CrashPolicy
  ) async throws {
    var callCount = 0
    while true {
      let clock = Clock()
      let files = try await Self.prepare(clock)
      files.halt(afterOperations: callCount)
      var acknowledged: Set<UInt64> = []
      if let store = try? await Self.open(files, clock) {
        _ = try? await store.writeTraces(RetentionTests.batch(7))
        _ = try? await store.retain(Self.policy)
        for hour in 7..<9 as Range<UInt64> {
          if (try? await store.writeTraces(RetentionTests.batch(hour))) != nil { acknowledged.insert(hour) }
        }
        try? await store.seal()
        try? await store.close()
      }
      let isHalted = files.isHalted
      let clone = files.crashClone(keeping: policy, seed: UInt64(callCount))
      clone.capacityByteCount = .max
      let place: Comment = "policy \(policy), call \(callCount)"
      for _ in 0..<2 {
        let store = try await Self.open(clone, clock)
        let traces = try await RetentionTests.traces(store)
        #expect(traces.isSuperset(of: acknowledged.union([5, 6])), place)
        let calls = try await ExpiredMetricsTests.calls(store)
        let later = traces.filter { $0 > 6 }.count
        #expect(calls.values.reduce(0, +) == 140 + 20 * later, place)
        _ = try await store.writeTraces(RetentionTests.batch(6))
        try await store.seal()
        try await store.close()
      }
      if !isHalted { break }
      callCount += 1
    }
    #expect(callCount > 40, "it makes fewer calls than expected, so it tests little")
  }
}

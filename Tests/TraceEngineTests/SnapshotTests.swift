import Foundation
import Testing
import TraceEngine
import TraceFiles
import TraceInspect
import TracestoreTesting

/// A store is copied to another folder, and lives on in both.
@Suite struct SnapshotTests {
  private static let now: UInt64 = 1_767_225_600_000_000_000 + 330_000_000_000
  private static let options = StoreOptions(
    sealSpanCount: 60, stripeSpanCount: 16, isCompactionAutomatic: false, clock: { now })

  /// Some segments, and a log with more.
  private static func make(
    _ seed: UInt64 = 3, count: Int = 12
  ) async throws -> (files: SimulatedFileSystem, store: TraceStore) {
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store", options: options)
    for batch in randomTraces(seed: seed, count: count, openSpanShare: 3) { _ = try await store.writeTraces(batch) }
    try await store.writeDependencies(
      [DependencyLink(parent: "x", child: "y", callCount: 3)], at: Timestamp(nanoseconds: now))
    return (files, store)
  }

  private static func answers(_ files: SimulatedFileSystem, _ path: String) async throws -> StoreAnswers {
    let store = try await TraceStore.open(in: files, at: path, options: options, isReadOnly: true)
    let answers = try await StoreAnswers(store)
    try await store.close()
    return answers
  }

  @Test func `a snapshot has every answer, shares every byte, and nothing changes it`() async throws {
    let (files, store) = try await Self.make()
    let expected = try await StoreAnswers(store)
    let report = try await store.snapshot(to: "copies/one", in: nil)
    #expect(report.sharedByteCount == report.byteCount && report.byteCount > 0 && report.fileCount > 2)
    let statistics = try await store.statistics()
    #expect(report.recordCount == statistics.spanCount + statistics.partialRecordCount)
    try await Self.answers(files, "copies/one").expectEqual(to: expected, besidesCounts: true, "copied")
    #expect(try StoreVerifier("copies/one", fileSystem: files).run(isDeep: true).damages.isEmpty)
    // The store goes on, and lets go of what the snapshot has.
    for batch in randomTraces(seed: 4, count: 8) { _ = try await store.writeTraces(batch) }
    try await store.compact(.all)
    _ = try await store.deleteTraces(matching: TraceQuery(limit: 1))
    #expect(try await StoreAnswers(store).spans.isEmpty)
    try await Self.answers(files, "copies/one").expectEqual(to: expected, besidesCounts: true, "the store went on")
    // So does the snapshot, and its log goes on where the store's was.
    var copy = try await TraceStore.open(in: files, at: "copies/one", options: Self.options)
    let more = randomTraces(seed: 9, count: 3)
    for batch in more { _ = try await copy.writeTraces(batch) }
    let grown = try await StoreAnswers(copy)
    #expect(grown.spans.count > expected.spans.count)
    try await copy.close()
    copy = try await TraceStore.open(in: files, at: "copies/one", options: Self.options)
    try await StoreAnswers(copy).expectEqual(to: grown, besidesCounts: true, "opened again")
    try await copy.close()
    #expect(try await StoreAnswers(store).spans.isEmpty)
    try await store.close()
  }

  @Test func `a snapshot on another disk is a copy, and can be restored`() async throws {
    let (files, store) = try await Self.make()
    let expected = try await StoreAnswers(store)
    let other = SimulatedFileSystem()
    let report = try await store.snapshot(to: "backup", in: other)
    #expect(report.sharedByteCount == 0 && report.byteCount > 0)
    try await store.close()
    for name in try files.contents(ofDirectory: "store") where name != "wal" {
      try files.remove(joinedPath("store", name))
    }
    let backup = try await TraceStore.open(in: other, at: "backup", options: Self.options, isReadOnly: true)
    try await backup.snapshot(to: "restored", in: nil)
    try await backup.close()
    try await Self.answers(other, "restored").expectEqual(to: expected, besidesCounts: true, "restored")
    #expect(try other.contents(ofDirectory: "backup").contains("CURRENT"))
  }

  @Test func `a store in memory is copied to the disk`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options)
    for batch in randomTraces(seed: 3, count: 12, openSpanShare: 3) { _ = try await store.writeTraces(batch) }
    let expected = try await StoreAnswers(store)
    let folder = joinedPath(FileManager.default.temporaryDirectory.path, "tracestore-snapshot-\(UUID())")
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = joinedPath(folder, "copy")
    try await store.snapshot(to: path)
    try await store.close()
    let copy = try await TraceStore.openReadOnly(at: path, options: Self.options)
    try await StoreAnswers(copy).expectEqual(to: expected, besidesCounts: true, "on disk")
    try await copy.close()
    // On a real disk files are shared too.
    let real = try await TraceStore.open(at: path, options: Self.options)
    let report = try await real.snapshot(to: joinedPath(folder, "again"))
    #expect(report.sharedByteCount == report.byteCount && report.byteCount > 0)
    try await real.close()
  }

  @Test func `a folder with something in it, a log that is not empty and a closed store are refused`() async throws {
    let (files, store) = try await Self.make()
    let before = try await StoreAnswers(store)
    for path in ["store", "store/CURRENT"] {
      let error = await #expect(throws: TracestoreError.self) { try await store.snapshot(to: path, in: nil) }
      #expect(error?.code == .invalidArgument, "\(path)")
    }
    try await StoreAnswers(store).expectEqual(to: before, besidesCounts: true, "refused")
    _ = try await store.writeTraces(randomTraces(seed: 1, count: 1)[0])
    let reader = try await TraceStore.open(in: files, at: "store", options: Self.options, isReadOnly: true)
    let readOnly = await #expect(throws: TracestoreError.self) { try await reader.snapshot(to: "copy", in: nil) }
    #expect(readOnly?.code == .readOnly)
    #expect(try !files.exists("copy"))
    try await store.seal()
    try await reader.snapshot(to: "copy", in: nil)
    try await reader.close()
    try await store.close()
    let closed = await #expect(throws: TracestoreError.self) { try await store.snapshot(to: "copy 2", in: nil) }
    #expect(closed?.code == .closed)
  }

  @Test(arguments: CrashPolicy.allCases, [false, true])
  func `whatever call a crash during a snapshot follows, it is whole or no store, and the store is as before`(
    _ policy: CrashPolicy, _ isShared: Bool
  ) async throws {
    let (files, made) = try await Self.make(count: 4)
    try await made.close()
    let expected = try await Self.answers(files, "store")
    var callCount = 0
    var wholeCount = 0
    while true {
      let machine = files.crashClone(keeping: .keepAll)
      let other = isShared ? machine : SimulatedFileSystem()
      var isAcknowledged = false
      do {
        let store = try await TraceStore.open(in: machine, at: "store", options: Self.options)
        other.halt(afterOperations: callCount)
        try await store.snapshot(to: "copy", in: isShared ? nil : other)
        isAcknowledged = !other.isHalted
        try await store.close()
      } catch {}
      let isDone = !other.isHalted
      let place = "crash at call \(callCount), \(policy), shared: \(isShared)"
      let after = other.crashClone(keeping: policy, seed: UInt64(callCount))
      do {
        try await Self.answers(after, "copy").expectEqual(to: expected, besidesCounts: true, place)
        wholeCount += 1
      } catch let error as TracestoreError {
        #expect(!isAcknowledged && [.notFound, .corrupt].contains(error.code), "\(place): \(error)")
      }
      if isShared { try await Self.answers(after, "store").expectEqual(to: expected, besidesCounts: true, place) }
      if isDone { break }
      callCount += 1
    }
    #expect(wholeCount > 0 && callCount > 10)
  }

  @Test(arguments: [false, true])
  func `any call that fails once leaves an empty folder, and the next snapshot works`(_ isShared: Bool) async throws {
    let (files, made) = try await Self.make(count: 4)
    try await made.close()
    let expected = try await Self.answers(files, "store")
    var failureCount = 0
    for errorNumber in [Fault.inputOutput, Fault.noSpace] {
      for skipped in 0..<60 {
        let machine = files.crashClone(keeping: .keepAll)
        let other = isShared ? machine : SimulatedFileSystem()
        let store = try await TraceStore.open(in: machine, at: "store", options: Self.options)
        try await store.seal()
        other.inject(Fault(skippedCount: skipped, errorNumber: errorNumber))
        let place = "errno \(errorNumber) at call \(skipped), shared: \(isShared)"
        do { try await store.snapshot(to: "copy", in: isShared ? nil : other) } catch {
          failureCount += 1
          #expect((try? other.contents(ofDirectory: "copy")) ?? [] == [], "\(place): \(error)")
          other.clearFaults()
          try await store.snapshot(to: "copy", in: isShared ? nil : other)
        }
        other.clearFaults()
        try? await store.close()
        try await Self.answers(other, "copy").expectEqual(to: expected, besidesCounts: true, place)
      }
    }
    #expect(failureCount > 10)
  }

  @Test func `beside writes, merges and deletes a snapshot has what was acknowledged before`() async throws {
    var options = Self.options
    options.isCompactionAutomatic = true
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(in: files, at: "store", options: options)
    func span(_ number: Int) -> TraceData {
      let span = SpanRecord(
        traceID: TraceID(high: 1, low: UInt64(number)), spanID: SpanID(1), name: "step", kind: .server,
        start: Timestamp(nanoseconds: UInt64(number)), end: Timestamp(nanoseconds: 1_000_000))
      return TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span])])])
    }
    for number in 1...50 { _ = try await store.writeTraces(span(number)) }
    let noise = Task {
      var number = 1000
      while !Task.isCancelled {
        _ = try await store.writeTraces(span(number))
        number += 1
        if number % 100 == 0 { _ = try await store.deleteTraces([TraceID(high: 1, low: UInt64(number - 50))]) }
      }
    }
    for round in 1...10 {
      try await store.snapshot(to: "copy \(round)", in: nil)
      let copy = try await TraceStore.open(in: files, at: "copy \(round)", options: options, isReadOnly: true)
      let found = try await copy.findTraceIDs(TraceQuery(limit: 1_000_000)).collect()
      #expect(found.summary.damage.isEmpty)
      #expect(found.elements.count { $0.traceID.low <= 50 } == 50, "round \(round)")
      try await copy.close()
      try await store.compact(.all)
    }
    noise.cancel()
    try await noise.value
    try await store.close()
  }
}

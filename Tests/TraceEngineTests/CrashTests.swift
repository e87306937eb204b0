import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// The machine stops at every single call of the file layer, and keeps more or less of what was not synced.
@Suite struct CrashTests {
  @Test(arguments: CrashPolicy.allCases)
  func `whatever call a crash follows, every acknowledged batch is there, whole and once`(
    _ policy: CrashPolicy
  ) async throws {
    var callCount = 0
    while true {
      let files = SimulatedFileSystem()
      files.halt(afterOperations: callCount)
      let run = await Workload.run(in: files)
      let clone = files.crashClone(keeping: policy, seed: UInt64(callCount))
      try await Workload.check(clone, after: run, "policy \(policy), call \(callCount)")
      if !files.isHalted { break }
      callCount += 1
    }
    #expect(callCount > 60, "the workload makes fewer calls than expected, so it tests little")
  }

  @Test func `a crash while recovering from a crash loses nothing either`() async throws {
    var first = SeededRandom(seed: 7)
    for round in 0..<40 {
      let files = SimulatedFileSystem()
      files.halt(afterOperations: Int(first.next() % 120))
      let run = await Workload.run(in: files)
      let crashed = files.crashClone(keeping: .randomSubset, seed: UInt64(round))
      crashed.halt(afterOperations: Int(first.next() % 30))
      if let store = try? await TraceStore.open(in: crashed, at: "store", options: Workload.options) {
        try? await store.close()
      }
      let again = crashed.crashClone(keeping: .randomSubset, seed: UInt64(round) + 1000)
      try await Workload.check(again, after: run, "round \(round)")
    }
  }

  @Test func `a failed sync stops writing until the store is opened again, and no acknowledged batch is lost`()
    async throws
  {
    for skipped in 0..<24 {
      let files = SimulatedFileSystem()
      files.inject(Fault([.sync], skippedCount: skipped, dropsDirtyPages: true))
      let run = await Workload.run(in: files)
      let clone = files.crashClone(keeping: .loseUnsynced, seed: 1)
      try await Workload.check(clone, after: run, "sync \(skipped)")
    }
  }

  @Test func `any call that fails once is an error or nothing, never a lie`() async throws {
    for errorNumber in [Fault.inputOutput, Fault.noSpace, Fault.tooManyOpenFiles] {
      for skipped in 0..<90 {
        let files = SimulatedFileSystem()
        files.inject(Fault(skippedCount: skipped, errorNumber: errorNumber))
        let run = await Workload.run(in: files)
        files.clearFaults()
        try await Workload.check(files, after: run, "errno \(errorNumber) at call \(skipped)")
      }
    }
  }
}

/// A scripted life of a store: batches, seals, a batch sent again, a full compaction, a close and a second opening.
private enum Workload {
  /// Small enough that the memtable fills and rotates by itself within the script.
  static let options = StoreOptions(
    sealSpanCount: 60, stripeSpanCount: 16, isCompactionAutomatic: false, mergedSegmentSpanCount: 50)
  static let batchCount = 10
  static let batchSpanCount = 12

  struct Run: Sendable {
    var acknowledged: Set<Int> = []
  }

  static func run(in files: SimulatedFileSystem) async -> Run {
    var run = Run()
    for half in 0..<2 {
      guard let store = try? await TraceStore.open(in: files, at: "store", options: options) else { continue }
      for index in 0..<batchCount / 2 {
        let number = half * batchCount / 2 + index
        if (try? await store.writeTraces(batch(number))) != nil { run.acknowledged.insert(number) }
        if index == 2 { try? await store.seal() }
        // Sent again, as exporters do.
        if index == 3 { _ = try? await store.writeTraces(batch(number - 1)) }
        if index == 3 { _ = try? await store.compact(.all) }
      }
      try? await store.close()
    }
    return run
  }

  static func batch(_ number: Int) -> TraceData {
    let spans = (0..<batchSpanCount).map { index in
      SpanRecord(
        traceID: trace(number * 3 + index % 3), spanID: SpanID(UInt64(number * 100 + index + 1)), name: "step \(index)",
        kind: .server, start: Timestamp(nanoseconds: UInt64(1_000_000 + number * 1000 + index)),
        end: Timestamp(nanoseconds: UInt64(2_000_000 + number * 1000 + index)),
        attributes: [Attribute("batch", .int(Int64(number))), Attribute("text", .string("value \(index)"))])
    }
    return TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string("crash-\(number % 2)"))]),
        scopeSpans: [ScopeSpans(spans: spans)])
    ])
  }

  static func trace(_ index: Int) -> TraceID { TraceID(high: 0xfeed, low: UInt64(index + 1)) }

  /// Opens the store twice: both times every acknowledged batch is there, no batch by halves, no span twice.
  static func check(_ files: SimulatedFileSystem, after run: Run, _ place: String) async throws {
    var answers: [[Int: Int]] = []
    for opening in 0..<2 {
      let store: TraceStore
      do {
        store = try await TraceStore.open(in: files, at: "store", options: options)
      } catch {
        Issue.record("\(place), opening \(opening): the store does not open: \(error)")
        return
      }
      var counts: [Int: Int] = [:]
      var ids: Set<SpanID> = []
      for index in 0..<batchCount * 3 {
        let (chunks, summary) = try await store.getTraces([trace(index)]).collect()
        #expect(summary.damage.isEmpty, "\(place): \(summary.damage)")
        for found in chunks.flatMap(\.foundSpans) {
          #expect(ids.insert(found.span.spanID).inserted, "\(place): a span is there twice")
          counts[Int(found.span.spanID.rawValue - 1) / 100, default: 0] += 1
        }
      }
      for number in 0..<batchCount {
        let count = counts[number] ?? 0
        #expect(count == 0 || count == batchSpanCount, "\(place): batch \(number) is there by halves (\(count))")
        if run.acknowledged.contains(number) {
          #expect(count == batchSpanCount, "\(place): the acknowledged batch \(number) is lost")
        }
      }
      answers.append(counts)
      try await store.close()
    }
    #expect(answers.first == answers.last, "\(place): the second opening answers otherwise")
  }
}

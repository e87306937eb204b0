import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Merging segments changes no answer, loses nothing, and makes files that depend on the records alone.
@Suite struct CompactionTests {
  private static func options(segmentSpanCount: Int = 200, sealSpanCount: Int = 150) -> StoreOptions {
    StoreOptions(
      sealSpanCount: sealSpanCount, stripeSpanCount: 64, isCompactionAutomatic: false,
      mergedSegmentSpanCount: segmentSpanCount)
  }

  /// The bytes of all segments, ascending by content.
  private static func segments(in files: SimulatedFileSystem) throws -> [[UInt8]] {
    try files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }
      .map { name in
        let file = try files.open(joinedPath("store", name), .read)
        return try file.bytes(at: 0, byteCount: Int(file.byteCount()))
      }
      .sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Writes the batches in some order, with some sent again and seals in between, compacts, and gives back the files.
  private static func history(
    _ batches: [TraceData], seed: UInt64, stepCount: Int
  ) async throws -> (files: [[UInt8]], spanCount: Int) {
    var random = SeededRandom(seed: seed)
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(
      in: files, at: "store", options: options(sealSpanCount: 40 + Int(random.next() % 400)))
    var order = Array(batches.indices) + (0..<stepCount).map { _ in Int(random.next() % UInt64(batches.count)) }
    order.shuffle(using: &random)
    for index in order {
      _ = try await store.writeTraces(batches[index])
      if random.next() % 8 == 0 { try await store.seal() }
      if random.next() % 16 == 0 { try await store.compact(random.next() % 2 == 0 ? .due : .all) }
    }
    // A last segment, so that the store is not what an earlier compaction left.
    try await store.seal()
    try await store.compact(.all)
    let spanCount = try await store.statistics().spanCount
    try await store.close()
    return (try segments(in: files), spanCount)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `a full compaction makes the same files out of any history of the same records`(_ seed: UInt64) async throws {
    let batches = randomTraces(seed: seed, count: 80, openSpanShare: seed % 2 == 0 ? 5 : 0)
    let first = try await Self.history(batches, seed: seed, stepCount: 0)
    let second = try await Self.history(batches, seed: seed &+ 100, stepCount: 30)
    #expect(first.spanCount == second.spanCount, "seed \(seed)")
    #expect(first.files.count > 1, "seed \(seed): one segment tests little")
    #expect(first.files == second.files, "seed \(seed)")
  }

  @Test func `records that several segments hold are kept once, and counted once afterwards`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let batches = randomTraces(seed: 3, count: 30)
    var store = try await TraceStore.open(in: files, at: "store", options: Self.options())
    for batch in batches { _ = try await store.writeTraces(batch) }
    try await store.compact(.all)
    let spanCount = try await store.statistics().spanCount
    let again = try await store.compact(.all)
    #expect(again.segmentCount == 0, "nothing has changed, so there is nothing to do")
    for batch in batches { _ = try await store.writeTraces(batch) }
    try await store.compact(.all)
    #expect(try await store.statistics().spanCount == spanCount)
    try await store.close()
    store = try await TraceStore.open(in: files, at: "store", options: Self.options())
    #expect(try await store.statistics().spanCount == spanCount)
    try await store.close()
  }

  @Test func `segments that have gathered are merged in the background once the store is quiet`() async throws {
    let merged = Mutex(0)
    var options = Self.options(segmentSpanCount: 100_000)
    options.isCompactionAutomatic = true
    options.observer = { event in if case .merged = event { merged.withLock { $0 += 1 } } }
    let store = try await TraceStore.inMemory(options: options)
    for seed in 0..<6 as Range<UInt64> {
      for batch in randomTraces(seed: seed, count: 10) { _ = try await store.writeTraces(batch) }
      try await store.seal()
    }
    let spanCount = try await store.statistics().spanCount
    for _ in 0..<400 where merged.withLock({ $0 }) == 0 { try await Task.sleep(nanoseconds: 50_000_000) }
    let after = try await store.statistics()
    // Six were sealed; on a slow machine the first four may have been merged before the last two came.
    #expect(after.segments.count <= 3)
    #expect(after.spanCount == spanCount)
    try await store.close()
  }

  @Test func `a damaged segment is left alone and named, and the others are merged`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    var store = try await TraceStore.open(in: files, at: "store", options: Self.options())
    for seed in 0..<4 as Range<UInt64> {
      for batch in randomTraces(seed: seed, count: 10) { _ = try await store.writeTraces(batch) }
      try await store.seal()
    }
    let number = try await store.statistics().segments[1].number
    try await store.close()
    let name = try #require(try files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }.dropFirst().first)
    let path = joinedPath("store", name)
    let file = try files.open(path, .read)
    var bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
    // Inside the first stripe: after the header of 64 bytes and the stripe's head.
    for index in 600..<640 { bytes[index] ^= 0x55 }
    try files.overwrite(path, with: bytes)
    store = try await TraceStore.open(in: files, at: "store", options: Self.options())
    let report = try await store.compact(.all)
    #expect(report.segmentCount == 3)
    #expect(report.damage.count == 1)
    #expect(report.damage.first?.contains(name) == true, "\(report.damage)")
    let segments = try await store.statistics().segments
    #expect(segments.contains { $0.number == number })
    // Again: the others are what they would become, and stay.
    let again = try await store.compact(.all)
    #expect(again.segmentCount == 0)
    #expect(again.damage == report.damage)
    #expect(try await store.statistics().segments == segments)
    try await store.close()
  }

  @Test func `a full disk fails the compaction, changes nothing, and is over when there is room again`() async throws {
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store", options: Self.options())
    let batches = randomTraces(seed: 5, count: 60)
    for batch in batches { _ = try await store.writeTraces(batch) }
    try await store.seal()
    let before = try await store.statistics()
    let names = try files.contents(ofDirectory: "store")
    for skipped in 0..<12 {
      files.inject(Fault([.write], skippedCount: skipped, errorNumber: Fault.noSpace))
      await #expect(throws: TracestoreError.self, "append \(skipped)") { try await store.compact(.all) }
      files.clearFaults()
      #expect(try await store.statistics().segments == before.segments)
      #expect(try files.contents(ofDirectory: "store") == names, "append \(skipped) leaves files behind")
    }
    let report = try await store.compact(.all)
    #expect(report.segmentCount == before.segments.count)
    #expect(try await store.statistics().spanCount == before.spanCount)
    try await store.close()
  }

  @Test func `writes, searches and compactions go on beside each other`() async throws {
    let store = try await TraceStore.inMemory(options: Self.options())
    let batches = randomTraces(seed: 9, count: 120)
    let reference = ReferenceStore(clock: { Timestamp(nanoseconds: 4_000_000_000_000_000_000) })
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for batch in batches {
          _ = try await store.writeTraces(batch)
          _ = try await reference.writeTraces(batch)
        }
      }
      group.addTask { for _ in 0..<20 { try await store.compact(.all) } }
      group.addTask { for _ in 0..<40 { try await store.compact(.due) } }
      for reader in 0..<2 as Range<UInt64> {
        group.addTask {
          for seed in 0..<40 as Range<UInt64> {
            let query = randomQuery(seed: seed &* 2 &+ reader, from: batches)
            guard query.order == .newest else { continue }
            let (_, summary) = try await store.findTraces(query).collect()
            #expect(summary.damage.isEmpty)
          }
        }
      }
      try await group.waitForAll()
    }
    for batch in batches {
      for resource in batch.resourceSpans {
        for span in resource.scopeSpans.flatMap(\.spans) {
          let ours = try await store.getTraces([span.traceID]).collect().elements.flatMap(\.foundSpans)
          let theirs = try await reference.getTraces([span.traceID]).collect().elements.flatMap(\.foundSpans)
          #expect(
            Set(ours.map { ContentKey($0.resource, $0.scope, $0.span) })
              == Set(theirs.map { ContentKey($0.resource, $0.scope, $0.span) }))
          #expect(ours.count == theirs.count)
        }
      }
    }
    try await store.close()
  }

  @Test func `a reader beside the writer sees the same before and after, refreshed or not`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let writer = try await TraceStore.open(in: files, at: "store", options: Self.options())
    let batches = randomTraces(seed: 21, count: 60)
    for batch in batches { _ = try await writer.writeTraces(batch) }
    try await writer.seal()
    let reader = try await TraceStore.open(in: files, at: "store", options: Self.options(), isReadOnly: true)
    let query = TraceQuery(limit: 1000)
    let before = try await writer.findTraceSummaries(query).collect().elements
    try await writer.compact(.all)
    #expect(try await writer.findTraceSummaries(query).collect().elements == before)
    // Its segments have lost their names, and it goes on reading them.
    #expect(try await reader.findTraceSummaries(query).collect().elements == before)
    try await reader.refresh()
    #expect(try await reader.findTraceSummaries(query).collect().elements == before)
    let (theirs, ours) = (try await reader.statistics(), try await writer.statistics())
    #expect(theirs.segments == ours.segments)
    try await reader.close()
    try await writer.close()
  }

  @Test func `closing gives up a merge and leaves a whole store`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(in: files, at: "store", options: Self.options())
    for batch in randomTraces(seed: 2, count: 200) { _ = try await store.writeTraces(batch) }
    try await store.seal()
    let spanCount = try await store.statistics().spanCount
    let isMerging = Mutex(false)
    let merge = Task {
      try await store.compact(.all) { _ in isMerging.withLock { $0 = true } }
    }
    while !isMerging.withLock({ $0 }) { try await Task.sleep(nanoseconds: 100_000) }
    try await store.close()
    _ = await merge.result
    let again = try await TraceStore.open(in: files, at: "store", options: Self.options())
    #expect(try await again.statistics().spanCount == spanCount)
    try await again.close()
  }

  @Test func `a store that is open for reading is not compacted`() async throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let writer = try await TraceStore.open(in: files, at: "store", options: Self.options())
    let reader = try await TraceStore.open(in: files, at: "store", options: Self.options(), isReadOnly: true)
    let error = await #expect(throws: TracestoreError.self) { try await reader.compact(.all) }
    #expect(error?.code == .readOnly)
    try await reader.close()
    try await writer.close()
  }
}

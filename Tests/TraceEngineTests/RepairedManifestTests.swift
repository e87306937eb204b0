import Testing
import TraceEngine
import TraceFiles
import TraceManifest
import TracestoreTesting

/// What a repair puts into the new manifest, and what it leaves as it was.
@Suite struct RepairedManifestTests {
  private static func manifest(_ files: SimulatedFileSystem) throws -> ManifestVersion {
    let manifest = try ManifestStore.open(fileSystem: files, directory: "store", mode: .readOnly)
    defer { manifest.close() }
    return manifest.current
  }

  @Test func `with its header a manifest loses nothing`() async throws {
    let files = try await RepairedStore.make()
    let path = try RepairTests.manifest(files)
    let before = try Self.manifest(files)
    for offset in 0..<ManifestFormat.fileHeaderByteCount {
      let damaged = try RepairTests.flipping(offset, of: path, files)
      let plan = try await TraceStore.repairPlan(in: damaged, at: "store", options: RepairedStore.options)
      #expect(!plan.isWhole && !plan.isManifestRebuilt && !plan.areSettingsLost && !plan.isMergeDue, "byte \(offset)")
      #expect(plan.takenNames.isEmpty && plan.missingNames.isEmpty && plan.setAside.isEmpty, "byte \(offset)")
      #expect(plan.damages.map(\.offset) == [0], "byte \(offset)")
    }
    let damaged = try RepairTests.flipping(20, of: path, files)
    _ = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
    let after = try Self.manifest(damaged)
    #expect(after.settings == before.settings && after.files == before.files)
    #expect(after.walTrimmedBelow == before.walTrimmedBelow && after.sequence == before.sequence)
  }

  @Test func `beside a damaged header a record that looks unfinished may have been committed`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let path = try RepairTests.manifest(files)
    let whole = try RepairTests.bytes(path, files)
    let last = try #require(RepairedStore.recordOffsets(whole).last)
    for byteCount in [last + 1, last + 30, whole.count - 10, whole.count - 1] {
      let damaged = try RepairTests.flipping(20, of: path, files)
      try damaged.overwrite(path, with: Array(RepairTests.bytes(path, damaged).prefix(byteCount)))
      let report = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
      #expect(report.isManifestRebuilt && report.takenNames.count == 1, "\(byteCount) bytes: \(report)")
      let store = try await TraceStore.open(in: damaged, at: "store", options: RepairedStore.options)
      #expect(try await RepairedAnswers(store) == expected, "\(byteCount) bytes")
      try await store.close()
    }
  }

  @Test func `a segment that is gone stays named where no record is lost, and counts when it is back`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let name = try #require(files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }.min())
    let segment = joinedPath("store", name)
    let bytes = try RepairTests.bytes(segment, files)
    let damaged = try RepairTests.flipping(20, of: RepairTests.manifest(files), files)
    try damaged.remove(segment)
    let report = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
    #expect(report.missingNames == [name] && !report.isManifestRebuilt && report.takenNames.isEmpty, "\(report)")
    let file = try damaged.open(segment, .create)
    file.close()
    try damaged.overwrite(segment, with: bytes)
    let store = try await TraceStore.open(in: damaged, at: "store", options: RepairedStore.options)
    #expect(try await RepairedAnswers(store) == expected)
    try await store.close()
  }

  @Test func `what was taken in bears its mark through merges until one takes everything`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    try files.remove(RepairTests.manifest(files))
    // The crash comes when the new manifest counts, before everything is merged.
    files.inject(Fault([.create], pathSuffix: ".seg.tmp", isSticky: true))
    let cut = try await TraceStore.repair(in: files, at: "store", options: RepairedStore.options)
    #expect(cut.mergeFailure != nil && cut.merge == nil && cut.takenNames.count == 4, "\(cut)")
    files.clearFaults()
    let store = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options)
    try await store.seal()
    let count = try Self.manifest(files).files(of: .segment).count
    #expect(try await store.compact(.due).segmentCount > 0)
    try await store.close()
    #expect(try Self.manifest(files).files(of: .segment).count < count)
    let plan = try await TraceStore.repairPlan(in: files, at: "store", options: RepairedStore.options)
    #expect(plan.isMergeDue && plan.manifestName == nil && !plan.isWhole)
    let report = try await TraceStore.repair(in: files, at: "store", options: RepairedStore.options)
    #expect(report.merge != nil)
    let whole = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options, isReadOnly: true)
    #expect(try await RepairedAnswers(whole) == expected)
    #expect(try await RepairedStore.counts(whole) == RepairedStore.expectedCounts)
    try await whole.close()
    #expect(try await TraceStore.repairPlan(in: files, at: "store", options: RepairedStore.options).isWhole)
  }

  @Test func `by a clock that is behind nothing that was taken in expires at once, and windows of ageing stay apart`()
    async throws
  {
    let clock = RetentionTests.TestClock()
    let policy = RetentionPolicy(maximumAgeNanoseconds: 4 * RetentionTests.hour)
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
    try await RetentionTests.write(0..<6, to: store, clock)
    try await store.close()
    let names = try files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }
    let last = try #require(RepairedStore.recordOffsets(RepairTests.bytes(RepairTests.manifest(files), files)).last)
    let damaged = try RepairTests.flipping(last + 5, of: RepairTests.manifest(files), files)
    let arrivals = try Self.manifest(files).files(of: .segment).map(\.maximumArrivalNanoseconds)
    clock.set(7)
    let report = try await TraceStore.repair(in: damaged, at: "store", options: RetentionTests.options(clock, policy))
    #expect(report.takenNames.count == 1 && report.mergeFailure == nil, "\(report)")
    let after = try Self.manifest(damaged).files(of: .segment)
    // One for each of the windows, which are an hour long.
    #expect(after.count == names.count && after.allSatisfy { $0.maximumArrivalNanoseconds >= arrivals.min() ?? .max })
    let again = try await TraceStore.open(
      in: damaged, at: "store", options: RetentionTests.options(clock), isReadOnly: true)
    #expect(try await RetentionTests.traces(again) == Set(0..<6))
    try await again.close()
  }

  @Test func `a store that does not open after its repair is told what was repaired`() async throws {
    let files = try await RepairedStore.make()
    let damaged = try RepairTests.flipping(100, of: RepairTests.manifest(files), files)
    damaged.inject(Fault([.create], pathSuffix: ".log", isSticky: true))
    let report = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
    #expect(report.manifestName != nil && report.mergeFailure != nil && report.merge == nil, "\(report)")
    damaged.clearFaults()
    #expect(try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options).merge != nil)
  }

  @Test func `numbers that a lost record may have given are not given again, also beside a reader from before`()
    async throws
  {
    let files = try await RepairedStore.make()
    let before = try Self.manifest(files)
    let reader = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options, isReadOnly: true)
    let expected = try await RepairedAnswers(reader)
    let path = try RepairTests.manifest(files)
    let last = try #require(RepairedStore.recordOffsets(RepairTests.bytes(path, files)).last)
    var bytes = try RepairTests.bytes(path, files)
    bytes[last + 5] ^= 0xff
    try files.overwrite(path, with: bytes)
    let report = try await TraceStore.repair(in: files, at: "store", options: RepairedStore.options)
    #expect(report.takenNames.count == 1)
    let after = try Self.manifest(files)
    #expect(after.sequence > before.sequence + 1_000_000)
    #expect(after.files(of: .segment).allSatisfy { $0.key.number > before.nextFileNumber + 1_000_000 })
    try await reader.refresh()
    #expect(try await RepairedAnswers(reader) == expected)
    try await reader.close()
  }

  @Test func `how spans without an end are read is the store's, and that of the options where it is lost`() async throws
  {
    var options = RepairedStore.options
    options.isZeroEndOpen = false
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store", options: options)
    let span = SpanRecord(
      traceID: RepairedStore.trace(0), spanID: SpanID(1), name: "instant", kind: .internal,
      start: Timestamp(nanoseconds: 9), end: Timestamp(nanoseconds: 0))
    _ = try await store.writeTraces(
      TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span])])]))
    try await store.close()
    let path = try RepairTests.manifest(files)
    for (lost, isKept) in [(RepairTests.current, true), (path, false)] {
      for isZeroEndOpen in [false, true] {
        let damaged = files.crashClone(keeping: .keepAll)
        try damaged.remove(lost)
        options.isZeroEndOpen = isZeroEndOpen
        let report = try await TraceStore.repair(in: damaged, at: "store", options: options)
        #expect(report.areSettingsLost == !isKept)
        #expect(try Self.manifest(damaged).settings.isZeroEndOpen == (isKept ? false : isZeroEndOpen))
        #expect(try Self.manifest(damaged).settings.storeID == Self.manifest(files).settings.storeID)
      }
    }
  }

  @Test func `a segment that no merge takes is asked for one once`() async throws {
    let files = try await RepairedStore.make()
    let path = try RepairTests.manifest(files)
    let name = try #require(files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }.max())
    let last = try #require(RepairedStore.recordOffsets(RepairTests.bytes(path, files)).last)
    let unnamed = try RepairTests.flipping(last + 5, of: path, files)
    // Some bytes a merge makes anew; the strings are none of them.
    let byteCount = try RepairTests.bytes(joinedPath("store", name), files).count
    for offset in stride(from: byteCount / 2, to: byteCount, by: 16) {
      let damaged = try RepairTests.flipping(offset, of: joinedPath("store", name), unnamed)
      let report = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
      guard report.setAside.isEmpty, report.merge?.damage.isEmpty == false else { continue }
      #expect(report.takenNames == [name] && report.isMergeDue)
      #expect(try await TraceStore.repairPlan(in: damaged, at: "store", options: RepairedStore.options).isWhole)
      #expect(try Self.manifest(damaged).files(of: .segment).contains { $0.isTakenIn })
      return
    }
    Issue.record("a merge has taken every damaged segment")
  }
}

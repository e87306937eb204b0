import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TraceInspect
import TraceManifest
import TracestoreTesting

/// A store whose CURRENT or manifest is damaged: opened, verified, repaired, and asked the same questions as before.
@Suite struct RepairTests {
  static let current = joinedPath("store", StoreLayout.currentFileName)

  /// The file of the one manifest that there is.
  static func manifest(_ files: SimulatedFileSystem) throws -> String {
    let names = try files.contents(ofDirectory: "store").filter { $0.hasPrefix("MANIFEST-") }
    try #require(names.count == 1, "\(names)")
    return joinedPath("store", names[0])
  }

  static func bytes(_ path: String, _ files: SimulatedFileSystem) throws -> [UInt8] {
    try files.contents(ofFile: path, maximumByteCount: 1 << 20)
  }

  /// A copy of a store with one byte changed.
  static func flipping(
    _ offset: Int, of path: String, _ files: SimulatedFileSystem
  ) throws -> SimulatedFileSystem {
    let clone = files.crashClone(keeping: .keepAll)
    var bytes = try bytes(path, clone)
    bytes[offset] ^= 0xff
    try clone.overwrite(path, with: bytes)
    return clone
  }

  /// Opens, verifies, repairs and asks. A flip in the last record may look like a commit that was never finished: then the
  /// store opens as it was before that commit, as it always did.
  private static func check(
    _ files: SimulatedFileSystem, _ expected: RepairedAnswers, _ place: String, mayBeTorn: Bool = false
  ) async throws {
    let found = try StoreVerifier("store", fileSystem: files).run(isDeep: true)
    let plan = try await TraceStore.repairPlan(in: files, at: "store", options: RepairedStore.options)
    if mayBeTorn, plan.isWhole { return }
    #expect(!found.damages.isEmpty && !found.isNewerFormat, "\(place)")
    #expect(
      found.damages.allSatisfy { $0.file.contains("CURRENT") || $0.file.contains("MANIFEST") },
      "\(place): \(found.damages)")
    #expect(!plan.isWhole && !plan.damages.isEmpty, "\(place)")
    for isReadOnly in [true, false] {
      let copy = files.crashClone(keeping: .keepAll)
      do {
        let store = try await TraceStore.open(
          in: copy, at: "store", options: RepairedStore.options, isReadOnly: isReadOnly)
        #expect(try await RepairedAnswers(store) == expected, "\(place): opened, read only: \(isReadOnly)")
        try await store.close()
      } catch let error as TracestoreError {
        #expect(error.code == .corrupt && error.message.contains("tracestore repair --plan"), "\(place): \(error)")
      }
    }
    let report = try await TraceStore.repair(in: files, at: "store", options: RepairedStore.options)
    #expect(report.setAside.isEmpty && report.missingNames.isEmpty && report.mergeFailure == nil, "\(place): \(report)")
    #expect(report.damages == plan.damages && report.takenNames == plan.takenNames, "\(place)")
    try await checkWhole(files, expected, place)
  }

  /// Opens a store for writing and merges it, and then for reading.
  private static func checkWhole(
    _ files: SimulatedFileSystem, _ expected: RepairedAnswers, _ place: String
  ) async throws {
    let found = try StoreVerifier("store", fileSystem: files).run(isDeep: true)
    #expect(found.damages.isEmpty, "\(place): \(found.damages)")
    for isReadOnly in [false, true] {
      let store = try await TraceStore.open(
        in: files, at: "store", options: RepairedStore.options, isReadOnly: isReadOnly)
      #expect(try await RepairedAnswers(store) == expected, "\(place): repaired, read only: \(isReadOnly)")
      if !isReadOnly {
        // It was merged already, if it had to be.
        try await store.seal()
        _ = try await store.compact(.all)
        #expect(try await RepairedAnswers(store) == expected, "\(place): merged")
        #expect(try await RepairedStore.counts(store) == RepairedStore.expectedCounts, "\(place)")
      }
      try await store.close()
    }
  }

  /// Opens a store for reading: the repair has merged it, or there was nothing to merge.
  private static func checkMerged(
    _ files: SimulatedFileSystem, _ expected: RepairedAnswers, _ place: String, isMerged: Bool
  ) async throws {
    let found = try StoreVerifier("store", fileSystem: files).run(isDeep: false)
    #expect(found.damages.isEmpty, "\(place): \(found.damages)")
    let store = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options, isReadOnly: true)
    #expect(try await RepairedAnswers(store) == expected, "\(place): repaired")
    if isMerged { #expect(try await RepairedStore.counts(store) == RepairedStore.expectedCounts, "\(place)") }
    try await store.close()
  }

  @Test func `whatever byte of CURRENT is changed, every answer is as before`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    for offset in try Self.bytes(Self.current, files).indices {
      let damaged = try Self.flipping(offset, of: Self.current, files)
      try await Self.check(damaged, expected, "byte \(offset) of CURRENT")
      #expect(
        try Self.bytes("store/damaged-1/CURRENT", damaged)[offset] == Self.bytes(Self.current, files)[offset] ^ 0xff)
    }
  }

  @Test(arguments: 0..<4)
  func `whatever byte of the manifest is changed, every answer is as before after a repair`(_ part: Int) async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let path = try Self.manifest(files)
    let byteCount = try Self.bytes(path, files).count
    let last = try #require(RepairedStore.recordOffsets(Self.bytes(path, files)).last)
    #expect(byteCount > 700 && last < byteCount)
    for offset in stride(from: part, to: byteCount, by: 4) {
      try await Self.check(
        try Self.flipping(offset, of: path, files), expected, "byte \(offset) of the manifest",
        mayBeTorn: offset >= last)
    }
  }

  @Test func `a store that has lost CURRENT, its manifest or both is repaired from what is left`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let path = try Self.manifest(files)
    for lost in [[Self.current], [path], [Self.current, path]] {
      let damaged = files.crashClone(keeping: .keepAll)
      for name in lost { try damaged.remove(name) }
      // What the log never had to keep is not called lost on the way.
      let places = Mutex<[String]>([])
      var options = RepairedStore.options
      options.observer = { event in
        if case .damaged(let place) = event { places.withLock { $0.append(place) } }
      }
      let report = try await TraceStore.repair(in: damaged, at: "store", options: options)
      #expect(places.withLock { $0 } == [])
      #expect(report.isManifestRebuilt == lost.contains(path) && report.areSettingsLost == lost.contains(path))
      try await Self.checkWhole(damaged, expected, "without \(lost)")
    }
  }

  @Test func `inputs that come back beside their merge count once`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let before = try files.contents(ofDirectory: "store")
    // The merge is committed, and the machine stops before the inputs are removed.
    let merged = files.crashClone(keeping: .keepAll)
    merged.inject(Fault([.remove], pathSuffix: ".seg", isSticky: true))
    let store = try await TraceStore.open(in: merged, at: "store", options: RepairedStore.options)
    _ = try await store.compact(.all)
    try await store.close()
    merged.clearFaults()
    let path = try Self.manifest(merged)
    #expect(before.filter { $0.hasSuffix(".seg") }.allSatisfy { (try? merged.exists("store/" + $0)) == true })
    // Of the records, the last is the merge's: without it, nobody knows that the inputs have gone.
    let offsets = try RepairedStore.recordOffsets(Self.bytes(path, merged))
    for offset in offsets {
      let damaged = try Self.flipping(offset + 5, of: path, merged)
      let report = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
      #expect(report.isMergeDue == (offset == offsets.last), "record at \(offset): \(report)")
      #expect(report.merge.map { $0.droppedRecordCount > 30 } ?? true, "\(report)")
      try await Self.checkWhole(damaged, expected, "record at \(offset)")
    }
  }

  @Test func `segments that a lost record has removed are no loss`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    var store = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options)
    try await store.close()
    store = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options)
    _ = try await store.compact(.all)
    try await store.close()
    let path = try Self.manifest(files)
    let last = try #require(RepairedStore.recordOffsets(Self.bytes(path, files)).last)
    let damaged = try Self.flipping(last + 5, of: path, files)
    let report = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
    #expect(!report.missingNames.isEmpty && report.takenNames.count == 1, "\(report)")
    try await Self.checkWhole(damaged, expected, "after a merge")
  }

  @Test(arguments: CrashPolicy.allCases)
  func `whatever call a crash during a repair follows, another repair gives every answer`(
    _ policy: CrashPolicy
  ) async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let manifest = try Self.manifest(files)
    for (path, offset) in [(Self.current, 20), (manifest, 100)] {
      let start = try Self.flipping(offset, of: path, files)
      var callCount = 0
      while true {
        let machine = start.crashClone(keeping: .keepAll)
        machine.halt(afterOperations: callCount)
        _ = try? await TraceStore.repair(in: machine, at: "store", options: RepairedStore.options)
        let isDone = !machine.isHalted
        let place = "crash at call \(callCount) of the repair of \(path), \(policy)"
        let after = machine.crashClone(keeping: policy, seed: UInt64(callCount))
        // Whoever opens it first sees every answer, or is told to repair.
        do {
          let store = try await TraceStore.open(in: after, at: "store", options: RepairedStore.options)
          #expect(try await RepairedAnswers(store) == expected, "\(place), opened")
          try await store.close()
        } catch let error as TracestoreError {
          #expect(error.code == .corrupt && error.message.contains("tracestore repair --plan"), "\(place): \(error)")
        }
        _ = try await TraceStore.repair(in: after, at: "store", options: RepairedStore.options)
        try await Self.checkMerged(after, expected, place, isMerged: path == manifest)
        if isDone { break }
        // Behind the first hundred, everything stands in the new manifest, and what is cut short is a merge.
        callCount += callCount < 100 ? 1 : 5
      }
      #expect(callCount > (path == manifest ? 100 : 60))
    }
  }

  @Test func `any call that fails once leaves a store that can be repaired`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let start = try Self.flipping(100, of: Self.manifest(files), files)
    for errorNumber in [Fault.inputOutput, Fault.noSpace] {
      for skipped in stride(from: 0, to: 140, by: 2) {
        let machine = start.crashClone(keeping: .keepAll)
        machine.inject(Fault(skippedCount: skipped, errorNumber: errorNumber))
        _ = try? await TraceStore.repair(in: machine, at: "store", options: RepairedStore.options)
        machine.clearFaults()
        _ = try await TraceStore.repair(in: machine, at: "store", options: RepairedStore.options)
        try await Self.checkMerged(
          machine, expected, "errno \(errorNumber) at call \(skipped)", isMerged: true)
      }
    }
  }

  @Test func `on a full disk a repair says so, and nothing is gone`() async throws {
    let files = try await RepairedStore.make()
    let expected = try await RepairedAnswers.read(files)
    let damaged = try Self.flipping(100, of: Self.manifest(files), files)
    let reserved = damaged.crashClone(keeping: .keepAll)
    reserved.capacityByteCount = reserved.usedByteCount
    let done = try await TraceStore.repair(in: reserved, at: "store", options: RepairedStore.options)
    #expect(try done.keptDirectoryName == "damaged-1" && !reserved.exists("store/damaged-2"))
    try await Self.checkWhole(reserved, expected, "on a full disk with a reserve")

    try damaged.remove("store/RESERVE")
    damaged.capacityByteCount = damaged.usedByteCount
    let before = try damaged.contents(ofDirectory: "store")
    let error = await #expect(throws: TracestoreError.self) {
      try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
    }
    #expect(error?.code == .diskFull && error?.message.contains("make room") == true)
    #expect(Set(try damaged.contents(ofDirectory: "store")).isSuperset(of: before))
    damaged.capacityByteCount = .max
    _ = try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
    try await Self.checkWhole(damaged, expected, "after a full disk")
  }

  @Test func `a repair waits for no writer, a plan changes nothing, and a whole store is left alone`() async throws {
    let files = try await RepairedStore.make()
    let path = try Self.manifest(files)
    let whole = try Self.bytes(path, files)
    let untouched = try await TraceStore.repair(in: files, at: "store", options: RepairedStore.options)
    #expect(untouched.isWhole && untouched == TraceStore.RepairReport())
    #expect(try Self.bytes(path, files) == whole)

    let damaged = try Self.flipping(100, of: path, files)
    let names = try damaged.contents(ofDirectory: "store")
    let used = damaged.usedByteCount
    _ = try await TraceStore.repairPlan(in: damaged, at: "store", options: RepairedStore.options)
    #expect(try damaged.contents(ofDirectory: "store") == names && damaged.usedByteCount == used)

    let lock = try damaged.lock("store/LOCK")
    let error = await #expect(throws: TracestoreError.self) {
      try await TraceStore.repair(in: damaged, at: "store", options: RepairedStore.options)
    }
    #expect(error?.code == .locked)
    #expect(try damaged.contents(ofDirectory: "store") == names)
    withExtendedLifetime(lock) {}

    let nothing = await #expect(throws: TracestoreError.self) {
      try await TraceStore.repair(in: files, at: "nowhere", options: RepairedStore.options)
    }
    #expect(nothing?.code == .notFound)
    #expect(try !files.exists("nowhere"))
  }

  @Test func `a segment without a footer is set aside when no record names it, and stays where one does`() async throws
  {
    let files = try await RepairedStore.make()
    let path = try Self.manifest(files)
    let name = try #require(files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }.max())
    let segment = joinedPath("store", name)
    try files.overwrite(segment, with: Array(try Self.bytes(segment, files).dropLast(10)))
    let records = try RepairedStore.recordOffsets(Self.bytes(path, files))
    // The last record names the last segment.
    let unnamed = try Self.flipping(try #require(records.last) + 5, of: path, files)
    let report = try await TraceStore.repair(in: unnamed, at: "store", options: RepairedStore.options)
    #expect(report.setAside.map(\.name) == [name] && report.keptDirectoryName == "damaged-1")
    #expect(try unnamed.exists("store/damaged-1/" + name) && !unnamed.exists(segment))
    #expect(try StoreVerifier("store", fileSystem: unnamed).run(isDeep: true).damages.isEmpty)
    let named = try Self.flipping(100, of: path, files)
    let second = try await TraceStore.repair(in: named, at: "store", options: RepairedStore.options)
    #expect(second.setAside.isEmpty && second.merge?.damage.count == 1, "\(second)")
    #expect(try named.exists(segment))
  }

  @Test(arguments: [false, true])
  func `spans that expired in a lost record count once, as spans or as hourly figures`(_ areStillThere: Bool)
    async throws
  {
    let clock = RetentionTests.TestClock()
    let options = RetentionTests.options(clock)
    let files = SimulatedFileSystem()
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    try await RetentionTests.write(0..<6, to: store, clock)
    clock.set(hours: 7)
    if areStillThere { files.inject(Fault([.remove], pathSuffix: ".seg", isSticky: true)) }
    _ = try await store.retain(RetentionPolicy(maximumAgeNanoseconds: 2 * RetentionTests.hour))
    try await store.close()
    files.clearFaults()
    let path = try Self.manifest(files)
    let last = try #require(RepairedStore.recordOffsets(Self.bytes(path, files)).last)
    let damaged = try Self.flipping(last + 5, of: path, files)
    let report = try await TraceStore.repair(in: damaged, at: "store", options: options)
    #expect(report.takenNames.count == (areStillThere ? 0 : 1) && report.setAside.count == (areStillThere ? 1 : 0))
    store = try await TraceStore.open(in: damaged, at: "store", options: options)
    #expect(try await RetentionTests.traces(store) == (areStillThere ? Set(0..<6) : [5]))
    let calls = try await ExpiredMetricsTests.calls(store)
    #expect(ExpiredMetricsTests.count(calls, isExpired: true) == (areStillThere ? 0 : 100))
    #expect(ExpiredMetricsTests.count(calls, isExpired: false) == (areStillThere ? 120 : 20))
    try await store.close()
  }

  @Test func `what has lost its arrival expires no sooner than before`() async throws {
    let files = try await RepairedStore.make()
    let store = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options)
    try await store.seal()
    try await store.close()
    try files.remove(Self.manifest(files))
    var options = RepairedStore.options
    options.clock = { RepairedStore.now + 1000 }
    #expect(try await TraceStore.repair(in: files, at: "store", options: options).takenNames.count == 5)
    let manifest = try ManifestStore.open(fileSystem: files, directory: "store", mode: .readOnly)
    let segments = manifest.current.files(of: .segment)
    #expect(segments.map(\.maximumArrivalNanoseconds) == [RepairedStore.now + 1000])
    #expect(segments.allSatisfy { $0.minimumArrivalNanoseconds <= RepairedStore.now })
  }
}

/// A small store with everything in it that a manifest speaks of.
enum RepairedStore {
  static let now: UInt64 = 5_000_000_000
  static let options = StoreOptions(
    sealSpanCount: 1000, stripeSpanCount: 16, isCompactionAutomatic: false, clock: { now })
  static let traceCount = 9
  /// Of spans, traces and partial records once all is merged into one segment.
  static let expectedCounts = [33, 9, 3]

  static func trace(_ index: Int) -> TraceID { TraceID(high: 0xfeed, low: UInt64(index + 1)) }

  private static func batch(_ number: Int) -> TraceData {
    let spans = (0..<8).map { index in
      SpanRecord(
        traceID: trace(number * 2 + index % 2), spanID: SpanID(UInt64(number * 100 + index + 1)),
        parentSpanID: index < 2 ? nil : SpanID(UInt64(number * 100 + index - 1)), name: "step \(index)",
        kind: index % 2 == 0 ? .server : .client,
        start: Timestamp(nanoseconds: UInt64(1_000_000 + number * 1000 + index)),
        end: Timestamp(nanoseconds: UInt64(2_000_000 + number * 1000 + index)),
        attributes: [Attribute("batch", .int(Int64(number))), Attribute("text", .string("value \(index)"))])
    }
    return data("repair-\(number % 2)", spans)
  }

  private static func data(_ service: String, _ spans: [SpanRecord]) -> TraceData {
    TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]),
        scopeSpans: [ScopeSpans(spans: spans)])
    ])
  }

  /// A record of a span that is open, enriched or ended.
  private static func part(_ span: UInt64, _ sequence: Int, isLast: Bool = false, isEnrichment: Bool = false)
    -> TraceData
  {
    var attributes = [Attribute("part \(sequence)", true)]
    if !isLast { attributes.append(Attribute("tracestore.sequence", .int(Int64(sequence)))) }
    if isEnrichment { attributes.append(Attribute("tracestore.partial", true)) }
    return data(
      "repair-open",
      [
        SpanRecord(
          traceID: trace(8), spanID: SpanID(span), name: "long", kind: .internal,
          start: Timestamp(nanoseconds: 3_000_000), end: Timestamp(nanoseconds: isLast ? 4_000_000 : 0),
          attributes: attributes)
      ])
  }

  /// Two writers: the manifest of the second begins with a segment of the first, and goes on with edits; the log holds what
  /// came last.
  static func make() async throws -> SimulatedFileSystem {
    let files = SimulatedFileSystem()
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    _ = try await store.writeTraces(batch(0))
    _ = try await store.writeTraces(part(7, 1))
    try await store.seal()
    try await store.close()
    store = try await TraceStore.open(in: files, at: "store", options: options)
    _ = try await store.writeTraces(batch(1))
    _ = try await store.writeTraces(part(8, 2))
    try await store.seal()
    try await store.writeDependencies(
      [DependencyLink(parent: "x", child: "y", callCount: 3)], at: Timestamp(nanoseconds: 2_500_000))
    _ = try await store.writeTraces(batch(2))
    _ = try await store.writeTraces(batch(0))
    _ = try await store.writeTraces(part(7, 3, isEnrichment: true))
    try await store.seal()
    _ = try await store.writeTraces(batch(3))
    _ = try await store.writeTraces(part(7, 4, isLast: true))
    try await store.close()
    return files
  }

  /// Where the records of a whole manifest begin.
  static func recordOffsets(_ bytes: [UInt8]) -> [Int] {
    var offsets: [Int] = []
    var offset = ManifestFormat.fileHeaderByteCount
    while offset + ManifestFormat.recordHeaderByteCount <= bytes.count {
      offsets.append(offset)
      let byteCount = bytes[offset + 4..<offset + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
      offset += ManifestFormat.recordHeaderByteCount + byteCount
    }
    return offsets
  }

  static func counts(_ store: TraceStore) async throws -> [Int] {
    let statistics = try await store.statistics()
    return [statistics.spanCount, statistics.traceCount, statistics.partialRecordCount]
  }
}

/// What a store says: its spans, found and read, and everything that is counted from them.
struct RepairedAnswers: Equatable {
  var spans: [[FoundSpan]]
  var found: [FoundSpan]
  var summaries: [TraceSummary]
  var services: [String]
  var operations: [Operation]
  var links: [DependencyLink]
  var families: [[Metric]]
  var damage: [String]

  static func read(_ files: SimulatedFileSystem) async throws -> RepairedAnswers {
    let store = try await TraceStore.open(in: files, at: "store", options: RepairedStore.options, isReadOnly: true)
    let answers = try await RepairedAnswers(store)
    #expect(answers.spans.allSatisfy { !$0.isEmpty } && answers.damage.isEmpty && !answers.links.isEmpty)
    try await store.close()
    return answers
  }

  init(_ store: TraceStore) async throws {
    spans = []
    damage = []
    for index in 0..<RepairedStore.traceCount {
      let (chunks, summary) = try await store.getTraces([RepairedStore.trace(index)]).collect()
      spans.append(chunks.flatMap(\.foundSpans).sorted { $0.span.spanID.rawValue < $1.span.spanID.rawValue })
      damage += summary.damage
    }
    found = try await store.findSpans(TraceQuery(limit: 1000)).collect().elements
      .sorted { $0.span.spanID.rawValue < $1.span.spanID.rawValue }
    summaries = try await store.findTraceSummaries(TraceQuery(limit: 1000)).collect().elements
    services = try await store.getServices().elements
    operations = []
    for service in services {
      operations += try await store.getOperations(OperationQuery(serviceName: service)).elements
    }
    links = try await store.getDependencies(DependencyQuery(includesSelfCalls: true)).elements
    let query = MetricsQuery(
      serviceNames: services, groups: [.operation], spanKinds: [], end: Timestamp(nanoseconds: 60_000_000_000),
      lookbackNanoseconds: 60_000_000_000, ratePerNanoseconds: 60_000_000_000, quantile: 0.5, isExact: true)
    families = [
      try await store.getCallRates(query).metrics, try await store.getErrorRates(query).metrics,
      try await store.getLatencies(query).metrics,
    ]
  }
}

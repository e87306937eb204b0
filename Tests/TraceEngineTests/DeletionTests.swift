import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TraceInspect
import TraceManifest
import TracestoreTesting

import class Foundation.Thread

/// Traces are deleted: every answer is as if they had never been written.
@Suite struct DeletionTests {
  private static let now: UInt64 = 1_767_225_600_000_000_000 + 330_000_000_000

  private static func options(_ random: inout SeededRandom) -> StoreOptions {
    StoreOptions(
      sealSpanCount: 100, stripeSpanCount: 16 + Int(random.next() % 40), isCompactionAutomatic: false,
      mergedSegmentSpanCount: 64 + Int(random.next() % 400), clock: { now })
  }

  private static func ids(_ batches: [TraceData]) -> [TraceID] {
    var ids: Set<TraceID> = []
    for batch in batches { batch.forEachSpan { _, _, span in ids.insert(span.traceID) } }
    return ids.sorted()
  }

  /// A batch without the spans of some traces.
  private static func without(_ traces: Set<TraceID>, _ batch: TraceData) -> TraceData {
    var batch = batch
    for group in batch.resourceSpans.indices {
      for scope in batch.resourceSpans[group].scopeSpans.indices {
        batch.resourceSpans[group].scopeSpans[scope].spans.removeAll { traces.contains($0.traceID) }
      }
      batch.resourceSpans[group].scopeSpans.removeAll(where: \.spans.isEmpty)
    }
    batch.resourceSpans.removeAll(where: \.scopeSpans.isEmpty)
    return batch
  }

  /// What a store that was only ever given these batches says.
  private static func expected(_ batches: [TraceData], _ options: StoreOptions) async throws -> StoreAnswers {
    let store = try await TraceStore.open(in: SimulatedFileSystem(), at: "store", options: options)
    for batch in batches { _ = try await store.writeTraces(batch) }
    try await store.compact(.all)
    let answers = try await StoreAnswers(store)
    try await store.close()
    return answers
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `after random histories every answer is that of a store that never had the traces`(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    let options = Self.options(&random)
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    let batches = randomTraces(seed: seed, count: 24, openSpanShare: seed % 2 == 0 ? 2 : 4)
    var staying: [TraceData] = []
    var deletedCount = 0
    for batch in batches {
      _ = try await store.writeTraces(batch)
      staying.append(batch)
      switch random.next() % 16 {
      case 0, 1: try await store.seal()
      case 2: try await store.compact(.all)
      case 3: try await store.compact(.due)
      case 4:
        try await store.close()
        store = try await TraceStore.open(in: files, at: "store", options: options)
      case 5:
        // What is sent again is new.
        let again = batches[Int(random.next() % UInt64(batches.count))]
        _ = try await store.writeTraces(again)
        staying.append(again)
      case 6, 7, 8:
        // Searches leave something in caches.
        if seed % 3 == 0 { _ = try await StoreAnswers(store) }
        let all = Self.ids(staying)
        let chosen = Set(all.filter { _ in random.next() % 5 == 0 } + [TraceID(high: 7, low: 7)])
        let receipt = try await store.deleteTraces(chosen)
        #expect(receipt.damage.isEmpty)
        #expect(receipt.traceCount == chosen.count - 1, "seed \(seed)")
        #expect(receipt.recordCount >= receipt.traceCount)
        deletedCount += receipt.traceCount
        staying = staying.map { Self.without(chosen, $0) }
      default: break
      }
    }
    let chosen = Set(Self.ids(staying).prefix(2))
    deletedCount += try await store.deleteTraces(chosen).traceCount
    staying = staying.map { Self.without(chosen, $0) }
    #expect(deletedCount > 2)
    let expected = try await Self.expected(staying, options)
    try await StoreAnswers(store).expectEqual(to: expected, besidesCounts: true, "seed \(seed), deleted")
    let reader = try await TraceStore.open(in: files, at: "store", options: options, isReadOnly: true)
    try await StoreAnswers(reader).expectEqual(to: expected, besidesCounts: true, "seed \(seed), beside the writer")
    try await reader.close()
    try await store.close()
    store = try await TraceStore.open(in: files, at: "store", options: options)
    try await StoreAnswers(store).expectEqual(to: expected, besidesCounts: true, "seed \(seed), opened again")
    // What was written twice is counted twice until it is merged.
    try await store.compact(.all)
    try await StoreAnswers(store).expectEqual(to: expected, "seed \(seed), merged")
    try await store.close()
    #expect(try StoreVerifier("store", fileSystem: files).run(isDeep: true).damages.isEmpty)
  }

  /// Three segments, of which two hold the trace 1 and one holds nothing else, and a log that holds it too.
  private static func makeSmall() async throws -> (files: SimulatedFileSystem, batches: [TraceData]) {
    let files = SimulatedFileSystem()
    let batches = [[1, 2, 3], [1], [2, 4], [1, 5]].enumerated().map { index, traces in
      TraceData(resourceSpans: [
        ResourceSpans(
          resource: Resource(attributes: [Attribute("service.name", .string("service \(index)"))]),
          scopeSpans: [
            ScopeSpans(
              spans: traces.map { trace in
                SpanRecord(
                  traceID: TraceID(high: 1, low: UInt64(trace)), spanID: SpanID(UInt64(index + 1)),
                  name: "step \(index)", kind: .server,
                  start: Timestamp(nanoseconds: UInt64(1_000_000 + index)), end: Timestamp(nanoseconds: 2_000_000),
                  attributes: [Attribute("user.of.\(trace)", .string("person \(trace)"))])
              })
          ])
      ])
    }
    let store = try await TraceStore.open(in: files, at: "store", options: smallOptions)
    for (index, batch) in batches.enumerated() {
      _ = try await store.writeTraces(batch)
      if index < 3 { try await store.seal() }
    }
    try await store.close()
    return (files, batches)
  }

  private static let smallOptions = StoreOptions(stripeSpanCount: 16, isCompactionAutomatic: false, clock: { now })
  private static let victim = TraceID(high: 1, low: 1)

  private static func answers(_ files: SimulatedFileSystem) async throws -> StoreAnswers {
    let store = try await TraceStore.open(in: files, at: "store", options: smallOptions, isReadOnly: true)
    let answers = try await StoreAnswers(store)
    try await store.close()
    return answers
  }

  @Test func `a receipt lists the segments that were written anew`() async throws {
    let (files, batches) = try await Self.makeSmall()
    let before = try Self.files(with: "user.of.1", files)
    #expect(before.count { $0.hasSuffix(".seg") } == 2 && before.count { $0.hasSuffix(".log") } == 1, "\(before)")
    let store = try await TraceStore.open(in: files, at: "store", options: Self.smallOptions)
    let receipt = try await store.deleteTraces([Self.victim])
    #expect(receipt.traceCount == 1 && receipt.recordCount == 3 && receipt.damage.isEmpty)
    #expect(receipt.segments.map(\.deletedRecordCount) == [1, 1, 1])
    #expect(receipt.segments.map(\.remainingRecordCount) == [2, 0, 1])
    #expect(receipt.segments.map(\.newNumbers.count) == [1, 0, 1])
    #expect(receipt.segments.allSatisfy { $0.byteCount > $0.newByteCount })
    for segment in receipt.segments {
      let name = StoreLayout.fileName(ManifestFileKey(kind: .segment, number: segment.number))
      #expect(try !files.exists(joinedPath("store", name)))
    }
    let expected = try await Self.expected(batches.map { Self.without([Self.victim], $0) }, Self.smallOptions)
    try await StoreAnswers(store).expectEqual(to: expected, besidesCounts: true, "deleted")
    let again = try await store.deleteTraces([Self.victim])
    #expect(again == TraceStore.DeletionReceipt())
    #expect(try await store.deleteTraces([TraceID]()) == TraceStore.DeletionReceipt())
    try await store.close()
    // No file has a word of it: its own keys and texts stand nowhere.
    #expect(try Self.files(with: "user.of.1", files) == [])
  }

  /// The files of the store, and of its log, in which a text can be read.
  private static func files(with text: String, _ files: SimulatedFileSystem) throws -> [String] {
    let names = ["store", "store/wal"].flatMap { folder in
      ((try? files.contents(ofDirectory: folder)) ?? []).map { joinedPath(folder, $0) }
    }
    return try names.filter {
      guard try files.kind(of: $0) == .file else { return false }
      return try files.contents(ofFile: $0, maximumByteCount: 1 << 20).contains(Array(text.utf8))
    }
  }

  @Test func `whole traces of which a span matches are deleted, page by page`() async throws {
    var random = SeededRandom(seed: 5)
    let options = Self.options(&random)
    let store = try await TraceStore.open(in: SimulatedFileSystem(), at: "store", options: options)
    let batches = randomTraces(seed: 5, count: 80, openSpanShare: 3)
    for batch in batches { _ = try await store.writeTraces(batch) }
    let query = TraceQuery(serviceName: "cart", limit: 1)
    var all = query
    all.limit = 10_000
    let matching = Set(try await store.findTraceIDs(all).collect().elements.map(\.traceID))
    #expect(matching.count > 4 && matching.count < Self.ids(batches).count)
    let receipt = try await store.deleteTraces(matching: query, pageTraceCount: 2)
    #expect(receipt.traceCount == matching.count)
    let expected = try await Self.expected(batches.map { Self.without(matching, $0) }, options)
    try await StoreAnswers(store).expectEqual(to: expected, besidesCounts: true, "deleted")
    try await store.close()
  }

  @Test(arguments: CrashPolicy.allCases)
  func `whatever call a crash during a delete follows, all of the trace is there or none`(
    _ policy: CrashPolicy
  ) async throws {
    let (files, batches) = try await Self.makeSmall()
    let before = try await Self.answers(files)
    let after = try await Self.expected(batches.map { Self.without([Self.victim], $0) }, Self.smallOptions)
    var callCount = 0
    var keptCount = 0
    while true {
      let machine = files.crashClone(keeping: .keepAll)
      machine.halt(afterOperations: callCount)
      var isAcknowledged = false
      do {
        let store = try await TraceStore.open(in: machine, at: "store", options: Self.smallOptions)
        _ = try await store.deleteTraces([Self.victim])
        isAcknowledged = !machine.isHalted
        try await store.close()
      } catch {}
      let isDone = !machine.isHalted
      let found = try await Self.answers(machine.crashClone(keeping: policy, seed: UInt64(callCount)))
      let isThere = found.spans.contains { $0.span.traceID == Self.victim }
      #expect(!isThere || !isAcknowledged, "crash at call \(callCount), \(policy)")
      if isThere { keptCount += 1 }
      found.expectEqual(to: isThere ? before : after, besidesCounts: true, "crash at call \(callCount), \(policy)")
      if isDone { break }
      callCount += 1
    }
    #expect(keptCount > 20 && keptCount < callCount)
  }

  @Test func `any call that fails once leaves all of the trace or none`() async throws {
    let (files, batches) = try await Self.makeSmall()
    let before = try await Self.answers(files)
    let after = try await Self.expected(batches.map { Self.without([Self.victim], $0) }, Self.smallOptions)
    var failureCount = 0
    for errorNumber in [Fault.inputOutput, Fault.noSpace] {
      for skipped in 0..<90 {
        let machine = files.crashClone(keeping: .keepAll)
        let store = try await TraceStore.open(in: machine, at: "store", options: Self.smallOptions)
        machine.inject(Fault(skippedCount: skipped, errorNumber: errorNumber))
        var failure: (any Error)?
        do { _ = try await store.deleteTraces([Self.victim]) } catch { failure = error }
        machine.clearFaults()
        let place = "errno \(errorNumber) at call \(skipped)"
        if failure == nil {
          try await StoreAnswers(store).expectEqual(to: after, besidesCounts: true, place)
        } else {
          failureCount += 1
        }
        try? await store.close()
        let found = try await Self.answers(machine)
        let isThere = found.spans.contains { $0.span.traceID == Self.victim }
        found.expectEqual(to: isThere ? before : after, besidesCounts: true, place)
        #expect(!isThere || failure != nil, "\(place)")
      }
    }
    #expect(failureCount > 20)
  }

  @Test func `on a full disk a delete says how much room it needs, and nothing is gone`() async throws {
    let (files, batches) = try await Self.makeSmall()
    let before = try await Self.answers(files)
    let store = try await TraceStore.open(in: files, at: "store", options: Self.smallOptions)
    try await store.seal()
    files.capacityByteCount = files.usedByteCount
    let error = await #expect(throws: TracestoreError.self) { try await store.deleteTraces([Self.victim]) }
    #expect(error?.code == .diskFull && error?.message.contains("make room") == true, "\(String(describing: error))")
    try await StoreAnswers(store).expectEqual(to: before, besidesCounts: true, "after a full disk")
    let names = try files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }
    #expect(names.count == 4, "\(names)")
    files.capacityByteCount = .max
    #expect(try await store.deleteTraces([Self.victim]).recordCount == 3)
    let after = try await Self.expected(batches.map { Self.without([Self.victim], $0) }, Self.smallOptions)
    try await StoreAnswers(store).expectEqual(to: after, besidesCounts: true, "deleted")
    try await store.close()
  }

  @Test func `a damaged segment is named and stays, and the others lose the trace`() async throws {
    let (files, _) = try await Self.makeSmall()
    let name = try #require(files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }.min())
    let path = joinedPath("store", name)
    let whole = try files.contents(ofFile: path, maximumByteCount: 1 << 20)
    var namedCount = 0
    for offset in stride(from: 0, to: whole.count, by: 7) {
      let damaged = files.crashClone(keeping: .keepAll)
      var bytes = whole
      bytes[offset] ^= 0xff
      try damaged.overwrite(path, with: bytes)
      let store = try await TraceStore.open(in: damaged, at: "store", options: Self.smallOptions)
      let receipt = try await store.deleteTraces([Self.victim])
      // What a delete does not read, it makes anew.
      #expect(receipt.recordCount == (receipt.damage.isEmpty ? 3 : 2), "byte \(offset): \(receipt)")
      #expect(try damaged.exists(path) == !receipt.damage.isEmpty, "byte \(offset)")
      if !receipt.damage.isEmpty { namedCount += 1 }
      try await store.close()
    }
    #expect(namedCount > 10)
  }

  @Test func `a reader beside the writer sees the traces until it is refreshed`() async throws {
    let (files, batches) = try await Self.makeSmall()
    let store = try await TraceStore.open(in: files, at: "store", options: Self.smallOptions)
    let reader = try await TraceStore.open(in: files, at: "store", options: Self.smallOptions, isReadOnly: true)
    let before = try await StoreAnswers(reader)
    _ = try await store.deleteTraces([Self.victim])
    try await reader.refresh()
    let after = try await Self.expected(batches.map { Self.without([Self.victim], $0) }, Self.smallOptions)
    try await StoreAnswers(reader).expectEqual(to: after, besidesCounts: true, "refreshed")
    #expect(before.spans.contains { $0.span.traceID == Self.victim })
    let error = await #expect(throws: TracestoreError.self) { try await reader.deleteTraces([Self.victim]) }
    #expect(error?.code == .readOnly)
    try await reader.close()
    try await store.close()
    let closed = await #expect(throws: TracestoreError.self) { try await store.deleteTraces([Self.victim]) }
    #expect(closed?.code == .closed)
  }

  @Test func `spans that are sent again and sealed while their first copies go stay`() async throws {
    let (files, batches) = try await Self.makeSmall()
    let store = try await TraceStore.open(in: files, at: "store", options: Self.smallOptions)
    let isUnderWay = Mutex(false)
    let isSentAgain = Mutex(false)
    async let deleting = store.deleteTraces([Self.victim]) { _ in
      isUnderWay.withLock { $0 = true }
      while !isSentAgain.withLock({ $0 }) { Thread.sleep(forTimeInterval: 0.001) }
    }
    while !isUnderWay.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
    for batch in batches.prefix(2) { _ = try await store.writeTraces(batch) }
    try await store.seal()
    isSentAgain.withLock { $0 = true }
    #expect(try await deleting.recordCount == 3)
    let staying = batches.map { Self.without([Self.victim], $0) } + batches.prefix(2)
    let expected = try await Self.expected(staying, Self.smallOptions)
    try await StoreAnswers(store).expectEqual(to: expected, besidesCounts: true, "deleted")
    try await store.compact(.all)
    try await StoreAnswers(store).expectEqual(to: expected, "merged")
    try await store.close()
  }

  @Test func `what is written when a delete has returned stays, whatever goes on beside it`() async throws {
    var options = Self.smallOptions
    options.sealSpanCount = 40
    options.isCompactionAutomatic = true
    let store = try await TraceStore.open(in: SimulatedFileSystem(), at: "store", options: options)
    let (_, batches) = try await Self.makeSmall()
    // Others write meanwhile, so that seals and merges come between.
    let noise = Task {
      var number: UInt64 = 1
      while !Task.isCancelled {
        let span = SpanRecord(
          traceID: TraceID(high: 9, low: number), spanID: SpanID(1), name: "noise", kind: .client,
          start: Timestamp(nanoseconds: 5 + number), end: Timestamp(nanoseconds: 1_000_000))
        _ = try await store.writeTraces(
          TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: [span])])]))
        number += 1
      }
      return number - 1
    }
    for round in 0..<30 {
      for batch in batches { _ = try await store.writeTraces(batch) }
      async let deleting = store.deleteTraces([Self.victim])
      // Sent again while it goes: it goes too, or stays as new, but never is lost when it comes later.
      _ = try await store.writeTraces(batches[1])
      #expect(try await deleting.traceCount == 1, "round \(round)")
      _ = try await store.writeTraces(batches[3])
      try await store.seal()
      let names = try await store.getTraces([Self.victim]).collect().elements
        .flatMap(\.foundSpans).map(\.span.name)
      #expect(names.contains("step 3") && Set(names).isSubset(of: ["step 1", "step 3"]), "round \(round): \(names)")
    }
    noise.cancel()
    let noiseCount = try await noise.value
    let found = try await store.findTraceIDs(TraceQuery(limit: 1_000_000)).collect().elements
    #expect(found.count { $0.traceID.high == 9 } == Int(noiseCount))
    try await store.close()
  }
}

/// What a store says of everything that it holds.
struct StoreAnswers {
  var spans: [FoundSpan]
  var raw: [FoundSpan]
  var summaries: [TraceSummary]
  var ids: [FoundTrace]
  var services: [String]
  var operations: [Operation]
  var links: [DependencyLink]
  var metrics: [[Metric]]
  /// Exact when everything is merged.
  var keys: [AttributeKeyInfo]
  var values: Set<AttributeValueInfo>
  var counts: [Int]

  init(_ store: TraceStore) async throws {
    func sorted(_ spans: [FoundSpan]) -> [FoundSpan] {
      spans.sorted { ContentKey($0.resource, $0.scope, $0.span) < ContentKey($1.resource, $1.scope, $1.span) }
    }
    let all = TraceQuery(limit: 100_000)
    spans = sorted(try await store.findSpans(all).collect().elements)
    var query = all
    query.options.isRaw = true
    raw = sorted(try await store.findTraces(query).collect().elements.flatMap(\.foundSpans))
    summaries = try await store.findTraceSummaries(all).collect().elements
    ids = try await store.findTraceIDs(all).collect().elements
    services = try await store.getServices().elements
    operations = []
    for service in services {
      operations += try await store.getOperations(OperationQuery(serviceName: service)).elements
    }
    links = try await store.getDependencies(DependencyQuery(includesSelfCalls: true)).elements
    metrics = []
    // What tests write lies near the beginning of time, or of 2026.
    let ends: [UInt64] = [60_000_000_000, 1_767_225_600_000_000_000 + 3_600_000_000_000]
    for (end, isExact) in ends.flatMap({ end in [false, true].map { (end, $0) } }) {
      let query = MetricsQuery(
        serviceNames: services, groups: [.operation], spanKinds: [], end: Timestamp(nanoseconds: end),
        lookbackNanoseconds: 7_200_000_000_000, ratePerNanoseconds: 60_000_000_000, quantile: 0.5, isExact: isExact)
      metrics.append(try await store.getCallRates(query).metrics)
      metrics.append(try await store.getErrorRates(query).metrics)
      metrics.append(try await store.getLatencies(query).metrics)
    }
    keys = try await store.getAttributeKeys(AttributeKeyQuery()).elements
    values = []
    for key in ["user", "region", "note", "batch", "user.of.1", "user.of.2"] {
      values.formUnion(try await store.getAttributeValues(AttributeValueQuery(key: key)).collect().elements)
    }
    let statistics = try await store.statistics()
    counts = [statistics.spanCount, statistics.traceCount, statistics.partialRecordCount]
  }

  /// - Parameter besidesCounts: leaves out what counts records twice that stand twice.
  func expectEqual(to other: StoreAnswers, besidesCounts: Bool = false, _ place: String) {
    #expect(spans == other.spans, "\(place): spans")
    #expect(raw == other.raw, "\(place): raw spans")
    #expect(summaries == other.summaries, "\(place): summaries")
    #expect(ids == other.ids, "\(place): ids")
    #expect(services == other.services, "\(place): services")
    #expect(operations == other.operations, "\(place): operations")
    #expect(links == other.links, "\(place): links")
    #expect(metrics == other.metrics, "\(place): metrics")
    #expect(keys.map(\.key) == other.keys.map(\.key), "\(place): keys")
    if besidesCounts { return }
    #expect(keys == other.keys, "\(place): counts of keys")
    #expect(values == other.values, "\(place): values")
    #expect(counts == other.counts, "\(place): counts")
  }
}

extension [UInt8] {
  fileprivate func contains(_ part: [UInt8]) -> Bool {
    indices.contains { self[$0...].starts(with: part) }
  }
}

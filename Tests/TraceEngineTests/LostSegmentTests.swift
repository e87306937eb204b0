import Testing
import TraceEngine
import TraceFiles
import TraceModel
import TracestoreTesting
import TracestoreV2

/// A segment that cannot be opened costs what stands in it: the store is open for reading and for writing without it,
/// and every answer says so.
@Suite struct LostSegmentTests {
  enum Loss: String, CaseIterable {
    case trailer, cut, empty, gone

    /// What is left of a file; nil when it is gone.
    func applied(_ bytes: [UInt8]) -> [UInt8]? {
      switch self {
      case .trailer: bytes.dropLast(20) + bytes.suffix(20).map { $0 ^ 0x04 }
      case .cut: Array(bytes.prefix(bytes.count / 2))
      case .empty: []
      case .gone: nil
      }
    }
  }

  /// A closed store of two segments, without the first one.
  private struct Halved {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let path: String
    let lost: Set<TraceID>
    let kept: Set<TraceID>
    let bytes: [UInt8]

    init(_ loss: Loss) async throws {
      let store = try await TraceStore.open(in: files, at: "store", options: Self.options)
      var halves: [Set<TraceID>] = []
      for seed in 1...2 as ClosedRange<UInt64> {
        var traces: Set<TraceID> = []
        for batch in TrafficGenerator(shape: .uniform, spanCount: 300, seed: seed) {
          _ = try await store.writeTraces(batch)
          batch.forEachSpan { _, _, span in traces.insert(span.traceID) }
        }
        try await store.seal()
        halves.append(traces)
      }
      try await store.close()
      (lost, kept) = (halves[0], halves[1])
      path = joinedPath(
        "store", try #require(try files.contents(ofDirectory: "store").sorted().first { $0.hasSuffix(".seg") }))
      let file = try files.open(path, .read)
      bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
      if let left = loss.applied(bytes) { try files.overwrite(path, with: left) } else { try files.remove(path) }
    }

    /// Puts the file back as it was.
    func restore() throws {
      if try !files.exists(path) { _ = try files.open(path, .create) }
      try files.overwrite(path, with: bytes)
    }

    static var options: StoreOptions { StoreOptions(isCompactionAutomatic: false) }

    func open(isReadOnly: Bool) async throws -> TraceStore {
      try await TraceStore.open(in: files, at: "store", options: Self.options, isReadOnly: isReadOnly)
    }
  }

  private static func traces(_ store: TraceStore) async throws -> (Set<TraceID>, damage: [String]) {
    let found = try await store.findTraceIDs(TraceQuery(limit: .max)).collect()
    return (Set(found.elements.map(\.traceID)), found.summary.damage)
  }

  @Test(arguments: Loss.allCases, [true, false])
  func `what stands in the other segments is there, and what is lost is named`(
    _ loss: Loss, _ isReadOnly: Bool
  ) async throws {
    let halved = try await Halved(loss)
    let store = try await halved.open(isReadOnly: isReadOnly)
    let (found, damage) = try await Self.traces(store)
    #expect(found == halved.kept)
    #expect(damage.count == 1 && damage[0].contains(halved.path), "\(damage)")
    let asked = try await store.getTraces([halved.lost.first, halved.kept.first].compactMap { $0 }).collect()
    #expect(asked.elements.map(\.traceID) == [halved.kept.first] && asked.summary.damage == damage)
    let statistics = try await store.statistics()
    #expect(statistics.segments.count == 1 && statistics.damage == damage)
    try await store.close()
  }

  @Test(arguments: Loss.allCases)
  func `a store that lost a segment is written, sealed and merged, and has it back once the file is back`(
    _ loss: Loss
  ) async throws {
    let halved = try await Halved(loss)
    let store = try await halved.open(isReadOnly: false)
    var written: Set<TraceID> = []
    for batch in TrafficGenerator(shape: .uniform, spanCount: 100, seed: 3) {
      _ = try await store.writeTraces(batch)
      batch.forEachSpan { _, _, span in written.insert(span.traceID) }
    }
    try await store.seal()
    let report = try await store.compact(.all)
    #expect(report.segmentCount == 2 && report.damage.count == 1, "\(report)")
    #expect(try await Self.traces(store).0 == halved.kept.union(written))
    let reader = try await halved.open(isReadOnly: true)
    #expect(try await Self.traces(reader).0 == halved.kept.union(written))
    try await store.close()

    try halved.restore()
    try await reader.refresh()
    let (found, damage) = try await Self.traces(reader)
    #expect(found == halved.kept.union(written).union(halved.lost) && damage.isEmpty, "\(damage)")
    try await reader.close()
  }

  @Test(arguments: Loss.allCases)
  func `a lost segment is named until its time is over`(_ loss: Loss) async throws {
    let halved = try await Halved(loss)
    let store = try await halved.open(isReadOnly: false)
    #expect(try await Self.traces(store).damage.count == 1)
    let report = try await store.retain(RetentionPolicy(maximumAgeNanoseconds: 1))
    #expect(report.segments.count == 2 && report.damage.count == 1, "\(report)")
    let (found, damage) = try await Self.traces(store)
    #expect(found.isEmpty && damage.isEmpty, "\(damage)")
    #expect(try await store.statistics().damage.isEmpty)
    try await store.close()
  }

  @Test func `a segment that cannot be read for another reason is an error, not damage`() async throws {
    let halved = try await Halved(.gone)
    try halved.restore()
    halved.files.inject(Fault([.open], pathSuffix: ".seg"))
    await #expect {
      _ = try await halved.open(isReadOnly: true)
    } throws: {
      ($0 as? TracestoreError)?.code == .inputOutput
    }
    let store = try await halved.open(isReadOnly: true)
    #expect(try await Self.traces(store).0 == halved.kept.union(halved.lost))
    try await store.close()
  }

  @Test func `damage that recovery met in the log is named by the answers of the writer too`() async throws {
    let store = try await FollowedStore()
    for batch in TrafficGenerator(shape: .uniform, spanCount: 200, seed: 4, requestSpanCount: 20) {
      _ = try await store.writer.writeTraces(batch)
    }
    try await store.writer.close()
    let path = try store.damageLog()
    let again = try await TraceStore.open(in: store.files, at: "store", options: StoreOptions())
    let (found, damage) = try await Self.traces(again)
    #expect(found.count < 20 && damage.count == 1 && damage[0].contains(path), "\(found.count) traces, \(damage)")
    try await again.close()
  }
}

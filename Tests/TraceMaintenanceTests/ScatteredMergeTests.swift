import Testing
import TraceColumns
import TraceFiles
import TraceMaintenance
import TraceManifest
import TraceModel
import TraceSegment

/// Merges of segments each of which has a part of every trace, far apart.
@Suite struct ScatteredMergeTests {
  private static let inputCount = 9

  /// Forty traces of nine spans, one in each segment, in another order in each; some repeated, some open.
  private static func table(_ input: Int) -> (table: SpanTable, finals: [UInt32], partials: [UInt32]) {
    let builder = SpanTableBuilder()
    var (finals, partials): ([UInt32], [UInt32]) = ([], [])
    for turn in 0..<40 {
      let trace = turn * (2 * input + 1) % 41
      for part in trace % 4 == 0 ? [input, (input + 1) % inputCount] : [input] {
        let isOpen = trace % 5 == 0
        var span = SpanRecord(
          traceID: TraceID(high: 1, low: UInt64(trace + 1)), spanID: SpanID(UInt64(part + 1)),
          name: "work \(trace % 3)", kind: .server,
          start: Timestamp(nanoseconds: UInt64(trace) * 3_000_000 + UInt64(part)),
          end: Timestamp(nanoseconds: UInt64(trace) * 3_000_000 + UInt64(part) + 9),
          attributes: [Attribute("part", .string("text \(part) of \(trace % 7)"))])
        if isOpen { span.end = Timestamp(nanoseconds: 0) }
        (isOpen ? { partials.append($0) } : { finals.append($0) })(UInt32(builder.table.rowCount))
        builder.append(resource: Resource(), scope: InstrumentationScope(), span: span, isPartial: isOpen)
      }
    }
    return (builder.table, finals, partials)
  }

  private static func merge(
    maximumHeldRowCount: Int, isCancelled: @escaping () -> Bool = { false }
  ) throws -> (outputs: [ManifestFile], result: CompactionResult?, fileCount: Int, steps: [Int]) {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let manifest = try ManifestStore.open(
      fileSystem: files, directory: "store",
      mode: .readWrite(create: StoreSettings(storeID: StoreID(first: 1, second: 2), createdNanoseconds: 1)))
    let segments = SegmentFiles(
      fileSystem: files, directory: "store", manifest: manifest, cache: BlockCache(maximumByteCount: 1 << 20),
      options: SegmentOptions(stripeRowCount: 8))
    var edit = ManifestEdit()
    for input in 0..<inputCount {
      let (table, finals, partials) = table(input)
      edit.add(
        try segments.write(
          table.view(rowCount: table.rowCount), rows: finals, partialRows: partials, parallel: SegmentWriter.serial))
    }
    try manifest.commit(edit)
    var policy = CompactionPolicy(segmentRowCount: 100)
    policy.maximumHeldRowCount = maximumHeldRowCount
    let compactor = Compactor(
      manifest: manifest, files: segments, policy: policy,
      exchange: SegmentExchange(manifest: manifest, files: segments) { _, _, _ in })
    var steps: [Int] = []
    let result = try? compactor.merge(
      compactor.allInputs(), level: CompactionPolicy.fullLevel, parallel: SegmentWriter.serial,
      isCancelled: isCancelled, report: { steps.append($0.recordCount) })
    let names = try files.contents(ofDirectory: "store").filter { $0.hasSuffix(".seg") }
    return (Array(manifest.current.files(of: .segment)), result, names.count, steps)
  }

  @Test(arguments: [8, 16, 40, 64])
  func `halves that are merged first come to the same files, and leave none`(_ maximumHeldRowCount: Int) throws {
    let whole = try Self.merge(maximumHeldRowCount: .max)
    let halved = try Self.merge(maximumHeldRowCount: maximumHeldRowCount)
    #expect(whole.outputs.count > 1 && whole.result?.droppedCount ?? 0 > 0)
    #expect(halved.outputs.map(\.footerHash) == whole.outputs.map(\.footerHash))
    #expect(halved.outputs.map(\.key.number) != whole.outputs.map(\.key.number), "no halves were merged")
    #expect(halved.result?.recordCount == whole.result?.recordCount)
    #expect(halved.result?.droppedCount == whole.result?.droppedCount)
    #expect(halved.fileCount == halved.outputs.count)
    #expect(halved.steps == halved.steps.sorted() && halved.steps.last == whole.steps.last)
  }

  @Test func `a merge of halves that is given up leaves the inputs alone`() throws {
    for limit in 0..<40 {
      var count = 0
      let given = try Self.merge(maximumHeldRowCount: 16) {
        count += 1
        return count > limit * 10
      }
      guard given.result == nil else { return #expect(limit > 4) }
      #expect(given.outputs.count == Self.inputCount && given.fileCount == Self.inputCount, "limit \(limit)")
    }
  }
}

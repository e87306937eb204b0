import Testing
import TraceColumns
import TraceFiles
import TraceMaintenance
import TraceManifest
import TraceModel
import TraceSegment

/// Which segments are merged: often enough to keep them few, seldom enough to write little.
@Suite struct CompactionPolicyTests {
  private static func file(_ number: UInt64, rows: Int, start: UInt64, level: UInt8 = 0) -> ManifestFile {
    var file = ManifestFile(key: ManifestFileKey(kind: .segment, number: number))
    file.rowCount = UInt64(rows)
    file.minimumStartNanoseconds = start
    file.maximumStartNanoseconds = start + 1_000_000_000
    file.level = level
    return file
  }

  @Test(arguments: [20_000, 70_000, 150_000, 190_000])
  func `spans that come in order are written three times at most, and once more in small segments`(
    _ sealedRowCount: Int
  ) {
    let policy = CompactionPolicy()
    var live: [ManifestFile] = []
    var next: UInt64 = 1
    var writtenRowCount = 0
    for seal in 0..<200 {
      live.append(
        Self.file(next, rows: sealedRowCount, start: 1_800_000_000_000_000_000 + UInt64(seal) * 1_000_000_000))
      next += 1
      writtenRowCount += sealedRowCount
      while true {
        let inputs = policy.inputs(of: live)
        if inputs.isEmpty { break }
        var rest = inputs.reduce(0) { $0 + Int($1.rowCount) }
        live.removeAll { file in inputs.contains { $0.key == file.key } }
        while rest > 0 {
          let rows = min(rest, policy.segmentRowCount)
          rest -= rows
          writtenRowCount += rows
          let start = inputs[0].minimumStartNanoseconds
          live.append(
            Self.file(
              next, rows: rows, start: start,
              level: rest == 0 ? CompactionPolicy.unmergedLevel : CompactionPolicy.mergedLevel))
          next += 1
        }
      }
    }
    let rowCount = 200 * sealedRowCount
    // A memtable that is sealed by size holds more than 64 k spans; smaller segments climb one tier more.
    #expect(
      writtenRowCount <= (sealedRowCount < 1 << 16 ? 4 : 3) * rowCount,
      "\(Double(writtenRowCount) / Double(rowCount)) times")
    #expect(live.count <= rowCount / policy.segmentRowCount + 12, "\(live.count) segments are left")
  }

  @Test func `too few segments, large ones and excluded ones are left alone`() {
    let policy = CompactionPolicy(segmentRowCount: 1000)
    let small = (1...4 as ClosedRange<UInt64>).map { Self.file($0, rows: 100, start: 5_000_000_000) }
    #expect(policy.inputs(of: small).map(\.key.number) == [1, 2, 3, 4])
    #expect(policy.inputs(of: small.dropLast()).isEmpty)
    #expect(policy.inputs(of: small, excluding: [2]).isEmpty)
    #expect(policy.inputs(of: small.map { Self.file($0.key.number, rows: 900, start: 5_000_000_000) }).isEmpty)
    #expect(policy.inputs(of: small.map { Self.file($0.key.number, rows: 100, start: 0, level: 2) }).isEmpty)
  }

  @Test func `windows are the narrowest that hold a range`() {
    let hour: UInt64 = 3_600_000_000_000
    #expect(CompactionPolicy.window(of: 5...hour - 1)?.length == hour)
    #expect(CompactionPolicy.window(of: 5...hour).map { $0.length } == 24 * hour)
    #expect(CompactionPolicy.window(of: 23 * hour...25 * hour).map { $0.length } == 240 * hour)
    #expect(CompactionPolicy.window(of: hour...300 * hour) == nil)
  }

  @Test func `segments that large values have filled are not merged again and again`() throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let manifest = try ManifestStore.open(
      fileSystem: files, directory: "store",
      mode: .readWrite(create: StoreSettings(storeID: StoreID(first: 1, second: 2), createdNanoseconds: 1)))
    let segments = SegmentFiles(
      fileSystem: files, directory: "store", manifest: manifest, cache: BlockCache(maximumByteCount: 1 << 20))
    var edit = ManifestEdit()
    for seal in 0..<6 as Range<UInt64> { edit.add(try segments.write(Self.spans(from: seal * 20, count: 20))) }
    try manifest.commit(edit)
    // A row of a kilobyte, ten to a segment, where a thousand small rows would fit.
    var policy = CompactionPolicy(segmentRowCount: 1000)
    policy.segmentWeight = 15_000
    let compactor = Compactor(
      manifest: manifest, files: segments, policy: policy,
      exchange: SegmentExchange(manifest: manifest, files: segments) { _, _, _ in })
    var mergeCount = 0
    while mergeCount < 10 {
      let inputs = compactor.nextInputs()
      if inputs.isEmpty { break }
      let result = try compactor.merge(inputs, level: CompactionPolicy.mergedLevel, parallel: SegmentWriter.serial)
      #expect(result.outputCount > 6, "the limit on weight cuts")
      mergeCount += 1
    }
    #expect(mergeCount == 1)
    let rows = manifest.current.files(of: .segment).reduce(0) { $0 + $1.rowCount }
    #expect(rows == 120)
  }

  /// Merges six segments of twenty spans with a text each, where the output holds so many.
  private static func merge(isOneTrace: Bool, maximumStringCount: Int) throws -> CompactionResult {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let manifest = try ManifestStore.open(
      fileSystem: files, directory: "store",
      mode: .readWrite(create: StoreSettings(storeID: StoreID(first: 1, second: 2), createdNanoseconds: 1)))
    let segments = SegmentFiles(
      fileSystem: files, directory: "store", manifest: manifest, cache: BlockCache(maximumByteCount: 1 << 20))
    var edit = ManifestEdit()
    for seal in 0..<6 as Range<UInt64> {
      edit.add(try segments.write(spans(from: seal * 20, count: 20, trace: isOneTrace ? 1 : nil)))
    }
    try manifest.commit(edit)
    var policy = CompactionPolicy()
    policy.maximumStringCount = maximumStringCount
    let compactor = Compactor(
      manifest: manifest, files: segments, policy: policy,
      exchange: SegmentExchange(manifest: manifest, files: segments) { _, _, _ in })
    defer { #expect(manifest.current.files(of: .segment).reduce(0) { $0 + $1.rowCount } == 120) }
    return try compactor.merge(
      compactor.allInputs(), level: CompactionPolicy.fullLevel, parallel: SegmentWriter.serial)
  }

  @Test func `segments are cut before they hold more texts than a table can`() throws {
    let whole = try Self.merge(isOneTrace: false, maximumStringCount: 1 << 20)
    #expect(whole.outputCount == 1 && whole.recordCount == 120)
    // A quarter of them is what one trace may find taken.
    let cut = try Self.merge(isOneTrace: false, maximumStringCount: 100)
    #expect(cut.outputCount >= 5 && cut.recordCount == 120)
  }

  @Test func `a trace with more texts than a table can hold is not merged, and nothing changes`() throws {
    let error = #expect(throws: TracestoreError.self) {
      _ = try Self.merge(isOneTrace: true, maximumStringCount: 100)
    }
    #expect(error?.code == .limitExceeded)
  }

  private static func spans(from first: UInt64, count: UInt64, trace: UInt64? = nil) -> SpanTable {
    let builder = SpanTableBuilder()
    for number in first..<first + count {
      let text = String(repeating: "\(number) ", count: 250)
      let span = SpanRecord(
        traceID: TraceID(high: 1, low: trace ?? number + 1), spanID: SpanID(number + 1), name: "large", kind: .server,
        start: Timestamp(nanoseconds: number * 1_000_000), end: Timestamp(nanoseconds: number * 1_000_000 + 5),
        attributes: [Attribute("text", .string(text))])
      builder.append(resource: Resource(), scope: InstrumentationScope(), span: span)
    }
    return builder.table
  }
}

extension SegmentFiles {
  fileprivate func write(_ table: SpanTable) throws -> ManifestFile {
    try write(
      table.view(rowCount: table.rowCount), rows: (0..<UInt32(table.rowCount)).map { $0 }, partialRows: [],
      parallel: SegmentWriter.serial)
  }
}

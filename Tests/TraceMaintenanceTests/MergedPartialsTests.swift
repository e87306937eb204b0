import Testing
import TraceColumns
import TraceFiles
import TraceManifest
import TraceMerge
import TraceModel
import TraceSegment

@testable import TraceMaintenance

/// What a merge makes of partial records, and how many of them it holds.
@Suite struct MergedPartialsTests {
  /// Update `sequence` of an open span, three spans to a trace. Updates with a key of their own contribute.
  private static func record(_ span: UInt64, sequence: Int64, key: String = "step") -> PlainUpdates.Record {
    PlainUpdates.Record(
      resource: Resource(attributes: [Attribute("service.name", "worker")]), scope: InstrumentationScope(),
      span: SpanRecord(
        traceID: TraceID(high: 1, low: span / 3 &* 0x9e37_79b9_7f4a_7c15 | 1), spanID: SpanID(span + 1), name: "job",
        start: Timestamp(nanoseconds: 1_000_000_000 + span * 1_000_000),
        attributes: [
          Attribute("tracestore.sequence", .int(sequence)),
          Attribute(key, .string(String(repeating: "\(span).\(sequence) ", count: 20))),
        ]), isPartial: true)
  }

  @Test func `records that say nothing beside a newer one never come into the table`() throws {
    var output = MergeOutput(maximumStringCount: 1 << 20)
    for span in 0..<20 as Range<UInt64> {
      output.takeUpPartials((0..<50).map { Self.record(span, sequence: $0) })
      output.endTrace()
    }
    #expect(output.table.rowCount == 20 && output.rows.partials.count == 20)
    #expect(output.droppedCount == 20 * 49)
    let view = output.table.view(rowCount: 20)
    for row in 0..<20 { #expect(try view.record(row) == Self.record(UInt64(row), sequence: 49).span) }
    // Nor do their texts.
    #expect(output.table.strings.count < 20 + 20)
  }

  @Test func `a record that stands in two segments comes into the table once, with all that contribute`() throws {
    var output = MergeOutput(maximumStringCount: 1 << 20)
    let own = [Self.record(1, sequence: 1, key: "a"), Self.record(1, sequence: 2, key: "b")]
    output.takeUpPartials(own + own.reversed())
    #expect(output.table.rowCount == 2 && output.droppedCount == 2)
  }

  /// The files that a full compaction makes of updates in six segments, with ended spans between them.
  private static func merge(maximumUnpackedByteCount: Int) throws -> [ManifestFile] {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let manifest = try ManifestStore.open(
      fileSystem: files, directory: "store",
      mode: .readWrite(create: StoreSettings(storeID: StoreID(first: 1, second: 2), createdNanoseconds: 1)))
    let segments = SegmentFiles(
      fileSystem: files, directory: "store", manifest: manifest, cache: BlockCache(maximumByteCount: 1 << 20))
    var edit = ManifestEdit()
    for seal in 0..<6 as Range<Int64> {
      let builder = SpanTableBuilder()
      for span in 0..<240 as Range<UInt64> where span % 7 != UInt64(seal) {
        let record = record(span, sequence: seal, key: span % 5 == 0 ? "step \(seal)" : "step")
        builder.append(resource: record.resource, scope: record.scope, span: record.span, isPartial: true)
      }
      let partialCount = UInt32(builder.table.rowCount)
      for number in 0..<60 as Range<UInt64> where number % 6 == UInt64(seal) {
        let open = record(4 * number, sequence: 0)
        var span = open.span
        (span.traceID, span.attributes) = (TraceID(high: 2, low: number), [])
        span.end = Timestamp(nanoseconds: span.start.nanoseconds + 1)
        builder.append(resource: open.resource, scope: open.scope, span: span, isPartial: false)
      }
      let view = builder.table.view(rowCount: builder.table.rowCount)
      edit.add(
        try segments.write(
          view, rows: Array(partialCount..<UInt32(builder.table.rowCount)), partialRows: Array(0..<partialCount),
          parallel: SegmentWriter.serial))
    }
    try manifest.commit(edit)
    var policy = CompactionPolicy(segmentRowCount: 200)
    policy.maximumUnpackedByteCount = maximumUnpackedByteCount
    let compactor = Compactor(
      manifest: manifest, files: segments, policy: policy,
      exchange: SegmentExchange(manifest: manifest, files: segments) { _, _, _ in })
    _ = try compactor.merge(
      compactor.allInputs(), level: CompactionPolicy.fullLevel, parallel: SegmentWriter.serial)
    return Array(manifest.current.files(of: .segment))
  }

  @Test func `files do not depend on how many records are read ahead`() throws {
    let whole = try Self.merge(maximumUnpackedByteCount: 1 << 20)
    #expect(whole.reduce(0) { $0 + $1.rowCount } == 60)
    // Every fifth span has an update a segment that contributes, the others one in all.
    #expect(whole.reduce(0) { $0 + $1.partialRecordCount } == 192 + 48 * 6 - (0..<48).count { $0 * 5 % 7 < 6 })
    #expect(whole.count > 1)
    for maximumByteCount in [1, 500, 20_000] {
      let cut = try Self.merge(maximumUnpackedByteCount: maximumByteCount)
      #expect(cut.map(\.footerHash) == whole.map(\.footerHash), "\(maximumByteCount) bytes")
    }
  }
}

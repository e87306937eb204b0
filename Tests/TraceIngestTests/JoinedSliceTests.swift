import Testing
import TraceColumns
import TraceFiles
import TraceModel
import TraceOTLP
import TraceSegment
import TraceSource

@testable import TraceIngest

/// Spans that are joined when they are looked at: what is kept of a join is of no other moment and forgets nothing.
@Suite struct JoinedSliceTests {
  private static let count = 10 as UInt64

  private static func key(_ span: UInt64) -> SpanKey { SpanKey(trace: TraceID(high: 1, low: span + 1), span: 7) }

  private static func start(_ span: UInt64) -> UInt64 { 1_000_000 + span * 1_000 }

  private static func update(_ span: UInt64, sequence: Int64, padding: Int = 0) -> SpanRecord {
    SpanRecord(
      traceID: key(span).trace, spanID: SpanID(7), name: "job", start: Timestamp(nanoseconds: start(span)),
      attributes: [
        Attribute("tracestore.sequence", .int(sequence)),
        // A key of its own, so that every update contributes.
        Attribute("step.\(sequence)", .string(String(repeating: "x", count: padding) + "\(sequence)")),
      ])
  }

  private static func append(_ spans: [SpanRecord], to memtable: Memtable) throws {
    let request = OTLP.encode(TraceData(resourceSpans: [ResourceSpans(scopeSpans: [ScopeSpans(spans: spans)])]))
    let batch = SpanBatch()
    try request.withUnsafeBytes { bytes in
      try OTLPBatchDecoder.decode(bytes, into: batch)
      memtable.publish(try memtable.append(batch, arrivalNanoseconds: 1))
    }
  }

  /// A segment of two updates of each span, and its bytes.
  private static func segment(
    _ spans: Range<UInt64>, number: UInt64, in files: SimulatedFileSystem
  ) throws -> (segment: Segment, path: String, bytes: [UInt8]) {
    let builder = SpanTableBuilder()
    for span in spans {
      for sequence in 0..<2 as Range<Int64> {
        builder.append(
          resource: Resource(), scope: InstrumentationScope(), span: update(span, sequence: sequence), isPartial: true)
      }
    }
    let path = "segment-\(number)"
    let file = try files.open(path, .create)
    _ = try SegmentWriter.write(
      builder.table.view(rowCount: builder.table.rowCount), rows: [],
      partialRows: (0..<UInt32(builder.table.rowCount)).map { $0 }, to: file)
    file.close()
    let segment = try Segment.open(
      file: files.open(path, .read), number: number, path: path, cache: BlockCache(maximumByteCount: 0))
    return (segment, path, try files.contents(ofFile: path, maximumByteCount: 1 << 20))
  }

  /// Of all spans, as a search lists them.
  private static func slice(_ number: UInt64 = 1) -> JoinedSlice {
    var bounds = StripeBounds()
    for span in 0..<count { bounds.include(start: start(span), end: .max) }
    bounds.minimumDuration = 0
    return JoinedSlice(
      number: number, keys: (0..<count).map(key), height: 2, recordByteCount: 1_000, bounds: bounds)
  }

  @Test func `a join that lacks what is damaged narrows no bounds`() throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let near = try Self.segment(0..<5, number: 1, in: files)
    let far = try Self.segment(5..<Self.count, number: 2, in: files)
    let sources = OverlaySources(memtables: [], segments: [near.segment, far.segment])
    let (slice, none) = (Self.slice(), RowMask(count: Int(Self.count)))
    let damaged = far.bytes.indices.map { $0 > 64 && $0 < far.bytes.count - 300 ? far.bytes[$0] ^ 0xff : far.bytes[$0] }
    try files.overwrite(far.path, with: damaged)
    let cut = try slice.joined(sources, superseded: none, BlockCache(maximumByteCount: 1 << 20))
    #expect(cut.stripe.rowCount == 5 && cut.damage.contains { $0.contains(far.path) }, "\(cut.damage)")
    // The next search has to come by again, to find the spans or to name what it lacks.
    #expect(slice.bounds.maximumStart == Self.start(Self.count - 1))

    try files.overwrite(far.path, with: far.bytes)
    let whole = try slice.joined(sources, superseded: none, BlockCache(maximumByteCount: 1 << 20))
    #expect(whole.stripe.rowCount == Int(Self.count) && whole.damage.isEmpty, "\(whole.damage)")
    #expect(slice.bounds.maximumEnd < .max && slice.bounds.maximumEnd == whole.stripe.bounds.maximumEnd)
  }

  @Test func `a search takes no join of a later moment, and a later one may take its own`() throws {
    let memtable = Memtable(endZeroMeansOpen: true)
    for sequence in 0..<2 as Range<Int64> {
      try Self.append((0..<Self.count).map { Self.update($0, sequence: sequence) }, to: memtable)
    }
    let older = OverlaySources(memtables: [memtable.source()], segments: [])
    try Self.append([Self.update(3, sequence: 2)], to: memtable)
    let newer = OverlaySources(memtables: [memtable.source()], segments: [])
    let none = RowMask(count: Int(Self.count))
    var superseded = none
    superseded.set(3)
    func attributeCounts(_ joined: JoinedSpans) throws -> [Int] {
      try joined.stripe.records(Array(0..<joined.stripe.rowCount)).map(\.span.attributes.count)
    }
    let old = [Int](repeating: 3, count: Int(Self.count))

    let cache = BlockCache(maximumByteCount: 1 << 20)
    let slice = Self.slice()
    let later = try slice.joined(newer, superseded: superseded, cache)
    #expect(cache.holds(slice.cacheKey))
    #expect(try attributeCounts(slice.joined(older, superseded: none, cache)) == old)
    #expect(try slice.joined(newer, superseded: superseded, cache) === later)

    let other = Self.slice(2)
    let earlier = try other.joined(older, superseded: none, cache)
    #expect(try attributeCounts(earlier) == old)
    #expect(try other.joined(newer, superseded: superseded, cache) === earlier)
  }

  @Test(arguments: [false, true])
  func `slices of large records hold fewer spans`(isSealed: Bool) throws {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let memtable = Memtable(endZeroMeansOpen: true)
    let builder = SpanTableBuilder()
    for sequence in 0..<2 as Range<Int64> {
      let records = (0..<64).map { Self.update($0, sequence: sequence, padding: 200_000) }
      try Self.append(records, to: memtable)
      for record in records {
        builder.append(resource: Resource(), scope: InstrumentationScope(), span: record, isPartial: true)
      }
    }
    var sources = OverlaySources(memtables: [memtable.source()], segments: [])
    let cache = BlockCache(maximumByteCount: 1 << 26)
    if isSealed {
      let file = try files.open("segment", .create)
      _ = try SegmentWriter.write(
        builder.table.view(rowCount: builder.table.rowCount), rows: [],
        partialRows: (0..<UInt32(builder.table.rowCount)).map { $0 }, to: file)
      sources = OverlaySources(
        memtables: [],
        segments: [try Segment.open(file: files.open("segment", .read), number: 1, path: "segment", cache: cache)])
    }
    var state = OverlayState(cache: cache, maximumSliceKeyCount: 1 << 10)
    state.update(sources, expiryCount: nil)
    let joined = try #require(state.spans(sources, JoinDamage()).last)
    // Two records of 200 kB a span, ten spans to 4 MiB.
    #expect(joined.stripes.count == 7)
    #expect(joined.stripes.allSatisfy { $0.rowCount <= 20 })
    var found = 0
    for stripe in joined.stripes {
      var rows = RowMask(count: stripe.rowCount, filled: true)
      try stripe.filter(&rows, by: .name(Array("job".utf8)))
      found += rows.rows.count
    }
    #expect(found == 64)
  }
}

import Testing
import TraceColumns
import TraceFiles
import TraceModel
import TraceSegment
import TraceSource

/// The partial records of a segment, as the stripe that a query sees.
@Suite struct `Stripes of partial records` {
  private func records(_ seed: UInt64, _ count: Int, where isPartial: (Int) -> Bool) -> [PlacedSpan] {
    var generator = RecordGenerator(seed: seed)
    var records = generator.records(count, traceCount: 40)
    for index in records.indices { records[index].isPartial = isPartial(index) }
    return records
  }

  /// The bounds of the stripe may rule a leaf out only when no record passes.
  private func expectAgreement(
    _ stripe: PartialStripe, _ stored: [PlacedSpan], _ leaf: SpanLeaf, _ rows: RowMask, _ seed: UInt64
  ) throws {
    var expected = RowMask(count: stripe.rowCount)
    for row in rows.rows {
      let record = stored[row]
      if leaf.matches(resource: record.resource, scope: record.scope, span: record.span) { expected.set(row) }
    }
    var found = rows
    try stripe.filter(&found, by: leaf)
    #expect(found == expected, "seed \(seed), \(leaf)")
    if !expected.isEmpty { #expect(try stripe.mayMatch(leaf), "seed \(seed), \(leaf)") }
  }

  @Test(arguments: [201, 202, 203] as [UInt64])
  func `every leaf keeps the rows whose records pass, under any mask`(_ seed: UInt64) throws {
    let records = records(seed, 120) { _ in true }
    let segment = try SegmentFixture(records).open()
    let stripe = try #require(try segment.partialStripe())
    let stored = try stripe.records(Array(0..<stripe.rowCount)).map { PlacedSpan($0) }
    #expect(counted(stored) == counted(records), "seed \(seed)")
    var random = SeededRandom(seed: seed)
    for leaf in sampleLeaves() + identityLeaves(Array(records.prefix(20))) {
      var some = RowMask(count: stripe.rowCount)
      for row in 0..<stripe.rowCount where random.chance(70) { some.set(row) }
      try expectAgreement(stripe, stored, leaf, some, seed)
    }
  }

  @Test(arguments: [221, 222] as [UInt64])
  func `ids are walked from any span on, and records of spans are found, over several pages`(_ seed: UInt64) throws {
    let records = records(seed, 2_600) { _ in true }
    let stripe = try #require(try SegmentFixture(records).open().partialStripe())
    let stored = try stripe.records(Array(0..<stripe.rowCount)).map {
      SpanKey(trace: $0.span.traceID, span: $0.span.spanID.rawValue)
    }
    #expect(stored == stored.sorted() && stripe.rowCount > 2_048)
    var random = SeededRandom(seed: seed)
    let zero = SpanKey(trace: TraceID(high: 0, low: 0), span: 0)
    let absent = SpanKey(trace: TraceID(high: .max, low: .max), span: .max)
    for first in [zero, absent] + (0..<20).map({ _ in random.pick(stored) }) {
      var walked: [SpanKey] = []
      let limit = Int(random.next() % 1_500)
      try stripe.forEachKey(from: first) {
        walked.append($0)
        return walked.count <= limit
      }
      #expect(walked == Array(stored.drop { $0 < first }.prefix(limit + 1)), "seed \(seed), from \(first)")
      // Some that are here, and some that are not.
      var wanted = Set(stored.filter { _ in random.chance(1 + limit % 60) })
      for key in wanted { wanted.insert(SpanKey(trace: key.trace, span: key.span ^ 1)) }
      let keys = wanted.union([absent]).sorted()
      let found = try stripe.rows(of: keys)
      #expect(found.map(\.row) == stored.indices.filter { wanted.contains(stored[$0]) }, "seed \(seed)")
      #expect(found.allSatisfy { keys[$0.place] == stored[$0.row] }, "seed \(seed)")
      #expect(
        try stripe.starts(found.map(\.row)) == stripe.records(found.map(\.row)).map(\.span.start.nanoseconds))
    }
  }

  @Test(arguments: [5, 1])
  func `a trace has its partial rows, with finals beside them and without`(_ share: Int) throws {
    let records = records(211, 300) { $0 % share == 0 }
    let segment = try SegmentFixture(records).open()
    for trace in Set(records.map(\.span.traceID)).sorted() {
      var found: [PlacedSpan] = []
      for located in try segment.rows(of: trace) {
        found += try located.stripe.records(located.rows).map { PlacedSpan($0) }
      }
      #expect(counted(found) == counted(records.filter { $0.span.traceID == trace }), "\(trace)")
      #expect(try segment.mayHold(trace), "\(trace)")
    }
  }

  @Test(arguments: [5, 1])
  func `a trace that is not here costs no read of the partial records`(_ share: Int) throws {
    let records = records(212, 300) { $0 % share == 0 }
    let fixture = try SegmentFixture(records)
    let cache = BlockCache(maximumByteCount: 1 << 26)
    let segment = try fixture.open(cache: cache)
    for trace in Set(records.map(\.span.traceID)) { _ = try segment.rows(of: trace) }
    var answered = 0
    for number in 0..<400 as Range<UInt64> {
      cache.removeBlocks(ofFile: 1)
      fixture.files.reset()
      #expect(try segment.rows(of: TraceID(high: 1 << 40, low: number)).isEmpty)
      if fixture.files.reset().total().readCount == 0 { answered += 1 }
    }
    #expect(answered > 380)
  }

  @Test func `lists of names hold what only partial records have`() throws {
    let records = records(213, 200) { $0 % 3 == 0 }
    let segment = try SegmentFixture(records).open()
    var found: Set<SpanEnvelope> = []
    try segment.forEachEnvelope { found.insert($0) }
    #expect(found == Set(records.flatMap { [SpanEnvelope.resource($0.resource), .scope($0.scope)] }))
    let stripe = try #require(try segment.partialStripe())
    var some = RowMask(count: stripe.rowCount)
    for row in stride(from: 0, to: stripe.rowCount, by: 7) { some.set(row) }
    found = []
    try stripe.forEachEnvelope(in: some) { found.insert($0) }
    let expected = try stripe.records(some.rows)
    #expect(found == Set(expected.flatMap { [SpanEnvelope.resource($0.resource), .scope($0.scope)] }))
  }
}

import Testing
import TraceColumns
import TraceMerge
import TraceSegment

/// What a merge reads: whole segments, trace by trace, into tables.
@Suite struct TransferTests {
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `records come over whole into one table after the other and weigh there what they weighed on the way`(
    seed: UInt64
  ) throws {
    var generator = RecordGenerator(seed: seed)
    let records = (0..<400).map { index in
      var record = generator.record(traceCount: 60)
      record.isPartial = index % 9 == 0
      return record
    }
    let first = SpanTable()
    let transfer = try SegmentTransfer(try SegmentFixture(records).open(), to: first)
    for table in [first, SpanTable()] {
      if table !== first { transfer.begin(table) }
      let weights = try transfer.appendAll()
      let view = table.view(rowCount: table.rowCount)
      let found = try (0..<table.rowCount).map { row in
        let number = view.rows[row]
        return PlacedSpan(
          view.resources[Int(number.resource)].resource, view.scopes[Int(number.scope)].scope, try view.record(row),
          isPartial: number.marks.contains(.isPartial))
      }
      // Without the records in the message, which would be a megabyte.
      let areWhole = counted(found) == counted(records)
      #expect(areWhole, "seed \(seed)")
      #expect(weights.count == records.count { !$0.isPartial }, "seed \(seed)")
      #expect(weights == weights.indices.map { RowWeight.of(view.rows[$0], in: view) }, "seed \(seed)")
    }
  }

  @Test func `partial records are unpacked when they are no more than a limit, and not at all when they are`() throws {
    var generator = RecordGenerator(seed: 4)
    let records = (0..<3_000).map { _ in
      var record = generator.record(traceCount: 900)
      record.isPartial = true
      return record
    }
    let transfer = try SegmentTransfer(try SegmentFixture(records).open(), to: SpanTable())
    var fragments: [TraceFragment] = []
    try transfer.forEachFragment { fragments.append($0) }
    let all = try #require(try transfer.unpackPartials(of: fragments, maximumByteCount: .max))
    #expect(try transfer.unpackPartials(of: fragments, maximumByteCount: all) == all)
    #expect(try transfer.unpackPartials(of: fragments, maximumByteCount: all - 1) == nil)
    let (even, odd) = (
      fragments.indices.filter { $0 % 2 == 0 }.map { fragments[$0] },
      fragments.indices.filter { $0 % 2 == 1 }.map { fragments[$0] }
    )
    let parts = try [even, odd].map { try #require(try transfer.unpackPartials(of: $0, maximumByteCount: all - 1)) }
    #expect(parts.reduce(0, +) == all)
  }
}

extension SegmentTransfer {
  /// Appends finals, then partial records; gives back what the finals weigh.
  func appendAll() throws -> [Int] {
    var fragments: [TraceFragment] = []
    try forEachFragment { fragments.append($0) }
    var weights: [Int] = []
    for fragment in fragments {
      guard let stripe = fragment.stripe else { continue }
      try append(ordinal: fragment.place, ofStripe: stripe, weights: &weights)
    }
    let partials = fragments.filter { $0.stripe == nil }
    _ = try unpackPartials(of: partials, maximumByteCount: .max)
    let builder = SpanTableBuilder(table: table)
    for row in partials.flatMap(\.rows) {
      let record = try partialRecord(at: row)
      builder.append(resource: record.resource, scope: record.scope, span: record.span, isPartial: true)
    }
    return weights
  }
}

import Testing
import TraceColumns
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
      var weights: [Int] = []
      for fragment in try transfer.fragments() { try transfer.append(fragment, weights: &weights) }
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
      #expect(weights == (0..<table.rowCount).map { RowWeight.of(table.rows[$0], in: table) }, "seed \(seed)")
    }
  }
}

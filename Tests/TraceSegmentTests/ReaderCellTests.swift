import Testing
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

/// What stripes say of their calls by minute.
@Suite struct ReaderCellTests {
  private struct CellKey: Hashable {
    var service: [UInt8]
    var name: [UInt8]
    var kind: Int32
    var minute: UInt64
  }

  private struct Cell: Equatable {
    var errorCount = 0
    var durations: [UInt64] = []
  }

  private static let epoch: UInt64 = 1_700_000_000_000_000_000

  /// Records within ten minutes, some of which end before they start.
  private static func records(_ seed: UInt64) -> [PlacedSpan] {
    var generator = RecordGenerator(seed: seed)
    var records = generator.records(400, traceCount: 120)
    for index in records.indices {
      let start = epoch + UInt64(generator.random.below(600_000)) * 1_000_000
      records[index].span.start = Timestamp(nanoseconds: start)
      let end = generator.random.chance(5) ? start - 7 : start + UInt64(generator.random.below(1_000_000))
      records[index].span.end = Timestamp(nanoseconds: end)
    }
    return records
  }

  private func recount(_ stripe: any SpanStripe) throws -> [CellKey: Cell] {
    var cells: [CellKey: Cell] = [:]
    for record in try stripe.records(Array(0..<stripe.rowCount)) {
      let span = record.span
      let key = CellKey(
        service: Array(record.resource.serviceName.utf8), name: Array(span.name.utf8), kind: span.kind.rawValue,
        minute: span.start.nanoseconds / CallCells.nanoseconds)
      let (start, end) = (span.start.nanoseconds, span.end.nanoseconds)
      cells[key, default: Cell()].durations.append(end > start ? end - start : 0)
      if span.status?.code == .error { cells[key]?.errorCount += 1 }
    }
    return cells.mapValues { Cell(errorCount: $0.errorCount, durations: $0.durations.sorted()) }
  }

  private func told(_ measured: any MeasuredCells, of stripe: any SpanStripe) throws -> [CellKey: Cell] {
    let cells = measured.cells
    var told: [CellKey: Cell] = [:]
    for (index, run) in cells.runs.enumerated() {
      for cell in cells.cells(of: index) {
        let key = CellKey(
          service: try stripe.text(run.service), name: try stripe.text(run.name), kind: run.kind,
          minute: cells.minute(cell))
        let rows = cells.rows(of: cell..<(cell + 1))
        #expect(told[key] == nil, "a cell comes twice")
        #expect(Int(cells.callCount(cell)) == rows.count)
        told[key] = Cell(
          errorCount: Int(cells.errorCount(cell)), durations: try durations(of: [rows], in: measured).sorted())
      }
    }
    return told
  }

  private func durations(of ranges: [Range<Int>], in measured: any MeasuredCells) throws -> [UInt64] {
    var durations = [UInt64](repeating: 99, count: ranges.reduce(0) { $0 + $1.count })
    try durations.withUnsafeMutableBufferPointer { try measured.readDurations(of: ranges, into: $0) }
    return durations
  }

  private func check(_ segment: Segment, _ seed: UInt64) throws {
    for stripe in segment.stripes {
      let measured = try #require(try stripe.callCells())
      #expect(try told(measured, of: stripe) == recount(stripe), "seed \(seed)")
      // Asked for at once, in two ranges of which the second begins inside a page.
      let rows = [0..<(stripe.rowCount / 3), (stripe.rowCount / 2)..<stripe.rowCount]
      #expect(
        try durations(of: rows, in: measured) == rows.flatMap { try durations(of: [$0], in: measured) }, "seed \(seed)")
    }
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `cells count what the records of a stripe say`(seed: UInt64) throws {
    try check(
      SegmentFixture(Self.records(seed), options: SegmentOptions(stripeRowCount: [64, 4096][Int(seed % 2)])).open(),
      seed)
  }

  @Test func `runs and minutes go on from page to page`() throws {
    var records: [PlacedSpan] = []
    for seed in 11..<17 as Range<UInt64> {
      records += Self.records(seed).map { record in
        var record = record
        record.span.name = seed % 2 == 0 ? "get" : "put"
        record.span.kind = .server
        record.span.start = Timestamp(nanoseconds: Self.epoch + record.span.start.nanoseconds % 90_000_000_000)
        record.span.end = Timestamp(nanoseconds: record.span.start.nanoseconds + seed)
        return record
      }
    }
    let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096)).open()
    #expect(segment.stripes.contains { $0.rowCount > 2 * IntegerPage.maximumCount })
    try check(segment, 11)
  }

  @Test func `a stripe whose durations cannot be told from inverted ones has no cells`() throws {
    var records = Self.records(7)
    records[0].span.start = Timestamp(nanoseconds: 0)
    records[0].span.end = Timestamp(nanoseconds: .max)
    let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096)).open()
    #expect(try segment.stripes[0].callCells() == nil)
  }

  @Test func `a window fits cells when it cuts no minute that has calls`() {
    var bounds = StripeBounds()
    let minute = CallCells.nanoseconds
    bounds.minimumStart = 10 * minute + 5
    bounds.maximumStart = 20 * minute + 5
    for (low, high, fits) in [
      (10 * minute, 21 * minute - 1, true), (0, UInt64.max, true), (10 * minute + 5, 20 * minute + 5, true),
      (10 * minute + 6, 21 * minute - 1, false), (10 * minute, 20 * minute + 4, false),
      (12 * minute, 13 * minute - 1, true), (12 * minute, 13 * minute, false),
    ] { #expect(CallCells.decide(low...high, for: bounds) == fits, "\(low)...\(high)") }
  }
}

import Testing
import TraceAggregate
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

/// What groups of stripes say of their calls by minute.
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

  private func recount(_ group: CallGroup) throws -> [CellKey: Cell] {
    var cells: [CellKey: Cell] = [:]
    for stripe in group.stripes {
      for record in try stripe.records(Array(0..<stripe.rowCount)) {
        let span = record.span
        let key = CellKey(
          service: Array(record.resource.serviceName.utf8), name: Array(span.name.utf8), kind: span.kind.rawValue,
          minute: span.start.nanoseconds / CallCells.nanoseconds)
        let (start, end) = (span.start.nanoseconds, span.end.nanoseconds)
        cells[key, default: Cell()].durations.append(end > start ? end - start : 0)
        if span.status?.code == .error { cells[key]?.errorCount += 1 }
      }
    }
    return cells.mapValues { Cell(errorCount: $0.errorCount, durations: $0.durations.sorted()) }
  }

  private func told(_ cells: CallCells) throws -> [CellKey: Cell] {
    var told: [CellKey: Cell] = [:]
    for (index, run) in cells.runs.enumerated() {
      let labels = cells.labels(of: run)
      #expect(run.key == CallKey(of: labels))
      let calls = cells.calls(of: index)
      for place in 0..<calls.count {
        let key = CellKey(
          service: labels[0], name: labels[1], kind: run.kind, minute: UInt64(calls.cells[place].minute))
        #expect(told[key] == nil, "a cell comes twice")
        guard case .each(let durations) = calls.durations(at: place) else {
          Issue.record("durations are only counted")
          continue
        }
        told[key] = Cell(errorCount: Int(calls.cells[place].errorCount), durations: words(durations))
      }
    }
    return told
  }

  private func words(_ durations: PackedDurations) -> [UInt64] {
    var words = [UInt64](repeating: 99, count: Int(durations.count))
    words.withUnsafeMutableBufferPointer { words in
      if let first = words.baseAddress { durations.unpack(0..<words.count, into: first) }
    }
    return words
  }

  private func check(
    _ segment: Segment, _ seed: UInt64, maximumRowCount: Int = CallGroup.maximumRowCount
  ) throws {
    let groups = try segment.callGroups(maximumRowCount: maximumRowCount)
    #expect(groups.allSatisfy { $0.rowCount <= maximumRowCount || $0.stripes.count == 1 })
    #expect(groups.flatMap(\.stripes).map(\.index) == Array(try segment.spanStripes().indices), "seed \(seed)")
    for group in groups {
      let cells = try group.cells()
      #expect(try told(cells) == recount(group), "seed \(seed)")
    }
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `cells count what the records of a stripe say`(seed: UInt64) throws {
    try check(
      SegmentFixture(Self.records(seed), options: SegmentOptions(stripeRowCount: [64, 4096][Int(seed % 2)])).open(),
      seed)
  }

  @Test func `a segment has as many groups as its rows take`() throws {
    let fixture = try SegmentFixture(Self.records(9))
    let all = try fixture.open().callGroups()
    #expect(all.count == 1)
    try check(fixture.open(), 9, maximumRowCount: 150)
    #expect(try fixture.open().callGroups(maximumRowCount: 150).count > 2)
    // Stripes of more rows than a group has.
    let single = try fixture.open().callGroups(maximumRowCount: 10)
    #expect(single.count == all[0].stripes.count)
    #expect(single.allSatisfy { !$0.fitsCells || $0.rowCount <= 10 })
  }

  @Test func `calls whose names do not repeat have no cells`() throws {
    var records = Self.records(10)
    for index in records.indices {
      records[index].resource = records[0].resource
      records[index].span.kind = .server
      records[index].span.name = "GET /user/\(index % 10)"
    }
    let options = SegmentOptions(stripeRowCount: 4096)
    let few = try SegmentFixture(records, options: options).open().callGroups()
    #expect(few.allSatisfy { $0.fitsCells })
    #expect(few[0].heldCells == nil)
    let cells = try few[0].cells()
    #expect(few[0].heldCells != nil)
    #expect(cells.runs.count == 10)
    for index in records.indices { records[index].span.name = "GET /user/\(index)" }
    let many = try SegmentFixture(records, options: options).open().callGroups()
    #expect(!many.isEmpty && !many.contains { $0.fitsCells })
    #expect(many[0].cellByteCount > 5 * few[0].cellByteCount)
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

  @Test func `times as far apart as there are have cells`() throws {
    var records = Self.records(7)
    records[0].span.start = Timestamp(nanoseconds: 0)
    records[0].span.end = .maximum
    records[1].span.start = .maximum
    records[1].span.end = .maximum
    records[2].span.start = .maximum
    records[2].span.end = Timestamp(nanoseconds: 0)
    try check(SegmentFixture(records, options: SegmentOptions(stripeRowCount: 64)).open(), 7)
  }

  @Test func `clocks that count milliseconds take fewer bits`() throws {
    var records = Self.records(8)
    func byteCount(_ unit: UInt64) throws -> Int {
      for index in records.indices {
        let start = records[index].span.start.nanoseconds
        records[index].span.end = Timestamp(nanoseconds: start + UInt64(index) * unit)
      }
      let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096)).open()
      try check(segment, 8)
      return try segment.callGroups().reduce(0) { $0 + (try $1.cells().residentByteCount) }
    }
    #expect(try byteCount(1) == byteCount(1_000))
    #expect(try byteCount(1) == byteCount(1_000_000))
    #expect(try byteCount(1) < byteCount(999))
  }
}

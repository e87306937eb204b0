import Testing
import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP
import TraceSegment
import TraceSource

@Suite struct WriterTests {
  private func counted(_ spans: [WrittenSpan]) -> [WrittenSpan: Int] {
    spans.reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  private func decoded(_ reader: PlainReader) throws -> [WrittenSpan] {
    try reader.index.stripes.indices.flatMap { try reader.stripe($0).spans }
  }

  @Test(arguments: 1...30 as ClosedRange<UInt64>)
  func whatIsWrittenComesBackFieldByField(seed: UInt64) throws {
    var random = WriterRecords(seed: seed)
    let records = random.records(random.below(400) + 1, traceSpanCount: seed % 5 == 0 ? 90 : 12)
    let options = SegmentOptions(stripeRowCount: random.pick([1, 7, 64, 32_768]))
    let segment = try WrittenSegment(records, options: options)
    let reader = try PlainReader(segment.bytes)
    #expect(counted(try decoded(reader)) == counted(records), "seed \(seed)")
    #expect(reader.footer.totals == segment.statistics.totals)
    #expect(reader.footer.totals.rowCount == UInt64(records.count))
    #expect(segment.statistics.byteCount == UInt64(segment.bytes.count))
    #expect(segment.statistics.columns.reduce(0) { $0 + $1.byteCount } == segment.statistics.byteCount)
  }

  @Test func aSegmentWithoutRowsIsAFileWithoutStripes() throws {
    let segment = try WrittenSegment([])
    let reader = try PlainReader(segment.bytes)
    #expect(reader.index.stripes.isEmpty)
    #expect(reader.footer.totals == SegmentTotals())
    #expect(try reader.integers(.operations, 0).isEmpty)
  }

  @Test func bytesDoNotDependOnThreadsOrOnTheOrderOfAppending() throws {
    var random = WriterRecords(seed: 77)
    var records = random.records(600)
    let options = SegmentOptions(stripeRowCount: 50)
    let expected = try WrittenSegment(records, options: options).bytes
    let backwards: SegmentParallelism = { count, body in for index in (0..<count).reversed() { body(index) } }
    #expect(try WrittenSegment(records, options: options, parallel: backwards).bytes == expected)
    // Records that are equal in the order of rows keep the order they came in: there are none with equal ids here.
    var seen: Set<[UInt64]> = []
    records = records.filter {
      seen.insert([$0.span.traceID.high, $0.span.traceID.low, $0.span.spanID.rawValue]).inserted
    }
    let unique = try WrittenSegment(records, options: options).bytes
    #expect(try WrittenSegment(records.reversed(), options: options).bytes == unique)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func rowsAndTracesStandInTheirOrder(seed: UInt64) throws {
    var random = WriterRecords(seed: seed)
    let records = random.records(500, traceSpanCount: 30)
    let reader = try PlainReader(try WrittenSegment(records, options: SegmentOptions(stripeRowCount: 100)).bytes)
    for number in reader.index.stripes.indices {
      let stripe = try reader.stripe(number)
      #expect(stripe.spans.count <= 100)
      #expect(stripe.summary.offset % 64 == 0)
      let keys = stripe.spans.map { placed in
        [
          [UInt64(placed.resource.serviceName.utf8.count)] + placed.resource.serviceName.utf8.map { UInt64($0) },
          [UInt64(placed.span.name.utf8.count)] + placed.span.name.utf8.map { UInt64($0) },
          [UInt64(bitPattern: Int64(placed.span.kind.rawValue)) ^ 1 << 63, placed.span.start.nanoseconds],
          [placed.span.traceID.high, placed.span.traceID.low, placed.span.spanID.rawValue],
        ].flatMap { $0 }
      }
      for (left, right) in zip(keys, keys.dropFirst()) { #expect(!right.lexicographicallyPrecedes(left)) }
      var starts: [TraceID: UInt64] = [:]
      for placed in stripe.spans {
        starts[placed.span.traceID] = min(starts[placed.span.traceID] ?? .max, placed.span.start.nanoseconds)
      }
      let order = stripe.traces.map { (starts[$0] ?? 0, $0) }
      for (left, right) in zip(order, order.dropFirst()) { #expect(left < right) }
    }
  }

  @Test func aTraceThatIsTooLargeIsCutAlongTimeAndOthersStayWhole() throws {
    var random = WriterRecords(seed: 5)
    let large = TraceID(high: 1, low: 2)
    var records = random.records(30)
    for _ in 0..<25 {
      records.append(
        WrittenSpan(resource: Resource(), scope: InstrumentationScope(), span: random.span(large, parents: [])))
    }
    let reader = try PlainReader(try WrittenSegment(records, options: SegmentOptions(stripeRowCount: 12)).bytes)
    var stripesOfTraces: [TraceID: Int] = [:]
    var lastStart: UInt64 = 0
    for number in reader.index.stripes.indices {
      let stripe = try reader.stripe(number)
      for (ordinal, trace) in stripe.traces.enumerated() {
        stripesOfTraces[trace, default: 0] += 1
        #expect((stripe.integers[ChunkID.traceFlags]?[ordinal] ?? 0) == (trace == large ? 1 : 0))
      }
      guard stripe.traces.contains(large) else { continue }
      #expect(stripe.traces == [large])
      #expect(stripe.summary.bounds.minimumStart >= lastStart)
      lastStart = stripe.summary.bounds.maximumStart
    }
    for (trace, count) in stripesOfTraces { #expect(count == (trace == large ? 3 : 1)) }
  }

  @Test func longTextClosesStripesEarlyAndCutsTraces() throws {
    func record(_ trace: UInt64, _ number: Int, _ byteCount: Int) -> WrittenSpan {
      var span = SpanRecord(traceID: TraceID(high: 0, low: trace), spanID: SpanID(UInt64(number + 1)), name: "n")
      span.start = Timestamp(nanoseconds: trace * 1000 + UInt64(number))
      let text = String(repeating: "x", count: byteCount - 10) + String(1_000_000_000 + number)
      span.events = [SpanEvent(name: "e", attributes: [Attribute("long", .string(text))])]
      return WrittenSpan(resource: Resource(), scope: InstrumentationScope(), span: span)
    }
    func stripes(_ records: [WrittenSpan]) throws -> [[UInt64]] {
      let segment = try WrittenSegment(records, options: SegmentOptions(stripeTextByteCount: 2000))
      let reader = try PlainReader(segment.bytes)
      #expect(counted(try decoded(reader)) == counted(records))
      return try reader.index.stripes.indices.map { index in
        let stripe = try reader.stripe(index)
        let isCut = stripe.integers[ChunkID.traceFlags] != nil
        return (isCut ? [99] : []) + stripe.traces.map(\.low)
      }
    }
    // Values of 256 bytes don't count; of 500 bytes, four fit.
    #expect(try stripes((0..<20).map { record(1 + UInt64($0) / 2, $0, 256) }) == [Array(1...10)])
    #expect(try stripes((0..<10).map { record(1 + UInt64($0) / 2, $0, 500) }) == [[1, 2], [3, 4], [5]])
    #expect(try stripes((0..<10).map { record($0 < 6 ? 1 : 2, $0, 500) }) == [[99, 1], [99, 1], [2]])
    // A row that fits nowhere stands alone and is not cut.
    #expect(try stripes([record(1, 0, 300), record(2, 1, 3000), record(3, 2, 300)]) == [[1], [2], [3]])
  }

  @Test func everyTraceIsFoundThroughTheIndexAndPassesTheFilter() throws {
    var random = WriterRecords(seed: 9)
    let records = random.records(3000, traceSpanCount: 3)
    let segment = try WrittenSegment(records, options: SegmentOptions(stripeRowCount: 300), isPartial: { $0 % 50 == 0 })
    let reader = try PlainReader(segment.bytes)
    let blocksByteCount = reader.footer.section(.traceIndexBlocks)?.byteCount ?? 0
    let head = try reader.section(.traceIndex) { try TraceIndexHead($0, blocksByteCount: blocksByteCount, at: 0) }
    #expect(head.blocks.count > 1)
    let traces = try reader.index.stripes.indices.map { try reader.stripe($0).traces }
    func isFound(_ trace: TraceID) throws -> Bool {
      let key = TraceKey.indexKey(TraceKey.hash(trace))
      return try reader.section(.traceIndexBlocks) { bytes in
        for block in head.blocks[head.blocks(holding: key)] {
          var offset = Int(block.offset)
          var columns: [[UInt64]] = []
          for _ in 0..<3 {
            let page = try IntegerPage(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
            var values = [UInt64](repeating: 0, count: page.count)
            try values.withUnsafeMutableBufferPointer { try page.decode(into: $0) }
            columns.append(values)
            offset += page.byteCount
          }
          #expect(offset == Int(block.offset) + Int(block.byteCount))
          for place in columns[0].indices where columns[0][place] == key {
            if traces[Int(columns[1][place])][Int(columns[2][place])] == trace { return true }
          }
        }
        return false
      }
    }
    for trace in traces.flatMap({ $0 }) { #expect(try isFound(trace)) }
    #expect(try !isFound(TraceID(high: 3, low: 4)))
    let filter = try reader.section(.traceFilter) { bytes in
      var cursor = ByteReader(bytes)
      return try FuseFilter(&cursor)
    }
    for record in records { #expect(filter.contains(TraceKey.hash(record.span.traceID))) }
  }

  @Test func partialRecordsStandWholeAndSortedBesideTheRows() throws {
    var random = WriterRecords(seed: 21)
    let records = random.records(120)
    let segment = try WrittenSegment(records, isPartial: { $0 % 3 == 0 })
    let reader = try PlainReader(segment.bytes)
    let columns = try (0..<7).map { try reader.integers(.partialSpans, $0) }
    let spans = try reader.texts(.partialSpans, 7).map { try $0.withUnsafeBytes { try OTLP.decodeSpan($0) } }
    let stored = spans.indices.map { index in
      WrittenSpan(
        resource: reader.resources[Int(columns[3][index])], scope: reader.scopes[Int(columns[4][index])],
        span: spans[index])
    }
    #expect(counted(stored) == counted(records.enumerated().filter { $0.offset % 3 == 0 }.map(\.element)))
    for (index, span) in spans.enumerated() {
      #expect(span.traceID == TraceID(high: columns[0][index], low: columns[1][index]))
      #expect(span.spanID.rawValue == columns[2][index])
      #expect(span.start.nanoseconds == columns[5][index])
      #expect(span.end.nanoseconds == columns[6][index])
    }
    let keys = spans.map { ($0.traceID, $0.spanID) }
    for (left, right) in zip(keys, keys.dropFirst()) { #expect(left <= right) }
    #expect(reader.footer.totals.partialCount == UInt64(spans.count))
    #expect(counted(try decoded(reader)) == counted(records.enumerated().filter { $0.offset % 3 != 0 }.map(\.element)))
  }
}

import Testing
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

@Suite struct ReaderTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func `records come back as they were written`(seed: UInt64) throws {
    var generator = RecordGenerator(seed: seed)
    let records = generator.records([1, 5, 63, 64, 200, 700][Int(seed) - 1], traceCount: 40)
    for stripeRowCount in [1, 64, 4096] {
      let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: stripeRowCount))
      let segment = try fixture.open()
      #expect(counted(try segment.allRecords()) == counted(records), "seed \(seed)")
    }
  }

  @Test func `an empty segment has no rows`() throws {
    let segment = try SegmentFixture([]).open()
    #expect(try segment.allRecords().isEmpty)
    #expect(try segment.rows(of: TraceID(high: 1, low: 2)).isEmpty)
    #expect(segment.verify(deep: true).damages.isEmpty)
  }

  @Test(arguments: [11, 12, 13] as [UInt64])
  func `a trace is found with all its rows and no others`(seed: UInt64) throws {
    var generator = RecordGenerator(seed: seed)
    let records = generator.records(900, traceCount: 60)
    let segment = try SegmentFixture(records).open()
    for trace in Set(records.map(\.span.traceID)).sorted() {
      var found: [PlacedSpan] = []
      for located in try segment.rows(of: trace) {
        #expect(located.rows == located.rows.sorted())
        found += try located.stripe.records(located.rows).map { PlacedSpan($0) }
      }
      #expect(counted(found) == counted(records.filter { $0.span.traceID == trace }), "seed \(seed)")
    }
    for number in 0..<200 as Range<UInt64> {
      #expect(try segment.rows(of: TraceID(high: 99, low: number)).isEmpty)
    }
  }

  @Test func `texts of small dictionaries are the same whenever they are read`() throws {
    var generator = RecordGenerator(seed: 14)
    var random = SeededRandom(seed: 14)
    // Letters alone, and few of them twice: a dictionary of the column, not of the segment, and no template.
    let words = (0..<400).map { _ in
      String(decoding: (0..<12).map { _ in UInt8(97 + random.below(26)) }, as: UTF8.self)
    }
    let records = generator.records(1600, traceCount: 100).map { record in
      var record = record
      record.span.attributes.append(Attribute("word", .string(random.pick(words))))
      return record
    }
    let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096)).open()
    let traces = Dictionary(grouping: records, by: \.span.traceID)
    // Asked again, a small dictionary is kept.
    for _ in 0..<2 {
      for (trace, own) in traces {
        let found = try segment.rows(of: trace).flatMap { try $0.stripe.records($0.rows).map { PlacedSpan($0) } }
        #expect(counted(found) == counted(own))
      }
    }
  }

  @Test(arguments: [21, 22] as [UInt64])
  func `every leaf finds what the records say`(seed: UInt64) throws {
    var generator = RecordGenerator(seed: seed)
    var records = generator.records(260, traceCount: 50)
    for index in records.indices where index % 50 == 7 { records[index].isPartial = true }
    let segment = try SegmentFixture(records).open()
    for leaf in sampleLeaves() + identityLeaves(Array(records.prefix(20))) {
      let expected = records.filter { leaf.matches(resource: $0.resource, scope: $0.scope, span: $0.span) }
      #expect(counted(try segment.records(passing: leaf)) == counted(expected), "seed \(seed), \(leaf)")
    }
  }

  /// Small stripes: of some the bounds say much, in others times reach from the first instant to the last.
  @Test(arguments: 100..<106 as Range<UInt64>)
  func `leaves about times find what the records say, in stripes of every kind`(seed: UInt64) throws {
    var generator = RecordGenerator(seed: seed)
    let records = generator.records(150, traceCount: 30)
    let stripeRowCount = [1, 4, 16][Int(seed % 3)]
    let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: stripeRowCount)).open()
    var bounds: [UInt64] = [0, 1, .max - 1, .max]
    for record in records.prefix(12) {
      bounds += [record.span.start.nanoseconds, record.span.end.nanoseconds]
      bounds += record.span.events.prefix(2).map(\.time.nanoseconds)
    }
    var leaves: [SpanLeaf] = []
    for (index, bound) in bounds.enumerated() {
      let other = bounds[(index * 7 + 3) % bounds.count]
      for range in [bound...bound, 0...bound, bound...UInt64.max, min(bound, other)...max(bound, other)] {
        leaves += [.start(range), .end(range), .some(.event, .leaf(.time(range)))]
      }
    }
    for leaf in leaves {
      let expected = records.filter { leaf.matches(resource: $0.resource, scope: $0.scope, span: $0.span) }
      #expect(counted(try segment.records(passing: leaf)) == counted(expected), "seed \(seed), \(leaf)")
    }
  }

  @Test func `integers of few distinct values are found, and those between them are not`() throws {
    let codes: [Int64] = [200, 204, 404, 500, -1]
    let records = (0..<4000).map { index in
      var span = SpanRecord(
        traceID: TraceID(high: 0, low: UInt64(index / 10) + 1), spanID: SpanID(UInt64(index) + 1),
        start: Timestamp(nanoseconds: UInt64(index) + 1))
      // The last code stands on the last page alone.
      span.attributes = [Attribute("code", .int(index == 3990 ? 503 : codes[index * 7919 % 5]))]
      return PlacedSpan(Resource(), InstrumentationScope(), span)
    }
    let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096)).open()
    let wanted = codes + [503, 299, 0, -2, 501, .max, .min]
    // Asked twice: what the first answer has left behind must not change the second.
    for value in wanted + wanted {
      let leaf = SpanLeaf.attribute(level: .span, key: Array("code".utf8), ValueTest(exactly: .int(value)))
      let expected = records.filter { $0.span.attributes.value(of: "code") == .int(value) }
      #expect(counted(try segment.records(passing: leaf)) == counted(expected), "\(value)")
    }
    var between = ValueTest(name: "between")
    between.ints = WordRanges([NumberOrder.int(205)...NumberOrder.int(403), NumberOrder.int(501)...UInt64.max])
    let leaf = SpanLeaf.attribute(level: .span, key: Array("code".utf8), between)
    #expect(try segment.records(passing: leaf).map(\.span.spanID) == [SpanID(3991)])
  }

  @Test(arguments: [31] as [UInt64])
  func `a filter only removes rows, and the same rows under any mask`(seed: UInt64) throws {
    var generator = RecordGenerator(seed: seed)
    let segment = try SegmentFixture(
      generator.records(250, traceCount: 30), options: SegmentOptions(stripeRowCount: 4096)
    ).open()
    for leaf in sampleLeaves() {
      for stripe in segment.stripes {
        var all = RowMask(count: stripe.rowCount, filled: true)
        try stripe.filter(&all, by: leaf)
        var some = RowMask(count: stripe.rowCount)
        for row in 0..<stripe.rowCount where generator.random.chance(20) { some.set(row) }
        var expected = some
        expected.formIntersection(all)
        try stripe.filter(&some, by: leaf)
        #expect(some == expected, "seed \(seed), \(leaf)")
      }
    }
  }

  @Test func `matches, span ids and summaries agree with the records`() throws {
    var generator = RecordGenerator(seed: 41)
    var records = generator.records(400, traceCount: 30)
    for index in records.indices where index % 40 == 3 { records[index].isPartial = true }
    let segment = try SegmentFixture(records).open()
    for stripe in segment.stripes {
      var mask = RowMask(count: stripe.rowCount)
      for row in 0..<stripe.rowCount where generator.random.chance(60) { mask.set(row) }
      let rows = mask.rows
      let found = try stripe.records(rows)
      var matches: [MatchedRow] = []
      try stripe.forEachMatch(mask) { matches.append($0) }
      var newest: [NewestRow] = []
      try stripe.forEachNewest(mask) {
        newest.append($0)
        return true
      }
      #expect(newest.map(\.start) == matches.map(\.start).sorted(by: >))
      let ascending = newest.sorted { $0.row < $1.row }
      #expect(ascending.map(\.row) == rows && ascending.map(\.trace) == matches.map(\.trace))
      #expect(ascending.map(\.start) == matches.map(\.start))
      var given = 0
      try stripe.forEachNewest(mask) { _ in
        given += 1
        return given < 3
      }
      #expect(given == min(3, rows.count))
      let spanIDs = try stripe.spanIDs(rows)
      let summaries = try stripe.summaryRows(rows)
      #expect(matches.map(\.row) == rows)
      #expect(matches.map(\.trace) == found.map(\.span.traceID))
      #expect(matches.map(\.start) == found.map(\.span.start.nanoseconds))
      #expect(matches.map(\.duration) == found.map(\.span.durationNanoseconds))
      #expect(spanIDs == found.map(\.span.spanID.rawValue))
      #expect(summaries.map(\.start) == found.map(\.span.start.nanoseconds))
      #expect(summaries.map(\.end) == found.map(\.span.end.nanoseconds))
      #expect(summaries.map(\.parentSpanID) == found.map(\.span.parentSpanID?.rawValue))
      #expect(summaries.map(\.statusCode) == found.map { $0.span.status?.code.rawValue ?? 0 })
      #expect(summaries.map(\.name) == found.map(\.span.name))
      #expect(summaries.map(\.service) == found.map(\.resource.serviceName))
      #expect(summaries.map(\.isPartial) == found.map(\.isPartial))
      var bounds = StripeBounds()
      for record in try stripe.records(Array(0..<stripe.rowCount)) {
        bounds.include(start: record.span.start.nanoseconds, end: record.span.end.nanoseconds)
      }
      #expect(bounds.minimumStart == stripe.bounds.minimumStart && bounds.maximumStart == stripe.bounds.maximumStart)
      #expect(bounds.maximumEnd == stripe.bounds.maximumEnd)
      #expect(bounds.minimumDuration == stripe.bounds.minimumDuration)
      #expect(bounds.maximumDuration == stripe.bounds.maximumDuration)
    }
  }

  @Test func `rows that cannot be asked for are refused`() throws {
    var generator = RecordGenerator(seed: 42)
    let segment = try SegmentFixture(generator.records(20, traceCount: 3)).open()
    let stripe = try #require(segment.stripes.first)
    for rows in [[-1], [stripe.rowCount], [1, 1], [2, 1]] {
      #expect(throws: TracestoreError.self) { try stripe.records(rows) }
      #expect(throws: TracestoreError.self) { try stripe.spanIDs(rows) }
      #expect(throws: TracestoreError.self) { try stripe.summaryRows(rows) }
    }
    var mask = RowMask(count: stripe.rowCount + 1)
    #expect(throws: TracestoreError.self) { try stripe.filter(&mask, by: .kind(1)) }
  }
}

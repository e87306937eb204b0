import Testing
import TraceBytes
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

/// What the stripe index promises about stripes that it lets a query skip.
@Suite struct WriterSummaryTests {
  private func reader(seed: UInt64, count: Int, stripeRowCount: Int) throws -> PlainReader {
    var random = WriterRecords(seed: seed)
    let records = random.records(count)
    return try PlainReader(try WrittenSegment(records, options: SegmentOptions(stripeRowCount: stripeRowCount)).bytes)
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func countsBoundsAndZonesAreThoseOfTheRows(seed: UInt64) throws {
    let reader = try reader(seed: seed, count: 300, stripeRowCount: 60)
    for number in reader.index.stripes.indices {
      let stripe = try reader.stripe(number)
      let summary = stripe.summary
      var bounds = StripeBounds()
      for placed in stripe.spans {
        bounds.include(start: placed.span.start.nanoseconds, end: placed.span.end.nanoseconds)
      }
      #expect(summary.bounds.minimumStart == bounds.minimumStart)
      #expect(summary.bounds.maximumStart == bounds.maximumStart)
      #expect(summary.bounds.maximumEnd == bounds.maximumEnd)
      #expect(summary.bounds.minimumDuration == bounds.minimumDuration)
      #expect(summary.bounds.maximumDuration == bounds.maximumDuration)
      #expect(summary.errorCount == stripe.spans.count { $0.span.isError })
      #expect(summary.rowCount == stripe.spans.count)
      #expect(summary.traceCount == Set(stripe.traces).count)
      #expect(Set(summary.kinds) == Set(stripe.spans.map(\.span.kind.rawValue)))
      #expect(
        Set(summary.services.map { reader.strings[Int($0)] })
          == Set(stripe.spans.map { Array($0.resource.serviceName.utf8) }))
      #expect(Set(summary.names.map { reader.strings[Int($0)] }) == Set(stripe.spans.map { Array($0.span.name.utf8) }))
      for zone in summary.numbers {
        let type = reader.catalogue.entries[Int(zone.chunk - SegmentFormat.firstAttributeChunk)].type
        let stored = stripe.integers[zone.chunk] ?? [UInt64](repeating: 0, count: zone.valueCount)
        let words = type == .double ? stored.map { NumberOrder.double($0) } : stored
        #expect(words.count == zone.valueCount)
        #expect(words.min() == zone.minimum)
        #expect(words.max() == zone.maximum)
        let distinct = Set(words).sorted()
        #expect(zone.words == (distinct.count <= 32 ? distinct : []))
      }
      let distances = stripe.spans.flatMap { placed in
        placed.span.events.map { Int64(bitPattern: $0.time.nanoseconds &- placed.span.start.nanoseconds) }
      }
      #expect(summary.eventDistances?.lowerBound == distances.min())
      #expect(summary.eventDistances?.upperBound == distances.max())
    }
  }

  @Test func `the values of a column are listed while they are few`() throws {
    for count in [1, 2, 32, 33] {
      let records = (0..<200).map { index in
        var span = SpanRecord(traceID: TraceID(high: 0, low: UInt64(index + 1)), spanID: SpanID(1), name: "n")
        span.attributes = [
          Attribute("int", .int(Int64(index % count) * 1_000_003 - 7)),
          Attribute("double", .double(Double(index % count) - 0.5)),
        ]
        return WrittenSpan(resource: Resource(), scope: InstrumentationScope(), span: span)
      }
      let stripe = try PlainReader(try WrittenSegment(records).bytes).stripe(0)
      #expect(stripe.summary.numbers.map(\.words.count) == Array(repeating: count <= 32 ? count : 0, count: 2))
      #expect(stripe.summary.numbers.allSatisfy { $0.words == $0.words.sorted() })
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func everyStringIsListedOrPassesItsFilter(seed: UInt64) throws {
    let reader = try reader(seed: seed, count: 900, stripeRowCount: 300)
    var filterCount = 0
    for number in reader.index.stripes.indices {
      let stripe = try reader.stripe(number)
      for (chunk, values) in stripe.texts {
        let summary = try #require(stripe.summary.text(chunk))
        let shared = Set(summary.shared.map { reader.strings[Int($0)] })
        let local = Set(values).subtracting(shared)
        #expect(local.count == summary.localDistinctCount)
        if summary.form == .dictionary { #expect(shared.isSubset(of: Set(values))) }
        guard summary.filterByteCount > 0 else { continue }
        filterCount += 1
        let filter = try reader.section(.valueFilters) { bytes in
          var cursor = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[Int(summary.filterOffset)...]))
          let filter = try FuseFilter(&cursor)
          #expect(cursor.offset == Int(summary.filterByteCount))
          return filter
        }
        for text in local { #expect(filter.contains(FilterHash.hash(text))) }
        #expect((0..<1000).count { filter.contains(FilterHash.hash(Array("no \($0)".utf8))) } < 50)
      }
    }
    #expect(filterCount > 0)
  }

  @Test func everySearchableStringIsInAListOrUnderAFilter() throws {
    let reader = try reader(seed: 3, count: 900, stripeRowCount: 300)
    for stripe in reader.index.stripes {
      for text in stripe.texts where text.localDistinctCount > 0 {
        let isSearchable =
          text.chunk < SegmentFormat.firstAttributeChunk
          ? ChunkID.searchableFixedTexts.contains(text.chunk)
          : [.string, .bytes].contains(
            reader.catalogue.entries[Int(text.chunk - SegmentFormat.firstAttributeChunk)].type)
        #expect((text.filterByteCount > 0) == isSearchable)
      }
    }
  }

  @Test func `filters of a column stand side by side`() throws {
    let records = (0..<4000).map { index in
      var span = SpanRecord(traceID: TraceID(high: 0, low: UInt64(index + 1)), spanID: SpanID(1), name: "n")
      span.attributes = [Attribute("each", .string("\(index * 7919)"))]
      if index % 4 == 0 { span.attributes.append(Attribute("some", .string("\(index * 104_729)"))) }
      return WrittenSpan(resource: Resource(), scope: InstrumentationScope(), span: span)
    }
    let reader = try PlainReader(try WrittenSegment(records, options: SegmentOptions(stripeRowCount: 2000)).bytes)
    var end: UInt32 = 0
    var filterCount = 0
    for chunk in Set(reader.index.stripes.flatMap { $0.texts.map(\.chunk) }).sorted() {
      for text in reader.index.stripes.compactMap({ $0.text(chunk) }) where text.filterByteCount > 0 {
        #expect(text.filterOffset == end)
        end = text.filterOffset + text.filterByteCount
        filterCount += 1
      }
    }
    #expect(filterCount == 4)
    #expect(try reader.section(.valueFilters) { $0.count } == Int(end))
  }

  @Test func theCatalogueCountsEveryValueAndResourcesOnceForEachSpan() throws {
    var random = WriterRecords(seed: 13)
    let records = random.records(250)
    let reader = try PlainReader(try WrittenSegment(records, options: SegmentOptions(stripeRowCount: 40)).bytes)
    var expected: [String: Int] = [:]
    func count(_ attributes: [Attribute], _ level: ColumnLevel) {
      for attribute in attributes {
        // Keys that are only canonically equal are different keys.
        let key = Array(attribute.key.utf8)
        expected["\(level) \(key) \(AttributeType(of: attribute))", default: 0] += 1
      }
    }
    for record in records {
      count(record.resource.attributes, .resource)
      count(record.scope.attributes, .scope)
      count(record.span.attributes, .span)
      for event in record.span.events { count(event.attributes, .event) }
      for link in record.span.links { count(link.attributes, .link) }
    }
    let found = reader.catalogue.entries.map { entry in
      ("\(entry.level) \(reader.strings[Int(entry.key)]) \(entry.type)", Int(entry.valueCount))
    }
    #expect(Dictionary(uniqueKeysWithValues: found) == expected)
    #expect(reader.strings == reader.strings.sorted { TextOrder.precedes($0, $1) })
  }

  @Test func operationsCountSpansAndErrors() throws {
    var random = WriterRecords(seed: 17)
    let records = random.records(250)
    let reader = try PlainReader(try WrittenSegment(records, options: SegmentOptions(stripeRowCount: 40)).bytes)
    var expected: [String: [Int]] = [:]
    for record in records {
      let key =
        "\(Array(record.resource.serviceName.utf8)) \(Array(record.span.name.utf8)) \(record.span.kind.rawValue)"
      expected[key, default: [0, 0]][0] += 1
      if record.span.isError { expected[key, default: [0, 0]][1] += 1 }
    }
    let columns = try (0..<5).map { try reader.integers(.operations, $0) }
    var found: [String: [Int]] = [:]
    for row in columns[0].indices {
      let service = reader.strings[Int(columns[0][row])]
      let name = reader.strings[Int(columns[1][row])]
      found["\(service) \(name) \(unzigzag(columns[2][row]))"] = [Int(columns[3][row]), Int(columns[4][row])]
    }
    #expect(found == expected)
    let spanCounts = try reader.integers(.resources, 1)
    #expect(spanCounts.reduce(0, +) == UInt64(records.count))
  }

  @Test func stringsThatOneStripeUsesStayInThatStripe() throws {
    var records: [WrittenSpan] = []
    for index in 0..<40 {
      var span = SpanRecord(traceID: TraceID(high: 0, low: UInt64(index + 1)), spanID: SpanID(1), name: "n")
      span.start = Timestamp(nanoseconds: UInt64(index) * 1_000_000_000)
      span.attributes = [
        Attribute("both", .string(["x", "y"][index % 2])), Attribute("one", .string("only \(index / 20)")),
      ]
      records.append(WrittenSpan(resource: Resource(), scope: InstrumentationScope(), span: span))
    }
    let reader = try PlainReader(try WrittenSegment(records, options: SegmentOptions(stripeRowCount: 20)).bytes)
    #expect(reader.strings.map { String(decoding: $0, as: UTF8.self) } == ["", "n", "x", "y", "one", "both"])
    for stripe in reader.index.stripes {
      // The column of "one" stands before that of "both".
      #expect(stripe.texts.map(\.shared.count) == [0, 2])
      #expect(stripe.texts.map(\.localDistinctCount) == [1, 0])
    }
  }

  @Test func decimalDoublesTakeLessThanTheirBits() throws {
    let random = SystemlessDoubles(count: 4000)
    func byteCount(_ values: [Double]) throws -> UInt64 {
      let records = values.enumerated().map { index, value in
        var span = SpanRecord(traceID: TraceID(high: 0, low: UInt64(index + 1)), spanID: SpanID(1), name: "n")
        span.attributes = [Attribute("d", .double(value))]
        return WrittenSpan(resource: Resource(), scope: InstrumentationScope(), span: span)
      }
      let segment = try WrittenSegment(records)
      let reader = try PlainReader(segment.bytes)
      let bits = try reader.stripe(0).spans.map { placed -> UInt64 in
        if case .double(let value)? = placed.span.attributes.first?.value { return value.bitPattern }
        return 0
      }
      #expect(bits.sorted() == values.map(\.bitPattern).sorted())
      return segment.statistics.columns.first { $0.name == "attribute:span:d:double" }?.byteCount ?? 0
    }
    let decimal = try byteCount(random.cents)
    let mixed = try byteCount(random.cents.enumerated().map { $0.offset % 100 == 7 ? .nan : $0.element })
    let raw = try byteCount(random.full)
    #expect(decimal < UInt64(random.cents.count) * 9 / 4)
    #expect(mixed < UInt64(random.cents.count) * 3)
    #expect(raw > UInt64(random.cents.count) * 6)
    #expect(raw < UInt64(random.cents.count) * 9)
  }
}

/// Prices, and doubles that are not short decimals.
private struct SystemlessDoubles {
  var cents: [Double] = []
  var full: [Double] = []

  init(count: Int) {
    var random = WriterRecords(seed: 1)
    for _ in 0..<count {
      cents.append(Double(random.below(20_000)) / 100)
      full.append(Double(bitPattern: random.word() >> 12 | 0x3ff0_0000_0000_0000))
    }
  }
}

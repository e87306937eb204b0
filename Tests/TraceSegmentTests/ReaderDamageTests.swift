import Testing
import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel
import TraceSegment
import TraceSource

/// Damage is found, named and contained: never a trap, never a wrong row.
@Suite struct ReaderDamageTests {
  /// What a set of queries says, part by part; parts that are refused are nil.
  private func answers(_ segment: Segment, _ leaves: [SpanLeaf], _ traces: [TraceID]) throws -> [[PlacedSpan: Int]?] {
    func allowed<Value>(_ body: () throws -> Value) throws -> Value? {
      do { return try body() } catch let error as TracestoreError {
        guard error.code == .corrupt || error.code == .unsupportedFormat else { throw error }
        #expect(error.path == SegmentFixture.path)
        return nil
      }
    }
    var result: [[PlacedSpan: Int]?] = []
    result.append(try allowed { counted(try segment.allRecords()) })
    for leaf in leaves { result.append(try allowed { counted(try segment.records(passing: leaf)) }) }
    for trace in traces {
      result.append(
        try allowed {
          var found: [PlacedSpan] = []
          for located in try segment.rows(of: trace) {
            found += try located.stripe.records(located.rows).map { PlacedSpan($0) }
          }
          return counted(found)
        })
    }
    _ = try allowed { try segment.forEachService { _, _ in } }
    _ = try allowed { try segment.forEachAttributeKey { _ in } }
    return result
  }

  private static let leaves: [SpanLeaf] = [
    .service(Array("service 0".utf8)), .name(Array("GET /".utf8)), .statusCode(2), .eventName(Array("exception".utf8)),
    .start(1_700_000_002_000_000_000...UInt64.max), .duration(1_000_000...3_000_000),
    .attribute(level: .span, key: Array("http.route".utf8), ValueTest(.string("1"))),
    .attribute(level: .resource, key: Array("service.name".utf8), ValueTest(.string("service 1"))),
  ]

  private func records() -> [PlacedSpan] {
    var generator = RecordGenerator(seed: 71)
    var records = generator.records(6, traceCount: 3)
    records[3].isPartial = true
    return records
  }

  /// Opens, asks everything, and compares with the right answers; true when something was refused.
  private func isFound(
    _ bytes: [UInt8], _ expected: [[PlacedSpan: Int]?], _ traces: [TraceID], _ what: String
  ) throws -> Bool {
    let segment: Segment
    do {
      segment = try SegmentFixture.open(bytes: bytes)
    } catch let error as TracestoreError {
      #expect(error.code == .corrupt || error.code == .unsupportedFormat, "\(what)")
      return true
    }
    let found = try answers(segment, Self.leaves, traces)
    for (found, expected) in zip(found, expected) where found != nil { #expect(found == expected, "\(what)") }
    return found.contains { $0 == nil }
  }

  @Test func `a damaged trace filter costs the finals it stands before, never the partial records`() throws {
    for hasFinals in [false, true] {
      var records = records()
      for index in records.indices { records[index].isPartial = !hasFinals || index == 3 }
      let fixture = try SegmentFixture(records)
      let filter = try #require(try fixture.open().sectionRanges.first { $0.name == "traceFilter" })
      var bytes = fixture.bytes
      bytes[Int(filter.offset + filter.byteCount / 2)] ^= 0x10
      let segment = try SegmentFixture.open(bytes: bytes)
      let partial = records[3].span.traceID
      if hasFinals {
        #expect(throws: TracestoreError.self) { try segment.rows(of: partial) }
      } else {
        let found = try segment.rows(of: partial).flatMap { try $0.stripe.records($0.rows) }.map { PlacedSpan($0) }
        #expect(counted(found) == counted(records.filter { $0.span.traceID == partial }))
      }
    }
  }

  @Test func `a flip of any byte is refused or harmless, and verify finds it`() throws {
    let records = records()
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4))
    let traces = Set(records.map(\.span.traceID)).sorted()
    let expected = try answers(try fixture.open(), Self.leaves, traces)
    #expect(expected.allSatisfy { $0 != nil })
    var bytes = fixture.bytes
    for place in bytes.indices {
      bytes[place] ^= 1 << (place & 7)
      _ = try isFound(bytes, expected, traces, "flip at \(place)")
      if let segment = try? SegmentFixture.open(bytes: bytes) {
        #expect(!segment.verify(deep: false).damages.isEmpty, "flip at \(place)")
      }
      bytes[place] = fixture.bytes[place]
    }
    #expect(try fixture.open().verify(deep: true).damages.isEmpty)
  }

  @Test func `a file cut at any length is refused`() throws {
    let fixture = try SegmentFixture(records(), options: SegmentOptions(stripeRowCount: 4))
    for count in fixture.bytes.indices {
      #expect(throws: TracestoreError.self) { try SegmentFixture.open(bytes: Array(fixture.bytes[..<count])) }
    }
  }

  @Test func `stripes and sections in each other's place are refused`() throws {
    let records = records()
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4))
    let traces = Set(records.map(\.span.traceID)).sorted()
    let segment = try fixture.open()
    let expected = try answers(segment, Self.leaves, traces)
    let stripes = try segment.spanStripes()
    try #require(stripes.count >= 2)
    var parts = stripes.map { (Int($0.offset), Int($0.byteCount)) }
    parts += segment.sectionRanges.map { (Int($0.offset), Int($0.byteCount)) }
    for left in parts.indices {
      for right in parts.indices where left < right {
        var bytes = fixture.bytes
        let count = min(parts[left].1, parts[right].1)
        for place in 0..<count { bytes.swapAt(parts[left].0 + place, parts[right].0 + place) }
        guard bytes != fixture.bytes else { continue }
        #expect(try isFound(bytes, expected, traces, "parts \(left) and \(right)"))
      }
    }
  }

  @Test func `one bad page leaves the other columns readable`() throws {
    let records = records()
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096))
    let stripe = try #require(try fixture.open().spanStripes().first)
    let chunk = try #require(try stripe.describe().chunks.first { $0.name == "span.duration" })
    var bytes = fixture.bytes
    bytes[Int(chunk.offset) + chunk.byteCount / 2] ^= 0x10
    let damaged = try SegmentFixture.open(bytes: bytes)
    let damagedStripe = try #require(try damaged.spanStripes().first)
    #expect(try damagedStripe.spanIDs([0, 1]) == stripe.spanIDs([0, 1]))
    let failure = try #require(throws: TracestoreError.self) { try damagedStripe.records([0]) }
    #expect(failure.code == .corrupt)
    #expect(failure.message.contains("span.duration") && failure.message.contains("stripe 0"))
    #expect(failure.path == SegmentFixture.path)
    let damages = damaged.verify(deep: true).damages
    #expect(damages.count == 1)
    #expect(damages.first?.what.contains("span.duration") == true)
    let description = try damagedStripe.describe()
    #expect(description.chunks.filter { $0.damage != nil }.map(\.name) == ["span.duration"])
  }

  @Test func `a bad page of texts costs a stripe that was not read yet only what needs it`() throws {
    var generator = RecordGenerator(seed: 72)
    var records = generator.records(6000, traceCount: 300)
    for index in records.indices {
      records[index].span.attributes = [Attribute("page", .string("text \(index * 7919 % 53)"))]
    }
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 8192))
    let stripe = try #require(try fixture.open().spanStripes().first)
    let chunk = try #require(try stripe.describe().chunks.first { $0.name.contains("page") })
    let wanted = try #require(try stripe.records([5]).first?.span.attributes.first?.value)
    var bytes = fixture.bytes
    bytes[Int(chunk.offset) + chunk.byteCount / 2] ^= 0x10
    let damaged = try #require(try SegmentFixture.open(bytes: bytes).spanStripes().first)
    let leaf = SpanLeaf.attribute(level: .span, key: Array("page".utf8), ValueTest(wanted))
    var all = RowMask(count: damaged.rowCount, filled: true)
    #expect(throws: TracestoreError.self) { try damaged.filter(&all, by: leaf) }
    let cold = try #require(try SegmentFixture.open(bytes: bytes).spanStripes().first)
    var first = RowMask(count: cold.rowCount)
    first.set(0..<512)
    var expected = first
    try cold.filter(&first, by: leaf)
    try stripe.filter(&expected, by: leaf)
    #expect(first == expected && first[5])
  }

  @Test func `a file with another footer than expected is refused`() throws {
    let fixture = try SegmentFixture(records())
    let file = try fixture.files.open(SegmentFixture.path, .read)
    let cache = BlockCache(maximumByteCount: 1 << 20)
    let hash = try Segment.open(file: file, number: 1, path: SegmentFixture.path, cache: cache).footerHash
    _ = try Segment.open(
      file: file, number: 1, path: SegmentFixture.path, cache: cache, expectedFooterHash: hash)
    let failure = try #require(throws: TracestoreError.self) {
      try Segment.open(
        file: file, number: 1, path: SegmentFixture.path, cache: cache,
        expectedFooterHash: Hash128(first: 1, second: 2))
    }
    #expect(failure.code == .corrupt)
  }
}

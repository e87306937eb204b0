import Testing
import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel
import TraceSource

@testable import TraceSegment

/// Bytes that pass their checksums and lie: what a fuzzer has found, kept as one test each.
@Suite struct ReaderForgedTests {
  @Test func `a shape of spans that names a key of events is refused`() throws {
    let records = (1...3).map { number in
      var span = SpanRecord(traceID: TraceID(high: 0, low: 1), spanID: SpanID(UInt64(number)))
      span.attributes = [Attribute("a", .int(1))]
      if number == 1 { span.events = [SpanEvent(attributes: [Attribute("b", .int(2))])] }
      return PlacedSpan(Resource(), InstrumentationScope(), span)
    }
    let fixture = try SegmentFixture(records)
    let stripe = try #require(try fixture.open().spanStripes().first)
    let chunk = try #require(try stripe.describe().chunks.first { $0.name == "shapes" })
    let start = Int(chunk.offset)
    // Two byte counts, a checksum, and the shapes as they are: one slot, the key 0; one slot, the key 1.
    var bytes = fixture.bytes
    try #require(Array(bytes[(start + 12)..<(start + 16)]) == [1, 0, 1, 1])
    bytes[start + 13] = 1
    func put(_ sum: UInt32, at place: Int) {
      for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) }
    }
    put(CRC32C.checksum(Array(bytes[start..<(start + 8)] + bytes[(start + 12)..<(start + 16)])), at: start + 8)
    // The head gets the right checksums as well.
    var head = try stripe.readHead()
    let index = try #require(head.chunkIndex(ChunkID.shapes))
    head.chunks[index].checksum = CRC32C.mixedChecksum(Array(bytes[start..<(start + chunk.byteCount)]))
    var writer = ByteWriter()
    head.encode(into: &writer)
    bytes.replaceSubrange(Int(stripe.offset)..<(Int(stripe.offset) + writer.count), with: writer.bytes)

    let forged = try #require(try SegmentFixture.open(bytes: bytes).spanStripes().first)
    // Whoever forges a whole file gives the head the right hash too.
    var summary = forged.summary
    summary.hash = Hash128(of: writer.bytes)
    let core = forged.core
    let loaded = try LoadedStripe(
      file: core.file, path: core.path, stripeIndex: 0, summary: summary, catalogue: try core.keys(),
      checksum: core.chunkChecksum)
    let failure = try #require(throws: TracestoreError.self) {
      try forged.core.cache.withScratch { _ = try loaded.shapeMap(.span, $0) }
    }
    #expect(failure.code == .corrupt && failure.message.contains("another"))
    // With the hash of the index in the way nothing of such a stripe is trusted.
    #expect(throws: TracestoreError.self) { try forged.records([0, 1, 2]) }
  }

  @Test func `times of a trace are those of its records, whole or in part, also where its end is damaged`() throws {
    var generator = RecordGenerator(seed: 43)
    let fixture = try SegmentFixture(generator.records(400, traceCount: 30))
    var bytes = fixture.bytes
    for stripe in try fixture.open().spanStripes() {
      let chunk = try #require(try stripe.readHead().chunk(ChunkID.traceEnd))
      bytes[Int(stripe.offset) + Int(chunk.offset + chunk.byteCount / 2)] ^= 1
    }
    for (segment, isWell) in [(try fixture.open(), true), (try SegmentFixture.open(bytes: bytes), false)] {
      var (knownCount, askedCount) = (0, 0)
      for trace in Set(try segment.allRecords().map(\.span.traceID)) {
        for located in try segment.rows(of: trace) {
          for rows in [located.rows, Array(located.rows.dropFirst())] where !rows.isEmpty {
            let spans = try located.stripe.records(rows).map(\.span)
            let bounds = try #require(try located.stripe.timeBounds(rows))
            #expect(bounds.minimumStart == spans.map(\.start.nanoseconds).min())
            #expect(bounds.maximumEnd == spans.map(\.end.nanoseconds).max())
            // The whole trace, as far as it stands in one stripe and its end is well.
            let found = FoundRow(stripe: located.stripe, row: rows[0])
            askedCount += 1
            guard let known = try? segment.timeBounds(of: trace, around: found) else { continue }
            knownCount += 1
            let all = try located.stripe.records(located.rows).map(\.span)
            #expect(known.minimumStart == all.map(\.start.nanoseconds).min())
            #expect(known.maximumEnd == all.map(\.end.nanoseconds).max())
          }
        }
      }
      #expect(askedCount > 30 && knownCount == (isWell ? askedCount : 0))
    }
  }

  @Test func `a segment that does not say when traces start is asked for their rows`() throws {
    var generator = RecordGenerator(seed: 44)
    let segment = try SegmentFixture(generator.records(400, traceCount: 30)).open()
    var footer = segment.core.footer
    #expect(footer.optionalFeatures == SegmentFormat.traceStartsFeature)
    footer.optionalFeatures = 0
    let core = SegmentCore(
      file: segment.core.file, number: 2, path: segment.path, cache: segment.core.cache, footer: footer,
      footerOffset: segment.core.footerOffset)
    var knownCount = 0
    let older = Segment(core: core, footerHash: segment.footerHash, byteCount: segment.byteCount)
    for stripe in try segment.spanStripes() {
      let row = FoundRow(stripe: SegmentStripe(core: core, index: stripe.index, summary: stripe.summary), row: 0)
      #expect(!older.knowsBounds(around: row) && segment.knowsBounds(around: FoundRow(stripe: stripe, row: 0)))
      let older = SegmentStripe(core: core, index: stripe.index, summary: stripe.summary)
      for trace in try stripe.traceIDs() {
        let rows = try stripe.records(Array(0..<stripe.rowCount)).enumerated()
          .filter { $0.element.span.traceID == trace }.map(\.offset)
        let (own, others) = (try #require(try older.timeBounds(rows)), try #require(try stripe.timeBounds(rows)))
        #expect(own.minimumStart == others.minimumStart && own.maximumEnd == others.maximumEnd)
        #expect(try older.timeBounds(ofWholeTrace: trace, around: rows[0]) == nil)
        if try stripe.timeBounds(ofWholeTrace: trace, around: rows[0]) != nil { knownCount += 1 }
      }
    }
    #expect(knownCount > 0)
  }

  @Test func `a trace that lasts from or to another time than its rows is damage`() throws {
    var generator = RecordGenerator(seed: 45)
    let segment = try SegmentFixture(generator.records(40, traceCount: 3)).open()
    for stripe in try segment.spanStripes() {
      let loaded = try stripe.load()
      for ordinal in 0..<loaded.head.traceCount {
        let times = try loaded.timeBounds(ofTrace: ordinal)
        var rows = StripeBounds()
        rows.include(start: times.minimumStart, end: times.maximumEnd)
        try loaded.verifyTimes(ofTrace: ordinal, rows, knowsStarts: true)
        var late = rows
        late.minimumStart &+= 1
        try loaded.verifyTimes(ofTrace: ordinal, late, knowsStarts: false)
        var longer = rows
        longer.maximumEnd &+= 1
        for other in [late, longer] {
          #expect { try loaded.verifyTimes(ofTrace: ordinal, other, knowsStarts: true) } throws: {
            ($0 as? TracestoreError)?.code == .corrupt
          }
        }
      }
    }
  }

  @Test func `a count that the stripe index lies about does not stay with the column`() throws {
    let records = (1...3000).map { number in
      var span = SpanRecord(traceID: TraceID(high: 0, low: UInt64(number / 9)), spanID: SpanID(UInt64(number)))
      // Too long to come with the head.
      let word = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
      span.attributes = [Attribute("number", .int(Int64(bitPattern: word ^ word >> 29)))]
      return PlacedSpan(Resource(), InstrumentationScope(), span)
    }
    let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096)).open()
    let (core, stripe) = (segment.core, try #require(try segment.spanStripes().first))
    let loaded = try LoadedStripe(
      file: core.file, path: core.path, stripeIndex: 0, summary: stripe.summary, catalogue: try core.keys(),
      checksum: core.chunkChecksum, frontByteCount: 0)
    let id = ChunkID.attribute(UInt32(try core.keyEntries(level: .span, key: Array("number".utf8)).lowerBound))
    let lie = try loaded.integers(id, count: 2000)
    #expect(lie.isPaged)
    #expect(throws: TracestoreError.self) { try lie.value(at: 0) }
    #expect(throws: TracestoreError.self) { try lie.decodeAll() }
    #expect(try loaded.integers(id, count: 3000).decodeAll().count == 3000)
    #expect(throws: TracestoreError.self) { try loaded.integers(ChunkID.spanID, count: 1 << 28) }
  }

  @Test func `rows of no trace or of no time are refused`() throws {
    var generator = RecordGenerator(seed: 47)
    let honest = try #require(try SegmentFixture(generator.records(9, traceCount: 3)).open().spanStripes().first)
      .summary
    func decode(_ change: (inout StripeSummary) -> Void) throws -> StripeSummary {
      var summary = honest
      change(&summary)
      var writer = ByteWriter()
      summary.encode(into: &writer)
      return try writer.bytes.withUnsafeBytes { try StripeSummary($0, at: 0) }
    }
    #expect(try decode { _ in }.traceCount == honest.traceCount)
    for change in [{ $0.traceCount = 0 }, { $0.bounds.minimumStart = $0.bounds.maximumStart + 1 }]
      as [(inout StripeSummary) -> Void]
    {
      #expect { try decode(change) } throws: { ($0 as? TracestoreError)?.code == .corrupt }
    }
  }

  @Test func `values and distances that cannot be complete are refused, and what is missing rules nothing out`() throws
  {
    let records = (1...5).map { number in
      var span = SpanRecord(traceID: TraceID(high: 0, low: 1), spanID: SpanID(UInt64(number)))
      span.attributes = [Attribute("code", .int(Int64(100 * number)))]
      span.events = [SpanEvent(time: Timestamp(nanoseconds: UInt64(number)))]
      return PlacedSpan(Resource(), InstrumentationScope(), span)
    }
    let fixture = try SegmentFixture(records)
    let stripe = try #require(try fixture.open().spanStripes().first)
    func bytes(_ change: (inout StripeSummary) -> Void = { _ in }) -> [UInt8] {
      var summary = stripe.summary
      change(&summary)
      var writer = ByteWriter()
      summary.encode(into: &writer)
      return writer.bytes
    }
    func decode(_ bytes: some Collection<UInt8>) throws -> StripeSummary {
      try Array(bytes).withUnsafeBytes { try StripeSummary($0, at: 0) }
    }
    let honest = try decode(bytes())
    #expect(honest.numbers == stripe.summary.numbers && honest.numbers[0].words.count == 5)
    #expect(honest.eventDistances == 1...5)
    for change in [
      { $0.numbers[0].words.removeLast() }, { $0.numbers[0].words[4] += 1 }, { $0.numbers[0].words[1] += 100 },
      { $0.numbers[0].maximum += 1 }, { $0.numbers[0].valueCount = 4 },
    ] as [(inout StripeSummary) -> Void] {
      #expect(throws: (any Error).self) { try decode(bytes(change)) }
    }
    // Behind part 6 stand two distances of a byte each, a count and four differences of a byte each.
    var reversed = bytes()
    reversed.swapAt(reversed.count - 7, reversed.count - 6)
    #expect { try decode(reversed) } throws: { ($0 as? TracestoreError)?.code == .corrupt }
    for cut in 1..<7 { #expect(throws: (any Error).self) { try decode(bytes().dropLast(cut)) } }
    // What is not listed, and what the first writers did not say.
    let short = try decode(bytes { $0.numbers[0].words = [] })
    let shortest = try decode(bytes().dropLast(7))
    #expect(short.numbers[0].words.isEmpty && shortest.numbers[0].words.isEmpty && shortest.eventDistances == nil)
    let code = SpanLeaf.attribute(level: .span, key: Array("code".utf8), ValueTest(.int(250)))
    let late = SpanLeaf.some(.event, .leaf(.timeSinceStart(6...9)))
    for (summary, mayMatch) in [(honest, [false, false]), (short, [true, false]), (shortest, [true, true])] {
      let known = SegmentStripe(core: stripe.core, index: 0, summary: summary)
      #expect(try [known.mayMatch(code), known.mayMatch(late)] == mayMatch)
      for leaf in [code, late] {
        var mask = RowMask(count: 5)
        mask.set(0..<5)
        try known.filter(&mask, by: leaf)
        #expect(mask.isEmpty)
      }
    }
  }

  @Test func `a stripe index that says other values than the columns hold is found by a deep check`() throws {
    var generator = RecordGenerator(seed: 49)
    let stripe = try #require(try SegmentFixture(generator.records(200, traceCount: 9)).open().spanStripes().first)
    let core = stripe.core
    func check(_ change: (inout StripeSummary) -> Void) throws {
      var summary = stripe.summary
      change(&summary)
      let loaded = try LoadedStripe(
        file: core.file, path: core.path, stripeIndex: 0, summary: summary, catalogue: try core.keys(),
        checksum: core.chunkChecksum)
      try core.cache.withScratch { try loaded.verifyIndex($0) }
    }
    try check { _ in }
    for place in stripe.summary.numbers.indices {
      let corrupt = { (error: any Error) in (error as? TracestoreError)?.code == .corrupt }
      #expect { try check { $0.numbers[place].maximum &+= 1 } } throws: { corrupt($0) }
      #expect { try check { $0.numbers[place].minimum &-= 1 } } throws: { corrupt($0) }
      #expect { try check { $0.numbers[place].words.append(.max) } } throws: { corrupt($0) }
      #expect { try check { $0.numbers[place].valueCount += 1 } } throws: { corrupt($0) }
      #expect { try check { $0.numbers[place].chunk = ChunkID.eventName } } throws: { corrupt($0) }
    }
    let distances = try #require(stripe.summary.eventDistances)
    #expect(throws: TracestoreError.self) {
      try check { $0.eventDistances = distances.lowerBound...(distances.upperBound - 1) }
    }
  }

  @Test func `rows outside of the times of their stripe are damage to its cells`() throws {
    var generator = RecordGenerator(seed: 48)
    var records = generator.records(40, traceCount: 9)
    for index in records.indices {
      records[index].span.start = Timestamp(nanoseconds: UInt64(70_000 + index) * CallCells.nanoseconds)
      records[index].span.end = records[index].span.start
    }
    let stripe = try #require(try SegmentFixture(records).open().spanStripes().first)
    #expect(try CallGroup.groups([stripe]).map { try $0.cells().runs.isEmpty } == [false])
    // Rows before the first minute, and behind the last.
    for (first, last) in [(70_010, 70_039), (0, 20)] as [(UInt64, UInt64)] {
      var summary = stripe.summary
      summary.bounds.minimumStart = first * CallCells.nanoseconds
      summary.bounds.maximumStart = last * CallCells.nanoseconds
      // A segment of its own: the cells of the honest stripe are in the cache of the other.
      let core = try #require(try SegmentFixture(records).open().spanStripes().first).core
      let forged = SegmentStripe(core: core, index: 0, summary: summary)
      let group = CallGroup.groups([forged])[0]
      #expect(group.heldCells?.damage == nil)
      for _ in 0..<2 { #expect { try group.cells() } throws: { ($0 as? TracestoreError)?.code == .corrupt } }
      #expect(group.heldCells?.damage != nil)
    }
  }

  @Test func `a footer that counts more traces than memory could hold costs a merge no memory`() throws {
    let bytes = try forgingTotals { $0.traceCount = SegmentFormat.maximumTotalCount }
    let table = SpanTable()
    let transfer = try SegmentTransfer(try SegmentFixture.open(bytes: bytes), to: table)
    _ = try transfer.appendAll()
    #expect(table.rowCount == 1)
  }

  @Test func `a footer that counts more than a segment can hold is refused`() throws {
    for path in [\SegmentTotals.rowCount, \.traceCount, \.partialCount, \.eventCount, \.errorCount, \.stripeCount] {
      for count in [SegmentFormat.maximumTotalCount + 1, .max] {
        let bytes = try forgingTotals { $0[keyPath: path] = count }
        let failure = try #require(throws: TracestoreError.self) { try SegmentFixture.open(bytes: bytes) }
        #expect(failure.code == .corrupt)
      }
    }
  }

  @Test func `counts of keys and operations that would not add up are refused`() throws {
    var catalogue = KeyCatalogue()
    catalogue.entries = [KeyCatalogue.Entry(level: .span, key: 0, type: .int, valueCount: .max)]
    var writer = ByteWriter()
    catalogue.encode(into: &writer)
    #expect { try writer.bytes.withUnsafeBytes { try KeyCatalogue($0, stringCount: 1, at: 0) } } throws: {
      ($0 as? TracestoreError)?.code == .corrupt
    }

    for counts in [[1, .max], [.max], [1 << 48, 1]] as [[UInt64]] {
      let zeros = [UInt64](repeating: 0, count: counts.count)
      let columns = [zeros, zeros, zeros, counts, zeros].map { values in
        var writer = ByteWriter()
        IntegerColumn.encode(values, into: &writer, scratch: ColumnScratch())
        return writer.bytes
      }
      #expect {
        try columns[0].withUnsafeBytes { zeros in
          try columns[3].withUnsafeBytes { counts in
            try OperationCounts(
              [zeros, zeros, zeros, counts, zeros], stringCount: 1,
              place: ChunkPlace(path: "forged.seg", subject: .section(.operations), fileOffset: 0))
          }
        }
      } throws: {
        ($0 as? TracestoreError)?.code == .corrupt
      }
    }
  }

  @Test func `stripes that cannot be listed stand for no more rows than a mask may have`() throws {
    var bytes = try forgingTotals { $0.rowCount = SegmentFormat.maximumTotalCount }
    let section = try #require(try footer(of: bytes).section(.stripeIndex))
    bytes[Int(section.offset)] ^= 0xff
    let stripe = try #require(try SegmentFixture.open(bytes: bytes).stripes.first)
    #expect(stripe.rowCount == SegmentFormat.maximumStripeRowCount)
    #expect(throws: TracestoreError.self) { try stripe.records([0]) }
  }

  @Test func `a deep check finds a filter over texts that does not know a value, wherever the value stands`() throws {
    let text = "only.here"
    let attribute = [Attribute("k", .string(text))]
    for place in 0..<6 {
      var span = SpanRecord(traceID: TraceID(high: 0, low: 1), spanID: SpanID(1))
      var (resource, scope) = (Resource(), InstrumentationScope())
      switch place {
      case 0: span.attributes = attribute
      case 1: span.attributes = [Attribute("k", .bytes(Array(text.utf8)))]
      case 2: span.events = [SpanEvent(attributes: attribute)]
      case 3: span.links = [SpanLink(attributes: attribute)]
      case 4: resource.attributes = attribute
      default: scope.attributes = attribute
      }
      let honest = try SegmentFixture([PlacedSpan(resource, scope, span)]).bytes
      #expect(try SegmentFixture.open(bytes: honest).verify(deep: true).damages.isEmpty)
      let section = try #require(try footer(of: honest).section(.textFilter))
      let range = Int(section.offset)..<Int(section.offset + section.byteCount)
      // A filter of the same size over as many other texts: the count stands behind three bytes.
      let count = UInt64(honest[range.lowerBound + 3])
      var found: [UInt8]?
      for seed in 1...64 as ClosedRange<UInt64> where found == nil {
        guard let filter = FuseFilter((1...count).map { seed << 32 | $0 }, width: .four) else { continue }
        var writer = ByteWriter()
        filter.encode(into: &writer)
        // One in sixteen knows the text by mistake.
        let isKnown = try writer.bytes.withUnsafeBytes {
          try FilterBlock($0).contains(FilterHash.hash(Array(text.utf8)))
        }
        if !isKnown, writer.count == range.count { found = writer.bytes }
      }
      let forged = try #require(found)
      var bytes = honest
      bytes.replaceSubrange(range, with: forged)
      bytes = try forging(bytes) { footer in
        for index in footer.sections.indices where footer.sections[index].kind == SectionKind.textFilter.rawValue {
          footer.sections[index].hash = Hash128(of: forged)
        }
      }
      let segment = try SegmentFixture.open(bytes: bytes)
      #expect(segment.verify(deep: false).damages.isEmpty, "place \(place)")
      let damages = segment.verify(deep: true).damages
      #expect(damages.count == 1 && damages[0].what.contains("is not in it"), "place \(place): \(damages)")
    }
  }

  private func footer(of bytes: [UInt8]) throws -> SegmentFooter {
    let end = bytes.count - SegmentFormat.trailerByteCount
    let trailer = try bytes[end...].withUnsafeBytes { try SegmentTrailer($0, fileByteCount: UInt64(bytes.count)) }
    return try bytes[Int(trailer.footerOffset)..<end].withUnsafeBytes {
      try SegmentFooter($0, at: trailer.footerOffset)
    }
  }

  /// A segment of one span whose footer says something else about it, under the right checksums.
  private func forgingTotals(_ change: (inout SegmentTotals) -> Void) throws -> [UInt8] {
    let span = SpanRecord(traceID: TraceID(high: 0, low: 1), spanID: SpanID(1))
    return try forging(SegmentFixture([PlacedSpan(Resource(), InstrumentationScope(), span)]).bytes) {
      change(&$0.totals)
    }
  }

  /// A segment with another footer, under the right checksums.
  private func forging(_ segment: [UInt8], _ change: (inout SegmentFooter) -> Void) throws -> [UInt8] {
    var bytes = segment
    let end = bytes.count - SegmentFormat.trailerByteCount
    let trailer = try bytes[end...].withUnsafeBytes { try SegmentTrailer($0, fileByteCount: UInt64(bytes.count)) }
    var footer = try footer(of: bytes)
    change(&footer)
    var writer = ByteWriter()
    footer.encode(into: &writer)
    SegmentTrailer(
      footerOffset: trailer.footerOffset, footerByteCount: UInt32(writer.count), footerHash: Hash128(of: writer.bytes)
    ).encode(into: &writer)
    bytes.replaceSubrange(Int(trailer.footerOffset)..., with: writer.bytes)
    return bytes
  }
}

import Testing
import TraceBytes
import TraceModel
import TraceSegment
import TraceSource

/// The parts that writer and reader share, on good bytes and on others.
@Suite struct WriterFormatTests {
  private func bytes(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter()
    body(&writer)
    return writer.bytes
  }

  /// Every flip of a bit and every truncation must be refused; returns how many were tried.
  @discardableResult
  private func refusesDamage(_ good: [UInt8], _ decode: (UnsafeRawBufferPointer) throws -> Void) -> Int {
    var tried = 0
    for index in good.indices {
      for bit in 0..<8 {
        var bad = good
        bad[index] ^= 1 << UInt8(bit)
        #expect(throws: TracestoreError.self, "bit \(bit) of byte \(index)") {
          try bad.withUnsafeBytes { try decode($0) }
        }
        tried += 1
      }
    }
    for count in good.indices {
      #expect(throws: TracestoreError.self, "\(count) bytes") {
        try Array(good[..<count]).withUnsafeBytes { try decode($0) }
      }
    }
    return tried
  }

  private var footer: SegmentFooter {
    var footer = SegmentFooter()
    footer.optionalFeatures = 5
    footer.sections = [
      SectionEntry(kind: 1, flags: 1, offset: 64, byteCount: 10, hash: Hash128(first: 1, second: 2)),
      SectionEntry(kind: 900, flags: 0, offset: 74, byteCount: 26, hash: Hash128(first: 3, second: 4)),
    ]
    footer.totals.rowCount = 7
    footer.totals.partialMaximumEnd = 9
    return footer
  }

  @Test func theHeaderComesBackAndDamageIsRefused() throws {
    var header = SegmentHeader()
    header.optionalFeatures = 1 << 63
    header.zstdVersion = 10_505
    header.lz4Version = 10_904
    let good = bytes { header.encode(into: &$0) }
    #expect(good.count == SegmentFormat.headerByteCount)
    #expect(try good.withUnsafeBytes { try SegmentHeader($0) } == header)
    refusesDamage(good) { _ = try SegmentHeader($0) }
  }

  @Test func anUnknownFeatureOrANewerVersionIsUnsupportedAndNotDamage() {
    var header = SegmentHeader()
    header.requiredFeatures = 4
    var newer = SegmentHeader()
    newer.version = 2
    for bytes in [bytes { header.encode(into: &$0) }, bytes { newer.encode(into: &$0) }] {
      let error = #expect(throws: TracestoreError.self) { try bytes.withUnsafeBytes { try SegmentHeader($0) } }
      #expect(error?.code == .unsupportedFormat)
    }
    var footers = [footer, footer, footer]
    footers[0].requiredFeatures = 4
    footers[1].version = 2
    footers[2].sections[1].flags = SectionKind.mustUnderstandFlag
    for footer in footers {
      let bytes = bytes { footer.encode(into: &$0) }
      let error = #expect(throws: TracestoreError.self) { try bytes.withUnsafeBytes { try SegmentFooter($0, at: 100) } }
      #expect(error?.code == .unsupportedFormat)
    }
  }

  @Test func theFooterComesBackWithSectionsOfLaterVersionsAndDamageIsRefused() throws {
    let good = bytes { footer.encode(into: &$0) }
    #expect(try good.withUnsafeBytes { try SegmentFooter($0, at: 100) } == footer)
    refusesDamage(good) { _ = try SegmentFooter($0, at: 100) }
    var outside = footer
    outside.sections[1].byteCount += 1
    let bad = bytes { outside.encode(into: &$0) }
    #expect(throws: TracestoreError.self) { try bad.withUnsafeBytes { try SegmentFooter($0, at: 100) } }
  }

  @Test func theTrailerComesBackAndAFileThatEndsEarlyIsRefused() throws {
    let trailer = SegmentTrailer(footerOffset: 960, footerByteCount: 100, footerHash: Hash128(first: 8, second: 9))
    let good = bytes { trailer.encode(into: &$0) }
    #expect(good.count == SegmentFormat.trailerByteCount)
    #expect(try good.withUnsafeBytes { try SegmentTrailer($0, fileByteCount: 1100) } == trailer)
    refusesDamage(good) { _ = try SegmentTrailer($0, fileByteCount: 1100) }
    for byteCount: UInt64 in [0, 39, 1099, 1101] {
      #expect(throws: TracestoreError.self) {
        try good.withUnsafeBytes { try SegmentTrailer($0, fileByteCount: byteCount) }
      }
    }
  }

  @Test func aStripeHeadComesBackAndDamageIsRefused() throws {
    var head = StripeHead()
    head.rowCount = 3
    head.traceCount = 2
    head.runCount = 1
    head.shapeCount = 1
    head.chunks = [
      ChunkEntry(id: 1, offset: 68, byteCount: 5, checksum: 77),
      ChunkEntry(id: 70, offset: 73, byteCount: 27, checksum: 78),
    ]
    let good = bytes { head.encode(into: &$0) }
    #expect(good.count == StripeHead.byteCount(chunkCount: 2))
    #expect(try good.withUnsafeBytes { try StripeHead($0, stripeByteCount: 100, at: 64) } == head)
    #expect(head.chunk(70)?.offset == 73)
    #expect(head.chunk(2) == nil)
    refusesDamage(good) { _ = try StripeHead($0, stripeByteCount: 100, at: 64) }
    #expect(throws: TracestoreError.self) {
      try good.withUnsafeBytes { try StripeHead($0, stripeByteCount: 99, at: 64) }
    }
  }

  @Test func listsOfAStripeComeBackWhateverTheirDensity() throws {
    var random = WriterRecords(seed: 4)
    for round in 0..<300 {
      var index = StripeIndex()
      var stripe = StripeSummary()
      stripe.offset = 64
      stripe.byteCount = 10
      func list() -> [UInt32] {
        let range = random.pick([1, 2, 40, 3000, Int(UInt32.max)])
        let count = random.below(min(range, 700) + 1)
        return Set((0..<count).map { _ in UInt32(random.below(range)) }).sorted()
      }
      stripe.services = list()
      stripe.names = list()
      stripe.kinds = [0, -1, 1, .max, .min]
      stripe.resources = list()
      stripe.scopes = round == 0 ? [0, .max] : list()
      var text = TextSummary(chunk: 30, valueCount: 9, form: .dictionary)
      text.shared = list()
      text.filterByteCount = 4
      stripe.texts = [text, TextSummary(chunk: 31, valueCount: 2, form: .empty)]
      stripe.numbers = [NumberSummary(chunk: 70_000, valueCount: 5, minimum: 1, maximum: .max)]
      index.stripes = [stripe]
      let good = bytes { index.encode(into: &$0) }
      let decoded = try good.withUnsafeBytes { try StripeIndex($0, stripesEnd: 74, filtersByteCount: 4, at: 0) }
      let found = try #require(decoded.stripes.first)
      #expect(found.services == stripe.services)
      #expect(found.names == stripe.names)
      #expect(found.kinds == stripe.kinds)
      #expect(found.resources == stripe.resources)
      #expect(found.scopes == stripe.scopes)
      #expect(found.texts == stripe.texts)
      #expect(found.numbers == stripe.numbers)
      #expect(found.text(31)?.form == .empty)
      #expect(found.number(70_000)?.maximum == .max)
      // The section's hash is what finds damage; here it is enough that nothing traps and nothing is unbounded.
      var bad = good
      bad[random.below(bad.count)] ^= UInt8(1 << random.below(8))
      _ = try? bad.withUnsafeBytes { try StripeIndex($0, stripesEnd: 74, filtersByteCount: 4, at: 0) }
      _ = try? Array(bad[..<random.below(bad.count)]).withUnsafeBytes {
        try StripeIndex($0, stripesEnd: 74, filtersByteCount: 4, at: 0)
      }
    }
  }

  @Test func shapesAndBlocksComeBackAndDamageIsRefused() throws {
    let compressor = ZstdCompressor()
    let decompressor = ZstdDecompressor()
    for shapes: [[UInt32]] in [[], [[]], [[], [0], [0, 0], [1, 2, 3]], (0..<200).map { [$0, 5, 6, 7, 8, 9] }] {
      let good = bytes { ShapeList.encode(shapes, compressor: compressor, into: &$0) }
      func decode(_ bytes: UnsafeRawBufferPointer) throws -> SlotLists {
        try ShapeList.decode(bytes, shapeCount: shapes.count, keyCount: 300, decompressor: decompressor, at: 0)
      }
      #expect(try good.withUnsafeBytes { try decode($0) } == SlotLists(shapes))
      refusesDamage(good) { _ = try decode($0) }
      guard !shapes.isEmpty else { continue }
      #expect(throws: TracestoreError.self) {
        try good.withUnsafeBytes {
          try ShapeList.decode($0, shapeCount: shapes.count + 1, keyCount: 300, decompressor: decompressor, at: 0)
        }
      }
    }
  }

  @Test func blocksOfTheTraceIndexAreFoundForEveryKey() throws {
    var random = WriterRecords(seed: 8)
    for _ in 0..<200 {
      var head = TraceIndexHead()
      let keys = (0..<random.below(60)).map { _ in UInt64(random.below(40)) }.sorted()
      let blockCount = 1 + random.below(4)
      var first = 0
      while first < keys.count {
        head.blocks.append(TraceIndexHead.Block(firstKey: keys[first], offset: UInt32(first), byteCount: 1))
        first += blockCount
      }
      for key in 0..<UInt64(41) {
        let range = head.blocks(holding: key)
        for (place, stored) in keys.enumerated() where stored == key { #expect(range.contains(place / blockCount)) }
      }
      let good = bytes { head.encode(into: &$0) }
      #expect(try good.withUnsafeBytes { try TraceIndexHead($0, blocksByteCount: 100, at: 0) } == head)
    }
  }

  @Test func traceHashesAreThoseOfTheDefinitionAndIdsWithOneHighHalfNeverMeet() {
    // Computed apart from this code, from the definition.
    #expect(TraceKey.hash(TraceID(high: 0, low: 1)) == 0x8d82_7513_99f5_5d54)
    let other = TraceID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
    #expect(TraceKey.hash(other) == 0x638e_a84d_7e2b_2f52)
    #expect(TraceKey.indexKey(TraceKey.hash(other)) == 0x0000_0000_638e_a84d)
    var hashes: Set<UInt64> = []
    for low in 0..<10_000 as Range<UInt64> { hashes.insert(TraceKey.hash(TraceID(high: 7, low: low))) }
    #expect(hashes.count == 10_000)
  }
}

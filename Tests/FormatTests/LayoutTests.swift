import Testing
import TraceBytes
import TraceFiles
import TraceManifest
import TraceModel
import TraceSegment
import TraceWAL

/// The tables with offsets in FORMAT.md describe what the code writes: every field stands where its row says, rows
/// leave no gap, and the last one ends where the structure does.
@Suite struct LayoutTests {
  private static let layout = ["Offset", "Bytes", "Name", "Rule"]
  private static let sequence = ["Bytes", "Name", "Rule"]
  private let document: FormatDocument

  init() throws { document = try FormatDocument() }

  private func expect(
    _ bytes: [UInt8], of section: String, _ place: Int = 0, are fields: [String: [UInt8]],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let table = try #require(
      try document.section(section).table(Self.layout, place), "\(section) has no such table",
      sourceLocation: sourceLocation)
    var end = 0
    for row in table.rows {
      let name = row[2]
      let offset = try #require(Int(row[0]), "\(section), \(name)", sourceLocation: sourceLocation)
      #expect(offset == end, "\(section): a gap before \(name)", sourceLocation: sourceLocation)
      let count: Int
      if row[1] == "…" {
        count = bytes.count - offset
      } else {
        count = try #require(Int(row[1]), "\(section), \(name)", sourceLocation: sourceLocation)
      }
      end = offset + count
      try #require(end <= bytes.count, "\(section): \(name) ends behind the structure", sourceLocation: sourceLocation)
      let expected = name == "reserved" ? [UInt8](repeating: 0, count: count) : fields[name]
      #expect(Array(bytes[offset..<end]) == expected, "\(section): \(name)", sourceLocation: sourceLocation)
    }
    #expect(end == bytes.count, "\(section) has bytes behind its last row", sourceLocation: sourceLocation)
  }

  @Test func segmentHeader() throws {
    var header = SegmentHeader()
    header.requiredFeatures = 0x1112_1314_1516_1718
    header.optionalFeatures = 0x2122_2324_2526_2728
    header.zstdVersion = 0x3132_3334
    header.lz4Version = 0x4142_4344
    let bytes = encoded { header.encode(into: &$0) }
    try expect(
      bytes, of: "Header",
      are: [
        "magic": Array("TSSEGMT1".utf8), "version": [1, 0], "header byte count": [64, 0],
        "required features": little(header.requiredFeatures), "optional features": little(header.optionalFeatures),
        "zstd version": little(header.zstdVersion), "lz4 version": little(header.lz4Version),
        "checksum": little(CRC32C.checksum(Array(bytes[..<60]))),
      ])
  }

  @Test func segmentTrailer() throws {
    let hash = Hash128(first: 0x0102_0304_0506_0708, second: 0x1112_1314_1516_1718)
    let trailer = SegmentTrailer(footerOffset: 0x2122_2324_2526_2728, footerByteCount: 0x3132_3334, footerHash: hash)
    let bytes = encoded { trailer.encode(into: &$0) }
    try expect(
      bytes, of: "Trailer",
      are: [
        "footer offset": little(trailer.footerOffset), "footer byte count": little(trailer.footerByteCount),
        "checksum": little(CRC32C.checksum(Array(bytes[..<12] + bytes[16...]))),
        "footer hash": little(hash.first) + little(hash.second), "magic": Array("TSSEGEND".utf8),
      ])
  }

  @Test func segmentFooter() throws {
    let section = SectionEntry(
      kind: 9, flags: 1, offset: 0x0102_0304_0506_0708, byteCount: 0x1112_1314_1516_1718,
      hash: Hash128(first: 0x2122_2324_2526_2728, second: 0x3132_3334_3536_3738))
    var footer = SegmentFooter()
    footer.requiredFeatures = 0x4142_4344_4546_4748
    footer.optionalFeatures = 0x5152_5354_5556_5758
    footer.sections = [section]
    let names = try document.section("Footer").table(["Index", "Name", "Meaning"])?.cells("Name") ?? []
    let totals: [String: WritableKeyPath<SegmentTotals, UInt64>] = [
      "rowCount": \.rowCount, "traceCount": \.traceCount, "partialCount": \.partialCount, "eventCount": \.eventCount,
      "linkCount": \.linkCount, "errorCount": \.errorCount, "stripeCount": \.stripeCount,
      "minimumStart": \.minimumStart, "maximumStart": \.maximumStart, "maximumEnd": \.maximumEnd,
      "minimumDuration": \.minimumDuration, "maximumDuration": \.maximumDuration,
      "longestTraceDuration": \.longestTraceDuration, "partialMinimumStart": \.partialMinimumStart,
      "partialMaximumStart": \.partialMaximumStart, "partialMaximumEnd": \.partialMaximumEnd,
    ]
    #expect(Set(names) == Set(totals.keys))
    for (index, name) in names.enumerated() { totals[name].map { footer.totals[keyPath: $0] = UInt64(1000 + index) } }
    let bytes = encoded { footer.encode(into: &$0) }
    let written = names.indices.flatMap { little(UInt64(1000 + $0)) }
    let fields: [String: [UInt8]] = [
      "version": [1, 0], "reserved": [0, 0], "section count": [1, 0, 0, 0],
      "required features": little(footer.requiredFeatures), "optional features": little(footer.optionalFeatures),
      "sections": Array(bytes[24..<64]), "total count": little(UInt32(16)), "totals": written,
      "checksum": little(CRC32C.checksum(Array(bytes.dropLast(4)))),
    ]
    let rows = try #require(try document.section("Footer").table(Self.sequence)).cells("Name")
    #expect(rows.flatMap { fields[$0] ?? [] } == bytes)
    #expect(Set(rows) == Set(fields.keys))
    try expect(
      Array(bytes[24..<64]), of: "Footer",
      are: [
        "kind": [9, 0], "flags": [1, 0], "offset": little(section.offset), "byte count": little(section.byteCount),
        "hash": little(section.hash.first) + little(section.hash.second),
      ])
  }

  @Test func stripeHead() throws {
    var head = StripeHead()
    (head.rowCount, head.eventCount, head.linkCount) = (100, 200, 300)
    (head.traceCount, head.runCount, head.shapeCount) = (40, 50, 60)
    head.chunks = [ChunkEntry(id: 20, offset: 52, byteCount: 7, checksum: 0x0102_0304)]
    let bytes = encoded { head.encode(into: &$0) }
    let fields: [String: [UInt8]] = [
      "magic": Array("TSST".utf8), "row count": little(UInt32(100)), "event count": little(UInt32(200)),
      "link count": little(UInt32(300)), "trace count": little(UInt32(40)), "run count": little(UInt32(50)),
      "shape count": little(UInt32(60)), "chunk count": little(UInt32(1)),
      "chunk entries": little(UInt32(20)) + little(UInt32(52)) + little(UInt32(7)) + little(UInt32(0x0102_0304)),
      "checksum": little(CRC32C.checksum(Array(bytes.dropLast(4)))), "chunks": [],
    ]
    let rows = try #require(try document.section("Stripe").table(Self.sequence)).cells("Name")
    #expect(rows.flatMap { fields[$0] ?? [0xff] } == bytes)
  }

  @Test func chunkHeads() throws {
    let block = encoded { writer in
      CompressedBlock.encode([1, 2, 3], compressor: ZstdCompressor(level: 1), into: &writer)
    }
    try expect(
      block, of: "Stripe", 0,
      are: [
        "raw byte count": little(UInt32(3)), "stored byte count": little(UInt32(3)),
        "checksum": little(CRC32C.checksum(Array(block[..<8]) + [1, 2, 3])), "stored bytes": [1, 2, 3],
      ])
    let text = encoded { writer in
      TextChunkHead(form: .column, firstByteCount: 2, secondByteCount: 0).encode(into: &writer)
      writer.append([8, 9])
    }
    try expect(
      text, of: "Stripe", 1,
      are: [
        "form": [1], "first byte count": little(UInt32(2)), "second byte count": little(UInt32(0)),
        "checksum": little(CRC32C.checksum(Array(text[..<12]))), "parts": [8, 9],
      ])
    let double = encoded { writer in
      DoubleChunkHead(form: .decimal, exponent: 3, valuesByteCount: 1, positionsByteCount: 2, bitsByteCount: 3)
        .encode(into: &writer)
      writer.append([4, 5, 6, 7, 8, 9])
    }
    try expect(
      double, of: "Stripe", 2,
      are: [
        "form": [1], "exponent": [3], "values byte count": little(UInt32(1)), "positions byte count": little(UInt32(2)),
        "bits byte count": little(UInt32(3)), "checksum": little(CRC32C.checksum(Array(double[..<16]))),
        "columns": [4, 5, 6, 7, 8, 9],
      ])
  }

  @Test func logFileAndFrame() throws {
    let log = try Examples.log()
    let file = Array(log[..<WALFormat.fileHeaderByteCount])
    try expect(
      file, of: "Write-ahead log", 0,
      are: [
        "magic": WALFormat.fileMagic, "version": little(WALFormat.version), "feature bits": [0, 0, 0, 0],
        "store id": Examples.storeIDBytes, "file number": little(UInt64(1)), "first sequence": little(UInt64(1)),
        "previous sequence": little(UInt64(0)), "checksum": little(CRC32C.checksum(Array(file[..<60]))),
      ])
    let start = WALFormat.fileHeaderByteCount + WALFormat.frameHeaderByteCount + 3
    let frame = Array(log[start..<(start + WALFormat.frameHeaderByteCount)])
    let payload = Array(log[(start + WALFormat.frameHeaderByteCount)...])
    let salt = CRC32C.checksum(Examples.storeIDBytes + little(UInt64(1)))
    try expect(
      frame, of: "Write-ahead log", 1,
      are: [
        "magic": Array("TSWF".utf8), "kind": [1], "codec": [1], "flags": [0, 0], "sequence": little(UInt64(2)),
        "synced sequence": little(UInt64(1)), "arrival": little(Examples.arrival + 1),
        "rules version": little(UInt32(3)),
        "uncompressed byte count": little(UInt32(40)), "stored byte count": little(UInt32(payload.count)),
        "payload checksum": little(CRC32C.checksum(payload)),
        "header checksum": little(frame[..<48].withUnsafeBytes { CRC32C.checksum($0, following: salt) }),
      ])
    let slot = Array(try Examples.position()[64...])
    try expect(
      slot, of: "Position file",
      are: [
        "edition": little(UInt64(3)), "sequence": little(UInt64(2)), "file number": little(UInt64(1)),
        "offset": little(UInt64(log.count)), "store id": Examples.storeIDBytes, "boot identity": little(UInt64(1)),
        "version": little(UInt32(1)), "checksum": little(CRC32C.checksum(Array(slot[..<60]))),
      ])
  }

  @Test func manifestHeaders() throws {
    let current = try Examples.current()
    try expect(
      current, of: "CURRENT",
      are: [
        "magic": ManifestFormat.currentMagic, "version": little(UInt32(1)), "manifest number": little(UInt64(1)),
        "checksum": little(CRC32C.checksum(Array(current[..<28]))),
      ])
    let manifest = try Examples.manifest()
    let file = Array(manifest[..<ManifestFormat.fileHeaderByteCount])
    try expect(
      file, of: "Manifest file", 0,
      are: [
        "magic": ManifestFormat.fileMagic, "version": little(ManifestFormat.version), "feature bits": [0, 0, 0, 0],
        "store id": Examples.storeIDBytes, "manifest number": little(UInt64(1)), "first sequence": little(UInt64(1)),
        "checksum": little(CRC32C.checksum(Array(file[..<60]))),
      ])
    let record = Array(manifest[64..<88])
    let body = Array(manifest[88..<126])
    try expect(
      record, of: "Manifest file", 1,
      are: [
        "magic": Array("TSMR".utf8), "body byte count": little(UInt32(38)), "sequence": little(UInt64(1)),
        "body checksum": little(CRC32C.checksum(body)),
        "header checksum": little(
          record[..<20].withUnsafeBytes { CRC32C.checksum($0, following: CRC32C.checksum(file)) }),
      ])
    try expect(
      Array(body[..<8]), of: "Manifest file", 2,
      are: ["entry kind": [1, 0], "flags": [1, 0], "byte count": little(UInt32(30))])
    try expect(
      Array(body[8...]), of: "Manifest file", 3,
      are: [
        "store format": little(UInt32(1)), "store id": Examples.storeIDBytes, "reading of end = 0": [0],
        "created": little(Examples.arrival), "attributes": [0],
      ])
  }
}

import Testing
import TraceBytes

@testable import TraceColumns

/// The worked examples of FORMAT.md: what a released version has written must read the same for ever.
struct GoldenBytesTests {
  let scratch = ColumnScratch()

  private func bytes(_ hex: String) -> [UInt8] {
    hex.split(whereSeparator: { $0 == " " || $0 == "·" }).compactMap { UInt8($0, radix: 16) }
  }

  private static let huffmanValues: [UInt64] = (0..<200).map { index in
    if index % 5 == 4 { return index % 3 == 0 ? 1_000_003 : 77_777 }
    return index % 7 == 0 ? 5_000_001 : 3
  }
  private static let dictionaryValues: [UInt64] = (0..<24).map { index in
    [1, 1 << 40 | 1, 123_456_789_014, 99][(index * index + index / 3) % 4]
  }

  @Test(
    arguments: [
      ([], "00 00 00 00 00 01 00 1A F2 9C A8"),
      ([300, 300, 300], "00 00 00 03 00 02 AC 02 1B 9B 99 3D"),
      ([10, 13, 11, 15, 12], "01 00 03 05 00 03 0A 58 2A F7 20 9E A9"),
      ([5000, 9000, 6000, 12000], "01 03 03 04 00 04 88 27 60 0E 6A D4 71 B2"),
      (
        [0, 1, 2, 3, 0, 1, 2, 3, 0, 1000, 2, 3, 0, 1, 2, 3],
        "02 00 02 10 00 0A 00 01 08 E4 E4 E0 E4 09 00 FA D3 BE 00 19"
      ),
      (
        [1000, 1003, 1006, 1010, 1013, 1016, 1020, 1023, 1026, 1030],
        "03 00 01 0A 00 07 E8 07 00 06 00 24 01 59 ED 56 28"
      ),
      (
        [
          100, 101, 99, 100, 102, 101, 100, 99, 101, 130, 131, 129, 128, 129, 130, 131, 255, 254, 253, 254, 255, 256,
        ],
        "04 00 03 16 00 11 63 01 02 05 9A 98 84 D2 22 09 89 24 08 3C 00 E7 03 FF 21 81 CE"
      ),
      (
        (0..<40).map { $0 < 25 ? 7 : $0 < 38 ? 900 : 12345 },
        "05 00 0E 28 00 0B 07 03 05 00 40 DF 20 03 03 98 05 B5 C0 85 62"
      ),
      (
        dictionaryValues,
        """
        06 00 02 18 00 1E 01 04 29 00 00 00 00 00 C4 00 00 00 00 54 68 64 FA 72 00 00 00 00 00 08 8C 6B 12 8C 6B 12 EE \
        2D 13 8E
        """
      ),
      (
        huffmanValues,
        """
        07 41 03 C8 00 36 03 04 16 00 00 C0 F9 25 00 12 7A 7C 96 98 21 33 E2 3B 04 13 98 78 2E 31 D0 41 9C 87 83 71 1D \
        06 09 C8 7C 17 11 D8 20 9C C3 C1 71 8E 82 0C E4 3C 1B 88 E8 30 4E 40 24 AB D4 16
        """
      ),
      (
        (0..<40).map { (11 * $0 + $0 / 20 * 5) % 100 },
        "08 00 01 28 00 0C 00 64 00 07 01 0B 00 00 08 00 00 10 66 6E E4 FB"
      ),
      (
        (0..<1025).map { UInt64($0) },
        """
        81 81 08 0E 00 00 00 1A 00 00 00 26 28 DE 82 03 00 00 00 04 04 00 00 02 00 5C B3 3E CE 00 00 00 01 00 02 80 08 \
        1D 2D 4C 8A
        """
      ),
    ] as [([UInt64], String)])
  func integerColumnsHaveTheirGoldenBytes(values: [UInt64], hex: String) throws {
    var writer = ByteWriter()
    IntegerColumn.encode(values, into: &writer, scratch: scratch)
    #expect(writer.bytes == bytes(hex))
    #expect(try bytes(hex).withUnsafeBytes { try IntegerColumn($0).decodeAll() } == values)
  }

  @Test func aTextListHasItsGoldenBytes() throws {
    let hex = "03 01 · 03 0A 0A 00 00 · 77 E8 25 9A · 01 62 00 03 61 62 63 02 01 64 · 48 10 E1 9A"
    var writer = ByteWriter()
    SortedTextList.encode(["b", "abc", "abd"].map { Array($0.utf8) }, into: &writer, scratch: scratch)
    #expect(writer.bytes == bytes(hex))
  }

  @Test(
    arguments: [
      (
        ["ab", "cd"], TextEncoding.raw,
        """
        00 02 25 07 5A 10 · 00 00 00 02 00 01 02 6C A1 C0 F6 · 01 · 00 00 00 00 00 01 00 1A F2 9C A8 · \
        00 00 00 01 00 01 04 BD CF 43 B2 · 61 62 63 64 31 0A C8 92
        """
      ),
      (
        (0..<60).map { ["GET", "GET", "POST"][$0 % 3] }, .dictionary,
        """
        01 3C C4 69 63 9F · 02 01 02 0A 0A 00 00 13 AB 37 CA 03 47 45 54 00 04 50 4F 53 54 58 A9 8D D7 · \
        01 00 01 3C 00 09 00 24 49 92 24 49 92 24 09 ED E4 1E 18
        """
      ),
      (
        (0..<16).map { "id \(1000 + $0 * 7919 % 1000)" }, .template,
        """
        02 10 53 80 7A C6 · 01 01 01 05 05 00 00 3F EF E4 99 04 69 64 20 01 61 F5 AA C7 · 00 00 00 10 00 01 00 27 43 \
        F8 41 · 00 00 00 00 00 01 00 1A F2 9C A8 · 00 00 00 01 00 01 20 7C D6 64 55 · 00 00 D2 77 61 F1 · 01 00 0A \
        10 00 16 E8 07 00 5C 6E 74 BD A4 4E 29 60 6C 60 3D E4 4B 1B 1C CC 2E 76 C4 E8 A6 05 3D
        """
      ),
    ] as [([String], TextEncoding, String)])
  func textColumnsHaveTheirGoldenBytes(texts: [String], encoding: TextEncoding, hex: String) throws {
    let arena = TextArena(texts.map { Array($0.utf8) })
    if encoding == .raw {
      let raw = arena.withTexts { TextColumn.raw(count: texts.count, value: $0, scratch: scratch) }
      #expect(raw == bytes(hex))
    } else {
      var writer = ByteWriter()
      arena.withTexts { TextColumn.encode(count: texts.count, value: $0, into: &writer, scratch: scratch) }
      #expect(writer.bytes == bytes(hex))
    }
    try bytes(hex).withUnsafeBytes { raw in
      let column = try TextColumn(raw, scratch: scratch)
      #expect(column.encoding == encoding)
      for row in texts.indices { #expect(try column.value(at: row, scratch: scratch) == Array(texts[row].utf8)) }
    }
  }

  @Test func aFilterHasItsGoldenBytes() throws {
    let hex = """
      08 00 03 03 01 · 00 00 00 00 00 00 00 00 00 00 00 00 00 00 CC 00 00 D0 00 00 00 00 C7 00 · 04 7D BD 19
      """
    var writer = ByteWriter()
    try #require(FuseFilter([1, 2, 3], width: .eight)).encode(into: &writer)
    #expect(writer.bytes == bytes(hex))
  }
}

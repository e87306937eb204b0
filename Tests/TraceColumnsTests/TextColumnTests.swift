import Testing
import TraceBytes

@testable import TraceColumns

/// Columns of strings as spans carry them, and some as no one should.
func sampleTexts(count: Int, seed: UInt64) -> [(name: String, texts: [[UInt8]])] {
  var random = SeededRandom(seed: seed)
  func make(_ body: (Int) -> String) -> [[UInt8]] { (0..<count).map { Array(body($0).utf8) } }
  func hex(_ value: UInt64, _ width: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - text.count)) + text.suffix(width)
  }
  func uuid() -> String {
    let text = hex(random.next(), 16) + hex(random.next(), 16)
    var result = ""
    for (index, character) in text.enumerated() {
      if [8, 12, 16, 20].contains(index) { result.append("-") }
      result.append(character)
    }
    return result
  }
  return [
    ("empty", make { _ in "" }),
    ("one value", make { _ in "GET" }),
    ("methods", make { _ in ["GET", "POST", "PUT", "DELETE"][random.below(4)] }),
    (
      "urls",
      make { _ in "https://shop.example/api/v1/users/\(random.below(1_000_000))/orders/\(random.below(100_000))" }
    ),
    ("uuids", make { _ in uuid() }),
    ("tokens", make { _ in hex(random.next() >> 32, 8) }),
    ("addresses", make { _ in "10.\(random.below(4)).\(random.below(256)).\(random.below(256))" }),
    ("mixed", make { random.below(5) == 0 ? "weird \(String(repeating: "?", count: $0 % 7))" : "job-\($0)" }),
    (
      "words",
      make { _ in
        (0..<random.below(9)).map { _ in ["alpha", "Beta", "gamma", "Δ", "zz"][random.below(5)] }.joined(separator: " ")
      }
    ),
    ("bytes", (0..<count).map { _ in (0..<random.below(20)).map { _ in UInt8(truncatingIfNeeded: random.next()) } }),
    ("large", (0..<count).map { row in [UInt8](repeating: UInt8(row & 255), count: row % 50 == 7 ? 9000 : row % 90) }),
  ]
}

struct TextColumnTests {
  let scratch = ColumnScratch()

  private func encoded(_ texts: [[UInt8]]) -> [UInt8] {
    var writer = ByteWriter()
    TextColumn.encode(texts, into: &writer, scratch: scratch)
    return writer.bytes
  }

  private func walk(_ bytes: [UInt8], verifying: Bool = true) throws -> [[UInt8]] {
    try bytes.withUnsafeBytes { raw in
      var texts: [[UInt8]] = []
      try TextColumn(raw, verifying: verifying, scratch: scratch).forEach(scratch: scratch) { _, text in
        texts.append(text.array)
      }
      return texts
    }
  }

  @Test func everyShapeComesBackWholeByRowByGatherAndByEquality() throws {
    var used: Set<TextEncoding> = []
    for count in [0, 1, 2, 63, 64, 65, 300, 1500, 4500] {
      for (name, texts) in sampleTexts(count: count, seed: UInt64(count)) {
        let bytes = encoded(texts) + [1]
        #expect(try walk(bytes) == texts, "\(name), count \(count)")
        try bytes.withUnsafeBytes { raw in
          let column = try TextColumn(raw, scratch: scratch)
          used.insert(column.encoding)
          #expect(column.count == count)
          #expect(column.byteCount == bytes.count - 1)
          #expect(!column.describe().isEmpty)
          let rows = Array(stride(from: count / 3, to: count, by: max(1, count / 40)))
          for row in rows where try column.value(at: row, scratch: scratch) != texts[row] {
            Issue.record("\(name), row \(row)")
          }
          var gathered: [[UInt8]] = []
          try column.gather(rows, scratch: scratch) { _, text in gathered.append(text.array) }
          #expect(gathered == rows.map { texts[$0] }, "\(name), count \(count)")
          for needle in rows.prefix(6).map({ texts[$0] }) + [Array("absent 5".utf8), [1, 2]] {
            let found = try column.rows(equalTo: needle, scratch: scratch)
            #expect(found == texts.indices.filter { texts[$0] == needle }, "\(name), count \(count)")
          }
        }
      }
    }
    #expect(used == Set(TextEncoding.allCases))
  }

  @Test func numbersInTextCostTheirEntropy() throws {
    let count = 4000
    let limits = ["uuids": 16.5, "tokens": 4.6, "urls": 5.4, "addresses": 2.6]
    for (name, texts) in sampleTexts(count: count, seed: 21) {
      guard let limit = limits[name] else { continue }
      let share = Double(encoded(texts).count) / Double(count)
      #expect(share <= limit, "\(name) takes \(share) bytes a string")
    }
  }

  @Test func theChosenEncodingIsTheShortest() {
    for (name, texts) in sampleTexts(count: 1000, seed: 22) {
      let arena = TextArena(texts)
      let best = arena.withTexts { TextColumn.estimates(count: texts.count, value: $0, scratch: scratch) }.first
      // The dictionary is taken unasked when it needs about a bit a string.
      let byteCount = encoded(texts).count
      #expect(best?.byteCount == byteCount || byteCount <= 1000 / 8 + 64, "\(name)")
    }
  }

  @Test func encodingIsAFunctionOfTheStringsAlone() {
    for (_, texts) in sampleTexts(count: 5000, seed: 23) {
      let used = ColumnScratch()
      var first = ByteWriter()
      TextColumn.encode(texts, into: &first, scratch: used)
      var second = ByteWriter()
      TextColumn.encode(texts, into: &second, scratch: used)
      #expect(first.bytes == second.bytes)
      #expect(first.bytes == encoded(texts))
    }
  }

  @Test func everyFlippedByteIsFound() {
    for (name, texts) in sampleTexts(count: 70, seed: 24) {
      let bytes = encoded(texts)
      for offset in bytes.indices {
        var broken = bytes
        broken[offset] ^= UInt8(1 + offset % 255)
        #expect(throws: BytesError.self, "\(name), byte \(offset)") { try walk(broken) }
      }
      for count in stride(from: 0, to: bytes.count, by: 5) {
        #expect(throws: BytesError.self, "\(name), cut at \(count)") { try walk(Array(bytes[..<count])) }
      }
    }
  }

  @Test func hostileBytesBehindIgnoredChecksumsNeverTrap() {
    let seed: UInt64 = 25
    var random = SeededRandom(seed: seed)
    var survived = 0
    for (_, texts) in sampleTexts(count: 130, seed: seed) + sampleTexts(count: 1100, seed: seed) {
      let bytes = encoded(texts)
      for _ in 0..<40 {
        var broken = bytes
        for _ in 0...random.below(2) {
          broken[random.below(random.below(2) == 0 ? bytes.count : min(bytes.count, 60))] = UInt8(
            truncatingIfNeeded: random.next())
        }
        if (try? walk(broken, verifying: false)) != nil { survived += 1 }
        _ = try? broken.withUnsafeBytes { raw in
          let column = try TextColumn(raw, verifying: false, scratch: scratch)
          if column.count > 0 {
            _ = try? column.value(at: column.count - 1, scratch: scratch)
            _ = try? column.value(at: random.below(column.count), scratch: scratch)
          }
          _ = try? column.rows(equalTo: texts[3], scratch: scratch)
          _ = column.describe()
        }
      }
    }
    #expect(survived > 20, "seed \(seed)")
  }

  @Test func aSmallBlockCannotAnnounceAGiantText() {
    var writer = ByteWriter()
    writer.append(TextEncoding.raw.rawValue)
    writer.appendVarint(1)
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    IntegerColumn.encode([64 << 20], into: &writer, scratch: scratch)
    writer.append(1)
    IntegerColumn.encode([], into: &writer, scratch: scratch)
    IntegerColumn.encode([12], into: &writer, scratch: scratch)
    let block = [UInt8](repeating: 0, count: 12)
    writer.append(block)
    writer.appendInteger(CRC32C.checksum(block))
    #expect(throws: BytesError.self) { try walk(writer.bytes) }
  }
}

import Testing
import TraceBytes

@testable import TraceColumns

func isAscending(_ left: [UInt8], _ right: [UInt8]) -> Bool { left.lexicographicallyPrecedes(right) }

struct SortedTextListTests {
  let scratch = ColumnScratch()

  private func encoded(_ texts: [[UInt8]]) -> [UInt8] {
    var writer = ByteWriter()
    SortedTextList.encode(texts, into: &writer, scratch: scratch)
    return writer.bytes
  }

  private func sample(_ count: Int, seed: UInt64) -> [[UInt8]] {
    var random = SeededRandom(seed: seed)
    var texts: Set<[UInt8]> = []
    while texts.count < count {
      switch random.below(4) {
      case 0: texts.insert(Array("/api/v\(random.below(9))/user/\(random.below(100_000))/orders".utf8))
      case 1: texts.insert(Array("service-\(random.below(10_000))".utf8))
      case 2: texts.insert((0..<random.below(12)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
      default: texts.insert([UInt8](repeating: 0xff, count: random.below(40)) + [UInt8(random.below(256))])
      }
    }
    return texts.sorted(by: isAscending)
  }

  @Test func everyStringIsFoundByIndexAndByText() throws {
    for count in [0, 1, 2, 15, 16, 17, 32, 33, 100, 5000] {
      let texts = sample(count, seed: UInt64(count))
      let bytes = encoded(texts) + [9, 9]
      try bytes.withUnsafeBytes { raw in
        let list = try SortedTextList(raw)
        #expect(list.count == count)
        #expect(list.byteCount == bytes.count - 2)
        var walked: [[UInt8]] = []
        try list.forEach(scratch: scratch) { index, text in
          #expect(index == walked.count)
          walked.append(text.array)
        }
        #expect(walked == texts)
        for index in stride(from: 0, to: count, by: count > 500 ? 37 : 1) {
          #expect(try list.text(at: index, scratch: scratch) == texts[index])
          #expect(try list.index(of: texts[index], scratch: scratch) == index)
          #expect(try list.index(of: texts[index] + [0], scratch: scratch) == texts.firstIndex(of: texts[index] + [0]))
        }
        let wanted = Array(stride(from: 0, to: count, by: 3)).flatMap { [$0, $0] }
        var places: [Int] = []
        try list.forEach(at: wanted, scratch: scratch) { place, text in
          places.append(place)
          if text.array != texts[wanted[place]] { Issue.record("place \(place)") }
        }
        #expect(places == Array(wanted.indices))
        #expect(list.describe().count == 1 + list.chunks.count)
      }
    }
  }

  @Test func prefixRangesMatchAScan() throws {
    let texts = sample(3000, seed: 7)
    let prefixes: [[UInt8]] = [
      [], [0], [0xff], [0xff, 0xff], Array("/".utf8), Array("/api/v3/".utf8), Array("service-1".utf8), Array("zz".utf8),
    ]
    try encoded(texts).withUnsafeBytes { raw in
      let list = try SortedTextList(raw)
      for prefix in prefixes {
        let range = try list.range(prefix: prefix, scratch: scratch)
        let expected = texts.indices.filter { texts[$0].starts(with: prefix) }
        #expect(Array(range) == expected, "\(prefix)")
      }
    }
  }

  @Test func textsThatShareMuchTakeLittle() {
    let texts = (0..<10_000).map { Array("/api/v1/customers/\(100_000 + $0)/invoices".utf8) }
    #expect(encoded(texts).count < 10_000 * 6)
  }

  @Test func aGiantStringComesBack() throws {
    let texts: [[UInt8]] = [[1], [UInt8](repeating: 2, count: 300_000), [3]]
    try encoded(texts).withUnsafeBytes { raw in
      let list = try SortedTextList(raw)
      for index in texts.indices { #expect(try list.text(at: index, scratch: scratch) == texts[index]) }
    }
  }

  @Test func everyFlippedByteIsFound() throws {
    for count in [0, 1, 5, 60] {
      let bytes = encoded(sample(count, seed: 3))
      for offset in bytes.indices {
        for change: UInt8 in [1, 0x40, 0xff] {
          var broken = bytes
          broken[offset] ^= change
          #expect(throws: BytesError.self, "count \(count), byte \(offset)") {
            try broken.withUnsafeBytes { raw in try SortedTextList(raw).forEach(scratch: scratch) { _, _ in } }
          }
        }
      }
    }
  }

  @Test func hostileBytesBehindIgnoredChecksumsNeverTrap() {
    let seed: UInt64 = 11
    var random = SeededRandom(seed: seed)
    var survived = 0
    for count in [1, 5, 60, 400] {
      let bytes = encoded(sample(count, seed: seed))
      for _ in 0..<400 {
        var broken = bytes
        for _ in 0...random.below(3) {
          broken[random.below(random.below(2) == 0 ? bytes.count : min(bytes.count, 16))] = UInt8(
            truncatingIfNeeded: random.next())
        }
        let isReadable: Void? = try? broken.withUnsafeBytes { raw in
          let list = try SortedTextList(raw, verifying: false)
          try list.forEach(scratch: scratch) { _, _ in }
          _ = try list.index(of: [0x2f, 0x61], scratch: scratch)
          if list.count > 0 { _ = try list.text(at: list.count - 1, scratch: scratch) }
        }
        if isReadable != nil { survived += 1 }
      }
    }
    #expect(survived > 20, "seed \(seed)")
  }
}

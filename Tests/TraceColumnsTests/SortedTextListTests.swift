import Testing
import TraceBytes

@testable import TraceColumns

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
    return texts.sorted { TextOrder.precedes($0, $1) }
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

  @Test func `texts that are numbered stand in the order of their numbers`() {
    let texts = (0..<1200).map { Array("host-\($0)".utf8) }
    #expect(texts.reversed().sorted { TextOrder.precedes($0, $1) } == texts)
    // Equal byte counts are told apart by the first byte that differs, wherever it stands.
    for place in 0..<20 {
      var less = [UInt8](repeating: 0x80, count: 20)
      less[place] = 0x7f
      #expect(TextOrder.precedes(less, [UInt8](repeating: 0x80, count: 20)), "byte \(place)")
      #expect(!TextOrder.precedes([UInt8](repeating: 0x80, count: 20), less), "byte \(place)")
    }
    let bytes = [UInt8](repeating: 0x80, count: 20)
    #expect(!TextOrder.precedes(bytes, bytes))
  }

  @Test func `texts that are not in the list are not found, on either side of every chunk`() throws {
    let texts = sample(8000, seed: 13)
    let known = Set(texts)
    try encoded(texts).withUnsafeBytes { raw in
      let list = try SortedTextList(raw)
      #expect(list.chunks.count > 4)
      for chunk in list.chunks {
        for index in max(0, chunk.firstIndex - 2)..<min(texts.count, chunk.firstIndex + 2) {
          var other = texts[index]
          for change in [-1, 1] where !other.isEmpty {
            other = texts[index]
            other[other.count - 1] = UInt8(truncatingIfNeeded: Int(other[other.count - 1]) + change)
            if known.contains(other) { continue }
            let bound = try other.withUnsafeBytes { try list.lowerBound(of: $0, scratch: scratch) }
            #expect(!bound.isEqual)
            #expect(bound.index == texts.firstIndex { TextOrder.precedes(other, $0) } ?? texts.count, "\(other)")
          }
        }
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

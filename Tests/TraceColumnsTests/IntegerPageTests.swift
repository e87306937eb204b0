import Testing
import TraceBytes

@testable import TraceColumns

/// Puts a right checksum on a page whose other bytes were changed, so that the decoder behind it is reached.
func repairedPage(_ bytes: [UInt8]) -> [UInt8] {
  var bytes = bytes
  let checksum = CRC32C.checksum(Array(bytes.dropLast(4)))
  for index in 0..<4 { bytes[bytes.count - 4 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
  return bytes
}

/// Pages that between them use every encoding.
func samplePages(count: Int, seed: UInt64) -> [(name: String, values: [UInt64])] {
  var random = SeededRandom(seed: seed)
  var walk: UInt64 = 1 << 40
  func make(_ body: (Int) -> UInt64) -> [UInt64] { (0..<count).map(body) }
  return [
    ("zeros", make { _ in 0 }),
    ("greatest", make { _ in .max }),
    ("alternating", make { $0 & 1 == 0 ? 0 : .max }),
    ("uniform", make { _ in randomValue(width: 13, using: &random) }),
    ("wide", make { _ in random.next() }),
    ("outliers", make { _ in randomValue(width: random.below(50) == 0 ? 60 : 5, using: &random) }),
    ("one outlier", make { $0 == count / 2 ? .max : UInt64($0 & 3) }),
    ("sequence", make { 1000 + UInt64($0) }),
    ("falling", make { 1_000_000 - 3 * UInt64($0) }),
    (
      "clock",
      make { _ in
        walk += 1000 * randomValue(width: 10, using: &random)
        return walk
      }
    ),
    (
      "smooth",
      make { _ in
        walk = walk &+ randomValue(width: 6, using: &random) &- 32
        return walk
      }
    ),
    ("runs", make { UInt64($0 / 37) &* 0x9e37_79b9_7f4a_7c15 }),
    ("few wide", make { _ in UInt64(random.below(8)) &* 0x0123_4567_89ab_cdef }),
    (
      "skewed",
      make { _ in
        let kind = random.below(100)
        return UInt64(kind < 80 ? 0 : kind < 90 ? 1 : kind < 95 ? 2 : 3 + random.below(12)) &* 0x0123_4567_89ab
      }
    ),
    ("milliseconds", make { _ in 1_700_000_000_000_000_000 + 1_000_000 * UInt64(random.below(100_000)) }),
    ("dealt in turn", make { UInt64(($0 * 97 + $0 / 300) % 1000) << 33 | 5 }),
    ("doubles", make { _ in (Double(random.below(64)) / 4).bitPattern }),
  ]
}

func encodedPage(_ values: [UInt64], scratch: ColumnScratch) -> [UInt8] {
  var writer = ByteWriter()
  values.withUnsafeBufferPointer { IntegerCodec.encode($0, into: &writer, scratch: scratch) }
  return writer.bytes
}

func decodedPage(_ bytes: [UInt8]) throws -> [UInt64] {
  try bytes.withUnsafeBytes { bytes in
    let page = try IntegerPage(bytes)
    var output = [UInt64](repeating: 1, count: page.count)
    try output.withUnsafeMutableBufferPointer { try page.decode(into: $0) }
    // A sequential encoding decodes its page for each value: a few values are enough.
    let step = page.hasDirectAccess ? 1 : max(1, page.count / 8)
    for index in stride(from: 0, to: page.count, by: step) {
      guard try page.value(at: index) == output[index] else {
        throw BytesError(offset: index, reason: "value(at:) and decode disagree")
      }
    }
    return output
  }
}

struct IntegerPageTests {
  let scratch = ColumnScratch()

  @Test func everyShapeComesBackAtEveryCount() throws {
    var used: Set<String> = []
    for count in Array(0...17) + [63, 64, 65, 100, 500, 1023, 1024] {
      for (name, values) in samplePages(count: count, seed: UInt64(count)) {
        let bytes = encodedPage(values, scratch: scratch)
        #expect(try decodedPage(bytes) == values, "\(name), count \(count)")
        try bytes.withUnsafeBytes { raw in
          let page = try IntegerPage(raw)
          used.insert(page.encoding.name)
          #expect(page.byteCount == bytes.count)
          #expect(page.describe().contains("\(count) values"))
        }
      }
    }
    #expect(used == Set(IntegerEncoding.allCases.map(\.name)))
  }

  @Test func everyWidthComesBack() throws {
    var random = SeededRandom(seed: 2)
    for width in 0...64 {
      for count in [1, 2, 3, 7, 8, 9, 33, 1024] {
        let values = (0..<count).map { _ in randomValue(width: width, using: &random) }
        #expect(try decodedPage(encodedPage(values, scratch: scratch)) == values, "width \(width), count \(count)")
      }
    }
  }

  @Test func everyShortPageOfExtremeValuesComesBack() throws {
    let extremes: [UInt64] = [0, 1, 2, 1 << 63, (1 << 63) - 1, .max, .max - 1]
    for count in 1...4 {
      var indices = [Int](repeating: 0, count: count)
      while true {
        let values = indices.map { extremes[$0] }
        if try decodedPage(encodedPage(values, scratch: scratch)) != values { Issue.record("\(values)") }
        var place = 0
        while place < count {
          indices[place] += 1
          if indices[place] < extremes.count { break }
          indices[place] = 0
          place += 1
        }
        if place == count { break }
      }
    }
  }

  @Test func `a page says that it holds nothing of a set only when that is so`() throws {
    let scratch = ColumnScratch()
    var ruledOut: Set<IntegerEncoding> = []
    for (seed, count) in [1, 2, 100, 1024].enumerated() {
      for (name, values) in samplePages(count: count, seed: UInt64(seed)) {
        let bytes = encodedPage(values, scratch: scratch)
        try bytes.withUnsafeBytes { bytes in
          let page = try IntegerPage(bytes)
          for value in values.prefix(40) {
            for near in [value, value &+ 1, value &- 1, value ^ 1 << 40] {
              for range in [near...near, 0...near, near...UInt64.max] {
                let isHeld = values.contains { range.contains($0) }
                let mayHold = page.mayHold(WordRanges([range]))
                #expect(mayHold || !isHeld, "\(name), \(count) values as \(page.encoding): \(range)")
                if !mayHold { ruledOut.insert(page.encoding) }
              }
            }
          }
        }
      }
    }
    #expect(ruledOut.isSuperset(of: [.constant, .packed, .dictionary, .huffman]), "\(ruledOut)")
  }

  @Test func theCheapestEstimateIsWhatEncodingTakesUnlessEntropyCodingEarnsTooLittle() throws {
    for (name, values) in samplePages(count: 1024, seed: 5) {
      let estimates = values.withUnsafeBufferPointer { IntegerCodec.estimates($0, scratch: scratch) }
      let bytes = encodedPage(values, scratch: scratch)
      let chosen = try bytes.withUnsafeBytes { try IntegerPage($0).encoding.name }
      #expect(estimates.first { $0.name == chosen }?.byteCount == bytes.count, "\(name)")
      let best = try #require(estimates.first)
      if !["huffman", "steps"].contains(best.name) {
        #expect(best.byteCount == bytes.count, "\(name) chose \(chosen): \(estimates)")
      }
      #expect(best.byteCount * 10 >= bytes.count * 8, "\(name) chose \(chosen): \(estimates)")
    }
  }

  @Test func knownShapesGetTheirEncoding() throws {
    let expected = [
      "zeros": "constant", "uniform": "packed", "outliers": "patched", "sequence": "delta", "falling": "delta",
      "smooth": "zigzag-delta", "runs": "runs", "few wide": "dictionary", "skewed": "huffman",
      "dealt in turn": "steps",
    ]
    for (name, values) in samplePages(count: 1024, seed: 6) {
      guard let encoding = expected[name] else { continue }
      let chosen = try encodedPage(values, scratch: scratch).withUnsafeBytes { try IntegerPage($0).encoding.name }
      #expect(chosen == encoding, "\(name)")
    }
  }

  @Test func aClockOfMillisecondsCostsNoMoreThanItsMilliseconds() throws {
    let page = try #require(samplePages(count: 1024, seed: 7).first { $0.name == "milliseconds" })
    let bytes = encodedPage(page.values, scratch: scratch)
    #expect(bytes.count <= 1024 * 17 / 8 + 32)
  }

  @Test func everyFlippedBitIsFound() throws {
    for (name, values) in samplePages(count: 40, seed: 8) {
      let bytes = encodedPage(values, scratch: scratch)
      for bit in 0..<(bytes.count * 8) {
        var broken = bytes
        broken[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(throws: BytesError.self, "\(name), bit \(bit)") { try decodedPage(broken) }
      }
      for count in bytes.indices {
        #expect(throws: BytesError.self) { try decodedPage(Array(bytes[..<count])) }
      }
    }
  }

  @Test func hostilePagesWithRightChecksumsNeverTrap() {
    let seed: UInt64 = 9
    var random = SeededRandom(seed: seed)
    var decoded = 0
    for (_, values) in samplePages(count: 60, seed: seed) + samplePages(count: 300, seed: seed) {
      let bytes = encodedPage(values, scratch: scratch)
      for _ in 0..<150 {
        var broken = bytes
        for _ in 0...random.below(3) {
          broken[random.below(min(broken.count, random.below(4) == 0 ? broken.count : 24))] = UInt8(
            truncatingIfNeeded: random.next())
        }
        if (try? decodedPage(repairedPage(broken))) != nil { decoded += 1 }
      }
      for position in 0..<min(bytes.count - 4, 12) {
        for value in stride(from: 0, through: 255, by: position < 3 ? 1 : 5) {
          var broken = bytes
          broken[position] = UInt8(value)
          if (try? decodedPage(repairedPage(broken))) != nil { decoded += 1 }
        }
      }
    }
    // Some changes only change values; if none did, the loop would not have reached the decoders.
    #expect(decoded > 100, "seed \(seed)")
  }

  @Test func `exceptions out of order are refused, for single values search them`() throws {
    // Four values at width 2, patched by two exceptions of one more bit at 3 and 1, where 1 and 3 is right.
    for (positions, isRight) in [([1, 3], true), ([3, 1], false), ([1, 1], false)] {
      let packed = UInt32(positions[0] | positions[1] << 10)
      let body: [UInt8] =
        [0, 2, 1, 0b11_10_01_00] + (0..<3).map { UInt8(truncatingIfNeeded: packed >> UInt32(8 * $0)) } + [0b11]
      let bytes = repairedPage([2, 0, 2, 4, 0, UInt8(body.count)] + body + [0, 0, 0, 0])
      let decoded = try bytes.withUnsafeBytes { bytes in
        let page = try IntegerPage(bytes)
        var values = [UInt64](repeating: 0, count: 4)
        do throws(BytesError) {
          try values.withUnsafeMutableBufferPointer { output throws(BytesError) in try page.decode(into: output) }
          return values
        } catch { return [] as [UInt64] }
      }
      #expect(decoded == (isRight ? [0, 5, 2, 7] : []))
    }
  }

  /// A page of prefix codes as foreign bytes may have it: symbols are their values.
  private func huffmanPage(lengths: [Int], stream: [UInt8], count: Int) -> [UInt8] {
    func packed(_ values: [UInt64], width: Int) -> [UInt8] {
      var writer = ByteWriter()
      values.withUnsafeBufferPointer { BitPacking.pack($0, width: width, into: &writer) }
      return writer.bytes
    }
    var body = ByteWriter()
    body.append(0)
    body.appendVarint(lengths.count)
    body.append(8)
    body.append(packed(lengths.indices.map { UInt64($0) }, width: 8))
    body.append(packed(lengths.map { UInt64($0) }, width: 4))
    body.append(stream)
    var page = ByteWriter()
    page.append([IntegerEncoding.huffman.rawValue, 0, UInt8(lengths.max() ?? 0), UInt8(count & 255), UInt8(count >> 8)])
    page.appendVarint(body.count)
    page.append(body.bytes + [0, 0, 0, 0])
    return repairedPage(page.bytes)
  }

  /// Codes side by side, most significant bit first.
  private func stream(_ codes: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (index, bit) in codes.joined().enumerated() {
      if index % 8 == 0 { bytes.append(0) }
      if bit == "1" { bytes[bytes.count - 1] |= 0x80 >> UInt8(index % 8) }
    }
    return bytes
  }

  private func checkHuffman(_ codes: [String], _ symbols: [Int]) throws {
    let bytes = huffmanPage(
      lengths: codes.map(\.count), stream: stream(symbols.map { codes[$0] }), count: symbols.count)
    #expect(try decodedPage(bytes) == symbols.map { UInt64($0) })
    try bytes.withUnsafeBytes { bytes in
      let page = try IntegerPage(bytes)
      for (index, symbol) in symbols.enumerated() { #expect(try page.value(at: index) == UInt64(symbol)) }
    }
  }

  @Test func `prefix codes of every length, up to the longest that may be`() throws {
    // 0, 10, 110, …: of 14 bits, and two of 15, which no page needs that is written here.
    let codes =
      (0..<14).map { String(repeating: "1", count: $0) + "0" }
      + ["0", "1"].map { String(repeating: "1", count: 14) + $0 }
    try checkHuffman(codes, Array(codes.indices) + codes.indices.reversed() + [15, 15, 15, 0, 14, 14, 0])
  }

  @Test func `as many prefix codes as a dictionary holds`() throws {
    let codes = (0..<256).map { symbol in
      let bits = String(symbol, radix: 2)
      return String(repeating: "0", count: 8 - bits.count) + bits
    }
    try checkHuffman(codes, Array(codes.indices) + codes.indices.reversed())
    try checkHuffman(["0", "1"], [0, 1, 1, 0, 0, 0, 1, 0, 1])
  }

  @Test func `prefix codes that are none are named`() throws {
    for (lengths, reason) in [
      ([1, 2], "incomplete code"), ([1, 1, 1], "incomplete code"), ([1], "incomplete code"), ([], "incomplete code"),
      ([0, 1, 1], "a code without bits"),
    ] {
      let bytes = huffmanPage(lengths: lengths, stream: [0], count: 3)
      let error = #expect(throws: BytesError.self) { try decodedPage(bytes) }
      #expect(error?.reason.contains(reason) == true, "\(lengths): \(error?.reason ?? "")")
    }
  }

  @Test func `a step that is not there is refused, whatever its width`() throws {
    // Forty values round 100 by one known step of 3; a code of 2 stands for nothing.
    for width in [2, 31, 32, 40] {
      for (code, isRight) in [(0, true), (2, false)] {
        var codes = [UInt64](repeating: 0, count: 39)
        codes[17] = UInt64(code)
        var body = ByteWriter()
        body.append([0, 100, 5, 7, 1, 3])
        codes.withUnsafeBufferPointer { BitPacking.pack($0, width: width, into: &body) }
        var page = ByteWriter()
        page.append([IntegerEncoding.steps.rawValue, 0, UInt8(width), 40, 0])
        page.appendVarint(body.count)
        page.append(body.bytes + [0, 0, 0, 0])
        let decoded = try? decodedPage(repairedPage(page.bytes))
        let expected = (0..<40).map { (index: Int) in UInt64((5 + 3 * index) % 100) }
        #expect(decoded == (isRight ? expected : nil), "width \(width)")
      }
    }
  }
}

/// Looks for a literal, 32 bytes at a time: two bytes of the literal, the ones that text has least, filter the places.
final class LiteralSearch: Sendable {
  enum Outcome: Equatable {
    case found(Int)
    case absent
    /// So many places pass the filter that a further search could take longer than linear time. Before this place
    /// there is nothing.
    case gaveUp(Int)
  }

  let literal: [UInt8]
  private let firstOffset: Int
  private let secondOffset: Int

  /// - Parameter literal: not empty.
  init(_ literal: [UInt8]) {
    self.literal = literal
    let offsets = literal.indices.sorted { (Self.frequency(literal[$0]), $0) < (Self.frequency(literal[$1]), $1) }
    // Two bytes that differ tell more than the same one twice.
    let second = offsets.first { literal[$0] != literal[offsets[0]] } ?? offsets[min(1, offsets.count - 1)]
    firstOffset = offsets[0]
    secondOffset = second
  }

  /// How often a byte stands in what people write into spans, in a rough order.
  private static func frequency(_ byte: UInt8) -> Int {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "e"): 9
    case UInt8(ascii: "a"), UInt8(ascii: "i"), UInt8(ascii: "n"), UInt8(ascii: "o"), UInt8(ascii: "r"),
      UInt8(ascii: "s"), UInt8(ascii: "t"):
      8
    case 0x61...0x7a: 6
    case 0x30...0x39: 5
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: ":"): 5
    case 0x80...: 4
    case 0x41...0x5a: 3
    case 0x20...: 2
    default: 1
    }
  }

  /// - Parameter comparedByteCount: grows by the bytes that were looked at beside the filter.
  func search(
    _ text: UnsafeRawBufferPointer, from start: Int, comparedByteCount: inout Int
  ) -> Outcome {
    let length = literal.count
    guard let bytes = text.baseAddress, text.count &- start >= length else { return .absent }
    return literal.withUnsafeBytes { literal in
      guard let needle = literal.baseAddress else { return .absent }
      let first = needle.load(fromByteOffset: firstOffset, as: UInt8.self)
      let second = needle.load(fromByteOffset: secondOffset, as: UInt8.self)
      let firstVector = SIMD32<UInt8>(repeating: first)
      let secondVector = SIMD32<UInt8>(repeating: second)
      /// One past the last place where the literal may begin.
      let end = text.count &- length &+ 1
      var place = start
      var compared = 0
      defer { comparedByteCount &+= compared }
      while place < end {
        var stop = end
        if end &- start >= 32 {
          // The last block overlaps the one before: looking again at some places is quicker than one by one.
          let block = min(place, end &- 32)
          let isFirst = (bytes + (block &+ firstOffset)).loadUnaligned(as: SIMD32<UInt8>.self) .== firstVector
          let isSecond = (bytes + (block &+ secondOffset)).loadUnaligned(as: SIMD32<UInt8>.self) .== secondVector
          let words = unsafeBitCast(isFirst .& isSecond, to: SIMD4<UInt64>.self)
          stop = block &+ 32
          if (words[0] | words[1]) | (words[2] | words[3]) == 0 {
            place = stop
            continue
          }
        }
        while place < stop {
          if bytes.load(fromByteOffset: place &+ firstOffset, as: UInt8.self) == first,
            bytes.load(fromByteOffset: place &+ secondOffset, as: UInt8.self) == second
          {
            var same = 0
            while same < length,
              bytes.load(fromByteOffset: place &+ same, as: UInt8.self)
                == needle.load(fromByteOffset: same, as: UInt8.self)
            { same &+= 1 }
            compared &+= same &+ 1
            if same == length { return .found(place) }
            if compared > 4 &* (place &- start) &+ 1024 { return .gaveUp(place) }
          }
          place &+= 1
        }
      }
      return .absent
    }
  }
}

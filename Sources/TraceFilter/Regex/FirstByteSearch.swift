/// Looks for a byte of a few ranges, 16 bytes at a time.
final class FirstByteSearch: Sendable {
  /// More ranges cost more than the automaton.
  static let maximumRangeCount = 4

  private let isWanted: [Bool]
  // The starts of four ranges and how far they reach; a range that is not needed repeats another one.
  private let starts: SIMD4<UInt8>
  private let reaches: SIMD4<UInt8>

  /// Nil if the bytes are too many ranges, or none or all.
  init?(_ isWanted: [Bool]) {
    var ranges: [(start: UInt8, end: UInt8)] = []
    for byte in 0...255 as ClosedRange<UInt8> where isWanted[Int(byte)] {
      if let last = ranges.last, Int(last.end) + 1 == Int(byte) {
        ranges[ranges.count - 1].end = byte
      } else {
        ranges.append((byte, byte))
      }
    }
    guard let first = ranges.first, ranges.count <= Self.maximumRangeCount, isWanted.contains(false) else { return nil }
    var starts = SIMD4(repeating: first.start)
    var reaches = SIMD4(repeating: first.end - first.start)
    for (index, range) in ranges.enumerated() {
      starts[index] = range.start
      reaches[index] = range.end - range.start
    }
    self.isWanted = isWanted
    self.starts = starts
    self.reaches = reaches
  }

  /// The first place from `start` on, or nil.
  func search(_ text: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let bytes = text.baseAddress else { return nil }
    var place = start
    let end = text.count
    let start0 = SIMD16<UInt8>(repeating: starts[0])
    let start1 = SIMD16<UInt8>(repeating: starts[1])
    let start2 = SIMD16<UInt8>(repeating: starts[2])
    let start3 = SIMD16<UInt8>(repeating: starts[3])
    let reach0 = SIMD16<UInt8>(repeating: reaches[0])
    let reach1 = SIMD16<UInt8>(repeating: reaches[1])
    let reach2 = SIMD16<UInt8>(repeating: reaches[2])
    let reach3 = SIMD16<UInt8>(repeating: reaches[3])
    while end &- start >= 16, place < end {
      // The last block overlaps the one before, which had nothing.
      place = min(place, end &- 16)
      let block = (bytes + place).loadUnaligned(as: SIMD16<UInt8>.self)
      // Subtraction that wraps makes what is below a start large.
      let isIn =
        ((block &- start0) .<= reach0) .| ((block &- start1) .<= reach1) .| ((block &- start2) .<= reach2)
        .| ((block &- start3) .<= reach3)
      let words = unsafeBitCast(isIn, to: SIMD2<UInt64>.self)
      if words[0] != 0 { return place &+ words[0].littleEndian.trailingZeroBitCount / 8 }
      if words[1] != 0 { return place &+ 8 &+ words[1].littleEndian.trailingZeroBitCount / 8 }
      place &+= 16
    }
    while place < end {
      if isWanted[Int(bytes.load(fromByteOffset: place, as: UInt8.self))] { return place }
      place &+= 1
    }
    return nil
  }
}

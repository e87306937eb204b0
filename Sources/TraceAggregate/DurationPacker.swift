/// Writes durations side by side, as `PackedDurations` reads them.
package struct DurationPacker {
  package private(set) var words: [UInt64] = []
  /// Bits that do not fill a word yet.
  private var rest: UInt64 = 0
  private var restBitCount = 0

  package init() {}

  package mutating func reserve(byteCount: Int) { words.reserveCapacity(byteCount / 8) }

  /// Ends what was written before.
  ///
  /// - Returns: where the next durations begin, in bytes.
  package mutating func begin() -> Int {
    if restBitCount > 0 { words.append(rest.littleEndian) }
    (rest, restBitCount) = (0, 0)
    return words.count * MemoryLayout<UInt64>.size
  }

  /// Writes durations that fit the layout, which is the same as long as nothing else begins.
  package mutating func append(_ durations: UnsafeBufferPointer<UInt64>, _ layout: PackedDurations.Layout) {
    let bitCount = Int(layout.bitCount)
    // A constant is divided by without a division.
    switch layout.unit {
    case 1: for duration in durations { write(duration, bitCount) }
    case 1000: for duration in durations { write(duration / 1000, bitCount) }
    default: for duration in durations { write(duration / UInt64(layout.unit), bitCount) }
    }
  }

  @inline(__always)
  private mutating func write(_ value: UInt64, _ bitCount: Int) {
    rest |= value &<< UInt64(restBitCount)
    restBitCount &+= bitCount
    guard restBitCount >= 64 else { return }
    words.append(rest.littleEndian)
    restBitCount &-= 64
    rest = restBitCount > 0 ? value &>> UInt64(bitCount &- restBitCount) : 0
  }
}

import TraceBytes
import TraceModel

extension WireReader {
  /// Reads a length-delimited field as text: its place, after a check of its length and of its UTF-8.
  @inline(__always)
  mutating func text() throws(WireFault) -> Range<Int> {
    let count = try length()
    let start = place
    place &+= count
    try checkText(start, count)
    return Range(uncheckedBounds: (start, place))
  }

  /// Reads a length-delimited field as bytes: its place, after a check of its length.
  @inline(__always)
  mutating func blob() throws(WireFault) -> Range<Int> {
    let count = try length()
    let start = place
    guard count <= Limits.maximumValueByteCount else { throw WireFault(offset: start, reason: .longValue) }
    place &+= count
    return Range(uncheckedBounds: (start, place))
  }

  @inline(__always)
  func checkText(_ start: Int, _ count: Int) throws(WireFault) {
    guard count <= Limits.maximumValueByteCount else { throw WireFault(offset: start, reason: .longValue) }
    if UnsafeRawBufferPointer(start: base + start, count: count).isASCII { return }
    if let bad = UTF8Check.firstInvalid(base + start, count) {
      throw WireFault(offset: start &+ bad, reason: .invalidText)
    }
  }
}

/// Tells whether bytes are UTF-8, and where they stop being so.
enum UTF8Check {
  private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

  /// The index of the first byte of the first ill-formed sequence (Unicode 16.0, table 3-7), or nil.
  @inline(never)
  static func firstInvalid(_ base: UnsafeRawPointer, _ count: Int) -> Int? {
    var place = 0
    while place < count {
      if count &- place >= 8, base.loadUnaligned(fromByteOffset: place, as: UInt64.self) & highBits == 0 {
        place &+= 8
        continue
      }
      let first = base.load(fromByteOffset: place, as: UInt8.self)
      if first < 0x80 {
        place &+= 1
        continue
      }
      let length: Int
      var lowest: UInt8 = 0x80
      var highest: UInt8 = 0xbf
      switch first {
      case 0xc2...0xdf: length = 2
      case 0xe0: (length, lowest) = (3, 0xa0)
      case 0xed: (length, highest) = (3, 0x9f)
      case 0xe1...0xef: length = 3
      case 0xf0: (length, lowest) = (4, 0x90)
      case 0xf1...0xf3: length = 4
      case 0xf4: (length, highest) = (4, 0x8f)
      default: return place
      }
      guard count &- place >= length else { return place }
      let second = base.load(fromByteOffset: place &+ 1, as: UInt8.self)
      guard second >= lowest, second <= highest else { return place }
      var next = 2
      while next < length {
        guard base.load(fromByteOffset: place &+ next, as: UInt8.self) & 0xc0 == 0x80 else { return place }
        next &+= 1
      }
      place &+= length
    }
    return nil
  }
}

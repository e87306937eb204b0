/// The order of texts in lists and of their codes: the shorter one first, then byte by byte.
///
/// Where texts are numbered (`host-9`, `host-10`), their codes count as the numbers do, so that columns of codes keep
/// what is regular about them.
package enum TextOrder {
  @inline(__always)
  package static func precedes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    compare(left, right) < 0
  }

  /// Negative, zero or positive, as `left` stands before, at or after `right`.
  package static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    if left.count != right.count { return left.count &- right.count }
    var index = 0
    while index &+ 8 <= left.count {
      let a = UInt64(bigEndian: left.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let b = UInt64(bigEndian: right.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      if a != b { return a < b ? -1 : 1 }
      index &+= 8
    }
    while index < left.count {
      if left[index] != right[index] { return left[index] < right[index] ? -1 : 1 }
      index &+= 1
    }
    return 0
  }

  package static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBytes { left in right.withUnsafeBytes { precedes(left, $0) } }
  }

  private struct Key {
    /// The first eight bytes, big-endian, filled up with zeros.
    var prefix: UInt64
    var byteCount: UInt32
    var code: UInt32
  }

  @inline(__always)
  private static func prefix(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let count = bytes.count
    if count >= 8 { return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)) }
    var prefix: UInt64 = 0
    var index = 0
    while index < count {
      prefix |= UInt64(bytes[index]) << UInt64(56 &- 8 &* index)
      index &+= 1
    }
    return prefix
  }

  /// `codes` ascending by the texts that `bytes` gives for them.
  package static func sort(_ codes: inout [UInt32], bytes: (UInt32) -> UnsafeRawBufferPointer) {
    if codes.count < 2 { return }
    var keys: [Key] = []
    keys.reserveCapacity(codes.count)
    for code in codes {
      let text = bytes(code)
      keys.append(Key(prefix: prefix(text), byteCount: UInt32(truncatingIfNeeded: text.count), code: code))
    }
    keys.sort { left, right in
      if left.byteCount != right.byteCount { return left.byteCount < right.byteCount }
      if left.prefix != right.prefix { return left.prefix < right.prefix }
      return left.byteCount > 8 && precedes(bytes(left.code), bytes(right.code))
    }
    var index = 0
    while index < codes.count {
      codes[index] = keys[index].code
      index &+= 1
    }
  }
}

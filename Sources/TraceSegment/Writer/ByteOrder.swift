import TraceColumns

/// Sorts codes of byte strings by their bytes.
enum ByteOrder {
  private struct Key {
    /// The first eight bytes, big-endian, filled up with zeros.
    var prefix: UInt64
    var code: UInt32
  }

  @inline(__always)
  static func prefix(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
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

  static func precedes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    let count = min(left.count, right.count)
    var index = 0
    while index &+ 8 <= count {
      let a = left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let b = right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      if a != b { return UInt64(bigEndian: a) < UInt64(bigEndian: b) }
      index &+= 8
    }
    while index < count {
      if left[index] != right[index] { return left[index] < right[index] }
      index &+= 1
    }
    return left.count < right.count
  }

  /// `codes` ascending by the bytes that `bytes` gives for them.
  static func sort(_ codes: inout [UInt32], bytes: (UInt32) -> UnsafeRawBufferPointer) {
    if codes.count < 2 { return }
    var keys: [Key] = []
    keys.reserveCapacity(codes.count)
    for code in codes { keys.append(Key(prefix: prefix(bytes(code)), code: code)) }
    keys.sort { left, right in
      if left.prefix != right.prefix { return left.prefix < right.prefix }
      return precedes(bytes(left.code), bytes(right.code))
    }
    var index = 0
    while index < codes.count {
      codes[index] = keys[index].code
      index &+= 1
    }
  }
}

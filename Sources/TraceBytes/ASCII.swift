extension UnsafeRawBufferPointer {
  /// Whether all bytes are below 128, so that they are UTF-8 and need no other look.
  ///
  /// Eight bytes at a step; the last step overlaps the one before, so no byte goes alone in texts of eight and more.
  @inlinable
  @inline(__always)
  package var isASCII: Bool {
    if count >= 8 {
      var seen: UInt64 = 0
      var place = 0
      let last = count &- 8
      while place < last {
        seen |= loadUnaligned(fromByteOffset: place, as: UInt64.self)
        place &+= 8
      }
      seen |= loadUnaligned(fromByteOffset: last, as: UInt64.self)
      return seen & 0x8080_8080_8080_8080 == 0
    }
    if count >= 4 {
      let seen =
        loadUnaligned(fromByteOffset: 0, as: UInt32.self)
        | loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
      return seen & 0x8080_8080 == 0
    }
    var seen: UInt8 = 0
    var place = 0
    while place < count {
      seen |= load(fromByteOffset: place, as: UInt8.self)
      place &+= 1
    }
    return seen < 0x80
  }
}

package import TraceBytes

/// Values of `width` bits side by side, least significant bit first: value `i` starts at bit `i * width`.
///
/// A run of `count` values takes `byteCount(count:width:)` bytes; the unused bits of its last byte are zero.
package enum BitPacking {
  /// How many bytes `count` values of `width` bits take. Both must be small enough that the product fits.
  package static func byteCount(count: Int, width: Int) -> Int { (count &* width &+ 7) >> 3 }

  /// How many bits `value` needs: 0 for 0, 64 for values with the top bit.
  @inline(__always)
  package static func width(of value: UInt64) -> Int { 64 &- value.leadingZeroBitCount }

  @inline(__always)
  static func mask(_ width: Int) -> UInt64 { width >= 64 ? .max : (1 &<< UInt64(width)) &- 1 }

  /// Appends the low `width` bits of each value.
  package static func pack(_ values: UnsafeBufferPointer<UInt64>, width: Int, into writer: inout ByteWriter) {
    let start = writer.bytes.count
    let byteCount = byteCount(count: values.count, width: width)
    guard byteCount > 0 else { return }
    writer.bytes.append(contentsOf: repeatElement(0, count: byteCount))
    writer.bytes.withUnsafeMutableBytes { bytes in
      let output = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
      let mask = mask(width)
      var pending: UInt64 = 0
      var pendingCount = 0
      var place = 0
      var index = 0
      while index < values.count {
        let value = values[index] & mask
        pending |= value &<< UInt64(pendingCount)
        pendingCount &+= width
        if pendingCount >= 64 {
          output.storeBytes(of: pending.littleEndian, toByteOffset: place, as: UInt64.self)
          place &+= 8
          pendingCount &-= 64
          // The bits of `value` that did not fit; a smart shift, because the amount may be 64.
          pending = value >> UInt64(width &- pendingCount)
        }
        index &+= 1
      }
      while pendingCount > 0 {
        output[place] = UInt8(truncatingIfNeeded: pending)
        pending >>= 8
        place &+= 1
        pendingCount &-= 8
      }
    }
  }

  /// Value `index` of a run. `bytes` must hold the whole run and `width` be at most 64, which callers have checked.
  @inline(__always)
  package static func value(at index: Int, width: Int, in bytes: UnsafeRawBufferPointer) -> UInt64 {
    guard width > 0 else { return 0 }
    let bit = index &* width
    let place = bit >> 3
    let shift = UInt64(bit & 7)
    if width <= 57, place &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      return word &>> shift & mask(width)
    }
    return wideValue(place: place, shift: shift, width: width, in: bytes)
  }

  /// The same for values that reach over nine bytes or stand near the end of the run.
  @inline(never)
  private static func wideValue(place: Int, shift: UInt64, width: Int, in bytes: UnsafeRawBufferPointer) -> UInt64 {
    if width <= 57, bytes.count >= 8 {
      // The last word of the run ends with it, and so does the value at the latest.
      let last = bytes.count &- 8
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: last, as: UInt64.self))
      return word &>> (UInt64(place &- last) &* 8 &+ shift) & mask(width)
    }
    var low: UInt64 = 0
    var index = 0
    while index < 8, place &+ index < bytes.count {
      low |= UInt64(bytes[place &+ index]) &<< UInt64(8 &* index)
      index &+= 1
    }
    var value = low &>> shift
    if shift > 0, place &+ 8 < bytes.count { value |= UInt64(bytes[place &+ 8]) &<< (64 &- shift) }
    return value & mask(width)
  }

  /// Unpacks `output.count` values. `bytes` must hold the whole run and `width` be at most 64.
  package static func unpack(
    _ bytes: UnsafeRawBufferPointer, width: Int, into output: UnsafeMutableBufferPointer<UInt64>
  ) {
    let count = output.count
    guard count > 0 else { return }
    guard width > 0, let base = bytes.baseAddress else {
      output.update(repeating: 0)
      return
    }
    precondition(width <= 64 && bytes.count >= byteCount(count: count, width: width), "a run shorter than its values")
    let mask = mask(width)
    var index = 0
    if width == 64 {
      while index < count {
        output[index] = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self))
        index &+= 1
      }
      return
    }
    // Values below `safeCount` can be read with whole-word loads that stay inside the run.
    let reach = width <= 57 ? 8 : 9
    let safeCount = bytes.count < reach ? 0 : min(count, ((bytes.count &- reach) &* 8 &+ 7) / width &+ 1)
    if width <= 57 {
      var bit = 0
      while index < safeCount {
        let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self))
        output[index] = word &>> UInt64(bit & 7) & mask
        bit &+= width
        index &+= 1
      }
    } else {
      var bit = 0
      while index < safeCount {
        let place = bit >> 3
        let shift = UInt64(bit & 7)
        let low = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self))
        let high = UInt64(base.load(fromByteOffset: place &+ 8, as: UInt8.self))
        output[index] = (low &>> shift | (high &<< 1) &<< (63 &- shift)) & mask
        bit &+= width
        index &+= 1
      }
    }
    while index < count {
      output[index] = value(at: index, width: width, in: bytes)
      index &+= 1
    }
  }
}

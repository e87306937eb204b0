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
    let byteCount = byteCount(count: values.count, width: width)
    guard byteCount > 0, let source = values.baseAddress else { return }
    withUnsafeTemporaryAllocation(byteCount: byteCount &+ BitSink.reach, alignment: 8) { buffer in
      guard let start = buffer.baseAddress else { return }
      pack(source, count: values.count, width: width, into: BitSink(start))
      writer.append(UnsafeRawBufferPointer(start: start, count: byteCount))
    }
  }

  /// Narrow values are joined before they are put: a put waits for the one before, joining waits for nothing.
  private static func pack(_ values: UnsafePointer<UInt64>, count: Int, width: Int, into sink: consuming BitSink) {
    let mask = mask(width)
    let step = UInt64(width)
    @inline(__always)
    func pair(_ index: Int) -> UInt64 { values[index] & mask | (values[index &+ 1] & mask) &<< step }
    @inline(__always)
    func four(_ index: Int) -> UInt64 { pair(index) | pair(index &+ 2) &<< (2 &* step) }
    var index = 0
    if width <= 7 {
      while index &+ 8 <= count {
        sink.put(four(index) | four(index &+ 4) &<< (4 &* step), width: 8 &* width)
        index &+= 8
      }
    } else if width <= 14 {
      while index &+ 4 <= count {
        sink.put(four(index), width: 4 &* width)
        index &+= 4
      }
    } else if width <= 28 {
      while index &+ 2 <= count {
        sink.put(pair(index), width: 2 &* width)
        index &+= 2
      }
    } else if width > BitSink.maximumWidth {
      while index < count {
        sink.put(values[index] & 0xffff_ffff, width: 32)
        sink.put((values[index] & mask) &>> 32, width: width &- 32)
        index &+= 1
      }
    }
    while index < count {
      sink.put(values[index] & mask, width: width)
      index &+= 1
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
    if width <= GroupsOfEight.maximumWidth {
      index = GroupsOfEight(width: width).unpack(bytes, into: output)
    }
    // Values below `safeCount` can be read with whole-word loads that stay inside the run.
    let reach = width <= 57 ? 8 : 9
    let safeCount = bytes.count < reach ? 0 : min(count, ((bytes.count &- reach) &* 8 &+ 7) / width &+ 1)
    if width <= 57 {
      var bit = index &* width
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

/// Eight values of `width` bits take as many bytes, so that each eighth value begins a byte, and loads of whole words hold
/// several.
private struct GroupsOfEight {
  /// Two values and the bits before them fit a word.
  static let maximumWidth = 29

  let width: Int

  /// How many values stand in a load.
  private var valuesPerLoad: Int { width <= 8 ? 8 : width <= 15 ? 4 : 2 }

  /// Unpacks groups as long as their loads stay inside `bytes`, which hold a run of so many values.
  ///
  /// - Returns: how many values those are.
  func unpack(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableBufferPointer<UInt64>) -> Int {
    guard let source = bytes.baseAddress, let target = output.baseAddress else { return 0 }
    let lastLoad = ((8 &- valuesPerLoad) &* width) >> 3
    let slack = bytes.count &- 8 &- lastLoad
    guard slack >= 0 else { return 0 }
    let groupCount = min(output.count >> 3, slack / width &+ 1)
    switch valuesPerLoad {
    case 8: for group in 0..<groupCount { load(8, 0, source + group &* width, target + group &* 8) }
    case 4:
      for group in 0..<groupCount {
        load(4, 0, source + group &* width, target + group &* 8)
        load(4, 1, source + group &* width, target + group &* 8)
      }
    default:
      for group in 0..<groupCount {
        load(2, 0, source + group &* width, target + group &* 8)
        load(2, 1, source + group &* width, target + group &* 8)
        load(2, 2, source + group &* width, target + group &* 8)
        load(2, 3, source + group &* width, target + group &* 8)
      }
    }
    return groupCount &* 8
  }

  @inline(__always)
  private func load(_ count: Int, _ index: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<UInt64>) {
    let mask = BitPacking.mask(width)
    let bit = index &* count &* width
    var word =
      UInt64(littleEndian: source.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self)) &>> UInt64(bit & 7)
    let first = index &* count
    var place = 0
    while place < count {
      target[first &+ place] = word & mask
      word = word &>> UInt64(width)
      place &+= 1
    }
  }
}

/// Writes bits from the least significant one on. Every put stores a whole word, so that it needs no branch and nothing
/// is left to be flushed.
private struct BitSink {
  /// The most bits in one put.
  static let maximumWidth = 56
  /// How many bytes behind the last bit may be written to.
  static let reach = 8

  private var output: UnsafeMutableRawPointer
  /// Bits that do not fill a byte yet.
  private var pending: UInt64 = 0
  private var pendingCount = 0

  init(_ output: UnsafeMutableRawPointer) { self.output = output }

  /// Puts `width` bits; those of `bits` above them are zero.
  @inline(__always)
  mutating func put(_ bits: UInt64, width: Int) {
    pending |= bits &<< UInt64(pendingCount)
    output.storeBytes(of: pending.littleEndian, as: UInt64.self)
    pendingCount &+= width
    output += pendingCount >> 3
    pending = pending &>> UInt64(pendingCount & ~7)
    pendingCount &= 7
  }
}

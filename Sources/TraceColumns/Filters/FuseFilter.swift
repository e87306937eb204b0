package import TraceBytes

/// The hash of content that filters are built over: the first word of `Hash128`, the same on every machine.
package enum FilterHash {
  package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 { Hash128(of: bytes).first }
  package static func hash(_ bytes: [UInt8]) -> UInt64 { Hash128(of: bytes).first }
}

/// A binary fuse filter (Graf and Lemire, 2022): a set of 64-bit hashes in about nine bits each, never saying no to a
/// member and yes to one stranger in 16 (4-bit fingerprints, in half the memory), 256 (8-bit) or 65,536 (16-bit).
///
/// The table is cut into segments; a hash looks at one place in each of three neighbouring segments, and the exclusive
/// or of the three fingerprints there is its own. Immutable; may be used from several threads at once.
package struct FuseFilter: Sendable {
  package enum FingerprintWidth: UInt8, Sendable {
    case four = 4
    case eight = 8
    case sixteen = 16

    /// What so many fingerprints take.
    func byteCount(_ count: Int) -> Int { (count * Int(rawValue) + 7) / 8 }
  }

  /// The most hashes in a filter; the table of more would exceed a gigabyte.
  package static let maximumCount = 1 << 28
  /// The longest segment, as a power of two.
  static let maximumSegmentExponent = 18
  static let attemptCount = 100

  package let width: FingerprintWidth
  /// How many distinct hashes the filter was built from.
  package let count: Int
  /// Which attempt succeeded; it seeds the mixing.
  let attempt: UInt8
  let segmentExponent: Int
  /// How many segments a hash can start in; the table has two more.
  let segmentCount: Int
  /// The fingerprints, little-endian; of two that share a byte, the first is the low half.
  let fingerprints: [UInt8]

  /// How many bytes of memory the filter holds.
  package var byteCount: Int { fingerprints.count }

  var geometry: FuseGeometry { FuseGeometry(segmentExponent: segmentExponent, segmentCount: segmentCount) }

  /// Whether the set may hold `hash`; false is certain. Three memory accesses.
  @inline(__always)
  package func contains(_ hash: UInt64) -> Bool {
    fingerprints.withUnsafeBytes { geometry.holds(hash, attempt, width, $0) }
  }

  /// What a filter over `count` distinct hashes takes when encoded.
  package static func estimate(count: Int, width: FingerprintWidth) -> Int {
    count == 0 ? 10 : width.byteCount(FuseGeometry(count: count).tableCount) + 16
  }

  /// Appends the filter: width u8, attempt u8, segment exponent u8, count varint, segment count varint, the
  /// fingerprints, crc32c of all that.
  package func encode(into writer: inout ByteWriter) {
    let start = writer.count
    writer.append(width.rawValue)
    writer.append(attempt)
    writer.append(UInt8(segmentExponent))
    writer.appendVarint(count)
    writer.appendVarint(segmentCount)
    writer.append(fingerprints)
    let checksum = writer.bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    writer.appendInteger(checksum)
  }

  /// Reads a filter and moves behind it. The table is copied; its size is checked against the bytes that are there.
  package init(_ reader: inout ByteReader) throws(BytesError) {
    var rest = reader
    let bytes = try rest.readBytes(rest.remaining)
    let start = reader.offset
    func failure(_ reason: String) -> BytesError { BytesError(offset: start, reason: reason) }
    let widthCode = try reader.readUInt8()
    attempt = try reader.readUInt8()
    segmentExponent = Int(try reader.readUInt8())
    count = try reader.readCount(limit: Self.maximumCount)
    segmentCount = try reader.readCount(limit: reader.remaining)
    guard let width = FingerprintWidth(rawValue: widthCode) else {
      throw failure("a filter has fingerprints of \(widthCode) bits")
    }
    self.width = width
    guard segmentExponent <= Self.maximumSegmentExponent else {
      throw failure("a filter has segments of 2^\(segmentExponent) fingerprints")
    }
    guard (count == 0) == (segmentCount == 0) else {
      throw failure("a filter over \(count) hashes has \(segmentCount) segments")
    }
    let tableCount = count == 0 ? 0 : (segmentCount + 2) << segmentExponent
    let table = try reader.readBytes(width.byteCount(tableCount))
    let checkedByteCount = reader.offset - start
    let checksum = try reader.readUInt32()
    guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<checkedByteCount])) == checksum else {
      throw failure("a filter does not match its checksum")
    }
    fingerprints = table.array
  }

  /// One line for people.
  package func describe() -> String {
    "fuse\(width.rawValue): \(count) hashes, \(segmentCount) segments of \(1 << segmentExponent), attempt \(attempt), "
      + "\(byteCount) bytes"
  }

  init(
    width: FingerprintWidth, count: Int, attempt: UInt8, geometry: FuseGeometry, fingerprints: [UInt8]
  ) {
    self.width = width
    self.count = count
    self.attempt = attempt
    segmentExponent = count == 0 ? 0 : geometry.segmentExponent
    segmentCount = count == 0 ? 0 : geometry.segmentCount
    self.fingerprints = fingerprints
  }
}

/// Where a hash looks, as a function of the table's shape. No floating point: the shape reaches bytes.
struct FuseGeometry {
  let segmentExponent: Int
  /// How many segments a hash can start in; the table has two more.
  let segmentCount: Int

  var tableCount: Int { (segmentCount + 2) << segmentExponent }

  init(segmentExponent: Int, segmentCount: Int) {
    self.segmentExponent = segmentExponent
    self.segmentCount = segmentCount
  }

  /// The count from which segments have 2^3, 2^4, … fingerprints: 3.33^(exponent − 2.25), rounded up.
  private static let thresholds = [
    3, 9, 28, 92, 304, 1_010, 3_362, 11_193, 37_273, 124_118, 413_310, 1_376_322, 4_583_150, 15_261_887, 50_822_082,
    169_237_530,
  ]

  /// The paper's shape for `count` hashes, which must be at least 1.
  init(count: Int) {
    var exponent = 2
    for threshold in Self.thresholds where count >= threshold { exponent += 1 }
    segmentExponent = min(exponent, FuseFilter.maximumSegmentExponent)
    // The table is max(1.125, 0.875 + 0.25 ln 10^6 / ln count) times the count; in 256ths of a bit.
    let logarithm = Self.binaryLogarithm(UInt64(max(count, 2)))
    let factor = max(1_152, 896 + 256 * 5_102 / logarithm)
    let capacity = count * factor / 1_024
    let wholeSegments = (capacity + (1 << segmentExponent) - 1) >> segmentExponent
    segmentCount = max(1, wholeSegments - 2)
  }

  /// 256 log2(value), rounded down, by repeated squaring.
  private static func binaryLogarithm(_ value: UInt64) -> Int {
    let whole = 63 - value.leadingZeroBitCount
    var mantissa = value << UInt64(63 - whole)
    var result = whole
    for _ in 0..<8 {
      let square = mantissa.multipliedFullWidth(by: mantissa).high
      result = result << 1 | Int(square >> 63)
      mantissa = square >> 63 == 1 ? square : square << 1
    }
    return result
  }

  /// A bijection of 64-bit words that differs from attempt to attempt.
  @inline(__always)
  static func mix(_ hash: UInt64, _ attempt: UInt8) -> UInt64 {
    var value = hash &+ UInt64(attempt) &* 0x9e37_79b9_7f4a_7c15
    value ^= value &>> 33
    value = value &* 0xff51_afd7_ed55_8ccd
    value ^= value &>> 33
    value = value &* 0xc4ce_b9fe_1a85_ec53
    value ^= value &>> 33
    return value
  }

  @inline(__always)
  static func fingerprint(of mixed: UInt64) -> UInt64 { mixed ^ mixed &>> 32 }

  /// One place in each of three neighbouring segments: the upper half chooses the first, 18-bit groups below turn the
  /// other two.
  @inline(__always)
  func places(of mixed: UInt64) -> (Int, Int, Int) {
    let startCount = UInt64(truncatingIfNeeded: segmentCount &<< segmentExponent)
    let mask = (1 &<< segmentExponent) &- 1
    let first = Int(truncatingIfNeeded: mixed.multipliedFullWidth(by: startCount).high)
    let second = (first &+ 1 &<< segmentExponent) ^ Int(truncatingIfNeeded: mixed &>> 18) & mask
    let third = (first &+ 2 &<< segmentExponent) ^ Int(truncatingIfNeeded: mixed) & mask
    return (first, second, third)
  }

  /// Whether a table of this shape may hold `hash`; one without segments holds nothing.
  ///
  /// - Parameter fingerprints: the table, and maybe more behind it.
  @inline(__always)
  func holds(
    _ hash: UInt64, _ attempt: UInt8, _ width: FuseFilter.FingerprintWidth, _ fingerprints: UnsafeRawBufferPointer
  ) -> Bool {
    guard segmentCount > 0 else { return false }
    let mixed = Self.mix(hash, attempt)
    let places = places(of: mixed)
    let fingerprint = Self.fingerprint(of: mixed)
    switch width {
    case .four:
      func load(_ place: Int) -> UInt8 { fingerprints[place &>> 1] &>> UInt8(truncatingIfNeeded: (place & 1) &<< 2) }
      let found = load(places.0) ^ load(places.1) ^ load(places.2)
      return (UInt8(truncatingIfNeeded: fingerprint) ^ found) & 15 == 0
    case .eight:
      let found = fingerprints[places.0] ^ fingerprints[places.1] ^ fingerprints[places.2]
      return UInt8(truncatingIfNeeded: fingerprint) == found
    case .sixteen:
      func load(_ place: Int) -> UInt16 { fingerprints.loadUnaligned(fromByteOffset: 2 &* place, as: UInt16.self) }
      let found = UInt16(littleEndian: load(places.0) ^ load(places.1) ^ load(places.2))
      return UInt16(truncatingIfNeeded: fingerprint) == found
    }
  }
}

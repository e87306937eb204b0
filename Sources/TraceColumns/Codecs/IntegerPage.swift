package import TraceBytes

/// How the reduced values of a page are written. The raw value is the byte on disk.
package enum IntegerEncoding: UInt8, CaseIterable, Sendable {
  case constant = 0
  case packed = 1
  case patched = 2
  case delta = 3
  case zigzagDelta = 4
  case runs = 5
  case dictionary = 6
  case huffman = 7
  case steps = 8

  package var name: String {
    switch self {
    case .constant: "constant"
    case .packed: "packed"
    case .patched: "patched"
    case .delta: "delta"
    case .zigzagDelta: "zigzag-delta"
    case .runs: "runs"
    case .dictionary: "dictionary"
    case .huffman: "huffman"
    case .steps: "steps"
    }
  }
}

/// A view of one encoded page of up to 1,024 integers.
///
/// Header: encoding u8, scale u8, width u8, count u16, body byte count varint. Then the body, which opens with the
/// base as a varint, and the crc32c of everything before it. Every value is `base + scale * reduced`, modulo 2^64.
///
/// The view borrows its bytes. It is immutable and may be used from several threads at once.
package struct IntegerPage: @unchecked Sendable {
  /// The most values that a page holds.
  package static let maximumCount = 1024
  /// How many pages hold so many values.
  package static func count(of valueCount: Int) -> Int { (valueCount + maximumCount - 1) / maximumCount }
  /// The header without its varint, and the checksum.
  static let fixedByteCount = 5 + 4

  package let encoding: IntegerEncoding
  package let scale: IntegerScale
  /// The bits a value takes where the encoding has one width for all.
  package let width: Int
  /// How many values the page holds.
  package let count: Int
  /// What is added to every scaled value.
  package let base: UInt64
  /// How many bytes the page takes with header and checksum; the next page may follow there.
  package let byteCount: Int
  /// What follows the base.
  let body: UnsafeRawBufferPointer

  /// Opens the page at the start of `bytes`, which may go on after it.
  ///
  /// - Parameter verifying: whether to compare the checksum; a caller that has verified these bytes before may
  ///   say no. The view stays inside `bytes` either way.
  package init(_ bytes: UnsafeRawBufferPointer, verifying: Bool = true) throws(BytesError) {
    var reader = ByteReader(bytes)
    let encodingCode = try reader.readUInt8()
    let scaleCode = try reader.readUInt8()
    width = Int(try reader.readUInt8())
    count = Int(try reader.readUInt16())
    let bodyByteCount = try reader.readCount(limit: reader.remaining)
    var bodyReader = ByteReader(try reader.readBytes(bodyByteCount))
    let checkedByteCount = reader.offset
    let checksum = try reader.readUInt32()
    byteCount = reader.offset
    if verifying {
      let actual = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<checkedByteCount]))
      guard actual == checksum else {
        throw BytesError(offset: checkedByteCount, reason: "an integer page does not match its checksum")
      }
    }
    guard let encoding = IntegerEncoding(rawValue: encodingCode) else {
      throw BytesError(offset: 0, reason: "the integer encoding \(encodingCode) is unknown")
    }
    guard let scale = IntegerScale(code: scaleCode) else {
      throw BytesError(offset: 1, reason: "the integer scale \(scaleCode) is unknown")
    }
    guard width <= 64 else { throw BytesError(offset: 2, reason: "an integer page is \(width) bits wide") }
    guard count <= Self.maximumCount else {
      throw BytesError(offset: 3, reason: "an integer page announces \(count) values")
    }
    self.encoding = encoding
    self.scale = scale
    base = try bodyReader.readVarint()
    body = try bodyReader.readBytes(bodyReader.remaining)
  }

  /// Decodes all values into the front of `output`, which must have room for `count`.
  package func decode(into output: UnsafeMutableBufferPointer<UInt64>) throws(BytesError) {
    precondition(output.count >= count, "a page is decoded into too small a buffer")
    guard count > 0 else { return }
    let target = UnsafeMutableBufferPointer(rebasing: output[..<count])
    switch encoding {
    case .constant: try ConstantIntegers.decode(self, into: target)
    case .packed: try PackedIntegers.decode(self, into: target)
    case .patched: try PatchedIntegers.decode(self, into: target)
    case .delta, .zigzagDelta: try DeltaIntegers.decode(self, into: target)
    case .runs: try RunIntegers.decode(self, into: target)
    case .dictionary: try DictionaryIntegers.decode(self, into: target)
    case .huffman: try HuffmanIntegers.decode(self, into: target)
    case .steps: try StepIntegers.decode(self, into: target)
    }
    expand(target)
  }

  /// Turns reduced values into values.
  private func expand(_ target: UnsafeMutableBufferPointer<UInt64>) {
    var index = 0
    let count = target.count
    if scale.factor == 1 {
      guard base != 0 else { return }
      while index < count {
        target[index] = target[index] &+ base
        index &+= 1
      }
    } else {
      let factor = scale.factor
      while index < count {
        target[index] = target[index] &* factor &+ base
        index &+= 1
      }
    }
  }

  /// One value. Constant cost for constant, packed and dictionary pages, logarithmic in the exceptions for patched
  /// ones; the other encodings go through the values before it.
  ///
  /// - Precondition: `0 <= index < count`.
  package func value(at index: Int) throws(BytesError) -> UInt64 {
    precondition(index >= 0 && index < count, "a value outside of its page")
    let reduced: UInt64
    switch encoding {
    case .constant: return base
    case .packed: reduced = try PackedIntegers.value(at: index, in: self)
    case .patched: reduced = try PatchedIntegers.value(at: index, in: self)
    case .dictionary: reduced = try DictionaryIntegers.value(at: index, in: self)
    case .delta, .zigzagDelta: reduced = try DeltaIntegers.value(at: index, in: self)
    case .runs: reduced = try RunIntegers.value(at: index, in: self)
    case .huffman: reduced = try HuffmanIntegers.value(at: index, in: self)
    case .steps: reduced = try StepIntegers.value(at: index, in: self)
    }
    return reduced &* scale.factor &+ base
  }

  /// The sum of the first values, modulo 2^64. Cheap where all values, or nearly all, are the same.
  ///
  /// - Precondition: `0 <= prefix <= count`.
  package func sum(ofFirst prefix: Int) throws(BytesError) -> UInt64 {
    precondition(prefix >= 0 && prefix <= count, "a sum beyond its page")
    if encoding == .constant { return base &* UInt64(prefix) }
    if encoding == .patched, width == 0 {
      return try PatchedIntegers.sumOfExceptions(before: prefix, in: self) &* scale.factor &+ base &* UInt64(prefix)
    }
    return try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.maximumCount) {
      buffer throws(BytesError) in
      try decode(into: buffer)
      var sum: UInt64 = 0
      var index = 0
      while index < prefix {
        sum = sum &+ buffer[index]
        index &+= 1
      }
      return sum
    }
  }

  /// Whether `value(at:)` looks at one value alone.
  package var hasDirectAccess: Bool {
    switch encoding {
    case .constant, .packed, .patched, .dictionary: true
    case .delta, .zigzagDelta, .runs, .huffman, .steps: false
    }
  }

  /// Whether `value(at:)` goes through all values before the one that is asked for, or builds the table of a code first.
  package var isCostlyForOne: Bool {
    switch encoding {
    case .constant, .packed, .patched, .dictionary, .runs: false
    case .delta, .zigzagDelta, .huffman, .steps: true
    }
  }

  /// One line for people: encoding, width, scale, counts.
  package func describe() -> String {
    let detail =
      switch encoding {
      case .constant: ConstantIntegers.describe(self)
      case .packed: PackedIntegers.describe(self)
      case .patched: PatchedIntegers.describe(self)
      case .delta, .zigzagDelta: DeltaIntegers.describe(self)
      case .runs: RunIntegers.describe(self)
      case .dictionary: DictionaryIntegers.describe(self)
      case .huffman: HuffmanIntegers.describe(self)
      case .steps: StepIntegers.describe(self)
      }
    let scaleText = scale.factor == 1 ? "" : " scale \(scale.factor)"
    return "\(encoding.name)\(detail)\(scaleText): \(count) values, \(byteCount) bytes"
  }

  func failure(_ reason: String) -> BytesError {
    BytesError(offset: 0, reason: "a page of \(encoding.name) integers \(reason)")
  }

  /// The bytes of a run of packed values out of `reader`, checked against what is there.
  func readRun(_ reader: inout ByteReader, count: Int, width: Int) throws(BytesError) -> UnsafeRawBufferPointer {
    guard width <= 64 else { throw failure("has values of \(width) bits") }
    return try reader.readBytes(BitPacking.byteCount(count: count, width: width))
  }

  func requireEnd(_ reader: ByteReader) throws(BytesError) {
    guard reader.isAtEnd else { throw failure("has \(reader.remaining) bytes too many") }
  }
}

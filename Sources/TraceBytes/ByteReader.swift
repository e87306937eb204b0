/// A read that the bytes do not allow, with the offset from the start of the buffer.
public struct BytesError: Error, Hashable, Sendable {
  public var offset: Int
  public var reason: String

  @inlinable
  public init(offset: Int, reason: String) {
    self.offset = offset
    self.reason = reason
  }
}

/// A cursor over borrowed memory. The memory must outlive the reader; keep readers inside `withUnsafeBytes`.
///
/// Integers are little-endian. Every method checks the end first and throws instead of reading past it.
@frozen
public struct ByteReader {
  @usableFromInline package let base: UnsafeRawPointer
  /// The number of bytes in the buffer.
  public let count: Int
  /// The offset of the next byte to read.
  public var offset: Int

  @inlinable
  public init(_ bytes: UnsafeRawBufferPointer) {
    base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
    count = bytes.count
    offset = 0
  }

  @inlinable public var remaining: Int { count - offset }
  @inlinable public var isAtEnd: Bool { offset == count }

  @usableFromInline @inline(never)
  func failure(_ reason: String) -> BytesError { BytesError(offset: offset, reason: reason) }

  @inlinable
  public mutating func readUInt8() throws(BytesError) -> UInt8 {
    guard offset < count else { throw failure("the bytes end inside an integer") }
    let value = base.load(fromByteOffset: offset, as: UInt8.self)
    offset &+= 1
    return value
  }

  @inlinable
  public mutating func readUInt16() throws(BytesError) -> UInt16 {
    guard count - offset >= 2 else { throw failure("the bytes end inside an integer") }
    let value = base.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
    offset &+= 2
    return UInt16(littleEndian: value)
  }

  @inlinable
  public mutating func readUInt32() throws(BytesError) -> UInt32 {
    guard count - offset >= 4 else { throw failure("the bytes end inside an integer") }
    let value = base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    offset &+= 4
    return UInt32(littleEndian: value)
  }

  @inlinable
  public mutating func readUInt64() throws(BytesError) -> UInt64 {
    guard count - offset >= 8 else { throw failure("the bytes end inside an integer") }
    let value = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    offset &+= 8
    return UInt64(littleEndian: value)
  }

  /// An unsigned LEB128 of at most ten bytes, as in protobuf.
  @inlinable
  public mutating func readVarint() throws(BytesError) -> UInt64 {
    guard offset < count else { throw failure("the bytes end inside a varint") }
    let first = base.load(fromByteOffset: offset, as: UInt8.self)
    if first < 0x80 {
      offset &+= 1
      return UInt64(first)
    }
    return try readLongVarint()
  }

  @usableFromInline @inline(never)
  mutating func readLongVarint() throws(BytesError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var place = offset
    while true {
      guard place < count else { throw failure("the bytes end inside a varint") }
      let byte = base.load(fromByteOffset: place, as: UInt8.self)
      place &+= 1
      if shift == 63, byte > 1 { throw failure("a varint exceeds 64 bits") }
      value |= UInt64(byte & 0x7f) &<< shift
      if byte < 0x80 {
        offset = place
        return value
      }
      shift &+= 7
      if shift > 63 { throw failure("a varint is longer than ten bytes") }
    }
  }

  /// A varint that must fit `0...limit`.
  @inlinable
  public mutating func readCount(limit: Int) throws(BytesError) -> Int {
    let start = offset
    let value = try readVarint()
    guard limit >= 0, value <= UInt64(limit) else {
      throw BytesError(offset: start, reason: "a count of \(value) exceeds its limit of \(limit)")
    }
    return Int(value)
  }

  /// The next `count` bytes, borrowed.
  @inlinable
  public mutating func readBytes(_ byteCount: Int) throws(BytesError) -> UnsafeRawBufferPointer {
    guard byteCount >= 0, count - offset >= byteCount else {
      throw failure("\(byteCount) bytes are announced and \(count - offset) remain")
    }
    let slice = UnsafeRawBufferPointer(start: base + offset, count: byteCount)
    offset &+= byteCount
    return slice
  }

  /// A varint length and that many bytes, borrowed.
  @inlinable
  public mutating func readLengthPrefixedBytes() throws(BytesError) -> UnsafeRawBufferPointer {
    let length = try readCount(limit: remaining)
    return try readBytes(length)
  }

  @inlinable
  public mutating func skip(_ byteCount: Int) throws(BytesError) {
    _ = try readBytes(byteCount)
  }
}

extension UnsafeRawBufferPointer {
  /// A copy as an array.
  @inlinable public var array: [UInt8] { [UInt8](self) }

  /// Checked text: nil when the bytes are not UTF-8.
  package var text: String? {
    // What is ASCII needs no repair, and is made without the generic way, which asks for metadata each time.
    isASCII ? String(decoding: self, as: UTF8.self) : String(validating: self, as: UTF8.self)
  }
}

/// Appends little-endian integers, varints and bytes to an array.
@frozen
public struct ByteWriter {
  public var bytes: [UInt8]

  @inlinable
  public init(reserving capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  @inlinable public var count: Int { bytes.count }

  @inlinable public mutating func append(_ value: UInt8) { bytes.append(value) }

  @inlinable
  public mutating func appendInteger<Value: FixedWidthInteger>(_ value: Value) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  @inlinable
  public mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  @inlinable public mutating func appendVarint(_ value: Int) { appendVarint(UInt64(value)) }

  @inlinable public mutating func append(_ other: UnsafeRawBufferPointer) { bytes.append(contentsOf: other) }

  @inlinable public mutating func append(_ other: [UInt8]) { bytes.append(contentsOf: other) }

  @inlinable
  public mutating func appendLengthPrefixed(_ other: [UInt8]) {
    appendVarint(UInt64(other.count))
    bytes.append(contentsOf: other)
  }

  @inlinable
  public mutating func appendLengthPrefixed(_ other: UnsafeRawBufferPointer) {
    appendVarint(UInt64(other.count))
    bytes.append(contentsOf: other)
  }

  @inlinable
  public mutating func appendLengthPrefixed(_ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      appendVarint(UInt64(utf8.count))
      bytes.append(contentsOf: utf8)
    }
  }

  /// Overwrites four bytes that were appended as a placeholder.
  package mutating func patch(_ value: UInt32, at offset: Int) {
    withUnsafeBytes(of: value.littleEndian) { source in
      for index in 0..<4 { bytes[offset + index] = source[index] }
    }
  }
}

/// Maps signed to unsigned so that small magnitudes stay small.
@inlinable
public func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)) }

/// The inverse of `zigzag(_:)`.
@inlinable
public func unzigzag(_ value: UInt64) -> Int64 { Int64(bitPattern: value &>> 1) ^ -Int64(bitPattern: value & 1) }

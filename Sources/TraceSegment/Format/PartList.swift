package import TraceBytes
package import TraceModel

/// A section made of parts: each is its byte count (varint) and its bytes, in the order that the section's kind says.
/// Later versions may append parts; readers ignore what they don't know.
package enum PartList {
  package static func append(_ part: [UInt8], to writer: inout ByteWriter) { writer.appendLengthPrefixed(part) }

  /// The offsets of the first `count` parts inside `bytes`.
  package static func parts(
    _ bytes: UnsafeRawBufferPointer, count: Int, of section: String, at base: UInt64
  ) throws(TracestoreError) -> [Range<Int>] {
    try FormatError.naming(section, at: base) {
      var reader = ByteReader(bytes)
      var parts: [Range<Int>] = []
      for _ in 0..<count {
        let part = try reader.readLengthPrefixedBytes()
        parts.append(reader.offset - part.count..<reader.offset)
      }
      return parts
    }
  }
}

/// A block of bytes that is compressed when that makes it smaller.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 4 | raw byte count |
/// | 4 | 4 | stored byte count; equal to the raw one when stored as is |
/// | 8 | 4 | CRC-32C of bytes 0–7 followed by the stored bytes |
/// | 12 | | stored bytes: one zstd frame, or the bytes themselves |
package enum CompressedBlock {
  package static let headByteCount = 12

  package static func encode(_ raw: [UInt8], compressor: ZstdCompressor, into writer: inout ByteWriter) {
    let start = writer.count
    writer.appendInteger(UInt32(raw.count))
    var stored: [UInt8] = []
    _ = raw.withUnsafeBytes { compressor.compress($0, into: &stored) }
    if stored.count >= raw.count { stored = raw }
    writer.appendInteger(UInt32(stored.count))
    let first = writer.bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    writer.appendInteger(stored.withUnsafeBytes { CRC32C.checksum($0, following: first) })
    writer.append(stored)
  }

  /// - Parameters:
  ///   - bytes: the block, exactly.
  ///   - maximumByteCount: checked against the raw byte count before anything is allocated.
  package static func decode(
    _ bytes: UnsafeRawBufferPointer, maximumByteCount: Int, decompressor: ZstdDecompressor, at base: UInt64
  ) throws(TracestoreError) -> [UInt8] {
    try FormatError.naming("compressed block", at: base) {
      var reader = ByteReader(bytes)
      let rawByteCount = Int(try reader.readUInt32())
      let storedByteCount = Int(try reader.readUInt32())
      let checksum = try reader.readUInt32()
      let stored = try reader.readBytes(storedByteCount)
      let first = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<8]))
      guard reader.isAtEnd, CRC32C.checksum(stored, following: first) == checksum else {
        throw FormatError.corrupt("the checksum of a compressed block does not match", at: base)
      }
      guard rawByteCount <= maximumByteCount, storedByteCount <= rawByteCount else {
        throw FormatError.corrupt("a block of \(rawByteCount) bytes exceeds its limit", at: base)
      }
      if storedByteCount == rawByteCount { return stored.array }
      return try [UInt8](unsafeUninitializedCapacity: rawByteCount) { buffer, count in
        try decompressor.decompress(stored, into: UnsafeMutableRawBufferPointer(buffer))
        count = rawByteCount
      }
    }
  }
}

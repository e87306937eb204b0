package import TraceBytes
package import TraceModel

/// The first 64 bytes of a file.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 8 | `TSSEGMT1` |
/// | 8 | 2 | version |
/// | 10 | 2 | header byte count, 64 |
/// | 12 | 8 | features that a reader must understand |
/// | 20 | 8 | features that a reader may ignore |
/// | 28 | 4 | version number of the zstd library |
/// | 32 | 4 | version number of the lz4 library |
/// | 36 | 24 | zeros |
/// | 60 | 4 | CRC-32C of bytes 0–59 |
///
/// The footer repeats version and features, so that opening a file costs one read less.
package struct SegmentHeader: Hashable, Sendable {
  package var version = SegmentFormat.version
  package var requiredFeatures: UInt64 = 0
  package var optionalFeatures: UInt64 = 0
  package var zstdVersion: UInt32 = 0
  package var lz4Version: UInt32 = 0

  package init() {}

  package func encode(into writer: inout ByteWriter) {
    let start = writer.count
    writer.append(SegmentFormat.headerMagic)
    writer.appendInteger(version)
    writer.appendInteger(UInt16(SegmentFormat.headerByteCount))
    writer.appendInteger(requiredFeatures)
    writer.appendInteger(optionalFeatures)
    writer.appendInteger(zstdVersion)
    writer.appendInteger(lz4Version)
    while writer.count < start + SegmentFormat.headerByteCount - 4 { writer.append(0 as UInt8) }
    writer.appendChecksum(from: start)
  }

  /// `bytes` begin at the start of the file; what follows the header is not looked at.
  package init(_ bytes: UnsafeRawBufferPointer) throws(TracestoreError) {
    let (version, required, optional, zstd, lz4) = try FormatError.naming("header", at: 0) {
      var reader = ByteReader(bytes)
      guard try reader.readBytes(8).elementsEqual(SegmentFormat.headerMagic) else {
        throw FormatError.corrupt("the file does not begin with the magic bytes of a segment", at: 0)
      }
      let version = try reader.readUInt16()
      guard version <= SegmentFormat.version else {
        throw FormatError.unsupported("format version \(version)", at: 8)
      }
      guard try reader.readUInt16() == SegmentFormat.headerByteCount else {
        throw FormatError.corrupt("the header has another byte count than 64", at: 10)
      }
      let required = try reader.readUInt64()
      let optional = try reader.readUInt64()
      let zstd = try reader.readUInt32()
      let lz4 = try reader.readUInt32()
      try reader.skip(24)
      guard try reader.readUInt32() == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<60])) else {
        throw FormatError.corrupt("the header's checksum does not match", at: 0)
      }
      return (version, required, optional, zstd, lz4)
    }
    guard version > 0 else { throw FormatError.corrupt("format version 0 was never written", at: 8) }
    guard required & ~SegmentFormat.knownFeatures == 0 else {
      throw FormatError.unsupported("feature bits \(String(required, radix: 16))", at: 12)
    }
    self.version = version
    requiredFeatures = required
    optionalFeatures = optional
    zstdVersion = zstd
    lz4Version = lz4
  }
}

extension ByteWriter {
  /// Appends the CRC-32C of everything from `start` to the end.
  package mutating func appendChecksum(from start: Int) {
    let checksum = bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    appendInteger(checksum)
  }
}

package import TraceBytes
package import TraceModel

/// The last 40 bytes of a file.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 8 | footer offset |
/// | 8 | 4 | footer byte count |
/// | 12 | 4 | CRC-32C of bytes 0–11 followed by bytes 16–39 |
/// | 16 | 16 | Hash128 of the footer |
/// | 32 | 8 | `TSSEGEND` |
package struct SegmentTrailer: Hashable, Sendable {
  package var footerOffset: UInt64
  package var footerByteCount: UInt32
  package var footerHash: Hash128

  package init(footerOffset: UInt64, footerByteCount: UInt32, footerHash: Hash128) {
    self.footerOffset = footerOffset
    self.footerByteCount = footerByteCount
    self.footerHash = footerHash
  }

  package func encode(into writer: inout ByteWriter) {
    var rest = ByteWriter()
    rest.append(footerHash)
    rest.append(SegmentFormat.trailerMagic)
    let start = writer.count
    writer.appendInteger(footerOffset)
    writer.appendInteger(footerByteCount)
    let first = writer.bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    writer.appendInteger(rest.bytes.withUnsafeBytes { CRC32C.checksum($0, following: first) })
    writer.append(rest.bytes)
  }

  /// - Parameters:
  ///   - bytes: the last bytes of the file: 40, or fewer when the file is shorter.
  ///   - fileByteCount: of the whole file; the footer must end where the trailer begins.
  package init(_ bytes: UnsafeRawBufferPointer, fileByteCount: UInt64) throws(TracestoreError) {
    let whole = UInt64(SegmentFormat.headerByteCount + SegmentFormat.trailerByteCount)
    guard bytes.count == SegmentFormat.trailerByteCount, fileByteCount >= whole else {
      throw FormatError.corrupt("the file ends after \(fileByteCount) bytes, before its trailer", at: fileByteCount)
    }
    let base = fileByteCount - UInt64(SegmentFormat.trailerByteCount)
    guard bytes[32...].elementsEqual(SegmentFormat.trailerMagic) else {
      throw FormatError.corrupt("the file does not end with a trailer", at: base)
    }
    let trailer = try FormatError.naming("trailer", at: base) {
      var reader = ByteReader(bytes)
      let offset = try reader.readUInt64()
      let byteCount = try reader.readUInt32()
      let checksum = try reader.readUInt32()
      let hash = try reader.readHash128()
      let first = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<12]))
      guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[16...]), following: first) == checksum else {
        throw FormatError.corrupt("the trailer's checksum does not match", at: base)
      }
      return SegmentTrailer(footerOffset: offset, footerByteCount: byteCount, footerHash: hash)
    }
    guard trailer.footerByteCount <= SegmentFormat.maximumFooterByteCount,
      UInt64(trailer.footerByteCount) <= base, trailer.footerOffset == base - UInt64(trailer.footerByteCount)
    else { throw FormatError.corrupt("the footer does not end where the trailer begins", at: base) }
    self = trailer
  }
}

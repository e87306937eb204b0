package import TraceBytes
import TraceModel

/// The frame of small files that are written and read whole: magic, version, four reserved bytes, the content, and the
/// checksum of all before it.
package struct WholeFile: Sendable {
  /// Eight bytes.
  package var magic: [UInt8]
  package var version: UInt32
  /// What it is called in errors.
  package var name: String

  package init(magic: String, version: UInt32, name: String) {
    self.magic = Array(magic.utf8)
    self.version = version
    self.name = name
  }

  package func encoded(reserving byteCount: Int, _ append: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter(reserving: byteCount + 20)
    writer.append(magic)
    writer.appendInteger(version)
    writer.appendInteger(UInt32(0))
    append(&writer)
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// - Parameter read: takes the content; it has to take all of it.
  /// - Throws: `corrupt` for bytes that are no such file, `unsupportedFormat` for one of a newer version.
  package func decode<Content>(
    _ bytes: [UInt8], path: String, _ read: (inout ByteReader) throws -> Content
  ) throws -> Content {
    do {
      return try bytes.withUnsafeBytes { try content($0, path: path, read) }
    } catch let error as BytesError {
      throw TracestoreError(
        .corrupt, "the \(name) does not decode: \(error.reason)", path: path, offset: UInt64(error.offset))
    }
  }

  private func content<Content>(
    _ bytes: UnsafeRawBufferPointer, path: String, _ read: (inout ByteReader) throws -> Content
  ) throws -> Content {
    var whole = ByteReader(bytes)
    guard try whole.readBytes(magic.count).elementsEqual(magic) else {
      throw BytesError(offset: 0, reason: "it does not begin like one")
    }
    let found = try whole.readUInt32()
    guard found == version else {
      throw TracestoreError(
        .unsupportedFormat, "the \(name) has format \(found); open it with the version that wrote it", path: path,
        offset: UInt64(magic.count))
    }
    _ = try whole.readUInt32()
    let end = bytes.count - 4
    guard end >= whole.offset,
      bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self).littleEndian
        == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
    else { throw BytesError(offset: whole.offset, reason: "it does not match its checksum") }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
    reader.offset = whole.offset
    let content = try read(&reader)
    guard reader.isAtEnd else { throw BytesError(offset: reader.offset, reason: "bytes follow what it should hold") }
    return content
  }
}

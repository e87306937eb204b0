package import TraceBytes
package import TraceModel

/// How the values of a text chunk stand. The raw values are part of the format.
package enum TextForm: UInt8, Sendable {
  /// `IntegerColumn` of indices into the shared strings followed by the local strings; then the local strings as a
  /// `SortedTextList` (which stands there even when it is empty). The shared strings are the string codes in the
  /// chunk's `TextSummary`, ascending. No string stands in both.
  case dictionary = 0
  /// `TextColumn`.
  case column = 1
  /// All values are empty strings: there is no chunk. Only in a `TextSummary`.
  case empty = 2
}

/// The start of a text chunk.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 1 | form |
/// | 1 | 3 | zeros |
/// | 4 | 4 | byte count of the first part: the indices, or the `TextColumn` |
/// | 8 | 4 | byte count of the second part: the local strings; 0 with form 1 |
/// | 12 | 4 | CRC-32C of bytes 0–11 |
/// | 16 | | first part, second part |
package struct TextChunkHead: Hashable, Sendable {
  package var form: TextForm
  package var firstByteCount: Int
  package var secondByteCount: Int

  package static let byteCount = 16

  package init(form: TextForm, firstByteCount: Int, secondByteCount: Int) {
    self.form = form
    self.firstByteCount = firstByteCount
    self.secondByteCount = secondByteCount
  }

  package func encode(into writer: inout ByteWriter) {
    let start = writer.count
    writer.append(form.rawValue)
    for _ in 0..<3 { writer.append(0 as UInt8) }
    writer.appendInteger(UInt32(firstByteCount))
    writer.appendInteger(UInt32(secondByteCount))
    writer.appendChecksum(from: start)
  }

  /// `bytes` are the chunk, exactly.
  package init(_ bytes: UnsafeRawBufferPointer, at base: UInt64) throws(TracestoreError) {
    self = try FormatError.naming("text chunk", at: base) {
      var reader = ByteReader(bytes)
      let form = try reader.readUInt8()
      try reader.skip(3)
      let first = Int(try reader.readUInt32())
      let second = Int(try reader.readUInt32())
      guard try reader.readUInt32() == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<12])) else {
        throw FormatError.corrupt("the checksum of a text chunk's head does not match", at: base)
      }
      guard let form = TextForm(rawValue: form), form != .empty else {
        throw FormatError.unsupported("text form \(form)", at: base)
      }
      guard first + second == reader.remaining else {
        throw FormatError.corrupt("the parts of a text chunk do not fill it", at: base)
      }
      return TextChunkHead(form: form, firstByteCount: first, secondByteCount: second)
    }
  }
}

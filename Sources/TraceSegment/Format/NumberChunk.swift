package import TraceBytes
package import TraceModel

/// How the values of a `double` chunk stand. The raw values are part of the format.
package enum DoubleForm: UInt8, Sendable {
  /// `IntegerColumn` of the bits.
  case bits = 0
  /// `IntegerColumn` of zigzag integers i such that the value has exactly the bits of Double(i) / 10^exponent, 0 at
  /// escapes; then, when there are escapes, an `IntegerColumn` of their positions, ascending, and an `IntegerColumn`
  /// of their bits.
  case decimal = 1
}

/// The start of a `double` chunk.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 1 | form |
/// | 1 | 1 | decimal exponent, 0 to 6; 0 with form 0 |
/// | 2 | 2 | zeros |
/// | 4 | 4 | byte count of the first column |
/// | 8 | 4 | byte count of the escape positions, 0 when there are none |
/// | 12 | 4 | byte count of the escape bits, 0 when there are none |
/// | 16 | 4 | CRC-32C of bytes 0–15 |
/// | 20 | | the columns |
package struct DoubleChunkHead: Hashable, Sendable {
  package var form: DoubleForm
  package var exponent: Int
  package var valuesByteCount: Int
  package var positionsByteCount: Int
  package var bitsByteCount: Int

  package static let byteCount = 20
  package static let maximumExponent = 6
  /// 10^k for the exponents that occur.
  package static let powers: [Double] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]

  package init(
    form: DoubleForm, exponent: Int, valuesByteCount: Int, positionsByteCount: Int, bitsByteCount: Int
  ) {
    self.form = form
    self.exponent = exponent
    self.valuesByteCount = valuesByteCount
    self.positionsByteCount = positionsByteCount
    self.bitsByteCount = bitsByteCount
  }

  package func encode(into writer: inout ByteWriter) {
    let start = writer.count
    writer.append(form.rawValue)
    writer.append(UInt8(exponent))
    writer.appendInteger(0 as UInt16)
    writer.appendInteger(UInt32(valuesByteCount))
    writer.appendInteger(UInt32(positionsByteCount))
    writer.appendInteger(UInt32(bitsByteCount))
    writer.appendChecksum(from: start)
  }

  /// `bytes` are the chunk, exactly.
  package init(_ bytes: UnsafeRawBufferPointer, at base: UInt64) throws(TracestoreError) {
    self = try FormatError.naming("double chunk", at: base) {
      var reader = ByteReader(bytes)
      let form = try reader.readUInt8()
      let exponent = Int(try reader.readUInt8())
      try reader.skip(2)
      let values = Int(try reader.readUInt32())
      let positions = Int(try reader.readUInt32())
      let bits = Int(try reader.readUInt32())
      guard try reader.readUInt32() == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<16])) else {
        throw FormatError.corrupt("the checksum of a double chunk's head does not match", at: base)
      }
      guard let form = DoubleForm(rawValue: form) else {
        throw FormatError.unsupported("double form \(form)", at: base)
      }
      guard exponent <= Self.maximumExponent, values + positions + bits == reader.remaining,
        (positions == 0) == (bits == 0), form == .decimal || positions == 0
      else { throw FormatError.corrupt("the parts of a double chunk do not fill it", at: base) }
      return DoubleChunkHead(
        form: form, exponent: exponent, valuesByteCount: values, positionsByteCount: positions, bitsByteCount: bits)
    }
  }
}

package import TraceBytes
package import TraceModel

/// Chunk `shapes`: the distinct attribute lists of a stripe's spans, events and links.
///
/// A shape is a list of indices in the key catalogue, in the order of the attributes. Entries carry their level, so
/// the shapes of spans, events and links differ unless they are empty; the empty shape, if it stands in the list,
/// stands first. The chunk is a `CompressedBlock`; inside, each shape is its slot count (varint) and its indices
/// (varints). Shapes ascend: compared slot by slot, the shorter first when it is a prefix of the longer.
package enum ShapeList {
  /// Bytes of a list before compression: it is decoded whole.
  package static let maximumByteCount = 1 << 28

  package static func encode(
    _ shapes: [[UInt32]], compressor: ZstdCompressor, into writer: inout ByteWriter
  ) {
    var raw = ByteWriter()
    for shape in shapes {
      raw.appendVarint(shape.count)
      for slot in shape { raw.appendVarint(UInt64(slot)) }
    }
    CompressedBlock.encode(raw.bytes, compressor: compressor, into: &writer)
  }

  /// - Parameters:
  ///   - shapeCount: from the stripe's head.
  ///   - keyCount: indices are below it.
  package static func decode(
    _ bytes: UnsafeRawBufferPointer, shapeCount: Int, keyCount: Int, decompressor: ZstdDecompressor, at base: UInt64
  ) throws(TracestoreError) -> [[UInt32]] {
    let raw = try CompressedBlock.decode(
      bytes, maximumByteCount: maximumByteCount, decompressor: decompressor, at: base)
    return try FormatError.naming("shapes", at: base) {
      try raw.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        var shapes: [[UInt32]] = []
        guard shapeCount <= raw.count else {
          throw FormatError.corrupt("the shape list is too short for its \(shapeCount) shapes", at: base)
        }
        shapes.reserveCapacity(shapeCount)
        for _ in 0..<shapeCount {
          let count = try reader.readCount(limit: min(reader.remaining, Limits.maximumAttributeCount))
          var shape: [UInt32] = []
          shape.reserveCapacity(count)
          for _ in 0..<count { shape.append(UInt32(try reader.readCount(limit: keyCount - 1))) }
          shapes.append(shape)
        }
        guard reader.isAtEnd else { throw FormatError.corrupt("bytes follow the shape list", at: base) }
        return shapes
      }
    }
  }
}

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
  ) throws(TracestoreError) -> SlotLists {
    let raw = try CompressedBlock.decode(
      bytes, maximumByteCount: maximumByteCount, decompressor: decompressor, at: base)
    return try FormatError.naming("shapes", at: base) {
      try raw.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        guard shapeCount <= raw.count else {
          throw FormatError.corrupt("the shape list is too short for its \(shapeCount) shapes", at: base)
        }
        // A slot takes at least a byte, as the count of a shape does.
        var lists = SlotLists(listCount: shapeCount, maximumSlotCount: raw.count - shapeCount)
        for _ in 0..<shapeCount {
          let count = try reader.readCount(limit: min(reader.remaining, Limits.maximumAttributeCount))
          for _ in 0..<count { lists.appendSlot(UInt32(try reader.readCount(limit: keyCount - 1))) }
          lists.endList()
        }
        guard reader.isAtEnd else { throw FormatError.corrupt("bytes follow the shape list", at: base) }
        return lists
      }
    }
  }
}

/// Lists of key catalogue entries, one behind the other: thousands of small arrays would take longer to make than to read.
package struct SlotLists: Hashable, Sendable {
  /// Where the slots of each list begin, then where the last ones end.
  package private(set) var firstSlots: [Int]
  package private(set) var slots: [UInt32]

  package init(listCount: Int = 0, maximumSlotCount: Int = 0) {
    firstSlots = []
    firstSlots.reserveCapacity(listCount + 1)
    firstSlots.append(0)
    slots = []
    slots.reserveCapacity(maximumSlotCount)
  }

  package init(_ lists: [[UInt32]]) {
    self.init()
    for list in lists {
      for slot in list { appendSlot(slot) }
      endList()
    }
  }

  /// How many lists there are.
  package var count: Int { firstSlots.count - 1 }

  /// The slots of a list below `count`.
  package subscript(list: Int) -> ArraySlice<UInt32> { slots[firstSlots[list]..<firstSlots[list + 1]] }

  /// Appends to the list that is not ended yet.
  package mutating func appendSlot(_ slot: UInt32) { slots.append(slot) }

  package mutating func endList() { firstSlots.append(slots.count) }
}

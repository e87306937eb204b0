package import TraceBytes
package import TraceModel

/// The 64-bit hash of a trace id that the trace filter and the trace index are made of.
///
/// Ids that differ may share a hash; whoever finds one compares the id that stands in the stripe. Ids with the same
/// high half never share one.
package enum TraceKey {
  /// `mix(low + mix(high + 0x9e3779b97f4a7c15))`, sums modulo 2^64, where `mix` is the finalizer of MurmurHash3.
  @inlinable
  package static func hash(_ id: TraceID) -> UInt64 { mix(id.low &+ mix(id.high &+ 0x9e37_79b9_7f4a_7c15)) }

  /// The key of the trace index: the upper half of the hash.
  @inlinable
  package static func indexKey(_ hash: UInt64) -> UInt64 { hash >> 32 }

  @inlinable
  static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed ^= mixed >> 33
    mixed = mixed &* 0xff51_afd7_ed55_8ccd
    mixed ^= mixed >> 33
    mixed = mixed &* 0xc4ce_b9fe_1a85_ec53
    return mixed ^ mixed >> 33
  }
}

/// Section `traceIndex`: the blocks of section `traceIndexBlocks`, in order.
///
/// | bytes | field |
/// |---|---|
/// | 4 | block count |
/// | 16 each | block: first index key 8, offset in `traceIndexBlocks` 4, byte count 4; keys ascend, equal ones allowed |
///
/// A key is looked for from the last block whose first key is below it, or from the first block, to the last block
/// whose first key does not exceed it.
package struct TraceIndexHead: Hashable, Sendable {
  package struct Block: Hashable, Sendable {
    package var firstKey: UInt64
    package var offset: UInt32
    package var byteCount: UInt32

    package init(firstKey: UInt64, offset: UInt32, byteCount: UInt32) {
      self.firstKey = firstKey
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  package var blocks: [Block] = []

  package init() {}

  /// The blocks that may hold a key.
  package func blocks(holding key: UInt64) -> Range<Int> {
    var low = 0
    var high = blocks.count
    while low < high {
      let middle = (low + high) / 2
      if blocks[middle].firstKey < key { low = middle + 1 } else { high = middle }
    }
    let first = max(0, low - 1)
    var end = low
    while end < blocks.count, blocks[end].firstKey == key { end += 1 }
    return first..<end
  }

  package func encode(into writer: inout ByteWriter) {
    writer.appendInteger(UInt32(blocks.count))
    for block in blocks {
      writer.appendInteger(block.firstKey)
      writer.appendInteger(block.offset)
      writer.appendInteger(block.byteCount)
    }
  }

  /// - Parameter blocksByteCount: of section `traceIndexBlocks`; blocks must end inside.
  package init(_ bytes: UnsafeRawBufferPointer, blocksByteCount: UInt64, at base: UInt64) throws(TracestoreError) {
    blocks = try FormatError.naming("trace index", at: base) {
      var blocks: [Block] = []
      var reader = ByteReader(bytes)
      let count = Int(try reader.readUInt32())
      guard count == reader.remaining / 16, reader.remaining % 16 == 0 else {
        throw FormatError.corrupt("the trace index does not hold its \(count) blocks", at: base)
      }
      blocks.reserveCapacity(count)
      for _ in 0..<count {
        let place = base &+ UInt64(reader.offset)
        let block = Block(
          firstKey: try reader.readUInt64(), offset: try reader.readUInt32(), byteCount: try reader.readUInt32())
        guard UInt64(block.offset) + UInt64(block.byteCount) <= blocksByteCount,
          (blocks.last?.firstKey ?? 0) <= block.firstKey
        else { throw FormatError.corrupt("a block of the trace index is out of order or out of bounds", at: place) }
        blocks.append(block)
      }
      return blocks
    }
  }
}

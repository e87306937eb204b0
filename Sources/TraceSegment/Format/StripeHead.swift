package import TraceBytes
package import TraceModel

/// Where a chunk stands inside its stripe.
package struct ChunkEntry: Hashable, Sendable {
  package var id: UInt32
  /// From the start of the stripe.
  package var offset: UInt32
  package var byteCount: UInt32
  /// Of the chunk's bytes; see `ChunkChecksum`.
  package var checksum: UInt32

  package init(id: UInt32, offset: UInt32, byteCount: UInt32, checksum: UInt32) {
    self.id = id
    self.offset = offset
    self.byteCount = byteCount
    self.checksum = checksum
  }

  /// Its bytes, from the start of the stripe.
  var range: Range<Int> { Int(offset)..<(Int(offset) + Int(byteCount)) }
}

/// How the checksums of a segment's chunks are made.
package enum ChunkChecksum: Sendable {
  /// `CRC32C.mixedChecksum`.
  case mixed
  /// `CRC32C.checksum`, as the first writers had it. A chunk is pages that end with checksums, so that it says little more
  /// than how long they are.
  case plain

  init(features: UInt64) { self = features & SegmentFormat.mixedChecksumsFeature == 0 ? .plain : .mixed }

  package func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    switch self {
    case .mixed: CRC32C.mixedChecksum(bytes)
    case .plain: CRC32C.checksum(bytes)
    }
  }
}

/// The start of a stripe: counts and the directory of chunks. Chunks follow one after another without padding.
///
/// The stripe index has the hash of the head, and the head the checksums of the chunks: so all bytes are known to be
/// those that were written when the head and the chunks that are needed were compared.
///
/// | bytes | field |
/// |---|---|
/// | 4 | `TSST` |
/// | 4 each | row, event, link, trace, run, shape count |
/// | 4 | chunk count |
/// | 16 each | chunk: id, offset from the start of the stripe, byte count, `ChunkChecksum`; ascending by id |
/// | 4 | CRC-32C of all bytes before |
///
/// Rows ascend by (service, name, kind, start, trace id, span id), with ties in the order they were
/// written. Traces ascend by (least start in the stripe, id); a trace's ordinal is its place. Rows with the status
/// of an error are those with status code 2.
package struct StripeHead: Hashable, Sendable {
  package var rowCount = 0
  package var eventCount = 0
  package var linkCount = 0
  package var traceCount = 0
  package var runCount = 0
  package var shapeCount = 0
  package var chunks: [ChunkEntry] = []

  package init() {}

  /// The byte count of a head with this many chunks.
  package static func byteCount(chunkCount: Int) -> Int { 36 + entryByteCount * chunkCount }

  private static let entryByteCount = 16

  package func chunk(_ id: UInt32) -> ChunkEntry? { chunkIndex(id).map { chunks[$0] } }

  /// The place of a chunk in `chunks`.
  package func chunkIndex(_ id: UInt32) -> Int? {
    var low = 0
    var high = chunks.count
    while low < high {
      let middle = (low + high) / 2
      if chunks[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < chunks.count && chunks[low].id == id ? low : nil
  }

  /// Where the last chunk ends: the byte count of the stripe.
  package var endOffset: UInt64 {
    chunks.last.map { UInt64($0.offset) + UInt64($0.byteCount) } ?? UInt64(Self.byteCount(chunkCount: 0))
  }

  package func encode(into writer: inout ByteWriter) {
    let start = writer.count
    writer.append(SegmentFormat.stripeMagicBytes)
    for count in [rowCount, eventCount, linkCount, traceCount, runCount, shapeCount, chunks.count] {
      writer.appendInteger(UInt32(count))
    }
    for chunk in chunks {
      writer.appendInteger(chunk.id)
      writer.appendInteger(chunk.offset)
      writer.appendInteger(chunk.byteCount)
      writer.appendInteger(chunk.checksum)
    }
    writer.appendChecksum(from: start)
  }

  /// - Parameters:
  ///   - bytes: the stripe, from its start; at least the head.
  ///   - stripeByteCount: of the whole stripe; chunks must end inside.
  ///   - base: the stripe's offset in the file.
  package init(_ bytes: UnsafeRawBufferPointer, stripeByteCount: UInt64, at base: UInt64) throws(TracestoreError) {
    self = try FormatError.naming("stripe head", at: base) {
      try Self.decode(bytes, stripeByteCount: stripeByteCount, at: base)
    }
  }

  private static func decode(
    _ bytes: UnsafeRawBufferPointer, stripeByteCount: UInt64, at base: UInt64
  ) throws -> StripeHead {
    var head = StripeHead()
    var reader = ByteReader(bytes)
    guard try reader.readBytes(4).elementsEqual(SegmentFormat.stripeMagicBytes) else {
      throw FormatError.corrupt("a stripe does not begin with its magic bytes", at: base)
    }
    var counts: [Int] = []
    for _ in 0..<7 { counts.append(Int(try reader.readUInt32())) }
    guard counts[6] <= SegmentFormat.maximumChunkCount, counts[6] * entryByteCount + 4 <= reader.remaining else {
      throw FormatError.corrupt("a stripe is too short for its \(counts[6]) chunks", at: base)
    }
    let end = 32 + counts[6] * entryByteCount
    guard
      CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<end]))
        == UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
    else { throw FormatError.corrupt("the checksum of a stripe's head does not match", at: base) }
    guard counts[0] <= SegmentFormat.maximumStripeRowCount, counts[1] <= SegmentFormat.maximumChildCount,
      counts[2] <= SegmentFormat.maximumChildCount, counts[3] <= counts[0], counts[4] <= counts[0],
      counts[5] <= counts[0] + counts[1] + counts[2]
    else { throw FormatError.corrupt("the counts in a stripe's head exceed their limits", at: base &+ 4) }
    (head.rowCount, head.eventCount, head.linkCount) = (counts[0], counts[1], counts[2])
    (head.traceCount, head.runCount, head.shapeCount) = (counts[3], counts[4], counts[5])
    head.chunks.reserveCapacity(counts[6])
    for _ in 0..<counts[6] {
      let place = base &+ UInt64(reader.offset)
      let chunk = ChunkEntry(
        id: try reader.readUInt32(), offset: try reader.readUInt32(), byteCount: try reader.readUInt32(),
        checksum: try reader.readUInt32())
      if let last = head.chunks.last, last.id >= chunk.id {
        throw FormatError.corrupt("the chunks of a stripe are not in ascending order", at: place)
      }
      let expected = head.chunks.last.map { UInt64($0.offset) + UInt64($0.byteCount) } ?? UInt64(end + 4)
      guard UInt64(chunk.offset) == expected, expected + UInt64(chunk.byteCount) <= stripeByteCount else {
        throw FormatError.corrupt(
          "chunk \(chunk.id) does not stand where the one before ends, inside the stripe", at: place)
      }
      head.chunks.append(chunk)
    }
    return head
  }
}

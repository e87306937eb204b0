package import TraceBytes

/// Distinct byte strings, the shorter ones first and then byte by byte (`TextOrder`), front coded: what a dictionary is
/// made of.
///
/// Head: count varint, chunk count varint; per chunk entry count varint, text byte count varint, stored byte count
/// varint, `Separator`; crc32c of the head. Then the chunks, each a `TextBlock` of about 8 KiB of text: the byte counts
/// of its entry groups but the last (varints), then the groups. A group is up to 16 strings; the first is a
/// varint length and its bytes, each other one how many bytes it shares with the one before (varint), how many follow
/// (varint), and those.
///
/// The view borrows its bytes and is immutable; the scratch belongs to the calling worker.
package struct SortedTextList: @unchecked Sendable {
  static let groupCount = 16
  private static let targetChunkByteCount = 8 << 10
  /// The most strings in a list.
  package static let maximumCount = 1 << 31

  struct Chunk {
    var firstIndex: Int
    var count: Int
    var textByteCount: Int
    /// The stored bytes and their checksum.
    var block: UnsafeRawBufferPointer
    var separator: Separator
  }

  /// A text above every string before a chunk and at most the chunk's first one: as long as that one, it begins with a
  /// prefix and goes on with zeros. For the first chunk it is empty.
  ///
  /// On disk: byte count varint, prefix with its varint byte count.
  struct Separator {
    let byteCount: Int
    let prefix: UnsafeRawBufferPointer

    static func encode(
      before next: UnsafeRawBufferPointer, after last: UnsafeRawBufferPointer?, into writer: inout ByteWriter
    ) {
      guard let last else {
        writer.appendVarint(0)
        writer.appendVarint(0)
        return
      }
      writer.appendVarint(next.count)
      // Where lengths differ, the length alone separates.
      let prefixByteCount = next.count > last.count ? 0 : min(next.count, next.commonPrefixByteCount(last) + 1)
      writer.appendLengthPrefixed(UnsafeRawBufferPointer(rebasing: next[..<prefixByteCount]))
    }

    init(_ reader: inout ByteReader) throws(BytesError) {
      byteCount = try reader.readCount(limit: TextBlock.maximumTextByteCount)
      prefix = try reader.readLengthPrefixedBytes()
      guard prefix.count <= byteCount else {
        throw BytesError(offset: reader.offset, reason: "a separator of a text list is longer than it says")
      }
    }

    func isAfter(_ text: UnsafeRawBufferPointer) -> Bool {
      if text.count != byteCount { return text.count < byteCount }
      // No byte is below the zeros that follow the prefix.
      return TextOrder.precedes(UnsafeRawBufferPointer(rebasing: text[..<prefix.count]), prefix)
    }
  }

  /// How many strings the list holds.
  package let count: Int
  /// How many bytes the list takes; the next thing may follow there.
  package let byteCount: Int
  let isVerifying: Bool
  let chunks: [Chunk]

  /// About how many bytes the strings have together: what they share with the one before stands once in a list. No more
  /// than can be believed of so short a list.
  package var estimatedTextByteCount: Int {
    min(chunks.reduce(0) { $0 + $1.textByteCount } &* 2, byteCount &* 16)
  }

  /// Appends the list. The strings must be distinct and ascend, each at most 64 MiB; the pointers
  /// must stay valid during the call.
  package static func encode(
    count: Int, text: (Int) -> UnsafeRawBufferPointer, into writer: inout ByteWriter, scratch: ColumnScratch
  ) {
    var head = ByteWriter()
    var blocks = ByteWriter()
    var chunkCount = 0
    var first = 0
    while first < count {
      let (end, content) = chunk(from: first, count: count, text: text)
      head.appendVarint(end - first)
      head.appendVarint(content.count)
      head.appendVarint(content.withUnsafeBytes { TextBlock.encode($0, into: &blocks, scratch: scratch) })
      Separator.encode(before: text(first), after: first == 0 ? nil : text(first - 1), into: &head)
      chunkCount += 1
      first = end
    }
    let start = writer.count
    writer.appendVarint(count)
    writer.appendVarint(chunkCount)
    writer.append(head.bytes)
    let checksum = writer.bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    writer.appendInteger(checksum)
    writer.append(blocks.bytes)
  }

  package static func encode(_ texts: [[UInt8]], into writer: inout ByteWriter, scratch: ColumnScratch) {
    let arena = TextArena(texts)
    arena.withTexts { encode(count: texts.count, text: $0, into: &writer, scratch: scratch) }
  }

  /// The content of the chunk that starts at `first`, and where the next one starts.
  private static func chunk(
    from first: Int, count: Int, text: (Int) -> UnsafeRawBufferPointer
  ) -> (end: Int, content: [UInt8]) {
    var sizes = ByteWriter()
    var groups = ByteWriter()
    var groupStart = 0
    var index = first
    while index < count, groups.count < targetChunkByteCount {
      let bytes = text(index)
      precondition(bytes.count <= TextBlock.maximumTextByteCount, "a text is longer than 64 MiB")
      if (index - first) % groupCount == 0 {
        if index > first { sizes.appendVarint(groups.count - groupStart) }
        groupStart = groups.count
        groups.appendLengthPrefixed(bytes)
      } else {
        let previous = text(index - 1)
        precondition(TextOrder.precedes(previous, bytes), "the strings of a list ascend and are distinct")
        let shared = bytes.commonPrefixByteCount(previous)
        groups.appendVarint(shared)
        groups.appendLengthPrefixed(UnsafeRawBufferPointer(rebasing: bytes[shared...]))
      }
      index += 1
    }
    sizes.append(groups.bytes)
    return (index, sizes.bytes)
  }

  /// Opens the list at the start of `bytes`, which may go on after it. Chunks are verified when they are read.
  package init(_ bytes: UnsafeRawBufferPointer, verifying: Bool = true) throws(BytesError) {
    isVerifying = verifying
    var reader = ByteReader(bytes)
    count = try reader.readCount(limit: Self.maximumCount)
    // Five bytes are the least that a chunk takes in the head.
    let chunkCount = try reader.readCount(limit: reader.remaining / 5)
    var chunks: [Chunk] = []
    chunks.reserveCapacity(chunkCount)
    var storedByteCounts: [Int] = []
    storedByteCounts.reserveCapacity(chunkCount)
    var firstIndex = 0
    for _ in 0..<chunkCount {
      let entryCount = try reader.readCount(limit: count &- firstIndex)
      let textByteCount = try reader.readCount(limit: TextBlock.maximumByteCount)
      storedByteCounts.append(try reader.readCount(limit: reader.remaining))
      let separator = try Separator(&reader)
      chunks.append(
        Chunk(
          firstIndex: firstIndex, count: entryCount, textByteCount: textByteCount,
          block: UnsafeRawBufferPointer(start: nil, count: 0), separator: separator))
      firstIndex += entryCount
    }
    guard firstIndex == count else {
      throw BytesError(offset: 0, reason: "a text list announces \(count) strings and its chunks hold \(firstIndex)")
    }
    let headByteCount = reader.offset
    let checksum = try reader.readUInt32()
    if verifying {
      guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<headByteCount])) == checksum else {
        throw BytesError(offset: 0, reason: "the head of a text list does not match its checksum")
      }
    }
    for index in chunks.indices {
      chunks[index].block = try reader.readBytes(storedByteCounts[index] + TextBlock.checksumByteCount)
    }
    self.chunks = chunks
    byteCount = reader.offset
  }

  /// Lines for people: a summary, then one line a chunk.
  package func describe() -> [String] {
    ["text list: \(count) strings in \(chunks.count) chunks, \(byteCount) bytes"]
      + chunks.enumerated().map { index, chunk in
        "chunk \(index): \(chunk.count) strings, \(chunk.textByteCount) bytes of text in \(chunk.block.count)"
      }
  }
}

import TraceBytes
import TraceColumns
import TraceSource

/// A stripe whose columns are encoded; the codes of shared strings are still those of the table.
struct EncodedStripe {
  struct Chunk {
    var id: UInt32
    /// In `bytes`.
    var range: Range<Int>
  }

  var head = StripeHead()
  var summary = StripeSummary()
  var chunks: [Chunk] = []
  var bytes: [UInt8] = []
  /// The value filters, one after another; offsets in the summary count from here.
  var filters: [UInt8] = []
  /// Of the values of attributes under these filters.
  var textHashes: [UInt64] = []
  /// For each run, strings of the table.
  var runServices: [UInt32] = []
  var runNames: [UInt32] = []

  /// The stripe's bytes, now that strings have codes; completes the summary, apart from its place in the file.
  mutating func finish(
    _ strings: SegmentStrings, filterBase: Int, scratch: ColumnScratch, column: (UInt32, Int) -> Void
  ) -> [UInt8] {
    for index in summary.texts.indices {
      for place in summary.texts[index].shared.indices {
        summary.texts[index].shared[place] = strings.code(summary.texts[index].shared[place])
      }
      if summary.texts[index].filterByteCount > 0 { summary.texts[index].filterOffset += UInt32(filterBase) }
    }
    summary.services = Self.ascending(runServices.map { strings.code($0) })
    summary.names = Self.ascending(runNames.map { strings.code($0) })
    var tail = ByteWriter()
    tail.bytes = bytes
    bytes = []
    for (id, codes) in [(ChunkID.runService, runServices), (ChunkID.runName, runNames)] {
      let values = codes.map { UInt64(strings.code($0)) }
      guard values.contains(where: { $0 != 0 }) else { continue }
      let start = tail.count
      IntegerColumn.encode(values, into: &tail, scratch: scratch)
      chunks.append(Chunk(id: id, range: start..<tail.count))
    }
    chunks.sort { $0.id < $1.id }
    let checksums = tail.bytes.withUnsafeBytes { source in
      chunks.map { ChunkChecksum.mixed(UnsafeRawBufferPointer(rebasing: source[$0.range])) }
    }
    var offset = StripeHead.byteCount(chunkCount: chunks.count)
    for (chunk, checksum) in zip(chunks, checksums) {
      head.chunks.append(
        ChunkEntry(
          id: chunk.id, offset: UInt32(truncatingIfNeeded: offset),
          byteCount: UInt32(truncatingIfNeeded: chunk.range.count), checksum: checksum))
      column(chunk.id, chunk.range.count)
      offset += chunk.range.count
    }
    var writer = ByteWriter(reserving: offset)
    head.encode(into: &writer)
    summary.hash = Hash128(of: writer.bytes)
    tail.bytes.withUnsafeBytes { source in
      for chunk in chunks { writer.append(UnsafeRawBufferPointer(rebasing: source[chunk.range])) }
    }
    return writer.bytes
  }

  static func ascending(_ values: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    for value in values.sorted() where result.last != value { result.append(value) }
    return result
  }
}

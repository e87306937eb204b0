import TraceBytes
import TraceFiles
import TraceSource

/// The file that is being written: knows where the next byte goes, and what has been written as what.
struct SegmentOutput {
  private let file: any File
  private(set) var offset: UInt64 = 0
  private var footer = SegmentFooter()
  private var chunkByteCounts: [UInt32: UInt64] = [:]
  private var sectionByteCounts: [String: UInt64] = [:]

  init(file: any File) { self.file = file }

  mutating func append(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try file.append($0) }
    offset += UInt64(bytes.count)
  }

  mutating func align(to alignment: Int) throws {
    let rest = Int(offset % UInt64(alignment))
    if rest > 0 { try append([UInt8](repeating: 0, count: alignment - rest)) }
  }

  mutating func writeHeader() throws {
    var header = SegmentHeader()
    header.requiredFeatures = SegmentFormat.mixedChecksumsFeature
    header.optionalFeatures = SegmentFormat.traceStartsFeature
    (footer.requiredFeatures, footer.optionalFeatures) = (header.requiredFeatures, header.optionalFeatures)
    header.zstdVersion = ZstdCompressor.libraryVersion
    header.lz4Version = LZ4.libraryVersion
    var writer = ByteWriter()
    header.encode(into: &writer)
    try append(writer.bytes)
  }

  mutating func count(_ byteCount: Int, asChunk id: UInt32) { chunkByteCounts[id, default: 0] += UInt64(byteCount) }

  mutating func append(_ kind: SectionKind, _ writer: ByteWriter) throws {
    footer.sections.append(
      SectionEntry(
        kind: kind.rawValue, flags: kind.flags, offset: offset, byteCount: UInt64(writer.count),
        hash: Hash128(of: writer.bytes)))
    sectionByteCounts["section:\(kind)"] = UInt64(writer.count)
    try append(writer.bytes)
  }

  /// Writes footer and trailer.
  mutating func finish(
    _ totals: SegmentTotals, keys: SegmentKeys, _ resourceCount: Int, _ scopeCount: Int
  ) throws -> SegmentStatistics {
    footer.totals = totals
    var writer = ByteWriter()
    footer.encode(into: &writer)
    let hash = Hash128(of: writer.bytes)
    let trailer = SegmentTrailer(
      footerOffset: offset, footerByteCount: UInt32(writer.count), footerHash: hash)
    trailer.encode(into: &writer)
    try append(writer.bytes)
    var statistics = SegmentStatistics()
    statistics.byteCount = offset
    statistics.footerHash = hash
    statistics.totals = totals
    statistics.resourceCount = resourceCount
    statistics.scopeCount = scopeCount
    statistics.columns = columns(keys)
    return statistics
  }

  private func columns(_ keys: SegmentKeys) -> [SegmentStatistics.ColumnByteCount] {
    var byteCounts = sectionByteCounts
    for (id, byteCount) in chunkByteCounts {
      var name = ChunkID.name(id)
      if id >= SegmentFormat.firstAttributeChunk {
        let entry = keys.entries[Int(id - SegmentFormat.firstAttributeChunk)]
        name = "attribute:\(entry.level):\(String(decoding: entry.key, as: UTF8.self)):\(entry.type)"
      }
      byteCounts[name, default: 0] += byteCount
    }
    byteCounts["framing"] = offset - byteCounts.values.reduce(0, +)
    return byteCounts.map { SegmentStatistics.ColumnByteCount(name: $0.key, byteCount: $0.value) }
      .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }
}

extension SectionKind {
  /// A reader that doesn't know one of these would give wrong answers; without the filter over texts it is slower.
  fileprivate var flags: UInt16 { self == .textFilter ? 0 : Self.mustUnderstandFlag }
}

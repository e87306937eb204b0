import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel

/// How many bytes a part of segments takes.
package struct SegmentPartSize: Hashable, Sendable {
  /// `span.start`, `attribute:span:http.route:string`, `section:strings`, `stripe.head`, `padding`.
  package var name: String
  package var byteCount: UInt64

  package init(name: String, byteCount: UInt64) {
    self.name = name
    self.byteCount = byteCount
  }
}

extension Segment {
  /// Every byte of the file by what it is for, largest first: columns summed over stripes, sections, heads, padding.
  /// The sum is the byte count of the file. Reads the heads of all stripes.
  package func partSizes() throws -> [SegmentPartSize] {
    var sizes: [String: UInt64] = [
      "header": UInt64(SegmentFormat.headerByteCount),
      "footer": byteCount - core.footerOffset - UInt64(SegmentFormat.trailerByteCount),
      "trailer": UInt64(SegmentFormat.trailerByteCount),
    ]
    for section in core.footer.sections {
      let name = SectionKind(rawValue: section.kind).map { "\($0)" } ?? "\(section.kind)"
      sizes["section:\(name)", default: 0] += section.byteCount
    }
    let keys = try core.keys()
    for stripe in try spanStripes() {
      let head = try stripe.readHead()
      sizes["stripe.head", default: 0] += UInt64(StripeHead.byteCount(chunkCount: head.chunks.count))
      for chunk in head.chunks { sizes[keys.columnName(chunk.id), default: 0] += UInt64(chunk.byteCount) }
    }
    let known = sizes.values.reduce(0, &+)
    if known < byteCount { sizes["padding"] = byteCount - known }
    return sizes.map { SegmentPartSize(name: $0.key, byteCount: $0.value) }
      .sorted {
        $0.byteCount != $1.byteCount
          ? $0.byteCount > $1.byteCount : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
      }
  }
}

extension SegmentStripe {
  /// The stripe's head alone, in one or two reads.
  package func readHead() throws -> StripeHead {
    let place = ChunkPlace(path: core.path, subject: .stripeHead(index), fileOffset: summary.offset)
    let whole = Int(clamping: summary.byteCount)
    var byteCount = min(whole, 16 << 10)
    var buffer = try SegmentBuffer(reading: core.file, path: core.path, at: summary.offset, byteCount: byteCount)
    return try place.naming {
      var reader = ByteReader(buffer.bytes)
      try reader.skip(28)
      let chunkCount = Int(try reader.readUInt32())
      let needed = min(whole, StripeHead.byteCount(chunkCount: min(chunkCount, SegmentFormat.maximumChunkCount)))
      if needed > byteCount {
        byteCount = needed
        buffer = try SegmentBuffer(reading: core.file, path: core.path, at: summary.offset, byteCount: byteCount)
      }
      return try StripeHead(buffer.bytes, stripeByteCount: summary.byteCount, at: summary.offset)
    }
  }
}

import TraceBytes
import TraceColumns
import TraceModel
import TraceOTLP
import TraceSegment
import TraceSource

/// Reads a whole segment back in the plainest way, from the format's definition alone: no pruning, no pages, no cache.
final class PlainReader {
  struct BadSegment: Error { var what: String }

  let bytes: [UInt8]
  let footer: SegmentFooter
  private(set) var strings: [[UInt8]] = []
  private(set) var catalogue = KeyCatalogue()
  private(set) var resources: [Resource] = []
  private(set) var scopes: [InstrumentationScope] = []
  private(set) var index = StripeIndex()
  private let scratch = ColumnScratch()
  private let decompressor = ZstdDecompressor()

  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    footer = try bytes.withUnsafeBytes { bytes in
      _ = try SegmentHeader(bytes)
      let trailer = try SegmentTrailer(
        UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - 40)...]), fileByteCount: UInt64(bytes.count))
      let place = Int(trailer.footerOffset)..<Int(trailer.footerOffset) + Int(trailer.footerByteCount)
      let content = UnsafeRawBufferPointer(rebasing: bytes[place])
      guard Hash128(of: content) == trailer.footerHash else { throw BadSegment(what: "footer hash") }
      return try SegmentFooter(content, at: trailer.footerOffset)
    }
    strings = try section(.strings) { section in
      var strings: [[UInt8]] = []
      let list = try SortedTextList(section)
      for index in 0..<list.count { strings.append(try list.text(at: index, scratch: scratch)) }
      return strings
    }
    catalogue = try section(.keys) { try KeyCatalogue($0, stringCount: strings.count, at: 0) }
    resources = try texts(.resources, 0).map { try Self.envelope($0).resource }
    scopes = try texts(.scopes, 0).map { record in
      var wrapped = ByteWriter()
      wrapped.append(2 << 3 | 2)
      wrapped.appendLengthPrefixed(record)
      guard let scope = try Self.envelope(wrapped.bytes).scopeSpans.first?.scope else {
        throw BadSegment(what: "scope record")
      }
      return scope
    }
    index = try section(.stripeIndex) {
      try StripeIndex(
        $0, stripesEnd: footer.sections[0].offset, filtersByteCount: footer.section(.valueFilters)?.byteCount ?? 0,
        at: 0)
    }
  }

  private static func envelope(_ record: [UInt8]) throws -> ResourceSpans {
    var wrapped = ByteWriter()
    wrapped.append(1 << 3 | 2)
    wrapped.appendLengthPrefixed(record)
    guard let group = try OTLP.decode(wrapped.bytes).resourceSpans.first else {
      throw BadSegment(what: "resource record")
    }
    return group
  }

  func section<Result>(_ kind: SectionKind, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    guard let entry = footer.section(kind) else { throw BadSegment(what: "no section \(kind)") }
    return try bytes.withUnsafeBytes { bytes in
      let content = UnsafeRawBufferPointer(
        rebasing: bytes[Int(entry.offset)..<Int(entry.offset) + Int(entry.byteCount)])
      guard Hash128(of: content) == entry.hash else { throw BadSegment(what: "hash of \(kind)") }
      return try body(content)
    }
  }

  func part<Result>(
    _ kind: SectionKind, _ number: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    try section(kind) { section in
      let parts = try PartList.parts(section, count: number + 1, of: "\(kind)", at: 0)
      return try body(UnsafeRawBufferPointer(rebasing: section[parts[number]]))
    }
  }

  func integers(_ kind: SectionKind, _ number: Int) throws -> [UInt64] {
    try part(kind, number) { try IntegerColumn($0).decodeAll() }
  }

  func texts(_ kind: SectionKind, _ number: Int) throws -> [[UInt8]] {
    try part(kind, number) { try texts($0) }
  }

  private func texts(_ bytes: UnsafeRawBufferPointer) throws -> [[UInt8]] {
    let column = try TextColumn(bytes, scratch: scratch)
    return try (0..<column.count).map { try column.value(at: $0, scratch: scratch) }
  }

  // MARK: Stripes

  /// One stripe, decoded whole.
  struct Stripe {
    var summary: StripeSummary
    var head: StripeHead
    var spans: [WrittenSpan] = []
    /// The trace of each ordinal.
    var traces: [TraceID] = []
    var integers: [UInt32: [UInt64]] = [:]
    var texts: [UInt32: [[UInt8]]] = [:]
    var shapes: [[UInt32]] = []
  }

  func stripe(_ number: Int) throws -> Stripe {
    let summary = index.stripes[number]
    return try bytes.withUnsafeBytes { bytes in
      let content = UnsafeRawBufferPointer(
        rebasing: bytes[Int(summary.offset)..<Int(summary.offset + summary.byteCount)])
      var stripe = Stripe(
        summary: summary, head: try StripeHead(content, stripeByteCount: summary.byteCount, at: summary.offset))
      let headBytes = content[..<StripeHead.byteCount(chunkCount: stripe.head.chunks.count)]
      guard Hash128(of: UnsafeRawBufferPointer(rebasing: headBytes)) == summary.hash else {
        throw BadSegment(what: "hash of stripe \(number)")
      }
      for chunk in stripe.head.chunks {
        let place = Int(chunk.offset)..<Int(chunk.offset) + Int(chunk.byteCount)
        guard ChunkChecksum.mixed(UnsafeRawBufferPointer(rebasing: content[place])) == chunk.checksum else {
          throw BadSegment(what: "checksum of chunk \(chunk.id)")
        }
        try decode(chunk.id, UnsafeRawBufferPointer(rebasing: content[place]), into: &stripe)
      }
      try assemble(&stripe)
      return stripe
    }
  }

  private func type(_ chunk: UInt32) -> AttributeType? {
    chunk >= SegmentFormat.firstAttributeChunk
      ? catalogue.entries[Int(chunk - SegmentFormat.firstAttributeChunk)].type : nil
  }

  private func decode(_ id: UInt32, _ bytes: UnsafeRawBufferPointer, into stripe: inout Stripe) throws {
    if id == ChunkID.shapes {
      let lists = try ShapeList.decode(
        bytes, shapeCount: stripe.head.shapeCount, keyCount: catalogue.entries.count, decompressor: decompressor, at: 0)
      stripe.shapes = (0..<lists.count).map { Array(lists[$0]) }
    } else if ChunkID.fixedTexts.contains(id) || type(id)?.isText == true {
      guard let summary = stripe.summary.text(id) else { throw BadSegment(what: "text \(id) is not in the index") }
      stripe.texts[id] = try texts(bytes, summary)
    } else if type(id) == .double {
      stripe.integers[id] = try doubles(bytes)
    } else {
      stripe.integers[id] = try IntegerColumn(bytes).decodeAll()
    }
  }

  private func texts(_ bytes: UnsafeRawBufferPointer, _ summary: TextSummary) throws -> [[UInt8]] {
    let head = try TextChunkHead(bytes, at: 0)
    let first = UnsafeRawBufferPointer(
      rebasing: bytes[TextChunkHead.byteCount..<TextChunkHead.byteCount + head.firstByteCount])
    let second = UnsafeRawBufferPointer(rebasing: bytes[(TextChunkHead.byteCount + head.firstByteCount)...])
    guard head.form == summary.form else { throw BadSegment(what: "form of text \(summary.chunk)") }
    if head.form == .column {
      let values = try texts(first)
      guard summary.localDistinctCount == Set(values).count, summary.shared.isEmpty, values.count == summary.valueCount
      else { throw BadSegment(what: "summary of text \(summary.chunk)") }
      return values
    }
    let local = try SortedTextList(second)
    let indices = try IntegerColumn(first).decodeAll()
    guard local.count == summary.localDistinctCount, indices.count == summary.valueCount,
      Set(indices).count == local.count + summary.shared.count
    else { throw BadSegment(what: "summary of text \(summary.chunk)") }
    return try indices.map { index in
      if index < summary.shared.count { return strings[Int(summary.shared[Int(index)])] }
      let text = try local.text(at: Int(index) - summary.shared.count, scratch: scratch)
      guard !strings.contains(text) else { throw BadSegment(what: "a shared string stands in a local list") }
      return text
    }
  }

  private func doubles(_ bytes: UnsafeRawBufferPointer) throws -> [UInt64] {
    let head = try DoubleChunkHead(bytes, at: 0)
    var offset = DoubleChunkHead.byteCount
    func next(_ byteCount: Int) -> UnsafeRawBufferPointer {
      offset += byteCount
      return UnsafeRawBufferPointer(rebasing: bytes[(offset - byteCount)..<offset])
    }
    var values = try IntegerColumn(next(head.valuesByteCount)).decodeAll()
    if head.form == .bits { return values }
    let power = DoubleChunkHead.powers[head.exponent]
    values = values.map { (Double(unzigzag($0)) / power).bitPattern }
    if head.positionsByteCount > 0 {
      let positions = try IntegerColumn(next(head.positionsByteCount)).decodeAll()
      let bits = try IntegerColumn(next(head.bitsByteCount)).decodeAll()
      for (position, bits) in zip(positions, bits) { values[Int(position)] = bits }
    }
    return values
  }
}

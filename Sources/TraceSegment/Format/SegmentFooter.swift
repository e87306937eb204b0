package import TraceBytes
package import TraceModel

/// Where a section stands.
package struct SectionEntry: Hashable, Sendable {
  /// A `SectionKind` raw value, or one of a later version.
  package var kind: UInt16
  package var flags: UInt16
  package var offset: UInt64
  package var byteCount: UInt64
  /// Of the section's bytes.
  package var hash: Hash128

  package init(kind: UInt16, flags: UInt16, offset: UInt64, byteCount: UInt64, hash: Hash128) {
    self.kind = kind
    self.flags = flags
    self.offset = offset
    self.byteCount = byteCount
    self.hash = hash
  }
}

/// What a segment says about all its rows. Times in nanoseconds. Fields stand in the file in this order.
package struct SegmentTotals: Hashable, Sendable {
  /// Rows; partial records are not among them.
  package var rowCount: UInt64 = 0
  package var traceCount: UInt64 = 0
  package var partialCount: UInt64 = 0
  package var eventCount: UInt64 = 0
  package var linkCount: UInt64 = 0
  package var errorCount: UInt64 = 0
  package var stripeCount: UInt64 = 0
  /// The greatest value when there are no rows.
  package var minimumStart: UInt64 = .max
  package var maximumStart: UInt64 = 0
  package var maximumEnd: UInt64 = 0
  /// Of max(0, end − start); the greatest value when there are no rows.
  package var minimumDuration: UInt64 = .max
  package var maximumDuration: UInt64 = 0
  /// The greatest (greatest end − least start) of one trace's rows in this segment.
  package var longestTraceDuration: UInt64 = 0
  /// The greatest value when there are no partial records.
  package var partialMinimumStart: UInt64 = .max
  package var partialMaximumStart: UInt64 = 0
  package var partialMaximumEnd: UInt64 = 0

  package init() {}

  static let paths: [any WritableKeyPath<SegmentTotals, UInt64> & Sendable] = [
    \.rowCount, \.traceCount, \.partialCount, \.eventCount, \.linkCount, \.errorCount, \.stripeCount, \.minimumStart,
    \.maximumStart, \.maximumEnd, \.minimumDuration, \.maximumDuration, \.longestTraceDuration, \.partialMinimumStart,
    \.partialMaximumStart, \.partialMaximumEnd,
  ]

  /// Those that count; the others are times.
  static let counts = paths.prefix(7)
}

/// Found through the trailer; its Hash128 is the identity of the file's content.
///
/// | bytes | field |
/// |---|---|
/// | 2 | version, as in the header |
/// | 2 | zeros |
/// | 4 | section count |
/// | 8 | features that a reader must understand, as in the header |
/// | 8 | features that a reader may ignore, as in the header |
/// | 40 each | section: kind 2, flags 2, zeros 4, offset 8, byte count 8, Hash128 16; ascending by kind |
/// | 4 | count of totals, at least 16 (those of later versions follow and are skipped) |
/// | 8 each | totals, in the order of `SegmentTotals` |
/// | 4 | CRC-32C of all bytes before |
package struct SegmentFooter: Hashable, Sendable {
  package var version = SegmentFormat.version
  package var requiredFeatures: UInt64 = 0
  package var optionalFeatures: UInt64 = 0
  package var sections: [SectionEntry] = []
  package var totals = SegmentTotals()

  package init() {}

  package func section(_ kind: SectionKind) -> SectionEntry? { sections.first { $0.kind == kind.rawValue } }

  package func encode(into writer: inout ByteWriter) {
    let start = writer.count
    writer.appendInteger(version)
    writer.appendInteger(0 as UInt16)
    writer.appendInteger(UInt32(sections.count))
    writer.appendInteger(requiredFeatures)
    writer.appendInteger(optionalFeatures)
    for section in sections {
      writer.appendInteger(section.kind)
      writer.appendInteger(section.flags)
      writer.appendInteger(0 as UInt32)
      writer.appendInteger(section.offset)
      writer.appendInteger(section.byteCount)
      writer.append(section.hash)
    }
    writer.appendInteger(UInt32(SegmentTotals.paths.count))
    for path in SegmentTotals.paths { writer.appendInteger(totals[keyPath: path]) }
    writer.appendChecksum(from: start)
  }

  /// - Parameters:
  ///   - bytes: the footer, whole.
  ///   - base: its offset in the file; sections must end before it.
  package init(_ bytes: UnsafeRawBufferPointer, at base: UInt64) throws(TracestoreError) {
    let decoded = try FormatError.naming("footer", at: base) {
      guard bytes.count >= 4,
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)]))
          == UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self))
      else { throw FormatError.corrupt("the footer's checksum does not match", at: base) }
      return try Self.decode(bytes, at: base)
    }
    self = decoded
  }

  private static func decode(_ bytes: UnsafeRawBufferPointer, at base: UInt64) throws -> SegmentFooter {
    var footer = SegmentFooter()
    var reader = ByteReader(bytes)
    footer.version = try reader.readUInt16()
    guard footer.version <= SegmentFormat.version else {
      throw FormatError.unsupported("format version \(footer.version)", at: base)
    }
    guard footer.version > 0 else { throw FormatError.corrupt("format version 0 was never written", at: base) }
    try reader.skip(2)
    let count = Int(try reader.readUInt32())
    footer.requiredFeatures = try reader.readUInt64()
    footer.optionalFeatures = try reader.readUInt64()
    guard footer.requiredFeatures & ~SegmentFormat.knownFeatures == 0 else {
      throw FormatError.unsupported("feature bits \(String(footer.requiredFeatures, radix: 16))", at: base &+ 8)
    }
    guard count <= reader.remaining / 40 else {
      throw FormatError.corrupt("the footer is too short for its \(count) sections", at: base)
    }
    for _ in 0..<count {
      let place = base &+ UInt64(reader.offset)
      let kind = try reader.readUInt16()
      let flags = try reader.readUInt16()
      try reader.skip(4)
      let entry = SectionEntry(
        kind: kind, flags: flags, offset: try reader.readUInt64(), byteCount: try reader.readUInt64(),
        hash: try reader.readHash128())
      if let last = footer.sections.last, last.kind >= kind {
        throw FormatError.corrupt("sections are not in ascending order", at: place)
      }
      guard entry.offset <= base, entry.byteCount <= base - entry.offset else {
        throw FormatError.corrupt("section \(kind) does not end before the footer", at: place)
      }
      if flags & SectionKind.mustUnderstandFlag != 0, SectionKind(rawValue: kind) == nil {
        throw FormatError.unsupported("section \(kind)", at: place)
      }
      footer.sections.append(entry)
    }
    let totalCount = Int(try reader.readUInt32())
    guard totalCount >= SegmentTotals.paths.count, totalCount <= reader.remaining / 8 else {
      throw FormatError.corrupt("the footer does not hold its \(totalCount) totals", at: base)
    }
    for path in SegmentTotals.paths { footer.totals[keyPath: path] = try reader.readUInt64() }
    for path in SegmentTotals.counts where footer.totals[keyPath: path] > SegmentFormat.maximumTotalCount {
      throw FormatError.corrupt("the footer counts more than a segment can hold", at: base)
    }
    try reader.skip((totalCount - SegmentTotals.paths.count) * 8)
    guard reader.remaining == 4 else {
      throw FormatError.corrupt("bytes follow the footer's totals", at: base &+ UInt64(reader.offset))
    }
    return footer
  }
}

extension ByteWriter {
  package mutating func append(_ hash: Hash128) {
    appendInteger(hash.first)
    appendInteger(hash.second)
  }
}

extension ByteReader {
  package mutating func readHash128() throws(BytesError) -> Hash128 {
    let first = try readUInt64()
    return Hash128(first: first, second: try readUInt64())
  }
}

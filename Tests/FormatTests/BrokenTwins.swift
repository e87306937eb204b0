import Foundation
import TraceBytes
import TraceModel
import TraceSegment
import TraceWAL

/// Files of `Fixtures/corrupt`: a golden file, one thing wrong with it, and what a reader has to call it.
struct BrokenTwin: Sendable, CustomStringConvertible {
  enum Kind: Sendable {
    case segment, log, current, manifest
  }

  enum Fault: Sendable {
    case flip(offset: Int)
    case cut(byteCount: Int)
    /// A field is replaced and the checksum over `0..<checksum` written anew at `checksum`.
    case replace(offset: Int, [UInt8], checksum: Int)
    /// The footer is changed, and checksums and hashes are made right again.
    case footer(@Sendable (inout SegmentFooter) -> Void)
  }

  var name: String
  var kind: Kind
  var fault: Fault
  /// What `open`, or a deep check of what could be opened, reports.
  var code: TracestoreError.Code

  var description: String { name }

  static let folder = FormatDocument.root.appendingPathComponent("Fixtures/corrupt")

  static let all: [BrokenTwin] = [
    BrokenTwin(name: "empty.seg", kind: .segment, fault: .cut(byteCount: 0), code: .corrupt),
    BrokenTwin(name: "header-only.seg", kind: .segment, fault: .cut(byteCount: 64), code: .corrupt),
    BrokenTwin(name: "no-trailer.seg", kind: .segment, fault: .cut(byteCount: -40), code: .corrupt),
    BrokenTwin(name: "flipped-header.seg", kind: .segment, fault: .flip(offset: 30), code: .corrupt),
    BrokenTwin(name: "flipped-stripe-head.seg", kind: .segment, fault: .flip(offset: 70), code: .corrupt),
    BrokenTwin(name: "flipped-page.seg", kind: .segment, fault: .flip(offset: 550), code: .corrupt),
    BrokenTwin(name: "flipped-padding.seg", kind: .segment, fault: .flip(offset: 40), code: .corrupt),
    BrokenTwin(name: "flipped-section.seg", kind: .segment, fault: .flip(offset: 800), code: .corrupt),
    BrokenTwin(name: "flipped-footer.seg", kind: .segment, fault: .flip(offset: -100), code: .corrupt),
    BrokenTwin(name: "flipped-trailer.seg", kind: .segment, fault: .flip(offset: -30), code: .corrupt),
    BrokenTwin(
      name: "swapped-sections.seg", kind: .segment,
      fault: .footer { footer in
        // Each kind names the bytes of the other; every checksum and hash is right.
        (footer.sections[2].offset, footer.sections[3].offset) = (footer.sections[3].offset, footer.sections[2].offset)
        (footer.sections[2].byteCount, footer.sections[3].byteCount) =
          (footer.sections[3].byteCount, footer.sections[2].byteCount)
        (footer.sections[2].hash, footer.sections[3].hash) = (footer.sections[3].hash, footer.sections[2].hash)
      }, code: .corrupt),
    BrokenTwin(
      name: "section-past-end.seg", kind: .segment, fault: .footer { $0.sections[0].byteCount = .max },
      code: .corrupt),
    BrokenTwin(
      name: "newer-version.seg", kind: .segment, fault: .footer { $0.version = SegmentFormat.version + 1 },
      code: .unsupportedFormat),
    BrokenTwin(
      name: "newer-feature.seg", kind: .segment, fault: .footer { $0.requiredFeatures = 1 << 40 },
      code: .unsupportedFormat),
    BrokenTwin(
      name: "newer-section.seg", kind: .segment,
      fault: .footer { footer in
        footer.sections.append(
          SectionEntry(kind: 900, flags: 1, offset: 64, byteCount: 0, hash: Hash128(of: [])))
      }, code: .unsupportedFormat),
    BrokenTwin(name: "flipped-frame.log", kind: .log, fault: .flip(offset: 118), code: .corrupt),
    BrokenTwin(
      name: "newer-version.log", kind: .log, fault: .replace(offset: 8, [2, 0, 0, 0], checksum: 60),
      code: .unsupportedFormat),
    BrokenTwin(
      name: "newer-feature.log", kind: .log, fault: .replace(offset: 12, [0, 0, 0, 1], checksum: 60),
      code: .unsupportedFormat),
    BrokenTwin(name: "flipped.current", kind: .current, fault: .flip(offset: 16), code: .corrupt),
    BrokenTwin(
      name: "newer-version.current", kind: .current, fault: .replace(offset: 8, [2, 0, 0, 0], checksum: 28),
      code: .unsupportedFormat),
    BrokenTwin(name: "flipped-header.manifest", kind: .manifest, fault: .flip(offset: 33), code: .corrupt),
    BrokenTwin(name: "flipped-record.manifest", kind: .manifest, fault: .flip(offset: 100), code: .corrupt),
    BrokenTwin(
      name: "newer-version.manifest", kind: .manifest, fault: .replace(offset: 8, [2, 0, 0, 0], checksum: 60),
      code: .unsupportedFormat),
  ]

  /// The golden file with its fault.
  func build() throws -> [UInt8] {
    var bytes =
      switch kind {
      case .segment: try GoldenSegments.committed("minute")
      case .log: try Examples.log()
      case .current: try Examples.current()
      case .manifest: try Examples.manifest()
      }
    switch fault {
    case .flip(let offset): bytes[offset < 0 ? bytes.count + offset : offset] ^= 0x10
    case .cut(let byteCount): bytes = Array(bytes[..<(byteCount < 0 ? bytes.count + byteCount : byteCount)])
    case .replace(let offset, let field, let checksum):
      bytes.replaceSubrange(offset..<(offset + field.count), with: field)
      bytes.replaceSubrange(checksum..<(checksum + 4), with: little(CRC32C.checksum(Array(bytes[..<checksum]))))
    case .footer(let change): bytes = try Self.resealed(bytes, change)
    }
    return bytes
  }

  /// A segment whose footer says something else, with a trailer that belongs to it.
  static func resealed(_ bytes: [UInt8], _ change: (inout SegmentFooter) -> Void) throws -> [UInt8] {
    let trailer = try bytes.withUnsafeBytes {
      try SegmentTrailer(
        UnsafeRawBufferPointer(rebasing: $0[(bytes.count - SegmentFormat.trailerByteCount)...]),
        fileByteCount: UInt64(bytes.count))
    }
    let start = Int(trailer.footerOffset)
    var footer = try bytes.withUnsafeBytes {
      try SegmentFooter(
        UnsafeRawBufferPointer(rebasing: $0[start..<(start + Int(trailer.footerByteCount))]), at: trailer.footerOffset)
    }
    change(&footer)
    let written = encoded { footer.encode(into: &$0) }
    let end = encoded { writer in
      SegmentTrailer(
        footerOffset: UInt64(start), footerByteCount: UInt32(written.count), footerHash: Hash128(of: written)
      ).encode(into: &writer)
    }
    return Array(bytes[..<start]) + written + end
  }
}

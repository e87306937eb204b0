import TraceBytes
package import TraceModel
import TraceSegment
package import TracestoreV2

/// The content of a dependency file. FORMAT.md: "Dependency file".
package struct DependencySnapshot: Equatable, Sendable {
  package var time: Timestamp
  package var links: [DependencyLink]

  private static let format = WholeFile(magic: "TSDEP001", version: 1, name: "dependency file")
  private static let errorsKnown: UInt8 = 1
  private static let latencyKnown: UInt8 = 2
  /// The fewest bytes of a link, which bounds what a count may announce.
  private static let minimumLinkByteCount = 6

  package init(time: Timestamp, links: [DependencyLink]) {
    self.time = time
    self.links = links
  }

  package func encoded() -> [UInt8] {
    Self.format.encoded(reserving: 32 + links.count * 64) { append(to: &$0) }
  }

  private func append(to writer: inout ByteWriter) {
    writer.appendInteger(time.nanoseconds)
    writer.appendVarint(links.count)
    for link in links {
      for text in [link.parent, link.child, link.source, link.connection.rawValue] { writer.appendLengthPrefixed(text) }
      writer.appendVarint(link.callCount)
      writer.append((link.errorCount == nil ? 0 : Self.errorsKnown) | (link.latency == nil ? 0 : Self.latencyKnown))
      if let errorCount = link.errorCount { writer.appendVarint(errorCount) }
      if let latency = link.latency {
        writer.appendVarint(latency.sumNanoseconds)
        writer.appendVarint(latency.medianNanoseconds)
        writer.appendVarint(latency.percentile95Nanoseconds)
        writer.appendVarint(latency.maximumNanoseconds)
      }
    }
  }

  /// - Throws: `corrupt` for bytes that are no snapshot, `unsupportedFormat` for one of a newer version.
  package init(_ bytes: [UInt8], path: String) throws {
    self = try Self.format.decode(bytes, path: path, Self.decoded)
  }

  private static func decoded(_ reader: inout ByteReader) throws -> DependencySnapshot {
    var snapshot = DependencySnapshot(time: Timestamp(nanoseconds: try reader.readUInt64()), links: [])
    let count = try reader.readCount(limit: reader.remaining / minimumLinkByteCount)
    snapshot.links.reserveCapacity(count)
    for _ in 0..<count {
      func text() throws -> String {
        guard let text = String(validating: try reader.readLengthPrefixedBytes(), as: UTF8.self) else {
          throw BytesError(offset: reader.offset, reason: "a text is not UTF-8")
        }
        return text
      }
      var link = DependencyLink(parent: try text(), child: try text(), callCount: 0, source: try text())
      link.connection = ConnectionKind(rawValue: try text())
      link.callCount = try reader.readVarint()
      let flags = try reader.readUInt8()
      if flags & errorsKnown != 0 { link.errorCount = try reader.readVarint() }
      if flags & latencyKnown != 0 {
        link.latency = DependencyLink.Latency(
          sumNanoseconds: try reader.readVarint(), medianNanoseconds: try reader.readVarint(),
          percentile95Nanoseconds: try reader.readVarint(), maximumNanoseconds: try reader.readVarint())
      }
      snapshot.links.append(link)
    }
    return snapshot
  }
}

import TraceBytes
package import TraceModel
package import TracestoreV2

/// The content of a dependency file. FORMAT.md: "Dependency file".
package struct DependencySnapshot: Equatable, Sendable {
  package var time: Timestamp
  package var links: [DependencyLink]

  package static let magic: [UInt8] = Array("TSDEP001".utf8)
  package static let version: UInt32 = 1
  private static let errorsKnown: UInt8 = 1
  private static let latencyKnown: UInt8 = 2
  /// The fewest bytes of a link, which bounds what a count may announce.
  private static let minimumLinkByteCount = 6

  package init(time: Timestamp, links: [DependencyLink]) {
    self.time = time
    self.links = links
  }

  package func encoded() -> [UInt8] {
    var writer = ByteWriter(reserving: 32 + links.count * 64)
    writer.append(Self.magic)
    writer.appendInteger(Self.version)
    writer.appendInteger(UInt32(0))
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
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// - Throws: `corrupt` for bytes that are no snapshot, `unsupportedFormat` for one of a newer version.
  package init(_ bytes: [UInt8], path: String) throws {
    do {
      self = try bytes.withUnsafeBytes { try Self.decoded($0, path: path) }
    } catch let error as BytesError {
      throw TracestoreError(
        .corrupt, "the dependency file does not decode: \(error.reason)", path: path, offset: UInt64(error.offset))
    }
  }

  private static func decoded(_ bytes: UnsafeRawBufferPointer, path: String) throws -> DependencySnapshot {
    var reader = ByteReader(bytes)
    func corrupt(_ reason: String) -> BytesError { BytesError(offset: reader.offset, reason: reason) }
    guard try reader.readBytes(magic.count).elementsEqual(magic) else { throw corrupt("it does not begin like one") }
    let found = try reader.readUInt32()
    guard found == version else {
      throw TracestoreError(
        .unsupportedFormat, "the dependency file has format \(found); open it with the version that wrote it",
        path: path, offset: UInt64(magic.count))
    }
    guard bytes.count >= 4,
      bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self).littleEndian
        == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 4)]))
    else { throw corrupt("it does not match its checksum") }
    _ = try reader.readUInt32()
    var snapshot = DependencySnapshot(time: Timestamp(nanoseconds: try reader.readUInt64()), links: [])
    let count = try reader.readCount(limit: bytes.count / minimumLinkByteCount)
    snapshot.links.reserveCapacity(count)
    for _ in 0..<count {
      func text() throws -> String {
        guard let text = String(validating: try reader.readLengthPrefixedBytes(), as: UTF8.self) else {
          throw corrupt("a text is not UTF-8")
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
    guard reader.offset == bytes.count - 4 else { throw corrupt("bytes follow the last link") }
    return snapshot
  }
}

import TraceBytes
import TraceColumns
package import TraceModel

/// What spans share, a resource or a scope: several sources may hold equal ones, which count once.
///
/// Lists meet those of all segments again and again and compare many of them, so each is made once and kept, with its
/// content as canonical bytes behind their hash.
package final class SpanEnvelope: Hashable, Sendable {
  /// The keys of attributes with their types, in order.
  package struct KeyList: Hashable, Sendable {
    fileprivate let identity: HashedBytes
  }

  package let level: ColumnLevel
  package let attributes: [Attribute]
  /// Equal for envelopes that make the same list of attribute keys.
  package let keys: KeyList
  private let identity: HashedBytes

  /// - Parameter identity: bytes that are equal where the content is.
  package init(_ level: ColumnLevel, _ attributes: [Attribute], identity: [UInt8]) {
    self.level = level
    self.attributes = attributes
    self.identity = HashedBytes(identity)
    var keys = ByteWriter()
    keys.append(level.rawValue)
    for attribute in attributes {
      keys.append(AttributeType(of: attribute).rawValue)
      keys.appendLengthPrefixed(attribute.key)
    }
    self.keys = KeyList(identity: HashedBytes(keys.bytes))
  }

  /// Bytes held, within a few percent, besides the attributes.
  package var byteCount: Int { identity.bytes.count + keys.identity.bytes.count + 160 }

  package static func == (left: SpanEnvelope, right: SpanEnvelope) -> Bool {
    left === right || (left.level == right.level && left.identity == right.identity)
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(identity) }
}

/// Bytes that are hashed once and compared often.
private struct HashedBytes: Hashable, Sendable {
  let bytes: [UInt8]
  private let hash: Hash128

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    hash = Hash128(of: bytes)
  }

  // A hash does not resist an adversary: where hashes agree, the bytes decide.
  static func == (left: HashedBytes, right: HashedBytes) -> Bool {
    guard left.hash == right.hash else { return false }
    return left.bytes.withUnsafeBytes { left in
      right.bytes.withUnsafeBytes { right in TextOrder.compare(left, right) == 0 }
    }
  }

  func hash(into hasher: inout Hasher) { hasher.combine(hash.first) }
}

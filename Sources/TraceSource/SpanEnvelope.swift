import TraceBytes
import TraceColumns
package import TraceModel

/// What spans share: several sources may hold equal ones, which count once.
///
/// Equal envelopes are told by 128 bits of their content, hashed with keys of the process: lists meet those of all
/// segments again and again, and compare many of them.
package final class SpanEnvelope: Hashable, Sendable {
  /// Attributes that have the same keys, of the same types, in the same order.
  package struct KeyList: Hashable, Sendable {
    fileprivate let identity: Identity
  }

  fileprivate struct Identity: Hashable, Sendable {
    let first: Int
    let second: Int

    init(_ feed: (inout Hasher) -> Void) {
      func hash(_ prefix: UInt8) -> Int {
        var hasher = Hasher()
        hasher.combine(prefix)
        feed(&hasher)
        return hasher.finalize()
      }
      (first, second) = (hash(0), hash(1))
    }
  }

  package let level: ColumnLevel
  package let attributes: [Attribute]
  package let keys: KeyList
  private let identity: Identity

  private init(_ level: ColumnLevel, _ attributes: [Attribute], _ content: some Hashable) {
    self.level = level
    self.attributes = attributes
    identity = Identity {
      $0.combine(level)
      $0.combine(content)
    }
    keys = KeyList(
      identity: Identity {
        $0.combine(level)
        for attribute in attributes {
          $0.combine(attribute.key.utf8.count)
          for byte in attribute.key.utf8 { $0.combine(byte) }
          $0.combine(AttributeType(of: attribute).rawValue)
        }
      })
  }

  package static func resource(_ resource: Resource) -> SpanEnvelope {
    SpanEnvelope(.resource, resource.attributes, resource)
  }

  package static func scope(_ scope: InstrumentationScope) -> SpanEnvelope {
    SpanEnvelope(.scope, scope.attributes, scope)
  }

  package static func == (left: SpanEnvelope, right: SpanEnvelope) -> Bool { left.identity == right.identity }

  package func hash(into hasher: inout Hasher) { hasher.combine(identity) }
}

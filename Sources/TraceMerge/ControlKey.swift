/// Attribute keys with which producers steer how records of one span are joined, and the one that the store writes.
///
/// They are part of a record's content and of its hash. Readers see them only in raw answers.
package enum ControlKey {
  /// What all of them begin with.
  static let prefix = "tracestore."

  /// True (a bool) on a record that adds to a span instead of being one.
  package static let partial = "tracestore.partial"
  /// The producer's update number (an int).
  package static let sequence = "tracestore.sequence"
  /// When the record was observed, in nanoseconds (an int).
  package static let observed = "tracestore.observed"
  /// Attribute keys to remove (an array of texts).
  package static let removed = "tracestore.removed"
  package static let roleService = "tracestore.role.service"
  package static let roleKind = "tracestore.role.kind"
  /// The state of a returned span. Written on output only, dropped on input.
  package static let state = "tracestore.state"

  /// Whether answers leave the key out unless they are raw.
  package static func isHidden(_ key: String) -> Bool {
    // Every attribute of an answer is asked, and six texts are compared only with those that begin alike.
    guard key.utf8.first == prefix.utf8.first, key.utf8.starts(with: prefix.utf8) else { return false }
    return switch key {
    case partial, sequence, observed, removed, roleService, roleKind: true
    default: false
    }
  }
}

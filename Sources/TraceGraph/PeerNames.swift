package import TraceModel

/// The attributes that name what a calling span calls: the first key wins that has a text, and of its texts the first
/// that is not empty.
package enum PeerNames {
  package static let keys = [
    "peer.service", "db.system.name", "db.system", "messaging.system", "server.address", "net.peer.name",
  ]
  /// Their places in `keys`.
  package static let databaseKeys = 1...2
  package static let messagingKey = 3

  /// What a peer is, by the keys that have a text.
  package static func connection(_ role: SpanRole, hasDatabase: Bool, hasMessaging: Bool) -> Connection {
    hasDatabase ? .database : hasMessaging || role == .producer ? .messaging : .external
  }

  /// The name and the connection of a materialised span.
  package static func peer(of attributes: [Attribute], _ role: SpanRole) -> (name: String, connection: Connection)? {
    var name: String?
    var hasDatabase = false
    var hasMessaging = false
    for (place, key) in keys.enumerated() {
      guard let text = attributes.firstText(of: key) else { continue }
      if name == nil { name = text }
      if databaseKeys.contains(place) { hasDatabase = true }
      if place == messagingKey { hasMessaging = true }
    }
    return name.map { ($0, connection(role, hasDatabase: hasDatabase, hasMessaging: hasMessaging)) }
  }
}

extension [Attribute] {
  fileprivate func firstText(of key: String) -> String? {
    // An attribute that holds fields of a newer OTLP may mean something else.
    for attribute in self where attribute.unknownFields.isEmpty && attribute.key.utf8.elementsEqual(key.utf8) {
      if case .string(let text) = attribute.value, !text.isEmpty { return text }
    }
    return nil
  }
}

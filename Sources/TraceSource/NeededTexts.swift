/// Values without which no row passes a predicate, by their hashes (`ValueTest.textHashes`): worked out once for a search,
/// which then asks each segment for them.
package indirect enum NeededTexts: Sendable {
  /// Rows pass whatever values there are.
  case nothing
  /// One of these; of none, that no row passes at all.
  case oneOf(Set<UInt64>)
  case all([NeededTexts])
  case any([NeededTexts])

  static func all(of parts: [NeededTexts]) -> NeededTexts {
    let needed = parts.filter { if case .nothing = $0 { false } else { true } }
    return needed.isEmpty ? .nothing : needed.count == 1 ? needed[0] : .all(needed)
  }

  static func any(of parts: [NeededTexts]) -> NeededTexts {
    var hashes: Set<UInt64> = []
    var others: [NeededTexts] = []
    for part in parts {
      switch part {
      case .nothing: return .nothing
      // Mostly one value at several levels.
      case .oneOf(let own): hashes.formUnion(own)
      case .all, .any: others.append(part)
      }
    }
    if others.isEmpty { return .oneOf(hashes) }
    return .any(hashes.isEmpty ? others : others + [.oneOf(hashes)])
  }

  /// False when no row passes where only some texts are values.
  package func areMet(_ isThere: (UInt64) -> Bool) -> Bool {
    switch self {
    case .nothing: true
    case .oneOf(let hashes): hashes.contains(where: isThere)
    case .all(let parts): parts.allSatisfy { $0.areMet(isThere) }
    case .any(let parts): parts.contains { $0.areMet(isThere) }
    }
  }
}

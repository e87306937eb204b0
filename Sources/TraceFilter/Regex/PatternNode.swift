/// A parsed pattern.
indirect enum PatternNode: Sendable, Equatable {
  /// The empty text.
  case empty
  /// One scalar of a set; no text at all if the set is empty.
  case set(ScalarSet)
  case sequence([PatternNode])
  case choice([PatternNode])
  case repetition(PatternNode, minimum: Int, maximum: Int?)

  var isNullable: Bool {
    switch self {
    case .empty: true
    case .set: false
    case .sequence(let items): items.allSatisfy(\.isNullable)
    case .choice(let branches): branches.contains(where: \.isNullable)
    case .repetition(let body, let minimum, _): minimum == 0 || body.isNullable
    }
  }

  static func joined(_ items: [PatternNode]) -> PatternNode {
    let items = items.filter { $0 != .empty }
    return items.count == 1 ? items[0] : items.isEmpty ? .empty : .sequence(items)
  }
}

// A text holds a match of `x+y` where it holds one of `xy`: the further copies of x stand before it and are not asked
// for. So what may be repeated or left out at the edges of a pattern is cut to its minimum. This turns `.*error.*` into
// a literal, and keeps long counts at the edges out of the program.
extension PatternNode {
  /// A pattern that is found in the same texts, and has nothing optional at its edges.
  var trimmed: PatternNode { trimmed(.start).trimmed(.end) }

  private enum Edge { case start, end }

  private func trimmed(_ edge: Edge) -> PatternNode {
    switch self {
    case .empty, .set: return self
    case .sequence(var items):
      if edge == .end { items.reverse() }
      items = Array(items.drop(while: \.isNullable))
      if !items.isEmpty { items[0] = items[0].trimmed(edge) }
      if edge == .end { items.reverse() }
      return .joined(items)
    case .choice(let branches):
      return isNullable ? .empty : .choice(branches.map { $0.trimmed(edge) })
    case .repetition(let body, let minimum, _):
      if isNullable { return .empty }
      let outer = body.trimmed(edge)
      if minimum == 1 { return outer }
      let rest = PatternNode.repetition(body, minimum: minimum - 1, maximum: minimum - 1)
      return .sequence(edge == .start ? [outer, rest] : [rest, outer])
    }
  }
}

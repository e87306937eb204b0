/// How a pattern is looked for. Made once, shared by all matchers.
final class PatternPlan: Sendable {
  /// Finds places where a match may begin, faster than the automaton passes the others.
  enum Skip {
    /// What every match begins with.
    case literal(LiteralSearch)
    case firstByte(FirstByteSearch)
  }

  /// Nil if every text holds a match, the empty one.
  let program: PatternProgram?
  /// Stands in every match, and says more than where a match begins: without it there is nothing to look for.
  let required: LiteralSearch?
  let skip: Skip?
  /// The skip is a literal and is all of a match.
  let isLiteral: Bool

  init(_ node: PatternNode) throws(PatternError) {
    let node = node.trimmed
    guard !node.isNullable else {
      program = nil
      required = nil
      skip = nil
      isLiteral = false
      return
    }
    let program = try PatternProgram(node)
    let literals = PatternLiterals(node)
    self.program = program
    isLiteral = literals.exact != nil
    if literals.prefix.isEmpty {
      skip = FirstByteSearch(program.firstBytes).map { .firstByte($0) }
    } else {
      skip = .literal(LiteralSearch(literals.prefix))
    }
    required = literals.longest.count > literals.prefix.count ? LiteralSearch(literals.longest) : nil
  }
}

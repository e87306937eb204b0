import TracestoreV2

/// Reads a filter by recursive descent. Recursion is bounded by the nesting of parentheses and negations, which is
/// counted; the depth of the calls that come out is bounded too.
struct FilterParser {
  /// A condition with the depth of its calls.
  private struct Condition {
    var call: FilterCall
    var depth: Int
  }

  /// Parentheses that make no call may come on top of those that do.
  private static let maximumNesting = 3 * FilterExpression.maximumDepth

  private var lexer: FilterLexer
  var token: FilterLexer.Token
  /// Where `token` begins.
  var offset: Int
  private var nesting = 0

  init(_ text: String) throws(FilterTextError) {
    lexer = FilterLexer(text)
    (token, offset) = try lexer.next()
  }

  mutating func advance() throws(FilterTextError) { (token, offset) = try lexer.next() }

  /// Steps over the symbol if it stands here.
  mutating func take(_ symbol: FilterLexer.Symbol) throws(FilterTextError) -> Bool {
    guard token == .symbol(symbol) else { return false }
    try advance()
    return true
  }

  mutating func expect(_ symbol: FilterLexer.Symbol, _ purpose: String) throws(FilterTextError) {
    guard try take(symbol) else {
      throw FilterTextError("`\(symbol.rawValue)` should stand here \(purpose), not \(found).", at: offset)
    }
  }

  /// The present token, as messages name it.
  var found: String {
    switch token {
    case .end: "the end"
    case .string: "a text"
    case .literal(let text, _), .word(let text): "`\(text)`"
    case .unqualified(let name): "`.\(name)`"
    case .symbol(let symbol): "`\(symbol.rawValue)`"
    }
  }

  mutating func filter() throws(FilterTextError) -> FilterCall {
    if token == .end { throw FilterTextError("The filter is empty; write a condition.", at: offset) }
    let condition = try disjunction()
    switch token {
    case .end: return condition.call
    case .word("and"), .word("AND"): throw FilterTextError("Write `&&` to join conditions.", at: offset)
    case .word("or"), .word("OR"): throw FilterTextError("Write `||` between alternatives.", at: offset)
    case .symbol(.close): throw FilterTextError("This parenthesis closes none; leave it out.", at: offset)
    default: throw FilterTextError("`&&` or `||` should stand before \(found).", at: offset)
    }
  }

  private mutating func disjunction() throws(FilterTextError) -> Condition {
    let start = offset
    var terms = [try conjunction()]
    while try take(.or) { terms.append(try conjunction()) }
    return try joined(terms, by: .or, at: start)
  }

  private mutating func conjunction() throws(FilterTextError) -> Condition {
    let start = offset
    var terms = [try condition()]
    while try take(.and) { terms.append(try condition()) }
    return try joined(terms, by: .and, at: start)
  }

  private func joined(
    _ terms: [Condition], by operation: FilterOperator, at start: Int
  ) throws(FilterTextError) -> Condition {
    if terms.count == 1 { return terms[0] }
    let arguments = terms.map { FilterExpression.call($0.call) }
    return try call(operation, arguments, depth: terms.map(\.depth).max() ?? 0, at: start)
  }

  /// - Parameter depth: Of the deepest argument.
  private func call(
    _ operation: FilterOperator, _ arguments: [FilterExpression], depth: Int = 0, at start: Int
  ) throws(FilterTextError) -> Condition {
    guard depth < FilterExpression.maximumDepth else { throw tooDeep(start) }
    return Condition(call: FilterCall(operation, arguments), depth: depth + 1)
  }

  private func tooDeep(_ start: Int) -> FilterTextError {
    FilterTextError(
      "Conditions are nested deeper than \(FilterExpression.maximumDepth) levels; take parentheses away.", at: start)
  }

  private mutating func condition() throws(FilterTextError) -> Condition {
    let start = offset
    nesting += 1
    guard nesting <= Self.maximumNesting else { throw tooDeep(start) }
    defer { nesting -= 1 }
    switch token {
    case .symbol(.not):
      try advance()
      let inner = try condition()
      return try call(.not, [.call(inner.call)], depth: inner.depth, at: start)
    case .symbol(.open):
      try advance()
      let inner = try disjunction()
      try expect(.close, "to close the parenthesis at byte \(start)")
      return inner
    case .word("exists"):
      try advance()
      try expect(.open, "behind `exists`")
      let reference = try reference("`exists` asks about")
      try expect(.close, "to close `exists`")
      return try call(.exists, [reference], at: start)
    case .word("some"): return try some(at: start)
    case .word("not"): throw FilterTextError("Write `!` to turn a condition around.", at: start)
    default: return try comparison(at: start)
    }
  }

  private mutating func some(at start: Int) throws(FilterTextError) -> Condition {
    try advance()
    try expect(.open, "behind `some`")
    guard case .word(let level) = token, level == "event" || level == "link" else {
      throw FilterTextError("`some` goes over `event` or `link`, not over \(found).", at: offset)
    }
    try advance()
    try expect(.comma, "behind `\(level)`")
    let inner = try disjunction()
    try expect(.close, "to close `some`")
    let collection = FilterExpression.nested(NestedReference(AttributeLevel(rawValue: level)))
    return try call(.some, [collection, .call(inner.call)], depth: inner.depth, at: start)
  }

  private mutating func comparison(at start: Int) throws(FilterTextError) -> Condition {
    let left = try operand()
    let place = offset
    if let operation = comparisonOperator {
      try advance()
      return try call(operation, [left, try operand()], at: start)
    }
    let operation: FilterOperator
    switch token {
    case .symbol(.matches): operation = .regex
    case .word("in"): operation = .in
    case .word("not"):
      operation = .notIn
      try advance()
      guard token == .word("in") else {
        throw FilterTextError("`in` should follow `not`, not \(found).", at: offset)
      }
    case .end, .symbol(.and), .symbol(.or), .symbol(.close):
      throw FilterTextError(
        "A comparison is missing; to ask whether the value is there, write `exists(…)`.", at: place)
    default: throw FilterTextError("A comparison should stand here, not \(found).", at: place)
    }
    guard left.isReference else {
      throw FilterTextError("An attribute or a field should stand before \(found).", at: start)
    }
    try advance()
    let right = operation == .regex ? try pattern() : try list(beside: left)
    return try call(operation, [left, right], at: start)
  }

  private var comparisonOperator: FilterOperator? {
    switch token {
    case .symbol(.equal): .equal
    case .symbol(.notEqual): .notEqual
    case .symbol(.less): .less
    case .symbol(.lessOrEqual): .lessOrEqual
    case .symbol(.greater): .greater
    case .symbol(.greaterOrEqual): .greaterOrEqual
    default: nil
    }
  }

  private mutating func pattern() throws(FilterTextError) -> FilterExpression {
    let start = offset
    let pattern = try operand()
    switch pattern {
    case .untyped, .string: return pattern
    default: throw FilterTextError("A pattern in double quotes should follow `=~`.", at: start)
    }
  }
}

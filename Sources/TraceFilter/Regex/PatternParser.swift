/// Reads the syntax of RE2 as Go's `regexp/syntax` reads it with its Perl flags, which is what Jaeger does.
///
/// Open groups stand on a stack of their own, so that no pattern is deeper than the stack of the thread.
struct PatternParser {
  /// A piece of a sequence, with the largest product of repetition counts nested in it.
  private struct Piece {
    var node: PatternNode
    var repetitionProduct: Int
  }

  private struct Group {
    /// Where the group opens.
    var index: Int
    var branches: [PatternNode] = []
    var pieces: [Piece] = []
    var repetitionProduct = 1
    /// The flag `s`. It ends with its group.
    var dotMatchesNewline: Bool

    mutating func endBranch() {
      branches.append(.joined(pieces.map(\.node)))
      repetitionProduct = pieces.reduce(repetitionProduct) { max($0, $1.repetitionProduct) }
      pieces = []
    }

    mutating func end() -> Piece {
      endBranch()
      let isEmpty = branches.allSatisfy { $0 == .empty }
      let node: PatternNode = isEmpty ? .empty : branches.count == 1 ? branches[0] : .choice(branches)
      return Piece(node: node, repetitionProduct: repetitionProduct)
    }
  }

  var cursor: PatternCursor
  private var group: Group
  private var outerGroups: [Group] = []
  private var names: Set<String> = []
  /// Where the last quantifier ended: another one there would repeat a repetition.
  private var quantifierEnd = -1

  static func parse(_ pattern: String) throws(PatternError) -> PatternNode {
    guard pattern.utf8.count <= TextPattern.maximumByteCount else {
      throw PatternError(
        offset: TextPattern.maximumByteCount,
        reason: "a pattern has at most \(TextPattern.maximumByteCount) bytes, this one has \(pattern.utf8.count)")
    }
    var parser = PatternParser(cursor: PatternCursor(pattern))
    return try parser.parse()
  }

  private init(cursor: PatternCursor) {
    self.cursor = cursor
    group = Group(index: 0, dotMatchesNewline: false)
  }

  private mutating func parse() throws(PatternError) -> PatternNode {
    while let scalar = cursor.current { try parseNext(scalar) }
    guard outerGroups.isEmpty else { throw cursor.error(at: group.index, "this group is not closed: `)` is missing") }
    return group.end().node
  }

  private mutating func parseNext(_ scalar: Unicode.Scalar) throws(PatternError) {
    switch scalar {
    case "|":
      cursor.advance()
      group.endBranch()
    case "(": try openGroup()
    case ")": try closeGroup()
    case "*": try parseQuantifier(minimum: 0, maximum: nil, byteCount: 1)
    case "+": try parseQuantifier(minimum: 1, maximum: nil, byteCount: 1)
    case "?": try parseQuantifier(minimum: 0, maximum: 1, byteCount: 1)
    case "{":
      if let (minimum, maximum, byteCount) = cursor.counts() {
        try parseQuantifier(minimum: minimum, maximum: maximum, byteCount: byteCount)
      } else {
        // RE2 reads a brace that opens no counts as itself.
        cursor.advance()
        append(ScalarSet(scalar.value))
      }
    case "[": append(try cursor.bracketClass())
    case ".":
      cursor.advance()
      append(group.dotMatchesNewline ? .all : ScalarSet(0x0a).inverted)
    case "^", "$": throw cursor.error("`\(scalar)` is not supported: a pattern is looked for anywhere in a text")
    case "\\": try parseEscape()
    default:
      cursor.advance()
      append(ScalarSet(scalar.value))
    }
  }

  private mutating func append(_ set: ScalarSet) {
    group.pieces.append(Piece(node: .set(set), repetitionProduct: 1))
  }

  private mutating func parseEscape() throws(PatternError) {
    switch cursor.peek(1) {
    case "A", "z", "b", "B":
      let name = cursor.text(2)
      throw cursor.error("`\(name)` is not supported: a pattern looks at no place, only at the text of a match")
    case "C": throw cursor.error("`\\C` is not supported: a match consists of characters, not of bytes")
    case "Q":
      cursor.advance(2)
      while let scalar = cursor.current {
        if scalar == "\\", cursor.peek(1) == "E" {
          cursor.advance(2)
          return
        }
        append(ScalarSet(scalar.value))
        cursor.advance()
      }
    default:
      if let set = try cursor.namedClass() { append(set) } else { append(ScalarSet(try cursor.escapedScalar())) }
    }
  }

  // MARK: Repetition

  private mutating func parseQuantifier(minimum: Int, maximum: Int?, byteCount: Int) throws(PatternError) {
    let text = cursor.text(byteCount)
    if quantifierEnd == cursor.index { throw cursor.error("the quantifier `\(text)` follows another quantifier") }
    guard var piece = group.pieces.popLast() else {
      throw cursor.error("the quantifier `\(text)` has nothing to repeat")
    }
    if cursor.peek(byteCount) == "?" {
      throw cursor.error("the lazy quantifier `\(text)?` is not supported: it changes no answer, `\(text)` is the same")
    }
    let largest = max(minimum, maximum ?? 0)
    guard largest <= TextPattern.maximumRepetitionCount else {
      throw cursor.error("a repetition counts to \(TextPattern.maximumRepetitionCount) at most")
    }
    if let maximum, maximum < minimum { throw cursor.error("the repetition `\(text)` ends before it begins") }
    if maximum == 0 {
      piece = Piece(node: .empty, repetitionProduct: 1)
    } else if largest > 1 {
      piece.repetitionProduct *= maximum ?? minimum
      guard piece.repetitionProduct <= TextPattern.maximumRepetitionCount else {
        throw cursor.error(
          "nested repetitions count to \(TextPattern.maximumRepetitionCount) at most, these to "
            + "\(piece.repetitionProduct)")
      }
    }
    if piece.node != .empty, minimum != 1 || maximum != 1 {
      piece.node = .repetition(piece.node, minimum: minimum, maximum: maximum)
    }
    group.pieces.append(piece)
    cursor.advance(byteCount)
    quantifierEnd = cursor.index
  }

  // MARK: Groups

  private mutating func openGroup() throws(PatternError) {
    let start = cursor.index
    cursor.advance()
    var dotMatchesNewline = group.dotMatchesNewline
    if cursor.current == "?" {
      if cursor.peek(1) == "P" || cursor.peek(1) == "<" {
        try parseName(start)
      } else if try parseFlags(start, &dotMatchesNewline) {
        group.dotMatchesNewline = dotMatchesNewline
        return
      }
    }
    guard outerGroups.count < TextPattern.maximumDepth else {
      throw cursor.error(at: start, "groups nest \(TextPattern.maximumDepth) deep at most")
    }
    outerGroups.append(group)
    group = Group(index: start, dotMatchesNewline: dotMatchesNewline)
  }

  private mutating func closeGroup() throws(PatternError) {
    guard let outer = outerGroups.popLast() else { throw cursor.error("`)` closes no group") }
    let piece = group.end()
    group = outer
    group.pieces.append(piece)
    cursor.advance()
  }

  /// The name of a group, from `?`. Names mean nothing here, but a pattern that RE2 refuses is refused.
  private mutating func parseName(_ start: Int) throws(PatternError) {
    switch (cursor.peek(1), cursor.peek(2)) {
    case ("<", "="), ("<", "!"): throw cursor.error(at: start, "look-behind is not supported")
    case ("P", "="): throw cursor.error(at: start, "back-references are not supported")
    case ("P", "<"): cursor.advance(3)
    case ("<", _): cursor.advance(2)
    default: throw cursor.error(at: start, "a group cannot begin with `(?P` here: RE2 knows `(?P<name>` alone")
    }
    let nameStart = cursor.index
    var name = ""
    while let scalar = cursor.current, scalar != ">" {
      guard scalar == "_" || scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)) else {
        throw cursor.error("a name of a group consists of ASCII letters, digits and `_`")
      }
      name.unicodeScalars.append(scalar)
      cursor.advance()
    }
    guard cursor.current == ">" else { throw cursor.error(at: start, "the name of this group is not closed by `>`") }
    guard !name.isEmpty else { throw cursor.error("the name of a group is empty") }
    guard names.insert(name).inserted else { throw cursor.error(at: nameStart, "two groups have the name \(name)") }
    cursor.advance()
  }

  /// Reads flags, from `?`. True if they stand alone, `(?s)`, and hold from here to the end of the group around them.
  private mutating func parseFlags(_ start: Int, _ dotMatchesNewline: inout Bool) throws(PatternError) -> Bool {
    cursor.advance()
    var isNegated = false
    var hasFlag = false
    while let scalar = cursor.current {
      switch scalar {
      case "i": throw cursor.error("the flag `i` is not supported: a pattern distinguishes upper and lower case")
      case "U": throw cursor.error("the flag `U` is not supported: it makes quantifiers lazy")
      case "s":
        dotMatchesNewline = !isNegated
        hasFlag = true
      // Changes only what `^` and `$` mean.
      case "m": hasFlag = true
      case "-":
        if isNegated { throw cursor.error("flags are negated twice") }
        isNegated = true
        hasFlag = false
      case ":", ")":
        if isNegated, !hasFlag { throw cursor.error("a flag is missing behind `-`") }
        cursor.advance()
        return scalar == ")"
      case "=", "!": throw cursor.error(at: start, "look-ahead is not supported")
      default: throw cursor.error("RE2 has no group or flag `\(scalar)`")
      }
      cursor.advance()
    }
    throw cursor.error(at: start, "this group is not closed: `)` is missing")
  }
}

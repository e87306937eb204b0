import TracestoreV2

extension FilterParser {
  /// A constant as it was written, before it has a type.
  private struct Element {
    var text: String
    /// The type that its shape declares; nil when it has none of the four.
    var evident: FilterScalarType?
  }

  private static let types: [String: FilterScalarType] = [
    "string": .string, "int": .int, "double": .double, "bool": .bool,
  ]

  mutating func operand() throws(FilterTextError) -> FilterExpression {
    if let reference = try referenceIfAny() { return reference }
    if case .word(let name) = token, !Self.isConstantWord(name) { return try typedConstant(name) }
    return .untyped(try element().text)
  }

  mutating func reference(_ purpose: String) throws(FilterTextError) -> FilterExpression {
    guard let reference = try referenceIfAny() else {
      throw FilterTextError("\(purpose) an attribute or a field, not \(found).", at: offset)
    }
    return reference
  }

  /// An attribute or a field, if one begins here.
  private mutating func referenceIfAny() throws(FilterTextError) -> FilterExpression? {
    let start = offset
    switch token {
    case .unqualified(let name):
      try advance()
      return .attribute(name)
    case .symbol(.openBracket): return .attribute(try bracketedKey())
    case .word(let word):
      let (head, tail) = Self.split(word)
      let level = AttributeLevel(rawValue: head)
      guard AttributeLevel.all.contains(level) else { return nil }
      try advance()
      guard let name = tail else {
        guard token == .symbol(.openBracket) else {
          throw FilterTextError(
            "A name should follow `\(head)`, as in `\(head).\(Self.exampleName(level))` or `\(head)[\"key\"]`.",
            at: start)
        }
        return .attribute(try bracketedKey(), level)
      }
      if FilterField(level, name) != nil { return .field(level, name) }
      if let meant = FilterField.meant(by: name, at: level) {
        throw FilterTextError(
          "There is no field \(level.rawValue).\(name); was \(meant) meant? An attribute of that name is written "
            + "\(level.rawValue)[\"\(name)\"].", at: start)
      }
      return .attribute(name, level)
    default: return nil
    }
  }

  /// What stands before the first dot, and what behind it.
  private static func split(_ word: String) -> (head: String, tail: String?) {
    guard let dot = word.utf8.firstIndex(of: UInt8(ascii: ".")) else { return (word, nil) }
    return (String(word[..<dot]), String(word[word.utf8.index(after: dot)...]))
  }

  private static func exampleName(_ level: AttributeLevel) -> String {
    FilterField.all.last { $0.level == level }?.name ?? "name"
  }

  private mutating func bracketedKey() throws(FilterTextError) -> String {
    try advance()
    guard case .string(let key) = token else {
      throw FilterTextError("The key of an attribute stands here in double quotes, not \(found).", at: offset)
    }
    guard !key.isEmpty else { throw FilterTextError("The attribute has no key; name it.", at: offset) }
    try advance()
    try expect(.closeBracket, "behind the key")
    return key
  }

  /// `string("x")` and its like. `name` is the present token.
  private mutating func typedConstant(_ name: String) throws(FilterTextError) -> FilterExpression {
    let start = offset
    try advance()
    guard token == .symbol(.open), Self.types[name] != nil || name == "duration" || name == "timestamp" else {
      throw FilterTextError(Self.complaint(about: name), at: start)
    }
    try advance()
    let place = offset
    let text = try element(anyWord: true).text
    try expect(.close, "to close `\(name)`")
    guard let constant = Self.constant(text, type: name) else {
      throw FilterTextError("\"\(text)\" is no \(name); write it so, or leave the type out.", at: place)
    }
    return constant
  }

  private static func complaint(about name: String) -> String {
    let spelled = FilterField.all.first { $0.name.utf8.elementsEqual(name.utf8) }
    if let spelled { return "A field has its level in front: `\(spelled)`. An attribute: `.\(name)`." }
    if name.utf8.contains(UInt8(ascii: ".")) {
      return "A name begins with its level or with a dot: `span.\(name)`, `.\(name)`. A text stands in double quotes."
    }
    return "The word `\(name)` means nothing here; an attribute is `.\(name)`, a text \"\(name)\"."
  }

  private static func constant(_ text: String, type name: String) -> FilterExpression? {
    switch name {
    case "duration": FilterConstant.duration(text).map { .duration(nanoseconds: $0) }
    case "timestamp": FilterConstant.timestamp(text).map { .timestamp($0) }
    case "double": FilterConstant.double(text).map { .double($0) } ?? FilterPrinter.nan(text).map { .double($0) }
    default: types[name].flatMap { FilterConstant.value(of: text, type: $0) }
    }
  }

  /// A text, a literal or a word.
  private mutating func element(anyWord: Bool = false) throws(FilterTextError) -> Element {
    let element: Element
    switch token {
    case .string(let text): element = Element(text: text, evident: .string)
    case .literal(let text, let kind): element = Element(text: text, evident: kind.type)
    case .word(let word) where anyWord || Self.isConstantWord(word):
      element = Element(text: word, evident: word == "true" || word == "false" ? .bool : nil)
    case .word(let word): throw FilterTextError(Self.complaint(about: word), at: offset)
    default: throw FilterTextError("A constant should stand here, not \(found).", at: offset)
    }
    try advance()
    return element
  }

  static func isConstantWord(_ word: String) -> Bool {
    word == "true" || word == "false" || FilterField.kindWords.contains(word) || FilterField.statusWords.contains(word)
  }

  mutating func list(beside reference: FilterExpression) throws(FilterTextError) -> FilterExpression {
    let start = offset
    var declared: FilterScalarType?
    if case .word(let name) = token {
      declared = name == "untyped" ? .untyped : Self.types[name]
      guard declared != nil else {
        throw FilterTextError("A list should stand here, as in `(1, 2)` or `int(1, 2)`, not `\(name)`.", at: offset)
      }
      try advance()
    }
    try expect(.open, "to begin the list")
    var values: [String] = []
    var evident: [FilterScalarType?] = []
    repeat {
      let place = offset
      let element = try element(anyWord: declared != nil)
      if let declared, FilterConstant.value(of: element.text, type: declared) == nil {
        throw FilterTextError(
          "\"\(element.text)\" is no \(declared.rawValue); write it so, or change the type.", at: place)
      }
      values.append(element.text)
      evident.append(element.evident)
    } while try take(.comma)
    try expect(.close, "to close the list")
    if let declared { return .list(FilterList(values, type: declared)) }
    if case .field = reference { return .list(FilterList(values)) }
    guard let type = Self.joinedType(evident) else {
      throw FilterTextError(
        "The list has no evident type; beside an attribute write it in front, as in `string(\"a\", \"b\")`.", at: start)
    }
    return .list(FilterList(values, type: type))
  }

  /// The one type of all elements, where integers are doubles among doubles; nil when there is none.
  static func joinedType(_ types: [FilterScalarType?]) -> FilterScalarType? {
    let distinct = Set(types)
    if distinct == [.int, .double] { return .double }
    return distinct.count == 1 ? distinct.first ?? nil : nil
  }
}

extension FilterLiteral {
  /// The type that the literal declares in a list.
  var type: FilterScalarType? {
    switch self {
    case .int: .int
    case .number: .double
    case .duration, .timestamp: nil
    }
  }
}

import TraceText

/// Cuts the text of a filter into tokens. Every token is one of the few shapes below, so that each error names a place.
struct FilterLexer {
  enum Token: Equatable {
    case end
    /// In quotes, with its escapes resolved.
    case string(String)
    /// A number, a duration or an instant, as written.
    case literal(String, FilterLiteral)
    /// Letters and what may stand inside a dotted name.
    case word(String)
    /// A dotted name that begins with the dot, without it.
    case unqualified(String)
    case symbol(Symbol)
  }

  enum Symbol: String, CaseIterable {
    case open = "("
    case close = ")"
    case openBracket = "["
    case closeBracket = "]"
    case comma = ","
    case and = "&&"
    case or = "||"
    case not = "!"
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case matches = "=~"
  }

  private let bytes: [UInt8]
  private var place = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  private func byte(_ index: Int) -> UInt8? { bytes.indices.contains(index) ? bytes[index] : nil }

  /// The next token and the offset at which it begins.
  mutating func next() throws(FilterTextError) -> (token: Token, offset: Int) {
    while let space = byte(place), space == 0x20 || (0x09...0x0d).contains(space) { place += 1 }
    let start = place
    guard let first = byte(start) else { return (.end, start) }
    switch first {
    case UInt8(ascii: "\""): return (.string(try string()), start)
    case UInt8(ascii: "."):
      place += 1
      return (.unqualified(try name(from: start)), start)
    case _ where Self.isLetter(first): return (.word(try name(from: start)), start)
    case _ where FilterConstant.isDigit(first), UInt8(ascii: "-"): return (try literal(), start)
    default: return (.symbol(try symbol(first)), start)
    }
  }

  private mutating func symbol(_ first: UInt8) throws(FilterTextError) -> Symbol {
    if let second = byte(place + 1) {
      let pair = String(decoding: [first, second], as: UTF8.self)
      if let symbol = Symbol(rawValue: pair) {
        place += 2
        return symbol
      }
      switch pair {
      case "==": throw FilterTextError("Equality is written `=`.", at: place)
      case "!~": throw FilterTextError("Write `!(… =~ …)` for a pattern that does not match.", at: place)
      case "<>": throw FilterTextError("Write `!=`.", at: place)
      default: break
      }
    }
    if let symbol = Symbol(rawValue: String(decoding: [first], as: UTF8.self)) {
      place += 1
      return symbol
    }
    switch first {
    case UInt8(ascii: "&"): throw FilterTextError("Write `&&` to join conditions.", at: place)
    case UInt8(ascii: "|"): throw FilterTextError("Write `||` between alternatives.", at: place)
    case UInt8(ascii: "'"): throw FilterTextError("Texts stand in double quotes.", at: place)
    case 0x80...:
      throw FilterTextError("A name with such letters stands in brackets, as in `span[\"größe\"]`.", at: place)
    default: throw FilterTextError("This character means nothing here; put texts into double quotes.", at: place)
    }
  }

  private mutating func string() throws(FilterTextError) -> String {
    let start = place
    let result: Result<(String, Int), JSONError> = bytes[start...].withUnsafeBytes { buffer in
      var reader = JSONReader(buffer)
      do throws(JSONError) {
        let text = try reader.string()
        return .success((text, reader.offset))
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let (text, length)):
      place += length
      return text
    case .failure(let error):
      throw FilterTextError("The text in quotes can't be read: \(error.reason).", at: start + error.offset)
    }
  }

  private mutating func name(from start: Int) throws(FilterTextError) -> String {
    let first = place
    while let next = byte(place), Self.isNameByte(next) { place += 1 }
    let name = bytes[first..<place]
    guard Self.isDottedName(name) else {
      throw FilterTextError(
        "A dotted name has letters between its dots; put an unusual key into brackets, as in `span[\"a..b\"]`.",
        at: start)
    }
    return String(decoding: name, as: UTF8.self)
  }

  private mutating func literal() throws(FilterTextError) -> Token {
    let start = place
    // A micro sign or a Greek mu is two bytes that stand nowhere else.
    while let next = byte(place), Self.isLiteralByte(next) { place += 1 }
    let text = String(decoding: bytes[start..<place], as: UTF8.self)
    guard let kind = FilterLiteral(of: text) else {
      throw FilterTextError(
        "\"\(text)\" is neither a number nor a duration (2s, 1h30m) nor an instant (2026-01-07T10:00:00Z); put it into "
          + "double quotes if it is a text.", at: start)
    }
    return .literal(text, kind)
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) || byte == 0x5f }

  static func isNameByte(_ byte: UInt8) -> Bool {
    isLetter(byte) || FilterConstant.isDigit(byte) || [0x2d, 0x2e, 0x2f].contains(byte)
  }

  /// Names with single dots between them, and no dot at either end.
  static func isDottedName(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
      .allSatisfy { part in !part.isEmpty && part.allSatisfy(isNameByte) }
  }

  static func isLiteralByte(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte | 0x20) || FilterConstant.isDigit(byte)
      || [0x2b, 0x2d, 0x2e, 0x3a, 0x5f, 0xc2, 0xb5, 0xce, 0xbc].contains(byte)
  }
}

/// A constant that stands without quotes and is no word.
enum FilterLiteral {
  case int, number, duration, timestamp

  /// What a whole text is; nil when it has to stand in quotes.
  init?(of text: String) {
    let bytes = Array(text.utf8)
    var digits = bytes[...]
    if digits.first == UInt8(ascii: "-") { digits.removeFirst() }
    guard let first = digits.first, FilterConstant.isDigit(first), bytes.allSatisfy(FilterLexer.isLiteralByte) else {
      return nil
    }
    if digits.allSatisfy(FilterConstant.isDigit) {
      self = .int
    } else if Self.isNumber(digits) {
      self = .number
    } else if FilterConstant.duration(text) != nil {
      self = .duration
    } else if FilterConstant.timestamp(text) != nil {
      self = .timestamp
    } else {
      return nil
    }
  }

  /// Digits, perhaps a point with digits, perhaps an exponent with digits.
  private static func isNumber(_ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes.drop(while: FilterConstant.isDigit)
    if rest.first == UInt8(ascii: ".") {
      let fraction = rest.dropFirst().prefix(while: FilterConstant.isDigit)
      guard !fraction.isEmpty else { return false }
      rest = rest.dropFirst(1 + fraction.count)
    }
    guard let mark = rest.first else { return true }
    guard mark | 0x20 == UInt8(ascii: "e") else { return false }
    rest.removeFirst()
    if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { rest.removeFirst() }
    return !rest.isEmpty && rest.allSatisfy(FilterConstant.isDigit)
  }
}

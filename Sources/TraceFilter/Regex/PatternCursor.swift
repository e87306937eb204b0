/// A place in the text of a pattern, and the parts of the syntax that contain no others.
struct PatternCursor {
  private let scalars: [Unicode.Scalar]
  /// The first byte of each scalar, and the end.
  private let offsets: [Int]
  private(set) var index = 0

  init(_ pattern: String) {
    scalars = Array(pattern.unicodeScalars)
    var offsets = [0]
    var end = 0
    for scalar in scalars {
      end += UTF8.width(scalar)
      offsets.append(end)
    }
    self.offsets = offsets
  }

  var current: Unicode.Scalar? { peek(0) }

  func peek(_ distance: Int) -> Unicode.Scalar? {
    index + distance < scalars.count ? scalars[index + distance] : nil
  }

  /// To the scalar `count` further on, or to the end.
  mutating func advance(_ count: Int = 1) { index = min(index + count, scalars.count) }

  /// The next scalars, for a message.
  func text(_ count: Int) -> String {
    var text = ""
    text.unicodeScalars.append(contentsOf: scalars[index..<min(index + count, scalars.count)])
    return text
  }

  func error(_ reason: String) -> PatternError { error(at: index, reason) }

  func error(at index: Int, _ reason: String) -> PatternError {
    PatternError(offset: offsets[min(index, scalars.count)], reason: reason)
  }

  // MARK: Numbers

  /// `{n}`, `{n,}` or `{n,m}`, and how long it is; nil if the brace opens something else, which is no error.
  func counts() -> (minimum: Int, maximum: Int?, byteCount: Int)? {
    var place = 1
    guard let minimum = count(&place) else { return nil }
    var maximum: Int? = minimum
    if peek(place) == "," {
      place += 1
      maximum = nil
      if peek(place) != "}" {
        guard let last = count(&place) else { return nil }
        maximum = last
      }
    }
    guard peek(place) == "}" else { return nil }
    return (minimum, maximum, place + 1)
  }

  /// A decimal number without leading zeros. What is too large to be a count stays too large, and overflows nothing.
  private func count(_ place: inout Int) -> Int? {
    let start = place
    var value = 0
    while let scalar = peek(place), ("0"..."9").contains(scalar) {
      value = min(value * 10 + Int(scalar.value - 0x30), 1_000_000)
      place += 1
    }
    return place == start || (peek(start) == "0" && place > start + 1) ? nil : value
  }

  private func hexDigit(_ distance: Int) -> UInt32? {
    guard let scalar = peek(distance) else { return nil }
    switch scalar {
    case "0"..."9": return scalar.value - 0x30
    case "a"..."f": return scalar.value - 0x61 + 10
    case "A"..."F": return scalar.value - 0x41 + 10
    default: return nil
    }
  }

  private func octalDigit(_ distance: Int) -> UInt32? {
    guard let scalar = peek(distance), ("0"..."7").contains(scalar) else { return nil }
    return scalar.value - 0x30
  }

  // MARK: Escapes

  /// A backslash and what it makes of the next characters, where that is a single one.
  mutating func escapedScalar() throws(PatternError) -> UInt32 {
    guard let scalar = peek(1) else { throw error("a backslash ends the pattern") }
    switch scalar {
    case "a": return escaped(0x07)
    case "f": return escaped(0x0c)
    case "n": return escaped(0x0a)
    case "r": return escaped(0x0d)
    case "t": return escaped(0x09)
    case "v": return escaped(0x0b)
    case "x": return try hexEscape()
    case "0"..."7":
      // One digit alone would be a back-reference.
      if scalar != "0", octalDigit(2) == nil { throw error("back-references are not supported") }
      var value: UInt32 = 0
      var place = 1
      while place <= 3, let digit = octalDigit(place) {
        value = value * 8 + digit
        place += 1
      }
      advance(place)
      return value
    case "8", "9": throw error("back-references are not supported")
    default:
      guard scalar.isASCII, !scalar.properties.isAlphabetic else { throw error("RE2 has no escape `\(text(2))`") }
      return escaped(scalar.value)
    }
  }

  private mutating func escaped(_ value: UInt32) -> UInt32 {
    advance(2)
    return value
  }

  /// `\x7f` or `\x{10ffff}`.
  private mutating func hexEscape() throws(PatternError) -> UInt32 {
    guard peek(2) == "{" else {
      guard let high = hexDigit(2), let low = hexDigit(3) else {
        throw error("`\\x` needs two hexadecimal digits, or some in braces")
      }
      advance(4)
      return high * 16 + low
    }
    var value: UInt32 = 0
    var place = 3
    while let digit = hexDigit(place) {
      value = value * 16 + digit
      guard value <= ScalarSet.maximum else { throw error("there is no character above U+10FFFF") }
      place += 1
    }
    guard place > 3, peek(place) == "}" else { throw error("`\\x{` needs hexadecimal digits and `}`") }
    advance(place + 1)
    return value
  }

  // MARK: Classes

  /// `\d` and its kind or `\p{L}`; nil if the backslash begins something else.
  mutating func namedClass() throws(PatternError) -> ScalarSet? {
    guard current == "\\", let letter = peek(1) else { return nil }
    if letter == "p" || letter == "P" { return try unicodeClass(isInverted: letter == "P") }
    guard let set = ScalarSet.perlClass(letter.value) else { return nil }
    advance(2)
    return set
  }

  private mutating func unicodeClass(isInverted: Bool) throws(PatternError) -> ScalarSet {
    var isInverted = isInverted
    guard var scalar = peek(2) else { throw error("`\(text(2))` needs the name of a class") }
    var name = ""
    var place = 3
    if scalar != "{" {
      name.unicodeScalars.append(scalar)
    } else {
      if peek(place) == "^" {
        isInverted.toggle()
        place += 1
      }
      while true {
        guard let next = peek(place) else { throw error("the name of this class is not closed by `}`") }
        scalar = next
        place += 1
        if scalar == "}" { break }
        name.unicodeScalars.append(scalar)
      }
    }
    guard let set = ScalarSet.unicodeClass(name) else {
      throw error(
        "the class `\(name)` is not supported: there are the short names of general categories, such as L or Nd, "
          + "and Any, but no scripts")
    }
    advance(place)
    return isInverted ? set.inverted : set
  }

  /// `[...]`.
  mutating func bracketClass() throws(PatternError) -> ScalarSet {
    let start = index
    advance()
    let isInverted = current == "^"
    if isInverted { advance() }
    var ranges: [ScalarSet.Range] = []
    // A bracket that closes at once is a character of the class.
    var isFirst = true
    while let scalar = current, scalar != "]" || isFirst {
      isFirst = false
      if let set = try posixClass() {
        ranges += set.ranges
      } else if let set = try namedClass() {
        ranges += set.ranges
      } else {
        let rangeStart = index
        let low = try classScalar(start)
        var high = low
        // A hyphen in front of the closing bracket is a character.
        if current == "-", let next = peek(1), next != "]" {
          advance()
          high = try classScalar(start)
          guard low <= high else { throw error(at: rangeStart, "this range ends before it begins") }
        }
        ranges.append(low...high)
      }
    }
    guard current == "]" else { throw error(at: start, "this class is not closed: `]` is missing") }
    advance()
    let set = ScalarSet(ranges)
    return isInverted ? set.inverted : set
  }

  private mutating func classScalar(_ start: Int) throws(PatternError) -> UInt32 {
    guard let scalar = current else { throw error(at: start, "this class is not closed: `]` is missing") }
    if scalar == "\\" { return try escapedScalar() }
    advance()
    return scalar.value
  }

  /// `[:name:]` or `[:^name:]`; nil if nothing closes it, for then the bracket is a character.
  private mutating func posixClass() throws(PatternError) -> ScalarSet? {
    guard current == "[", peek(1) == ":" else { return nil }
    var place = 2
    let isInverted = peek(place) == "^"
    if isInverted { place += 1 }
    let nameStart = index + place
    while let scalar = peek(place), scalar != ":" || peek(place + 1) != "]" { place += 1 }
    guard peek(place) != nil else { return nil }
    var name = ""
    name.unicodeScalars.append(contentsOf: scalars[nameStart..<(index + place)])
    guard let set = ScalarSet.posixClass(name) else { throw error("there is no class `[:\(name):]`") }
    advance(place + 2)
    return isInverted ? set.inverted : set
  }
}

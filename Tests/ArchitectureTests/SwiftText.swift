/// One Swift source file as the rules see it: raw lines, and the same lines with comments and literals blanked.
///
/// The rules are about code, so a word in a comment or a string must not trip them, and a line number must still
/// be the one an editor shows. A regular-expression literal is not understood; the rooms use none.
struct SwiftText: Sendable {
  let lines: [String]
  /// As many lines as `lines`, without comments and without what stands inside string literals.
  let codeLines: [String]

  init(_ text: String) {
    lines = Self.split(Array(text.utf8))
    codeLines = Self.split(Self.code(of: Array(text.utf8)))
  }

  private static func split(_ bytes: [UInt8]) -> [String] {
    bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
  }

  /// The identifiers and keywords of a line of code, with what stands directly before each.
  static func words(in line: String) -> [Word] {
    var words: [Word] = []
    var current: [UInt8] = []
    var before: UInt8 = 0
    var previous: UInt8 = 0
    for byte in Array(line.utf8) + [UInt8(ascii: " ")] {
      if isWordByte(byte) {
        if current.isEmpty { before = previous }
        current.append(byte)
      } else if !current.isEmpty {
        words.append(Word(text: String(decoding: current, as: UTF8.self), before: before, after: byte))
        current = []
      }
      previous = byte
    }
    return words
  }

  struct Word: Equatable {
    var text: String
    var before: UInt8
    var after: UInt8

    var isMember: Bool { before == UInt8(ascii: ".") }
    var isCall: Bool { after == UInt8(ascii: "(") }
  }

  /// The lower-case words that an identifier in camel case or snake case is made of.
  static func parts(of identifier: String) -> [String] {
    var parts: [String] = []
    var current = ""
    var wasUpper = true
    for character in identifier {
      if character == "_" {
        if !current.isEmpty { parts.append(current) }
        current = ""
        wasUpper = true
        continue
      }
      let isUpper = character.isUppercase
      if isUpper, !wasUpper, !current.isEmpty {
        parts.append(current)
        current = ""
      }
      current.append(contentsOf: character.lowercased())
      wasUpper = isUpper
    }
    if !current.isEmpty { parts.append(current) }
    return parts
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: byte >= 0x80
    }
  }
}

extension SwiftText {
  /// Blanks comments and literals, keeping every line break.
  private static func code(of bytes: [UInt8]) -> [UInt8] {
    var scanner = Scanner(bytes: bytes)
    scanner.scanCode(untilParenthesis: false)
    return scanner.output
  }

  private struct Scanner {
    let bytes: [UInt8]
    var index = 0
    var output: [UInt8] = []

    init(bytes: [UInt8]) { self.bytes = bytes }

    func has(_ text: StaticString, at offset: Int = 0) -> Bool {
      let start = index + offset
      guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
      for position in 0..<text.utf8CodeUnitCount where bytes[start + position] != text.utf8Start[position] {
        return false
      }
      return true
    }

    /// Skips `count` bytes and leaves a space for each, so that words stay apart; line breaks stay.
    mutating func blank(_ count: Int) {
      for _ in 0..<count where index < bytes.count {
        output.append(bytes[index] == UInt8(ascii: "\n") ? bytes[index] : UInt8(ascii: " "))
        index += 1
      }
    }

    mutating func scanCode(untilParenthesis: Bool) {
      var depth = 0
      while index < bytes.count {
        if has("//") {
          while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { blank(1) }
        } else if has("/*") {
          scanBlockComment()
        } else if has("\"") || startsRawString {
          scanString()
        } else {
          if bytes[index] == UInt8(ascii: "(") { depth += 1 }
          if bytes[index] == UInt8(ascii: ")") {
            depth -= 1
            if untilParenthesis, depth < 0 { return }
          }
          output.append(bytes[index])
          index += 1
        }
      }
    }

    var startsRawString: Bool {
      var position = index
      while position < bytes.count, bytes[position] == UInt8(ascii: "#") { position += 1 }
      return position > index && position < bytes.count && bytes[position] == UInt8(ascii: "\"")
    }

    mutating func scanBlockComment() {
      var depth = 0
      repeat {
        if has("/*") {
          depth += 1
          blank(2)
        } else if has("*/") {
          depth -= 1
          blank(2)
        } else {
          blank(1)
        }
      } while depth > 0 && index < bytes.count
    }

    /// Interpolations are code and stay; the rest of the literal goes.
    mutating func scanString() {
      var hashCount = 0
      while has("#") {
        hashCount += 1
        blank(1)
      }
      let isMultiline = has("\"\"\"")
      let quoteCount = isMultiline ? 3 : 1
      blank(quoteCount)
      while index < bytes.count {
        if isMultiline ? has("\"\"\"") : has("\"") {
          if endsString(quoteCount: quoteCount, hashCount: hashCount) {
            blank(quoteCount + hashCount)
            return
          }
          blank(1)
        } else if bytes[index] == UInt8(ascii: "\\"), hashes(after: 1) >= hashCount {
          if byte(at: index + 1 + hashCount) == UInt8(ascii: "(") {
            blank(2 + hashCount)
            scanCode(untilParenthesis: true)
            blank(1)
          } else {
            blank(2 + hashCount)
          }
        } else if !isMultiline, bytes[index] == UInt8(ascii: "\n") {
          return
        } else {
          blank(1)
        }
      }
    }

    func byte(at position: Int) -> UInt8 { position < bytes.count ? bytes[position] : 0 }

    func hashes(after offset: Int) -> Int {
      var position = index + offset
      while byte(at: position) == UInt8(ascii: "#") { position += 1 }
      return position - index - offset
    }

    func endsString(quoteCount: Int, hashCount: Int) -> Bool { hashes(after: quoteCount) >= hashCount }
  }
}

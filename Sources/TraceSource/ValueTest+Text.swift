import TraceBytes
import TraceColumns
package import TraceModel
import TraceText

extension ValueTest {
  /// A flat condition. A text passes a stored value whose text (`AttributeValue.text`) it is, a stored number that it
  /// spells, and a stored truth value that it reads as. A condition of another type passes only an equal value of that
  /// type.
  package init(_ condition: AttributeValue) {
    if case .string(let text) = condition { self.init(text: text) } else { self.init(exactly: condition) }
  }

  /// A text whose type is not known.
  package init(text: String) {
    let utf8 = Array(text.utf8)
    self.init(name: "text \(utf8)")
    strings = .equal(utf8)
    if let binary = Base64.canonicalBytes(text) { bytes = .equal(binary) }
    absent = utf8.isEmpty
    empty = utf8.isEmpty
    if let value = Self.truthValue(text) { bools = [value] }
    if let double = Self.number(text) {
      doubles = .double(double)
      if let int = Int64(text) ?? Int64(exactly: double), Self.spellsNumber(utf8) { ints = .int(int) }
    }
    composites = .text(utf8)
  }

  /// The double that a text spells, if it spells one. A number beyond all doubles is none of them, infinity neither.
  private static func number(_ text: String) -> Double? {
    nonFinite[text] ?? decimal(text).flatMap { $0.isFinite ? $0 : nil }
  }

  /// The same for decimal numbers alone.
  package static func decimal(_ text: String) -> Double? { spellsNumber(Array(text.utf8)) ? Double(text) : nil }

  private static let nonFinite: [String: Double] = ["NaN": .nan, "Infinity": .infinity, "-Infinity": -.infinity]

  /// The truth value that a text reads as: one of twelve words.
  package static func truthValue(_ text: String) -> Bool? {
    switch text {
    case "1", "t", "T", "TRUE", "true", "True": true
    case "0", "f", "F", "FALSE", "false", "False": false
    default: nil
    }
  }

  /// Sign, digits, perhaps a point with digits, perhaps an exponent with digits.
  private static func spellsNumber(_ bytes: [UInt8]) -> Bool {
    var place = 0
    func sign() { if place < bytes.count, bytes[place] == 43 || bytes[place] == 45 { place += 1 } }
    func digits() -> Bool {
      let first = place
      while place < bytes.count, (48...57).contains(bytes[place]) { place += 1 }
      return place > first
    }
    sign()
    guard digits() else { return false }
    if place < bytes.count, bytes[place] == 46 {
      place += 1
      guard digits() else { return false }
    }
    if place < bytes.count, bytes[place] == 101 || bytes[place] == 69 {
      place += 1
      sign()
      guard digits() else { return false }
    }
    return place == bytes.count
  }
}

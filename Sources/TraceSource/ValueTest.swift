package import TraceBytes
import TraceColumns
package import TraceModel
import TraceText

/// What a stored attribute value has to be.
///
/// A text passes a stored value whose text (`AttributeValue.text`) it is, a stored number that it spells, and a stored
/// truth value that it reads as. A condition of another type passes only an equal value of that type.
package struct ValueTest: Sendable {
  /// The condition as it was asked.
  package let condition: AttributeValue
  /// True when the condition is text and types are crossed.
  package let isText: Bool
  /// The text, as UTF-8; empty for other conditions.
  package let bytes: [UInt8]
  /// What the text spells.
  private let int: Int64?
  private let double: Double?
  private let bool: Bool?
  private let base64: [UInt8]?

  package init(_ condition: AttributeValue) {
    self.condition = condition
    guard case .string(let text) = condition else {
      isText = false
      bytes = []
      int = nil
      double = nil
      bool = nil
      base64 = nil
      return
    }
    isText = true
    bytes = Array(text.utf8)
    let spellsNumber = Self.spellsNumber(bytes)
    int = spellsNumber ? Int64(text) : nil
    double = spellsNumber ? Double(text) : Self.nonFinite[text]
    bool = Self.truthValue(text)
    base64 = Base64.canonicalBytes(text)
  }

  /// A name under which an answer for this test may be remembered. It spells bytes, because equal `String`s may have
  /// different ones.
  package var cacheKey: String { isText ? "text \(bytes)" : "typed \(Array("\(condition)".utf8))" }

  private static let nonFinite: [String: Double] = ["NaN": .nan, "Infinity": .infinity, "-Infinity": -.infinity]

  private static func truthValue(_ text: String) -> Bool? {
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

  /// True when no stored value of this type can pass, whatever it is.
  package func cannotMatch(_ type: AttributeType) -> Bool {
    guard isText else {
      return type != AttributeType(of: condition) && type != .opaqueAttribute
    }
    switch type {
    case .absent, .empty: return !bytes.isEmpty
    case .string, .opaqueAttribute: return false
    case .bool: return bool == nil
    case .int, .double: return int == nil && double == nil
    case .bytes: return base64 == nil
    case .array: return bytes.first != 0x5b
    case .map: return bytes.first != 0x7b
    case .opaque: return true
    }
  }

  /// For `absent`, `empty`, `bool`, `int` and `double`: `bits` is the stored word.
  package func matches(_ type: AttributeType, bits: UInt64) -> Bool {
    guard isText else {
      switch condition {
      case .absent: return type == .absent
      case .empty: return type == .empty
      case .bool(let value): return type == .bool && value == (bits != 0)
      case .int(let value): return type == .int && UInt64(bitPattern: value) == bits
      case .double(let value): return type == .double && value.bitPattern == bits
      default: return false
      }
    }
    switch type {
    case .absent, .empty: return bytes.isEmpty
    case .bool: return bool == (bits != 0)
    case .int:
      let stored = Int64(bitPattern: bits)
      if let int { return int == stored }
      return double.flatMap { Int64(exactly: $0) } == stored
    case .double:
      guard let double else { return false }
      let stored = Double(bitPattern: bits)
      return double == stored || (double.isNaN && stored.isNaN)
    default: return false
    }
  }

  /// The only stored integer that passes; nil when none does.
  package var exactInt: Int64? {
    if isText { return int ?? double.flatMap { Int64(exactly: $0) } }
    if case .int(let value) = condition { return value }
    return nil
  }

  /// The only stored double that passes, where a text's zero stands for both zeros and its NaN for all; nil when none
  /// does.
  package var exactDouble: Double? {
    if isText { return double }
    if case .double(let value) = condition { return value }
    return nil
  }

  /// The bytes that a stored `string` or `bytes` value must have to pass; nil when none can. Other types have to be
  /// looked at one by one with `matches(_:)`.
  package func exactBytes(_ type: AttributeType) -> [UInt8]? {
    switch (type, condition) {
    case (.string, .string): bytes
    case (.bytes, .string): base64
    case (.bytes, .bytes(let value)): value
    default: nil
    }
  }

  /// Compares through the model.
  package func matches(_ value: AttributeValue) -> Bool {
    guard isText else { return condition == value }
    switch value {
    case .absent, .empty: return bytes.isEmpty
    case .string(let stored): return stored.utf8.elementsEqual(bytes)
    case .bool(let stored): return bool == stored
    case .int(let stored): return matches(.int, bits: UInt64(bitPattern: stored))
    case .double(let stored): return matches(.double, bits: stored.bitPattern)
    case .bytes(let stored): return base64 == stored
    case .array, .map: return value.text.utf8.elementsEqual(bytes)
    case .opaque: return false
    }
  }
}

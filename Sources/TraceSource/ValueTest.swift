package import TraceBytes
package import TraceModel

/// Untyped text against a stored value: equal as text, or equal as the number or truth value that was stored.
///
/// The text form of a value is that of `AttributeValue.text`.
package struct ValueTest: Sendable {
  /// The text, as UTF-8.
  package let bytes: [UInt8]
  package let text: String
  /// The bit pattern of the integer that the text spells, when it does.
  package let int: Int64?
  package let double: Double?
  package let bool: Bool?
  /// The bytes that the text spells in standard base64, when it does.
  package let base64: [UInt8]?

  package init(text: String) {
    self.text = text
    bytes = Array(text.utf8)
    int = Int64(text)
    double = Double(text)
    bool = ["1", "t", "T", "TRUE", "true", "True"].contains(text)
      ? true : ["0", "f", "F", "FALSE", "false", "False"].contains(text) ? false : nil
    base64 = Base64.decode(bytes)
  }

  /// True when no stored value of this type can pass, whatever it is.
  package func cannotMatch(_ type: AttributeType) -> Bool {
    switch type {
    case .absent, .empty: !bytes.isEmpty
    case .string: false
    case .bool: bool == nil
    case .int, .double: int == nil && double == nil
    case .bytes: base64 == nil
    case .array: bytes.first != 0x5b
    case .map: bytes.first != 0x7b
    case .opaque, .opaqueAttribute: false
    }
  }

  /// For `bool`, `int` and `double`: `bits` is the stored word.
  package func matches(_ type: AttributeType, bits: UInt64) -> Bool {
    switch type {
    case .absent, .empty: return bytes.isEmpty
    case .bool: return bool == (bits != 0)
    case .int:
      let stored = Int64(bitPattern: bits)
      if let int { return int == stored }
      if let double { return Double(exactly: stored) == double }
      return false
    case .double:
      let stored = Double(bitPattern: bits)
      if let double { return double == stored || (double.isNaN && stored.isNaN) }
      return false
    default: return false
    }
  }

  /// The bytes that a stored value of this type must have, when one byte string decides; nil when values must be
  /// looked at one by one with `matches(_:)`.
  package func exactBytes(_ type: AttributeType) -> [UInt8]? {
    switch type {
    case .string: bytes
    case .bytes: base64
    default: nil
    }
  }

  /// For values that are not words: compares through the model.
  package func matches(_ value: AttributeValue) -> Bool {
    switch value {
    case .absent, .empty: bytes.isEmpty
    case .string(let stored): stored.utf8.elementsEqual(bytes)
    case .bool(let stored): bool == stored
    case .int(let stored): matches(.int, bits: UInt64(bitPattern: stored))
    case .double(let stored): matches(.double, bits: stored.bitPattern)
    case .bytes(let stored): base64 == stored
    case .array, .map, .opaque: value.text.utf8.elementsEqual(bytes)
    }
  }
}

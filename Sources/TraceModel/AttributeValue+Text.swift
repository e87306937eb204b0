extension AttributeValue {
  /// The value as text, as searches by text and listings see it: strings as they are, `true`/`false`, decimal
  /// integers, the shortest decimal that reads back as the same double (with an exponent below 1e-6 and from 1e21;
  /// `NaN`, `Infinity`, `-Infinity`, `-0`), standard base64 for bytes, JSON without spaces for arrays and maps (members
  /// in stored order, duplicates kept, everything without a text `null`), nothing for empty and opaque values.
  public var text: String {
    switch self {
    case .absent, .empty, .opaque: return ""
    case .string(let value): return value
    case .bool(let value): return value ? "true" : "false"
    case .int(let value): return String(value)
    case .double(let value): return NumberText.text(value)
    case .bytes(let value): return Base64.encode(value)
    case .array, .map:
      var text = ""
      appendJSON(to: &text)
      return text
    }
  }

  private func appendJSON(to text: inout String) {
    switch self {
    case .absent, .empty, .opaque: text += "null"
    case .string(let value): Self.appendQuoted(value, to: &text)
    case .bool, .int: text += self.text
    case .double(let value):
      if value.isFinite { text += NumberText.text(value) } else { Self.appendQuoted(NumberText.text(value), to: &text) }
    case .bytes: Self.appendQuoted(self.text, to: &text)
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += "," }
        value.appendJSON(to: &text)
      }
      text += "]"
    case .map(let attributes):
      text += "{"
      for (index, attribute) in attributes.enumerated() {
        if index > 0 { text += "," }
        Self.appendQuoted(attribute.key, to: &text)
        text += ":"
        attribute.value.appendJSON(to: &text)
      }
      text += "}"
    }
  }

  private static func appendQuoted(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{c}": text += "\\f"
      case "\u{0}"..<"\u{20}": text += "\\u00" + HexText.text(UInt64(scalar.value), digits: 2)
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

/// Numbers as text.
enum NumberText {
  /// The shortest decimal text that reads back as the same double, positional unless very small or large.
  static func text(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    if value == 0 { return value.sign == .minus ? "-0" : "0" }
    let magnitude = value.magnitude
    // Swift prints the shortest digits; only their layout differs.
    var digits: [UInt8] = []
    var exponent = 0
    var seenPoint = false
    var seenDigit = false
    var shown = Array(magnitude.description.utf8)[...]
    if let mark = shown.firstIndex(of: 101) {
      exponent = Int(String(decoding: shown[(mark + 1)...], as: UTF8.self)) ?? 0
      shown = shown[..<mark]
    }
    for byte in shown {
      if byte == 46 {
        seenPoint = true
        continue
      }
      if byte != 48 { seenDigit = true }
      if seenDigit { digits.append(byte) }
      if seenPoint { exponent -= 1 }
    }
    while digits.last == 48 {
      digits.removeLast()
      exponent += 1
    }
    let sign = value < 0 ? "-" : ""
    let pointPlace = digits.count + exponent
    let body = String(decoding: digits, as: UTF8.self)
    if magnitude < 1e-6 || magnitude >= 1e21 {
      let power = pointPlace - 1
      let fraction = digits.count > 1 ? "." + body.dropFirst() : ""
      return sign + body.prefix(1) + fraction + "e" + (power < 0 ? "-" : "+") + String(power.magnitude)
    }
    if pointPlace <= 0 { return sign + "0." + String(repeating: "0", count: -pointPlace) + body }
    if pointPlace >= digits.count { return sign + body + String(repeating: "0", count: pointPlace - digits.count) }
    return sign + body.prefix(pointPlace) + "." + body.dropFirst(pointPlace)
  }
}

/// Standard base64 (RFC 4648, section 4), with padding.
package enum Base64 {
  private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  package static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var place = 0
    while place < bytes.count {
      let rest = bytes.count - place
      let word =
        UInt32(bytes[place]) << 16 | (rest > 1 ? UInt32(bytes[place + 1]) << 8 : 0)
        | (rest > 2 ? UInt32(bytes[place + 2]) : 0)
      text.append(letters[Int(word >> 18)])
      text.append(letters[Int(word >> 12 & 63)])
      text.append(rest > 1 ? letters[Int(word >> 6 & 63)] : 61)
      text.append(rest > 2 ? letters[Int(word & 63)] : 61)
      place += 3
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads padded standard base64 in its one canonical form; nil for anything else.
  package static func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var place = 0
    while place < text.count {
      var word: UInt32 = 0
      var padding = 0
      for index in 0..<4 {
        let byte = text[place + index]
        let value: UInt32
        switch byte {
        case 65...90: value = UInt32(byte) - 65
        case 97...122: value = UInt32(byte) - 71
        case 48...57: value = UInt32(byte) + 4
        case 43: value = 62
        case 47: value = 63
        case 61 where place + 4 == text.count && index >= 2:
          padding += 1
          value = 0
        default: return nil
        }
        if padding > 0, byte != 61 { return nil }
        word = word << 6 | value
      }
      bytes.append(UInt8(truncatingIfNeeded: word >> 16))
      if padding < 2 { bytes.append(UInt8(truncatingIfNeeded: word >> 8)) } else if word & 0xffff != 0 { return nil }
      if padding < 1 { bytes.append(UInt8(truncatingIfNeeded: word)) } else if word & 0xff != 0 { return nil }
      place += 4
    }
    return bytes
  }
}

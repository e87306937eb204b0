public import TraceModel

/// The text of a value, as searches by text and listings see it. This is the definition that stores are tested against.
///
/// | Stored | Text |
/// |---|---|
/// | absent, empty | the empty text |
/// | text | itself |
/// | truth value | `true`, `false` |
/// | integer | decimal |
/// | double | the shortest decimal digits that read back to it; positional, but with an exponent (`1e-7`, `1e+21`) when the magnitude is below 1e-6 or from 1e21; `NaN`, `Infinity`, `-Infinity`, `-0` |
/// | bytes | base64 with the standard alphabet and padding |
/// | array, map | JSON without spaces, members in stored order with duplicate keys, nested texts escaped by the short forms and `\u00xx` below U+0020 only, bytes as base64 texts, non-finite doubles as texts, everything without a text as `null` |
/// | a kind unknown to this version | none |
public enum AttributeText {
  /// The text, or nil where the table says none.
  public static func text(of value: AttributeValue) -> String? {
    switch value {
    case .absent, .empty: ""
    case .string(let text): text
    case .bool(let flag): flag ? "true" : "false"
    case .int(let number): String(number)
    case .double(let number): text(of: number)
    case .bytes(let bytes): base64(bytes)
    case .array, .map: json(value)
    case .opaque: nil
    }
  }

  /// The text of a double.
  public static func text(of value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    if value == 0 { return value.sign == .minus ? "-0" : "0" }
    let (digits, pointPlace) = decimal(value.magnitude)
    let sign = value < 0 ? "-" : ""
    if value.magnitude < 1e-6 || value.magnitude >= 1e21 {
      let exponent = pointPlace - 1
      let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
      return sign + digits.prefix(1) + fraction + "e" + (exponent < 0 ? "-" : "+") + String(exponent.magnitude)
    }
    if pointPlace <= 0 { return sign + "0." + String(repeating: "0", count: -pointPlace) + digits }
    if pointPlace >= digits.count { return sign + digits + String(repeating: "0", count: pointPlace - digits.count) }
    return sign + digits.prefix(pointPlace) + "." + digits.dropFirst(pointPlace)
  }

  /// The shortest digits of a positive finite double, and after how many of them the decimal point stands.
  static func decimal(_ value: Double) -> (digits: String, pointPlace: Int) {
    // Swift prints the shortest digits that read back; only their layout differs from ours.
    let parts = value.description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = mantissa[0]
    let fraction = mantissa.count > 1 ? mantissa[1] : ""
    var digits = Substring(String(whole + fraction))
    var pointPlace = whole.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    while digits.first == "0" {
      digits.removeFirst()
      pointPlace -= 1
    }
    while digits.last == "0" { digits.removeLast() }
    return (String(digits), pointPlace)
  }

  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    var offset = 0
    while offset < bytes.count {
      let group = bytes[offset..<min(offset + 3, bytes.count)]
      var word: UInt32 = 0
      for place in 0..<3 { word = word << 8 | (place < group.count ? UInt32(bytes[offset + place]) : 0) }
      for place in 0..<4 {
        text.append(place <= group.count ? alphabet[Int(word >> UInt32(18 - 6 * place) & 63)] : 61)
      }
      offset += 3
    }
    return String(decoding: text, as: UTF8.self)
  }

  static func json(_ value: AttributeValue) -> String {
    switch value {
    case .absent, .empty, .opaque: "null"
    case .string(let text): quoted(text)
    case .bool, .int: text(of: value) ?? "null"
    case .double(let number): number.isFinite ? text(of: number) : quoted(text(of: number))
    case .bytes(let bytes): quoted(base64(bytes))
    case .array(let values): "[" + values.map(json).joined(separator: ",") + "]"
    case .map(let attributes):
      "{" + attributes.map { quoted($0.key) + ":" + json($0.value) }.joined(separator: ",") + "}"
    }
  }

  static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = [34]
    for byte in text.utf8 {
      switch byte {
      case 34, 92: bytes += [92, byte]
      case 8: bytes += [92, 98]
      case 12: bytes += [92, 102]
      case 10: bytes += [92, 110]
      case 13: bytes += [92, 114]
      case 9: bytes += [92, 116]
      case ..<32:
        let digits = Array("0123456789abcdef".utf8)
        bytes += [92, 117, 48, 48, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(34)
    return String(decoding: bytes, as: UTF8.self)
  }
}

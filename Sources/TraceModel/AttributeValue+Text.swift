import TraceText

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
    case .bytes(let value): return Base64.text(value)
    case .array, .map:
      var writer = JSONWriter()
      write(to: &writer)
      return writer.text
    }
  }

  private func write(to writer: inout JSONWriter) {
    switch self {
    case .absent, .empty, .opaque: writer.literal("null")
    case .string, .bytes: writer.string(text)
    case .bool, .int: writer.literal(text)
    case .double(let value): if value.isFinite { writer.literal(text) } else { writer.string(text) }
    case .array(let values):
      writer.beginArray()
      for value in values { value.write(to: &writer) }
      writer.endArray()
    case .map(let attributes):
      writer.beginObject()
      for attribute in attributes {
        writer.key(attribute.key)
        attribute.value.write(to: &writer)
      }
      writer.endObject()
    }
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

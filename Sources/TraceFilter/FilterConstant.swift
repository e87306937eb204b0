package import TraceModel
import TraceSource
package import TracestoreV2

/// How the constants of a filter are spelled: as Go's standard library spells them, because Jaeger's own decoder does.
package enum FilterConstant {
  /// A signed decimal number of 64 bits.
  package static func int(_ text: String) -> Int64? { Int64(text) }

  /// The words that stored text reads as, too.
  package static func bool(_ text: String) -> Bool? { ValueTest.truthValue(text) }

  /// RFC 3339 with a fraction of at most nine digits. Instants before 1970 and after 2554 are no timestamps of spans.
  package static func timestamp(_ text: String) -> Timestamp? {
    // `Timestamp` would read a bare count of nanoseconds too, which Jaeger refuses.
    guard text.utf8.dropFirst(4).first == UInt8(ascii: "-") else { return nil }
    return Timestamp(text: text)
  }

  /// The shortest text that reads back as the same double, as Go's format `g` lays it out. NaN payloads are lost.
  package static func text(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    let sign = value.sign == .minus ? "-" : ""
    if value == 0 { return sign + "0" }
    let (digits, pointPlace) = decimal(value.magnitude)
    let exponent = pointPlace - 1
    if exponent < -4 || exponent >= 6 {
      let fraction = digits.utf8.count > 1 ? "." + digits.dropFirst() : ""
      let magnitude = String(exponent.magnitude)
      let padded = magnitude.utf8.count < 2 ? "0" + magnitude : magnitude
      return sign + digits.prefix(1) + fraction + "e" + (exponent < 0 ? "-" : "+") + padded
    }
    if pointPlace <= 0 { return sign + "0." + String(repeating: "0", count: -pointPlace) + digits }
    let missing = pointPlace - digits.utf8.count
    if missing >= 0 { return sign + digits + String(repeating: "0", count: missing) }
    return sign + digits.prefix(pointPlace) + "." + digits.dropFirst(pointPlace)
  }

  /// The shortest digits of a positive finite double, and after how many of them the decimal point stands.
  private static func decimal(_ value: Double) -> (digits: String, pointPlace: Int) {
    // Swift prints the shortest digits; only their layout differs.
    let parts = value.description.split(separator: "e")
    let mantissa = (parts.first ?? "").split(separator: ".", omittingEmptySubsequences: false)
    let whole = mantissa.first ?? ""
    var digits = Substring(String(whole) + (mantissa.count > 1 ? mantissa[1] : ""))
    var pointPlace = whole.utf8.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    while digits.first == "0" {
      digits.removeFirst()
      pointPlace -= 1
    }
    while digits.last == "0" { digits.removeLast() }
    return (String(digits), pointPlace)
  }
}

extension FilterConstant {
  /// The constant of a declared type that a text spells; nil when it spells none, or the type is unknown.
  package static func value(of text: String, type: FilterScalarType) -> FilterExpression? {
    switch type {
    case .untyped: .untyped(text)
    case .string: .string(text)
    case .int: int(text).map(FilterExpression.int)
    case .double: double(text).map(FilterExpression.double)
    case .bool: bool(text).map(FilterExpression.bool)
    default: nil
    }
  }
}

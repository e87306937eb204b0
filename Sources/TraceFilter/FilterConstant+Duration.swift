extension FilterConstant {
  /// Go's durations, in nanoseconds: `1h30m`, `-1.5s`, `.5ms`, `0`. A number needs its unit.
  package static func duration(_ text: String) -> Int64? {
    var rest = Array(text.utf8)[...]
    var isNegative = false
    if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      isNegative = sign == UInt8(ascii: "-")
      rest.removeFirst()
    }
    if rest.elementsEqual("0".utf8) { return 0 }
    guard !rest.isEmpty else { return nil }
    // As magnitudes, because the least 64-bit number has no positive twin.
    let limit = UInt64(1) << 63
    var total: UInt64 = 0
    while !rest.isEmpty {
      guard let term = term(&rest, limit: limit) else { return nil }
      let (sum, overflow) = total.addingReportingOverflow(term)
      guard !overflow, sum <= limit else { return nil }
      total = sum
    }
    guard isNegative || total < limit else { return nil }
    return Int64(truncatingIfNeeded: isNegative ? 0 &- total : total)
  }

  /// One number with its unit.
  private static func term(_ rest: inout ArraySlice<UInt8>, limit: UInt64) -> UInt64? {
    var value: UInt64 = 0
    var hasDigits = false
    while let digit = rest.first, isDigit(digit) {
      guard value <= limit / 10 else { return nil }
      value = value * 10 + UInt64(digit - UInt8(ascii: "0"))
      guard value <= limit else { return nil }
      hasDigits = true
      rest.removeFirst()
    }
    var fraction: UInt64 = 0
    var scale = 1.0
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      var isFull = false
      while let digit = rest.first, isDigit(digit) {
        hasDigits = true
        rest.removeFirst()
        // Digits beyond what 63 bits hold are below a nanosecond whatever the unit.
        if isFull || fraction > (limit - 1) / 10 {
          isFull = true
          continue
        }
        fraction = fraction * 10 + UInt64(digit - UInt8(ascii: "0"))
        scale *= 10
      }
    }
    guard hasDigits else { return nil }
    let unit = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
    guard let size = size(of: unit), value <= limit / size else { return nil }
    rest = rest.dropFirst(unit.count)
    value *= size
    value += UInt64(Double(fraction) * (Double(size) / scale))
    return value <= limit ? value : nil
  }

  private static func size(of unit: ArraySlice<UInt8>) -> UInt64? {
    switch Array(unit) {
    case Array("ns".utf8): 1
    // With the letter u, the micro sign and the Greek letter mu.
    case Array("us".utf8), Array("\u{b5}s".utf8), Array("\u{3bc}s".utf8): 1_000
    case Array("ms".utf8): 1_000_000
    case Array("s".utf8): 1_000_000_000
    case Array("m".utf8): 60_000_000_000
    case Array("h".utf8): 3_600_000_000_000
    default: nil
    }
  }

  /// As Go prints it: `1h30m0s`, `2s`, `1.5ms`, `50µs`.
  package static func text(durationNanoseconds: Int64) -> String {
    let magnitude = durationNanoseconds.magnitude
    let sign = durationNanoseconds < 0 ? "-" : ""
    switch magnitude {
    case 0: return "0s"
    case ..<1_000: return "\(sign)\(magnitude)ns"
    case ..<1_000_000: return sign + decimal(magnitude, 1_000) + "\u{b5}s"
    case ..<1_000_000_000: return sign + decimal(magnitude, 1_000_000) + "ms"
    default: break
    }
    let minutes = magnitude / 60_000_000_000
    let seconds = decimal(magnitude % 60_000_000_000, 1_000_000_000) + "s"
    if minutes == 0 { return sign + seconds }
    if minutes < 60 { return "\(sign)\(minutes)m\(seconds)" }
    return "\(sign)\(minutes / 60)h\(minutes % 60)m\(seconds)"
  }

  /// A count of units, a power of ten, without zeros at the end of its fraction.
  private static func decimal(_ value: UInt64, _ unit: UInt64) -> String {
    var fraction = Array(String(unit + value % unit).utf8.dropFirst())
    while fraction.last == UInt8(ascii: "0") { fraction.removeLast() }
    return String(value / unit) + (fraction.isEmpty ? "" : "." + String(decoding: fraction, as: UTF8.self))
  }
}

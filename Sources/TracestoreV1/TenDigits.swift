/// Doubles as v1's texts have them: Go's `FormatFloat(value, 'g', 10, 64)`.
///
/// Rounding is exact, to even: the shortest digits decide, and where they end in the middle between two texts of ten
/// digits, the value itself is compared with that middle. Subnormal doubles have fewer than ten digits of their own, so
/// that the digits of their exact values are taken.
enum TenDigits {
  private static let digitCount = 10

  static func text(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    let sign = value.sign == .minus ? "-" : ""
    if value == 0 { return sign + "0" }
    var (digits, place) = value.isSubnormal ? exact(value.magnitude) : shortest(value.magnitude)
    if digits.count > digitCount {
      let isUp = roundsUp(digits, place, value.magnitude)
      digits.removeLast(digits.count - digitCount)
      if isUp {
        while digits.last == 9 { digits.removeLast() }
        if let last = digits.indices.last {
          digits[last] += 1
        } else {
          digits = [1]
          place += 1
        }
      }
    }
    while digits.last == 0 { digits.removeLast() }
    return sign + layout(digits, place)
  }

  /// The fewest digits that read back as the same double, and how many of them stand before the decimal point.
  private static func shortest(_ magnitude: Double) -> (digits: [UInt8], place: Int) {
    var digits: [UInt8] = []
    var exponent = 0
    var isFraction = false
    var shown = Array(magnitude.description.utf8)[...]
    if let mark = shown.firstIndex(of: UInt8(ascii: "e")) {
      exponent = Int(String(decoding: shown[(mark + 1)...], as: UTF8.self)) ?? 0
      shown = shown[..<mark]
    }
    for byte in shown {
      if byte == UInt8(ascii: ".") {
        isFraction = true
        continue
      }
      if isFraction { exponent -= 1 }
      if byte != UInt8(ascii: "0") || !digits.isEmpty { digits.append(byte - UInt8(ascii: "0")) }
    }
    let place = digits.count + exponent
    while digits.last == 0 { digits.removeLast() }
    return (digits, place)
  }

  /// More than ten digits of a subnormal double, the last of them odd if any follow.
  private static func exact(_ magnitude: Double) -> (digits: [UInt8], place: Int) {
    // The smallest of them, 5e-324, then has 19 digits, and the largest fits 128 bits.
    let tensExponent = 342
    var number = Natural(magnitude.significandBitPattern)
    number.multiply(by: 10, times: tensExponent)
    let (whole, hasRest) = number.divided(byTwoTo: 1074)
    let digits = String(whole).utf8.map { $0 - UInt8(ascii: "0") }
    return (digits + (hasRest ? [1] : []), digits.count - tensExponent)
  }

  private static func roundsUp(_ digits: [UInt8], _ place: Int, _ magnitude: Double) -> Bool {
    if digits[digitCount] != 5 { return digits[digitCount] > 5 }
    guard digits.count == digitCount + 1 else { return true }
    // The shortest digits are a middle; the double may lie beside it.
    let middle = digits.reduce(UInt64(0)) { $0 * 10 + UInt64($1) }
    let order = compare(magnitude, middle, tensExponent: place - digits.count)
    return order == 0 ? digits[digitCount - 1] % 2 == 1 : order > 0
  }

  /// The sign of value − number · 10^tensExponent, exactly.
  private static func compare(_ value: Double, _ number: UInt64, tensExponent: Int) -> Int {
    var left = Natural(value.significandBitPattern | (value.isNormal ? 1 << 52 : 0))
    var right = Natural(number)
    // value = significand · 2^twosExponent
    let twosExponent = (value.isNormal ? Int(value.exponentBitPattern) - 1 : 0) - 1074
    left.multiply(by: 2, times: max(0, twosExponent))
    right.multiply(by: 2, times: max(0, -twosExponent))
    left.multiply(by: 10, times: max(0, -tensExponent))
    right.multiply(by: 10, times: max(0, tensExponent))
    return left.compared(to: right)
  }

  private static func layout(_ digits: [UInt8], _ place: Int) -> String {
    let text = String(decoding: digits.map { $0 + UInt8(ascii: "0") }, as: UTF8.self)
    let exponent = place - 1
    if exponent < -4 || exponent >= digitCount {
      let fraction = digits.count > 1 ? "." + text.dropFirst() : ""
      let power = String(exponent.magnitude)
      return String(text.prefix(1)) + fraction + "e" + (exponent < 0 ? "-" : "+") + (power.utf8.count < 2 ? "0" : "")
        + power
    }
    if place <= 0 { return "0." + String(repeating: "0", count: -place) + text }
    if place >= digits.count { return text + String(repeating: "0", count: place - digits.count) }
    return String(text.prefix(place)) + "." + text.dropFirst(place)
  }
}

/// A whole number of any size, least significant part first, without leading zero parts.
private struct Natural {
  private var parts: [UInt32]

  init(_ value: UInt64) {
    parts = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
    while parts.last == 0 { parts.removeLast() }
  }

  mutating func multiply(by factor: UInt32, times: Int) {
    for _ in 0..<times {
      var carry: UInt64 = 0
      for index in parts.indices {
        let product = UInt64(parts[index]) * UInt64(factor) + carry
        parts[index] = UInt32(truncatingIfNeeded: product)
        carry = product >> 32
      }
      if carry > 0 { parts.append(UInt32(carry)) }
    }
  }

  /// Without the bits above the 128th of the quotient.
  func divided(byTwoTo exponent: Int) -> (quotient: UInt128, hasRest: Bool) {
    var quotient: UInt128 = 0
    for (index, part) in parts.enumerated() {
      let place = index * 32 - exponent
      if place >= 0 {
        quotient |= UInt128(part) << UInt128(place)
      } else {
        quotient |= UInt128(part) >> UInt128(-place)
      }
    }
    let hasRest = parts.enumerated().contains { index, part in
      let place = exponent - index * 32
      return place > 0 && (place >= 32 ? part != 0 : part & ((1 << UInt32(place)) - 1) != 0)
    }
    return (quotient, hasRest)
  }

  func compared(to other: Natural) -> Int {
    if parts.count != other.parts.count { return parts.count < other.parts.count ? -1 : 1 }
    for index in parts.indices.reversed() where parts[index] != other.parts[index] {
      return parts[index] < other.parts[index] ? -1 : 1
    }
    return 0
  }
}

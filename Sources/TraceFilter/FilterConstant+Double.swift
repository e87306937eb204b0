extension FilterConstant {
  /// Go's grammar of floats: decimal or hexadecimal, `inf`, `infinity` and `nan` in any case. A finite number that no
  /// double can hold is refused, as Go does.
  package static func double(_ text: String) -> Double? {
    var rest = Array(text.utf8)[...]
    var isNegative = false
    var isSigned = false
    if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      isNegative = sign == UInt8(ascii: "-")
      isSigned = true
      rest.removeFirst()
    }
    if isWord(rest, "inf") || isWord(rest, "infinity") { return isNegative ? -.infinity : .infinity }
    if isWord(rest, "nan") { return isSigned ? nil : .nan }
    let isHexadecimal = rest.first == UInt8(ascii: "0") && (rest.dropFirst().first ?? 0) | 0x20 == 0x78
    if isHexadecimal {
      guard let plain = withoutUnderscores(rest.dropFirst(2)) else { return nil }
      rest = plain[...]
    }
    guard let spelled = spelling(rest, isHexadecimal: isHexadecimal),
      let value = Double((isNegative ? "-" : "") + spelled), value.isFinite
    else { return nil }
    return value
  }

  /// The number as Swift reads it, with digits on both sides of the point; nil when the grammar is not kept.
  private static func spelling(_ bytes: ArraySlice<UInt8>, isHexadecimal: Bool) -> String? {
    var rest = bytes
    func digits(hexadecimal: Bool) -> ArraySlice<UInt8> {
      let found = rest.prefix { isDigit($0) || (hexadecimal && (0x61...0x66).contains($0 | 0x20)) }
      rest = rest.dropFirst(found.count)
      return found
    }
    let whole = digits(hexadecimal: isHexadecimal)
    var fraction: ArraySlice<UInt8> = []
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      fraction = digits(hexadecimal: isHexadecimal)
    }
    guard !whole.isEmpty || !fraction.isEmpty else { return nil }
    let mark: UInt8 = isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")
    var exponent: [UInt8] = []
    if let first = rest.first, first | 0x20 == mark {
      rest.removeFirst()
      if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        exponent.append(sign)
        rest.removeFirst()
      }
      let found = digits(hexadecimal: false)
      guard !found.isEmpty else { return nil }
      exponent += found
    } else if isHexadecimal {
      return nil
    }
    guard rest.isEmpty else { return nil }
    let zero: ArraySlice<UInt8> = [UInt8(ascii: "0")]
    let mantissa = Array(whole.isEmpty ? zero : whole) + [UInt8(ascii: ".")] + (fraction.isEmpty ? zero : fraction)
    let tail = exponent.isEmpty ? [] : [mark] + exponent
    return String(decoding: Array((isHexadecimal ? "0x" : "").utf8) + mantissa + tail, as: UTF8.self)
  }

  /// Underscores may stand between hexadecimal digits and behind the prefix, nowhere else; nil where they do.
  private static func withoutUnderscores(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var kept: [UInt8] = []
    // The prefix counts as a digit.
    var followsDigit = true
    var followsUnderscore = false
    for byte in bytes {
      if byte == UInt8(ascii: "_") {
        guard followsDigit else { return nil }
        followsDigit = false
        followsUnderscore = true
        continue
      }
      followsDigit = isDigit(byte) || (0x61...0x66).contains(byte | 0x20)
      guard followsDigit || !followsUnderscore else { return nil }
      followsUnderscore = false
      kept.append(byte)
    }
    return followsUnderscore ? nil : kept
  }

  private static func isWord(_ bytes: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
    bytes.count == word.utf8CodeUnitCount
      && zip(bytes, UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        .allSatisfy { $0 | 0x20 == $1 }
  }

  static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

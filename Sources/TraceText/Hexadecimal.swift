/// Hexadecimal digits: written in lower case, read in either.
package enum Hexadecimal {
  /// The value of a digit of either case.
  package static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x41...0x46: digit - 0x37
    case 0x61...0x66: digit - 0x57
    default: nil
    }
  }

  /// The lower-case digit of the low four bits.
  package static func digit(_ value: UInt8) -> UInt8 { value & 15 < 10 ? 0x30 + (value & 15) : 0x57 + (value & 15) }

  /// The low `digitCount` digits of a number, leading zeros included; at most sixteen.
  package static func text(_ value: UInt64, digitCount: Int = 16) -> String {
    String(unsafeUninitializedCapacity: digitCount) { buffer in
      for index in 0..<digitCount {
        buffer[index] = digit(UInt8(truncatingIfNeeded: value >> UInt64(4 * (digitCount - 1 - index))))
      }
      return digitCount
    }
  }

  /// The number that the digits spell; nil when there are none, more than sixteen, or something else among them.
  package static func value(of digits: some Collection<UInt8>) -> UInt64? {
    guard (1...16).contains(digits.count) else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      guard let nibble = self.value(digit) else { return nil }
      value = value << 4 | UInt64(nibble)
    }
    return value
  }
}

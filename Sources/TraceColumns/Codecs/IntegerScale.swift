/// A common divisor of the values of a page: clocks that tick in microseconds cost ten bits a value less.
///
/// One byte on disk: `0...9` is that power of ten, `0x40 + s` with `s` in `1...63` is that power of two.
package struct IntegerScale: Hashable, Sendable {
  let code: UInt8
  let factor: UInt64

  static let one = IntegerScale(code: 0, factor: 1)

  private static let powersOfTen: [UInt64] = [
    1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
  ]

  private init(code: UInt8, factor: UInt64) {
    self.code = code
    self.factor = factor
  }

  /// Nil for a byte that is no scale.
  init?(code: UInt8) {
    if code <= 9 {
      self.init(code: code, factor: Self.powersOfTen[Int(code)])
    } else if code > 0x40 && code < 0x80 {
      self.init(code: code, factor: 1 << UInt64(code - 0x40))
    } else {
      return nil
    }
  }

  /// The greatest scale that divides every `value - minimum`. `differingBits` is the union of these differences' bits.
  static func common(
    to values: UnsafeBufferPointer<UInt64>, minimum: UInt64, differingBits: UInt64
  ) -> IntegerScale {
    guard differingBits != 0 else { return .one }
    let shift = differingBits.trailingZeroBitCount
    let binary = shift == 0 ? IntegerScale.one : IntegerScale(code: UInt8(0x40 + shift), factor: 1 << UInt64(shift))
    // A power of ten divides only what the same power of two divides.
    guard shift > 0 else { return binary }
    var exponent = 0
    for candidate in 1...min(9, shift) {
      guard dividesPowerOfTen(candidate, values, minimum) else { break }
      exponent = candidate
    }
    let decimal = IntegerScale(code: UInt8(exponent), factor: powersOfTen[exponent])
    return decimal.factor >= binary.factor ? decimal : binary
  }

  /// `inverses[k]` times 5^k is 1 modulo 2^64: what is divisible by 5^k is divided by it with one multiplication.
  private static let inverses: [UInt64] = powersOfTen.indices.map { exponent in
    let power = powersOfTen[exponent] >> UInt64(exponent)
    // Newton's method: an odd number is its own inverse in the last three bits, and each round doubles how many are right.
    var inverse = power
    for _ in 0..<5 { inverse = inverse &* (2 &- power &* inverse) }
    return inverse
  }

  /// What divides by 5 to the power of `exponent`, at most 9, when it is multiplied by.
  static func inverse(ofPowerOfFive exponent: UInt8) -> UInt64 { inverses[Int(exponent)] }

  /// Whether 10 to the power of `exponent` divides every `value - minimum`; two to the same power is known to.
  private static func dividesPowerOfTen(
    _ exponent: Int, _ values: UnsafeBufferPointer<UInt64>, _ minimum: UInt64
  ) -> Bool {
    // Only multiples of the divisor keep below the greatest quotient when they are multiplied by its inverse.
    let inverse = inverses[exponent]
    let greatest = UInt64.max / (powersOfTen[exponent] >> UInt64(exponent))
    var index = 0
    while index < values.count {
      if ((values[index] &- minimum) &>> UInt64(exponent)) &* inverse > greatest { return false }
      index &+= 1
    }
    return true
  }
}

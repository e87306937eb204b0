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
      guard divides(powersOfTen[candidate], values, minimum) else { break }
      exponent = candidate
    }
    let decimal = IntegerScale(code: UInt8(exponent), factor: powersOfTen[exponent])
    return decimal.factor >= binary.factor ? decimal : binary
  }

  private static func divides(_ factor: UInt64, _ values: UnsafeBufferPointer<UInt64>, _ minimum: UInt64) -> Bool {
    var index = 0
    while index < values.count {
      if (values[index] &- minimum) % factor != 0 { return false }
      index &+= 1
    }
    return true
  }
}

/// Exponential, logarithm, root and rounding from additions, multiplications and divisions alone.
///
/// IEEE 754 fixes the result of those to the last bit and says nothing about `exp` and `log`, whose results differ
/// between C libraries. Traffic must be equal everywhere, so it never asks a C library. Good to about 1e-15.
enum PortableMath {
  private static let ln2High = 0.693147180369123816490
  private static let ln2Low = 1.90821492927058770002e-10

  /// e to the power of `x`; `x` is clamped to ±700, far outside of what traffic needs.
  static func exp(_ x: Double) -> Double {
    let clamped = min(max(x, -700), 700)
    let k = rounded(clamped * 1.4426950408889634)
    let r = (clamped - k * ln2High) - k * ln2Low
    var sum = 1.0
    var n = 13.0
    while n >= 1 {
      sum = 1 + sum * r / n
      n -= 1
    }
    return sum * Double(bitPattern: UInt64(1023 + Int(k)) << 52)
  }

  /// The natural logarithm of a positive, normal `x`.
  static func log(_ x: Double) -> Double {
    let bits = x.bitPattern
    var exponent = Double(Int(bits >> 52) - 1023)
    var mantissa = Double(bitPattern: bits & 0x000F_FFFF_FFFF_FFFF | 0x3FF0_0000_0000_0000)
    if mantissa > 1.4142135623730951 {
      mantissa *= 0.5
      exponent += 1
    }
    let s = (mantissa - 1) / (mantissa + 1)
    let z = s * s
    var sum = 0.0
    var n = 23.0
    while n >= 1 {
      sum = sum * z + 1 / n
      n -= 2
    }
    return exponent * ln2High + (exponent * ln2Low + 2 * s * sum)
  }

  /// The square root of a positive `x`, to about 1e-15. The standard one may compile to a call of the C library, which a
  /// room that imports nothing of the platform does not link.
  static func squareRoot(_ x: Double) -> Double {
    let estimate = exp(0.5 * log(x))
    return 0.5 * (estimate + x / estimate)
  }

  /// The nearest integer, ties to even, for magnitudes below 2^51: adding 1.5 × 2^52 leaves no bits for a fraction.
  static func rounded(_ x: Double) -> Double { (x + 0x1.8p52) - 0x1.8p52 }

  /// A positive `base` to any power.
  static func power(_ base: Double, _ exponent: Double) -> Double { exp(exponent * log(base)) }
}

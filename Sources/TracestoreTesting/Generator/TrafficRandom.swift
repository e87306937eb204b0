/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014) and the distributions that
/// traffic is drawn from. Equal on every platform: no libm, no hashing, no system randomness.
struct TrafficRandom {
  private var state: UInt64

  init(state: UInt64) { self.state = state }

  /// An independent stream for one purpose: same numbers, same stream.
  init(seed: UInt64, purpose: UInt64, index: Int) {
    let mixed = Self.mix(seed &+ Self.gamma) ^ purpose &* 0xD6E8_FEB8_6659_FD93
    state = Self.mix(Self.mix(mixed) &+ UInt64(truncatingIfNeeded: index) &* 0xA076_1D64_78BD_642F)
  }

  static let gamma: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// A bijection of 64-bit words that maps zero, and nothing else, to zero.
  static func mix(_ word: UInt64) -> UInt64 {
    var z = word
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// A word that differs for every `index` under one `key`, and is never zero.
  static func identity(key: UInt64, index: UInt64) -> UInt64 {
    let word = mix(key &+ index &* gamma)
    // Only one index maps to zero; it takes the word of the greatest index, which nothing else uses.
    return word != 0 ? word : mix(key &- gamma)
  }

  mutating func next() -> UInt64 {
    state &+= Self.gamma
    return Self.mix(state)
  }

  /// A whole number in `0 ..< bound`.
  mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

  /// A whole number in `range`.
  mutating func integer(in range: Range<Int>) -> Int { range.lowerBound + below(range.count) }

  /// A number in [0, 1) with 53 random bits.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A number in [lower, upper).
  mutating func uniform(_ lower: Double, _ upper: Double) -> Double { lower + (upper - lower) * unit() }

  mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  /// Two independent standard normal numbers (Marsaglia's polar method).
  mutating func normalPair() -> (Double, Double) {
    while true {
      let u = 2 * unit() - 1
      let v = 2 * unit() - 1
      let square = u * u + v * v
      if square < 1, square > 1e-30 {
        let factor = PortableMath.squareRoot(-2 * PortableMath.log(square) / square)
        return (u * factor, v * factor)
      }
    }
  }

  mutating func logNormal(_ mu: Double, _ sigma: Double) -> Double { PortableMath.exp(mu + sigma * normalPair().0) }

  /// Zipf's law with exponent `a` > 1 over 1, 2, 3, … (Devroye's rejection method).
  mutating func zipf(_ a: Double) -> Int {
    let power = a - 1
    let b = PortableMath.power(2, power)
    while true {
      let u = 1 - unit()
      let v = unit()
      let real = PortableMath.power(u, -1 / power)
      guard real >= 1, real < 0x1p62 else { continue }
      let x = Double(Int(real))
      let t = PortableMath.power(1 + 1 / x, power)
      if v * x * (t - 1) / (b - 1) <= t / b { return Int(x) }
    }
  }

  /// Trials until the first success: 1, 2, 3, …
  mutating func geometric(_ probability: Double) -> Int {
    1 + Int(PortableMath.log(1 - unit()) / PortableMath.log(1 - probability))
  }

  /// An index drawn with the weights whose running sums are given.
  mutating func weightedIndex(_ cumulative: [Double]) -> Int {
    let target = unit() * (cumulative.last ?? 0)
    var low = 0
    var high = cumulative.count - 1
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > target { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

import Foundation
import Testing
import TracestoreTesting

@testable import TracestoreV1

@Suite struct `Numbers as v1 spells them` {
  @Test(
    arguments: [
      (0, "0"), (-0.0, "-0"), (1, "1"), (-1.5, "-1.5"), (0.1, "0.1"), (100, "100"), (1e9, "1000000000"),
      (1e10, "1e+10"),
      (123_456_789_012, "1.23456789e+11"), (0.0001, "0.0001"), (0.00001, "1e-05"), (1.0 / 3, "0.3333333333"),
      (2.0 / 3, "0.6666666667"), (9_999_999_999.5, "1e+10"), (9_999_999_999.4, "9999999999"),
      (999_999_999.95, "1000000000"), (999_999_999.94, "999999999.9"),
      (0.99999999999, "1"), (1e100, "1e+100"), (1.5e-100, "1.5e-100"), (.leastNonzeroMagnitude, "4.940656458e-324"),
      (1.7976931348623157e308, "1.797693135e+308"), (.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
      (1234.5678901, "1234.56789"), (12345.678905, "12345.67891"),
    ] as [(Double, String)])
  func `doubles have ten significant digits`(_ value: Double, _ text: String) {
    #expect(V1Value.float64(value).text == text)
  }

  @Test func `as C prints them`() {
    var random = SeededRandom(seed: 1)
    for round in 0..<20_000 {
      let value: Double
      switch round % 5 {
      case 0: value = Double(bitPattern: random.next())
      // Around ties: eleven digits that end in five.
      case 1: value = Double(random.below(1_000_000_000)) * 10 + 5
      case 2: value = (Double(random.below(2_000_000_000)) * 10 + 5) / 1e10
      case 3: value = Double(bitPattern: random.next() >> UInt64(12 + random.below(52)))
      default: value = Double(random.below(1 << 40)) / 1024
      }
      guard value.isFinite else { continue }
      #expect(V1Value.float64(value).text == String(format: "%.10g", value), "\(value) \(round)")
    }
  }

  @Test func `names are equal when their bytes are`() {
    #expect(V1Name("caf\u{e9}") != V1Name("cafe\u{301}"))
    #expect(V1Name("a") < V1Name("b") && V1Name("a") == "a")
    #expect(V1Tag("caf\u{e9}", 1) != V1Tag("cafe\u{301}", 1))
    #expect(V1Value.string("caf\u{e9}") != .string("cafe\u{301}"))
    #expect(V1Value.float64(0) != .float64(-0.0) && V1Value.float64(.nan) == .float64(.nan))
  }
}

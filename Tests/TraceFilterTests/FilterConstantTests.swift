import Testing
import TraceModel

@testable import TraceFilter

@Suite struct FilterConstantTests {
  @Test(
    arguments: [
      ("0", 0), ("-0", 0), ("+0", 0), ("0s", 0), ("5s", 5_000_000_000), ("-5s", -5_000_000_000), ("+5s", 5_000_000_000),
      ("30s", 30_000_000_000), ("1478s", 1_478_000_000_000), ("5.0s", 5_000_000_000), ("5.6s", 5_600_000_000),
      ("5.s", 5_000_000_000), (".5s", 500_000_000), ("1.004s", 1_004_000_000), ("100.00100s", 100_001_000_000),
      ("10ns", 10), ("11us", 11_000), ("12µs", 12_000), ("12μs", 12_000), ("13ms", 13_000_000), ("14s", 14_000_000_000),
      ("15m", 900_000_000_000), ("16h", 57_600_000_000_000), ("3h30m", 12_600_000_000_000),
      ("10.5s4m", 250_500_000_000), ("-2m3.4s", -123_400_000_000), ("1h2m3s4ms5us6ns", 3_723_004_005_006),
      ("39h9m14.425s", 140_954_425_000_000), ("52763797000ns", 52_763_797_000),
      ("0.3333333333333333333h", 1_200_000_000_000), ("9007199254740993ns", 9_007_199_254_740_993),
      ("9223372036854775807ns", .max), ("9223372036854775.807us", .max), ("-9223372036854775808ns", .min),
      ("-9223372036854775.808us", .min), ("-2562047h47m16.854775808s", .min),
      ("0.100000000000000000000h", 360_000_000_000), ("0.9223372036854775807h", 3_320_413_933_267),
    ] as [(String, Int64)])
  func `durations are read as Go reads them`(_ text: String, _ nanoseconds: Int64) {
    #expect(FilterConstant.duration(text) == nanoseconds, "\(text)")
  }

  @Test func `what is no duration is none`() {
    for text in [
      "", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", " 1s", "1s ", "1 s", "--1s", "1S", "0.0", "00",
      "9223372036854775808ns",
      "-9223372036854775809ns", "3000000h", "9223372036854775.808us", "9223372036854ms775us808ns", "1s-1s", "1e3s",
      "\u{b5}s", "1\u{b5}", "99999999999999999999h",
    ] {
      #expect(FilterConstant.duration(text) == nil, "\(text)")
    }
  }

  @Test(
    arguments: [
      (0, "0s"), (1, "1ns"), (1_100, "1.1µs"), (2_200_000, "2.2ms"), (3_300_000_000, "3.3s"), (50_000, "50µs"),
      (245_000_000_000, "4m5s"), (245_001_000_000, "4m5.001s"), (18_367_001_000_000, "5h6m7.001s"),
      (480_000_000_001, "8m0.000000001s"), (5_400_000_000_000, "1h30m0s"), (2_000_000_000, "2s"),
      (.max, "2562047h47m16.854775807s"), (.min, "-2562047h47m16.854775808s"), (-1, "-1ns"),
    ] as [(Int64, String)])
  func `durations are printed as Go prints them`(_ nanoseconds: Int64, _ text: String) {
    #expect(FilterConstant.text(durationNanoseconds: nanoseconds) == text)
    #expect(FilterConstant.duration(text) == nanoseconds)
  }

  @Test(
    arguments: [
      ("1", 1), ("+1", 1), ("-1", -1), ("1.", 1), (".5", 0.5), ("1e3", 1_000), ("1E+3", 1_000),
      ("5e-324", .leastNonzeroMagnitude),
      ("1e-400", 0), ("inf", .infinity), ("-Inf", -.infinity), ("+INFINITY", .infinity), ("0x1p4", 16), ("0X1.8P1", 3),
      ("0x.8p0", 0.5), ("0x_1_0p0", 16), ("-0x1p-2", -0.25), ("0x1p1_0", 1_024), ("00012", 12),
      ("1.7976931348623157e308", 1.7976931348623157e308),
      ("9007199254740993", 9_007_199_254_740_992), ("0e99999999999", 0),
    ] as [(String, Double)])
  func `doubles are read as Go reads them`(_ text: String, _ value: Double) {
    #expect(FilterConstant.double(text) == value, "\(text)")
  }

  @Test func `signs of zeros and NaN are read`() {
    #expect(FilterConstant.double("-0")?.sign == .minus)
    #expect(FilterConstant.double("NaN")?.bitPattern == Double.nan.bitPattern)
  }

  @Test func `what is no double is none`() {
    for text in [
      "", "+", ".", "e1", "1e", "1e+", "1_000", "1__0", "0x", "0x1", "0x1.8", "0xp1", "0x1_p1", "0x1__0p1",
      "0x1p", "-nan", "+nan", "infin", "1e400", "-1e400", "0x1p2000", " 1", "1 ", "1,5", "--1", "1f", "nanx", "٣",
    ] {
      #expect(FilterConstant.double(text) == nil, "\(text)")
    }
  }

  @Test(arguments: [
    (0.0, "0"), (-0.0, "-0"), (1, "1"), (2.5, "2.5"), (-0.1, "-0.1"), (100_000, "100000"), (1_000_000, "1e+06"),
    (123_456_789, "1.23456789e+08"), (0.0001, "0.0001"), (0.00001, "1e-05"), (.leastNonzeroMagnitude, "5e-324"),
    (1e100, "1e+100"),
    (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (1.7976931348623157e308, "1.7976931348623157e+308"),
  ])
  func `doubles are printed as Go prints them`(_ value: Double, _ text: String) {
    #expect(FilterConstant.text(value) == text)
    #expect(FilterConstant.double(text)?.bitPattern == value.bitPattern)
  }

  @Test func `integers, truth values and instants have one grammar each`() {
    #expect(FilterConstant.int("-9223372036854775808") == .min)
    #expect(FilterConstant.int("+7") == 7)
    for text in ["", "1.0", "9223372036854775808", "0x1", "1_0", " 1", "-"] { #expect(FilterConstant.int(text) == nil) }
    for text in ["1", "t", "T", "TRUE", "true", "True"] { #expect(FilterConstant.bool(text) == true) }
    for text in ["0", "f", "F", "FALSE", "false", "False"] { #expect(FilterConstant.bool(text) == false) }
    for text in ["", "yes", "tRUE", "2"] { #expect(FilterConstant.bool(text) == nil) }
    #expect(FilterConstant.timestamp("1970-01-01T00:00:00.000000001Z") == Timestamp(nanoseconds: 1))
    for text in ["", "0", "1700000000000000000", "2026-01-01", "2026-01-01T00:00:00", "1960-01-01T00:00:00Z"] {
      #expect(FilterConstant.timestamp(text) == nil, "\(text)")
    }
  }
}

import Testing
import TraceModel

@Suite struct AttributeTextTests {
  @Test(
    arguments: [
      (.absent, ""), (.empty, ""), (.opaque([1, 2]), ""), (.string("a \"b\"\n"), "a \"b\"\n"), (.bool(true), "true"),
      (.bool(false), "false"), (.int(.min), "-9223372036854775808"), (.int(0), "0"), (.bytes([]), ""),
      (.bytes([0xfb, 0xff]), "+/8="), (.array([]), "[]"), (.map([]), "{}"),
    ] as [(AttributeValue, String)])
  func `scalars have plain texts`(_ value: AttributeValue, _ text: String) {
    #expect(value.text == text)
  }

  @Test func `inside arrays and maps values are JSON, in stored order with duplicates`() {
    let value = AttributeValue.map([
      Attribute("b", .array([.absent, .empty, .opaque([9]), .bool(false), .int(-1), .double(0.5), .bytes([1])])),
      Attribute("a", .double(.nan)), Attribute("a", .double(-.infinity)), Attribute("", .map([])),
    ])
    #expect(
      value.text == #"{"b":[null,null,null,false,-1,0.5,"AQ=="],"a":"NaN","a":"-Infinity","":{}}"#)
  }

  @Test func `every character below space is escaped, and no other but quotes and backslashes`() {
    let short: [UInt32: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: "\\\"", 92: "\\\\"]
    for code in 0...0x17f as ClosedRange<UInt32> {
      guard let scalar = Unicode.Scalar(code) else { continue }
      let digits = String(code, radix: 16)
      let long = "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      let expected = short[code] ?? (code < 32 ? long : String(Character(scalar)))
      #expect(AttributeValue.array([.string(String(Character(scalar)))]).text == "[\"\(expected)\"]")
      #expect(AttributeValue.map([Attribute(String(Character(scalar)), 1)]).text == "{\"\(expected)\":1}")
    }
  }

  @Test(
    arguments: [
      (0, "0"), (-0.0, "-0"), (1, "1"), (-1.5, "-1.5"), (0.1, "0.1"), (100, "100"), (1e20, "100000000000000000000"),
      (1e21, "1e+21"), (-1.25e21, "-1.25e+21"), (123_456_789_012_345_683_968, "123456789012345680000"),
      (1e-6, "0.000001"),
      (1.5e-6, "0.0000015"), (9.999e-7, "9.999e-7"), (1e-7, "1e-7"), (.leastNonzeroMagnitude, "5e-324"),
      (.greatestFiniteMagnitude, "1.7976931348623157e+308"), (0.000123, "0.000123"), (12345.678, "12345.678"),
      (.infinity, "Infinity"), (-.infinity, "-Infinity"), (.nan, "NaN"), (-.nan, "NaN"),
    ] as [(Double, String)])
  func `doubles are spelled in one way`(_ value: Double, _ text: String) {
    #expect(AttributeValue.double(value).text == text)
  }

  @Test func `every double reads back from its text with the same bits`() {
    var state: UInt64 = 42
    for _ in 0..<20_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      // Whole bit patterns, and numbers of everyday size.
      for value in [Double(bitPattern: state), Double(Int64(bitPattern: state) >> 40) / 1000] where value.isFinite {
        let text = AttributeValue.double(value).text
        #expect(Double(text)?.bitPattern == value.bitPattern, "\(text) of the seed 42")
      }
    }
  }
}

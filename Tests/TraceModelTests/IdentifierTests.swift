import Testing
import TraceModel

@Suite struct IdentifierTests {
  @Test func `ids come back from their text, in either case`() {
    let trace = TraceID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
    #expect(trace.hex == "0123456789abcdeffedcba9876543210")
    #expect("\(trace)" == trace.hex)
    #expect(TraceID(hex: trace.hex) == trace)
    #expect(TraceID(hex: trace.hex.uppercased()) == trace)
    let span = SpanID(0x00ab_0000_0000_0001)
    #expect(span.hex == "00ab000000000001")
    #expect("\(span)" == span.hex)
    #expect(SpanID(hex: "00AB000000000001") == span)
  }

  @Test func `short texts of every length are extended with zeros on the left`() {
    let digits = "123456789abcdef0fedcba9876543210"
    for count in 1...32 {
      let text = String(digits.prefix(count))
      #expect(TraceID(hex: text)?.hex == String(repeating: "0", count: 32 - count) + text)
      if count <= 16 { #expect(SpanID(hex: text)?.hex == String(repeating: "0", count: 16 - count) + text) }
    }
  }

  @Test func `texts that are no id are refused`() {
    for text in ["", "g", "0x12", " 1", "1 ", "-1", "+1", "1234-5678", "é", "１"] {
      #expect(TraceID(hex: text) == nil, "\(text)")
      #expect(SpanID(hex: text) == nil, "\(text)")
    }
    #expect(SpanID(hex: String(repeating: "1", count: 17)) == nil)
    #expect(TraceID(hex: String(repeating: "1", count: 33)) == nil)
    // A wrong digit in either half.
    for place in 0..<32 {
      var digits = Array(repeating: Character("0"), count: 32)
      digits[place] = "x"
      #expect(TraceID(hex: String(digits)) == nil)
    }
  }

  @Test func `ids are ordered as their bytes`() {
    let ascending = [
      TraceID(high: 0, low: 0), TraceID(high: 0, low: .max), TraceID(high: 1, low: 0), TraceID(high: 1 << 63, low: 0),
    ]
    for (left, right) in zip(ascending, ascending.dropFirst()) {
      #expect(left < right && !(right < left))
      #expect(left.hex < right.hex)
    }
    #expect(!(ascending[0] < ascending[0]))
    #expect(SpanID(1) < SpanID(1 << 63))
  }

  @Test func `only the id without a bit is zero`() {
    #expect(TraceID(high: 0, low: 0).isZero && SpanID(0).isZero)
    #expect(!TraceID(high: 1, low: 0).isZero && !TraceID(high: 0, low: 1).isZero && !SpanID(1).isZero)
  }
}

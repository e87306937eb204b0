import Testing
import TraceModel

@Suite struct TimestampTests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-01T00:00:00.000000001Z", 1),
    ("2000-02-29T23:59:59.5Z", 951_868_799_500_000_000),
    ("2026-01-07T10:00:00.123456789Z", 1_767_780_000_123_456_789),
    ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
    ("2554-07-21T23:34:33.709551615Z", UInt64.max),
  ])
  func `the text is the shortest that loses nothing, and comes back`(_ text: String, _ nanoseconds: UInt64) {
    #expect(Timestamp(nanoseconds: nanoseconds).rfc3339 == text)
    #expect(Timestamp(text: text)?.nanoseconds == nanoseconds)
  }

  @Test func `every day of four hundred years has its own date, and comes back`() throws {
    var previous = ""
    for day in 0..<146_097 as Range<UInt64> {
      let timestamp = Timestamp(nanoseconds: day * 86_400_000_000_000)
      let text = timestamp.rfc3339
      try #require(Timestamp(text: text) == timestamp, "\(text)")
      try #require(previous < text)
      previous = text
    }
  }

  @Test func `one instant has many spellings`() {
    let instant = Timestamp(nanoseconds: 1_767_780_000_500_000_000)
    for text in [
      "2026-01-07T10:00:00.5Z", "2026-01-07t10:00:00.500z", "2026-01-07 10:00:00.500000000Z",
      "2026-01-07T12:30:00.5+02:30", "2026-01-06T23:00:00.5-11:00", "2026-01-07T09:59:60.5Z", "1767780000500000000",
    ] {
      #expect(Timestamp(text: text) == instant, "\(text)")
    }
  }

  @Test func `texts that are no instant are refused`() {
    for text in [
      "", "now", "2026-01-07", "2026-01-07T10:00:00", "2026-01-07T10:00Z", "2026-13-01T00:00:00Z",
      "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-00T00:00:00Z", "2025-02-29T00:00:00Z",
      "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-07T24:00:00Z", "2026-01-07T10:60:00Z",
      "2026-01-07T10:00:61Z", "2026-01-07T10:00:00.Z", "2026-01-07T10:00:00.1234567890Z", "2026-01-07T10:00:00ZZ",
      "2026-01-07T10:00:00+2", "2026-01-07T10:00:00+24:00", "2026-01-07T10:00:00+02:60", "2026-01-07T10:00:00+0200",
      "2026/01/07T10:00:00Z", "2026-01-07X10:00:00Z", "20é6-01-07T10:00:00Z", "1969-12-31T23:59:59Z",
      "1970-01-01T00:00:00+00:01", "2554-07-21T23:34:33.709551616Z", "9999-12-31T23:59:59Z", "18446744073709551616",
      "-1", "1.5",
    ] {
      #expect(Timestamp(text: text) == nil, "\(text)")
    }
  }

  @Test func `no text traps, however it is cut or spoiled`() {
    let text = Array("2026-01-07T10:00:00.123456789+02:30".utf8)
    for count in 0...text.count { _ = Timestamp(text: String(decoding: text[..<count], as: UTF8.self)) }
    for place in text.indices {
      for byte in UInt8.min...UInt8.max {
        var spoiled = text
        spoiled[place] = byte
        _ = Timestamp(text: String(decoding: spoiled, as: UTF8.self))
      }
    }
  }
}

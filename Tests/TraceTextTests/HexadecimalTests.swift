import Testing
import TraceText

@Suite struct `Hexadecimal text` {
  @Test func `numbers come back from their digits, in either case`() {
    for value: UInt64 in [0, 1, 9, 10, 0xabc_def0, 0x0123_4567_89ab_cdef, .max] {
      let text = Hexadecimal.text(value)
      #expect(text.utf8.count == 16)
      #expect(Hexadecimal.value(of: text.utf8) == value)
      #expect(Hexadecimal.value(of: text.uppercased().utf8) == value)
    }
    #expect(Hexadecimal.text(0xabcd_ef12, digitCount: 4) == "ef12")
    #expect(Hexadecimal.text(1, digitCount: 0) == "")
  }

  @Test func `every byte is a digit or refused`() {
    let digits = Array("0123456789abcdef".utf8)
    for byte in UInt8.min...UInt8.max {
      let lowered = (65...70).contains(byte) ? byte + 32 : byte
      #expect(Hexadecimal.value(byte) == digits.firstIndex(of: lowered).map { UInt8($0) })
      #expect(Hexadecimal.value(of: [49, byte]) == digits.firstIndex(of: lowered).map { UInt64(16 + $0) })
    }
  }

  @Test func `no digits and more than sixteen are no number`() {
    #expect(Hexadecimal.value(of: []) == nil)
    #expect(Hexadecimal.value(of: Array(repeating: 48, count: 17)) == nil)
  }
}

import Testing
import TraceBytes

@testable import TraceColumns

struct TextTokenizerTests {
  private func tokens(_ text: String) -> (template: [UInt8], slots: [UInt64])? {
    var tokenizer = TextTokenizer()
    let bytes = Array(text.utf8)
    guard bytes.withUnsafeBytes({ tokenizer.tokenize($0) }) else { return nil }
    return (tokenizer.template.array, Array(tokenizer.slots))
  }

  private func rendered(_ template: [UInt8], _ slots: [UInt64]) -> [UInt8] {
    template.withUnsafeBytes { template in
      var text = [UInt8](repeating: 0, count: TextTemplate.maximumRenderedByteCount(template) + 1)
      let byteCount = text.withUnsafeMutableBufferPointer { text in
        slots.withUnsafeBufferPointer { TextTemplate.render(template, slots: $0, into: text.baseAddress!) }
      }
      return Array(text[..<byteCount])
    }
  }

  @Test(
    arguments: [
      ("", [], []),
      ("GET", Array("GET".utf8), []),
      ("user 17", Array("user ".utf8) + [1], [17]),
      ("0", [1], [0]),
      ("10.0.255.1", [1, 0x2e, 1, 0x2e, 1, 0x2e, 1], [10, 0, 255, 1]),
      ("18446744073709551615", [1], [.max]),
      ("18446744073709551616", [2, 16, 2, 4], [0x1844_6744_0737_0955, 0x1616]),
      ("007", [4, 3], [7]),
      ("deadbee1", [2, 8], [0xdead_bee1]),
      ("deadbeef", Array("deadbeef".utf8), []),
      ("0a1b2c3d", [2, 8], [0x0a1b_2c3d]),
      ("7f9c", [1, 0x66, 1, 0x63], [7, 9]),
      ("4bf92f3577b34da6a3ce929d0e0e4736", [2, 16, 2, 16], [0x4bf9_2f35_77b3_4da6, 0xa3ce_929d_0e0e_4736]),
      ("123e4567-e89b-12d3-a456-426614174000", [3], [0x123e_4567_e89b_12d3, 0xa456_4266_1417_4000]),
      ("2026-11-05T09:03", [1, 0x2d, 1, 0x2d, 4, 2, 0x54, 4, 2, 0x3a, 4, 2], [2026, 11, 5, 9, 3]),
      ("DEADBEE1", Array("DEADBEE".utf8) + [1], [1]),
    ] as [(String, [UInt8], [UInt64])])
  func knownStringsCutAsDescribed(text: String, template: [UInt8], slots: [UInt64]) throws {
    let found = try #require(tokens(text))
    #expect(found.template == template)
    #expect(found.slots == slots)
    #expect(rendered(found.template, found.slots) == Array(text.utf8))
    #expect(template.withUnsafeBytes { TextTemplate.slotCount($0) } == slots.count)
  }

  @Test func bytesThatAreMarksHaveNoTemplate() {
    for byte in 0..<256 {
      var tokenizer = TextTokenizer()
      let accepted = [0x61, UInt8(byte), 0x62].withUnsafeBytes { tokenizer.tokenize($0) }
      #expect(accepted == !(1...4).contains(byte))
    }
    #expect(tokens(String(repeating: "x", count: 4097)) == nil)
    #expect(tokens(String(repeating: "x", count: 4096)) != nil)
  }

  @Test func everyShortStringOverAnAwkwardAlphabetComesBack() {
    let alphabet = Array("019afg-A".utf8)
    for length in 0...5 {
      var digits = [Int](repeating: 0, count: length)
      while true {
        let text = digits.map { alphabet[$0] }
        var tokenizer = TextTokenizer()
        #expect(text.withUnsafeBytes { tokenizer.tokenize($0) })
        if rendered(tokenizer.template.array, Array(tokenizer.slots)) != text { Issue.record("\(text)") }
        guard let place = digits.firstIndex(where: { $0 < alphabet.count - 1 }) else { break }
        for index in 0..<place { digits[index] = 0 }
        digits[place] += 1
      }
    }
  }

  @Test func longRandomStringsComeBack() {
    for seed in 0..<3000 {
      var random = SeededRandom(seed: UInt64(seed))
      let alphabet = Array((random.below(2) == 0 ? "0123456789abcdef-" : "0123456789").utf8)
      let text = (0..<random.below(80)).map { _ in alphabet[random.below(alphabet.count)] }
      var tokenizer = TextTokenizer()
      #expect(text.withUnsafeBytes { tokenizer.tokenize($0) })
      #expect(rendered(tokenizer.template.array, Array(tokenizer.slots)) == text, "seed \(seed)")
    }
  }
}

import Testing
import TraceText

@Suite struct `Base64 text` {
  @Test func `every length comes back, in both alphabets, padded or not`() {
    for count in 0..<40 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 250) }
      let text = Base64.text(bytes)
      let bare = text.filter { $0 != "=" }
      let other = String(bare.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
      #expect(text.utf8.count % 4 == 0)
      for spelling in [text, bare, other] { #expect(Base64.bytes(spelling) == bytes) }
    }
    #expect(Base64.text(Array("foob".utf8)) == "Zm9vYg==")
  }

  @Test func `what is no base64 is nil`() {
    for text in ["A", "AA=", "A===", "=", "====", "AB==", "AAB", "A A=", "Zm9v\n", "é"] {
      #expect(Base64.bytes(text) == nil, "\(text)")
    }
  }

  @Test func `only one spelling is canonical`() {
    for (spelling, isCanonical) in [
      ("", true), ("Zg==", true), ("Zg", false), ("Zm9v", true), ("+/8=", true), ("-_8=", false), ("Zh==", false),
    ] {
      #expect((Base64.canonicalBytes(spelling) != nil) == isCanonical, "\(spelling)")
    }
  }
}

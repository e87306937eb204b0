import Testing
import TracestoreTesting

@testable import TraceFilter

/// Answers, against a matcher that follows the definition and shares nothing with the engine.
struct TextPatternTests {
  private static let leaves: [SampleNode] = [
    .literal("a"), .literal("b"), .leaf(text: ".") { $0 != "\n" }, .leaf(text: "[^a]") { $0 != "a" },
  ]
  private static let quantifiers: [SampleNode.Quantifier] = [
    .init(text: "*", minimum: 0, maximum: nil), .init(text: "+", minimum: 1, maximum: nil),
    .init(text: "?", minimum: 0, maximum: 1), .init(text: "{2}", minimum: 2, maximum: 2),
    .init(text: "{2,}", minimum: 2, maximum: nil), .init(text: "{1,3}", minimum: 1, maximum: 3),
  ]

  /// All patterns of exactly `size` leaves and operators.
  private static func patterns(upTo size: Int) -> [[SampleNode]] {
    var bySize: [[SampleNode]] = [[], leaves + [.empty]]
    for size in 2...size {
      var nodes: [SampleNode] = []
      for body in bySize[size - 1] { nodes += quantifiers.map { .repetition(body, quantifier: $0) } }
      for left in 1..<(size - 1) {
        for first in bySize[left] {
          for second in bySize[size - 1 - left] { nodes += [.sequence(first, second), .choice(first, second)] }
        }
      }
      bySize.append(nodes)
    }
    return bySize
  }

  private static func texts(over alphabet: [String], upTo count: Int) -> [[UInt8]] {
    var all = [""]
    var last = [""]
    for _ in 0..<count {
      last = last.flatMap { text in alphabet.map { text + $0 } }
      all += last
    }
    return all.map { Array($0.utf8) }
  }

  @Test func everySmallPatternAnswersForEveryShortText() throws {
    let texts = Self.texts(over: ["a", "b", "\n", "é"], upTo: 3).map { SampleText<UInt64>($0) }
    for node in Self.patterns(upTo: 4).joined() { try check(node, texts) }
  }

  @Test func everySequenceOfThreePartsAnswersForEveryTextOfTwoLetters() throws {
    let texts = Self.texts(over: ["a", "b"], upTo: 4).map { SampleText<UInt64>($0) }
    let parts = Array(Self.patterns(upTo: 2).joined())
    for first in parts {
      for second in parts {
        for third in parts.prefix(3) { try check(.sequence(.sequence(first, second), third), texts) }
      }
    }
  }

  private func check(_ node: SampleNode, _ texts: [SampleText<UInt64>]) throws {
    let matcher = try TextPattern(node.text).makeMatcher()
    for text in texts {
      let answer = text.bytes.withUnsafeBytes { matcher.matches($0) }
      if answer != node.isFound(in: text) { Issue.record("`\(node.text)` in \(text.bytes) is said to be \(answer)") }
    }
  }

  // MARK: Chance

  private static let richLeaves: [SampleNode] =
    leaves + [
      .literal("c"), .literal("é"), .literal("€"), .literal("😀"), .literal("\u{10ffff}"),
      .leaf(text: "(?s:.)") { _ in true },
      .leaf(text: "[a-c]") { "a" <= $0 && $0 <= "c" },
      .leaf(text: "[b-😀]") { "b" <= $0 && $0 <= "😀" },
      .leaf(text: #"[^é\x{800}-\x{ffff}]"#) { $0 != "é" && !($0.value >= 0x800 && $0.value <= 0xffff) },
      .leaf(text: #"\w"#) {
        $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "_")
      },
      .leaf(text: #"\p{L}"#) { isLetter($0) },
      .leaf(text: #"\PL"#) { !isLetter($0) },
      .leaf(text: #"[^\n]"#) { $0 != "\n" },
      .leaf(text: #"\x{d7ff}"#) { $0.value == 0xd7ff },
    ]

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  private func randomNode(depth: Int, _ random: inout SeededRandom) -> SampleNode {
    if depth == 0 || random.below(8) == 0 { return Self.richLeaves[random.below(Self.richLeaves.count)] }
    switch random.below(7) {
    case 0, 1, 2: return .sequence(randomNode(depth: depth - 1, &random), randomNode(depth: depth - 1, &random))
    case 3, 4: return .choice(randomNode(depth: depth - 1, &random), randomNode(depth: depth - 1, &random))
    case 5:
      let quantifier = Self.quantifiers[random.below(Self.quantifiers.count)]
      return .repetition(randomNode(depth: depth - 1, &random), quantifier: quantifier)
    default:
      let minimum = random.below(3)
      let maximum = minimum + random.below(5)
      let quantifier = SampleNode.Quantifier(text: "{\(minimum),\(maximum)}", minimum: minimum, maximum: maximum)
      return .repetition(randomNode(depth: depth - 1, &random), quantifier: quantifier)
    }
  }

  private static let pieces = ["a", "b", "c", "ab", "\n", "é", "€", "😀", "\u{10ffff}", "_", "7", "Ж", "\u{d7ff}"]
    .map { Array($0.utf8) }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func randomPatternsAnswerForRandomTexts(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<150 {
      let node = randomNode(depth: 1 + random.below(5), &random)
      guard let pattern = try? TextPattern(node.text) else { continue }
      let matchers = [pattern.makeMatcher(), TextMatcher(pattern.plan, cacheByteCount: 0)]
      for _ in 0..<12 {
        var bytes: [UInt8] = []
        let byteCount = random.below(100)
        while bytes.count < byteCount { bytes += Self.pieces[random.below(Self.pieces.count)] }
        // What is not UTF-8 matches nothing and harms nothing.
        if random.below(3) == 0 {
          for _ in 0...random.below(4) where !bytes.isEmpty {
            bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
          }
        }
        let text = SampleText<UInt128>(bytes)
        let expected = node.isFound(in: text)
        for (index, matcher) in matchers.enumerated() {
          let answer = bytes.withUnsafeBytes { matcher.matches($0) }
          if answer != expected {
            Issue.record("seed \(seed), matcher \(index): `\(node.text)` in \(bytes) is said to be \(answer)")
          }
        }
      }
    }
  }

  @Test(arguments: [11, 12] as [UInt64])
  func literalsAreFoundWhereverTheyAre(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      let alphabetCount = 1 + random.below(4)
      let literal = (0...random.below(40)).map { _ in UInt8(0x61 + random.below(alphabetCount)) }
      var bytes = (0..<random.below(300)).map { _ in UInt8(0x61 + random.below(alphabetCount)) }
      if random.below(2) == 0 { bytes.insert(contentsOf: literal, at: random.below(bytes.count + 1)) }
      let isThere =
        bytes.count >= literal.count
        && (0...(bytes.count - literal.count)).contains { bytes[$0..<($0 + literal.count)].elementsEqual(literal) }
      let text = String(decoding: literal, as: UTF8.self)
      for pattern in [text, "(?:\(text)|\(text))", "\(text)x*", "[x-z]*\(text)"] {
        #expect(try TextPattern(pattern).matches(bytes) == isThere, "seed \(seed), \(pattern) in \(bytes)")
      }
      let pattern = "\(text)[^\n]"
      let isFollowed = isFollowed(literal, in: bytes)
      #expect(try TextPattern(pattern).matches(bytes) == isFollowed, "seed \(seed), \(pattern) in \(bytes)")
    }
  }

  private func isFollowed(_ literal: [UInt8], in bytes: [UInt8]) -> Bool {
    guard bytes.count > literal.count else { return false }
    return (0..<(bytes.count - literal.count)).contains { bytes[$0..<($0 + literal.count)].elementsEqual(literal) }
  }

  @Test func everyByteAloneAndEveryPairOfBytesIsReadAsUTF8() throws {
    let any = try TextPattern("(?s).").makeMatcher()
    let two = try TextPattern("(?s)x..y").makeMatcher()
    for first in 0...255 as ClosedRange<UInt8> {
      #expect([first].withUnsafeBytes { any.matches($0) } == (first < 0x80))
      for second in 0...255 as ClosedRange<UInt8> {
        let bytes = [first, second]
        let isText = first < 0x80 && second < 0x80
        if bytes.withUnsafeBytes({ any.matches($0) }) != !SampleText<UInt64>(bytes).scalars.isEmpty {
          Issue.record("\(bytes)")
        }
        let between = [0x78] + bytes + [0x79]
        if between.withUnsafeBytes({ two.matches($0) }) != isText { Issue.record("between: \(bytes)") }
      }
    }
  }

  @Test func longerEncodingsAreReadOnlyIfTheyAreTheShortest() throws {
    let any = try TextPattern("(?s).").makeMatcher()
    for lead in 0xc0...0xff as ClosedRange<UInt8> {
      for second in 0x7f...0xc1 as ClosedRange<UInt8> {
        for tail in [[0x80], [0xbf, 0x80]] as [[UInt8]] {
          let bytes = [lead, second] + tail
          let isText = !SampleText<UInt64>(bytes).scalars.isEmpty
          if bytes.withUnsafeBytes({ any.matches($0) }) != isText { Issue.record("\(bytes)") }
        }
      }
    }
  }

  @Test func anEmptyTextAndNoTextAreTheSame() throws {
    for (pattern, expected) in [("", true), ("a*", true), ("a", false), ("a|", true), ("[^a]", false)] {
      let matcher = try TextPattern(pattern).makeMatcher()
      #expect(matcher.matches(UnsafeRawBufferPointer(start: nil, count: 0)) == expected, "\(pattern)")
      #expect(try TextPattern(pattern).matches("") == expected, "\(pattern)")
    }
  }
}

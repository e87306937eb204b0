import Testing
import TracestoreTesting

@testable import TraceFilter

/// Steps are counted, not time: visits of the program, bytes that literals compared, states that were made.
struct LinearTimeTests {
  private func steps(_ pattern: String, _ text: [UInt8], cacheByteCount: Int = 1 << 21) throws -> (
    answer: Bool, visitCount: Int, clearCount: Int
  ) {
    let matcher = TextMatcher(try TextPattern(pattern).plan, cacheByteCount: cacheByteCount)
    let answer = text.withUnsafeBytes { matcher.matches($0) }
    let visitCount = (matcher.automaton?.visitCount ?? 0) + matcher.comparedByteCount
    return (answer, visitCount, matcher.automaton?.clearCount ?? 0)
  }

  private func repeated(_ text: String, _ count: Int) -> [UInt8] { Array(String(repeating: text, count: count).utf8) }

  @Test(arguments: [
    "c(a*)*b", "c(a|a)*b", "c(a|aa)+b", "c(a?){50}a{50}a*b", "c(a+a+)+b", "c([a-z]+)*b", "a(.*)(.*)(.*)(.*)b",
    "c(.|\\w)+[bd]",
  ])
  func whatIsExponentialElsewhereReadsALongTextOnce(pattern: String) throws {
    // The first `b` is there so that its absence does not decide.
    let short = try steps(pattern, Array("bc".utf8) + repeated("a", 1000))
    let long = try steps(pattern, Array("bc".utf8) + repeated("a", 1_000_000))
    #expect(!short.answer && !long.answer)
    // The states are made while the first bytes are read; what is left is one look into the cache a byte.
    #expect(short.visitCount > 0)
    #expect(long.visitCount <= short.visitCount + 1000)
    #expect(try steps(pattern, Array("bc".utf8) + repeated("a", 100_000) + Array("b".utf8)).answer)
  }

  @Test(arguments: [0, 1 << 14, 1 << 21])
  func aByteCostsAtMostTheProgramHoweverOftenTheCacheOverflows(cacheByteCount: Int) throws {
    // Which of the last bytes were `a` is a state: there are more than any cache has.
    let pattern = "a[ab]{40}c"
    let program = try #require(TextPattern(pattern).plan.program)
    var random = SeededRandom(seed: 5)
    let text = (0..<20_000).map { _ in UInt8(0x61 + random.below(2)) }
    let result = try steps(pattern, text, cacheByteCount: cacheByteCount)
    #expect(!result.answer)
    #expect(result.clearCount > 0)
    let size = program.stateCount + program.edges.count + program.jumpTargets.count
    #expect(result.visitCount <= text.count * size)

    let tail = [0x61] + (0..<40).map { _ in UInt8(0x61 + random.below(2)) } + [0x63]
    #expect(try steps(pattern, text + tail, cacheByteCount: cacheByteCount).answer)
  }

  @Test func aMatcherGoesOnAfterItsCacheOverflowed() throws {
    let pattern = try TextPattern("a[ab]{12}c")
    let matcher = TextMatcher(pattern.plan, cacheByteCount: 0)
    var random = SeededRandom(seed: 6)
    for round in 0..<2000 {
      var text = (0..<(20 + random.below(40))).map { _ in UInt8(0x61 + random.below(2)) }
      text[text.count - 1] = 0x63
      let expected = text[text.count - 14] == 0x61
      let answer = text.withUnsafeBytes { matcher.matches($0) }
      #expect(answer == expected, "seed 6, round \(round)")
    }
    #expect(try #require(matcher.automaton).clearCount > 10)
  }

  /// A few more states than the cache has, so that some live through many texts before they are forgotten.
  @Test(arguments: ["a[ab]{3}c", "a[ab]{2}c|b[ab]{3}d", "(a|bb){3}[cd]a", "b[ab]{2}[^a]{2}a"])
  func nothingOfAForgottenStateIsLeft(pattern: String) throws {
    let plan = try TextPattern(pattern).plan
    let matcher = TextMatcher(plan, cacheByteCount: 0)
    let other = TextMatcher(plan)
    var random = SeededRandom(seed: 7)
    for round in 0..<20_000 {
      let letterCount = round % 3 == 0 ? 4 : 2
      let text = (0..<(2 + random.below(14))).map { _ in UInt8(0x61 + random.below(letterCount)) } + [0x63, 0x61]
      let answer = text.withUnsafeBytes { matcher.matches($0) }
      let expected = text.withUnsafeBytes { other.matches($0) }
      if answer != expected { Issue.record("seed 7, round \(round): `\(pattern)` in \(text) is said to be \(answer)") }
    }
    #expect(try #require(matcher.automaton).clearCount > 10)
    #expect(try #require(other.automaton).clearCount == 0)
  }

  @Test func aLiteralThatAlmostStandsEverywhereIsGivenUp() throws {
    let half = String(repeating: "ab", count: 30)
    for literal in [half + "b" + half, half + half + half + half + "b" + half] {
      for pattern in [literal, literal + "[xy]", "[a-b]" + literal, "\(half)[xy]b"] {
        let text = repeated("ab", 100_000)
        let result = try steps(pattern, text)
        #expect(!result.answer)
        #expect(result.visitCount > 1000 && result.visitCount < 5 * text.count, "\(result.visitCount)")
      }
      #expect(try steps(literal, repeated("ab", 100_000) + Array(literal.utf8)).answer)
    }
  }

  @Test func candidatesEverywhereEndTheSkipping() throws {
    let text = repeated("ab1 ", 100_000)
    for pattern in ["ab[0-9]x", "[a-c][0-9]x", "[0-9]{3}-[0-9]{4}"] {
      let result = try steps(pattern, text)
      #expect(!result.answer)
      #expect(result.visitCount < 3 * text.count)
    }
  }

  @Test func countsAtTheEdgesOfAPatternMakeNoStates() throws {
    let program = try #require(TextPattern("[a-z]{1,1000}@[a-z]{3,1000}").plan.program)
    #expect(program.stateCount < 80)
    #expect(try TextPattern(".*error.*").plan.isLiteral)
    #expect(try TextPattern("(a|b*)x?").plan.program == nil)
  }
}

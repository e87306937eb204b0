/// A regular expression in the syntax of RE2 that is looked for anywhere in a text, in time linear in the text.
///
/// Stored text is UTF-8. Bytes that are not are no error: they match nothing, neither `.` nor a negated class.
///
/// Left out of RE2, each with an error of its own: what looks at the surroundings of a match (`^ $ \A \z \b \B`), what
/// only says which match is preferred (lazy quantifiers), case folding, single bytes (`\C`) and scripts (`\p{Greek}`).
/// Groups capture nothing: the answer is yes or no.
package struct TextPattern: Sendable {
  /// A parser and a compiler visit every byte of a pattern, and a pattern is held as long as its query. Longer ones
  /// cost the compiler more before `maximumProgramSize` stops it, and nothing else.
  package static let maximumByteCount = 4096
  /// How deep groups may nest. The walks over a parsed pattern call themselves once a level, on the stack of a worker.
  package static let maximumDepth = 100
  /// The largest count of a repetition, and the largest product of counts nested in each other. RE2's own limit.
  package static let maximumRepetitionCount = 1000
  /// The most states and edges that a pattern is compiled to. What a matcher remembers of one set of states grows with
  /// it, up to 4 KB, and so does the time for a byte that leads to a set not met before: one visit of all of them at
  /// most, some tens of microseconds. `x.{1000}y` fits, with `.` as 25 states and edges for each copy.
  package static let maximumProgramSize = 1 << 15

  let plan: PatternPlan

  package init(_ pattern: String) throws(PatternError) {
    plan = try PatternPlan(PatternParser.parse(pattern))
  }

  /// A matcher keeps what it learned of the pattern, so one for many texts is faster than one for each.
  package func makeMatcher() -> TextMatcher { TextMatcher(plan) }

  /// For a single text.
  package func matches(_ text: some StringProtocol) -> Bool { matches(Array(text.utf8)) }

  package func matches(_ text: [UInt8]) -> Bool { text.withUnsafeBytes { makeMatcher().matches($0) } }
}

/// Why a pattern is refused.
package struct PatternError: Error, Equatable, CustomStringConvertible {
  /// The first byte of what is refused, from the beginning of the pattern.
  package var offset: Int
  package var reason: String

  package var description: String { "the pattern is refused at byte \(offset): \(reason)" }
}

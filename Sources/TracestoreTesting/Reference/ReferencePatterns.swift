import TraceModel

/// The patterns of one filter as `Regex`es of the standard library, set to what RE2 means: scalars instead of
/// graphemes, ASCII classes.
final class ReferencePatterns {
  private var regexes: [[UInt8]: Regex<AnyRegexOutput>] = [:]

  func add(_ pattern: String) throws {
    guard let regex = try? Regex(pattern) else {
      throw TracestoreError(.invalidArgument, "The pattern \"\(pattern)\" can't be read; correct it.")
    }
    regexes[Array(pattern.utf8)] = regex.matchingSemantics(.unicodeScalar).asciiOnlyCharacterClasses()
  }

  /// Whether the pattern occurs somewhere in the text.
  func occurs(_ pattern: String, _ text: String) -> Bool {
    guard let regex = regexes[Array(pattern.utf8)] else { return false }
    return (try? regex.firstMatch(in: text)) != nil
  }
}

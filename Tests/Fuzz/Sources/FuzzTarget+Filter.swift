import TracestoreV2

@testable import TraceFilter

extension FuzzTarget {
  /// A pattern, a zero byte, and the text it is looked for in. The time and memory of a pattern are what the flags of
  /// libFuzzer allow.
  func pattern(_ bytes: [UInt8]) throws {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return }
    let source = String(decoding: parts[0], as: UTF8.self)
    let pattern: TextPattern
    do throws(PatternError) {
      pattern = try TextPattern(source)
    } catch {
      precondition(error.offset <= source.utf8.count, "an error behind the end of the pattern")
      return
    }
    let text = Array(parts[1].prefix(4096))
    let isFound = pattern.matches(text)
    // A cache that is always full changes no answer, nor does a matcher that has seen the text before.
    let matcher = TextMatcher(pattern.plan, cacheByteCount: 0)
    for _ in 0..<2 {
      precondition(text.withUnsafeBytes { matcher.matches($0) } == isFound, "the answer depends on the cache")
    }
    // A match is a match wherever it stands.
    if isFound { precondition(pattern.matches([0x7a] + text + [0x7a]), "a longer text has lost a match") }
  }

  /// The readable form of a filter: what is understood prints as a text that is the same tree.
  func filterText(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    let filter: FilterExpression
    do throws(FilterTextError) {
      filter = try FilterExpression(text: text)
    } catch {
      precondition(error.offset <= text.utf8.count, "an error behind the end of the filter")
      _ = error.rendered(in: text)
      return
    }
    precondition((try? FilterExpression(text: filter.text)) == filter, "a printed filter is another one")
    _ = try filter.predicate()
  }

  /// The wire's form.
  func filterJSON(_ bytes: [UInt8]) throws {
    let filter = try FilterExpression(json: bytes)
    precondition((try? FilterExpression(json: filter.json)) == filter, "a written filter is another one")
    _ = try filter.predicate()
  }
}

import Testing
import TraceModel
import TracestoreV2

@testable import TraceFilter

typealias Filter = FilterExpression

/// What refuses a filter, as message; nil when nothing does.
func refusal(of filter: Filter, checkPattern: (String) throws -> Void = { _ in }) -> TracestoreError? {
  do {
    _ = try filter.finalized(checkingPatterns: checkPattern)
    return nil
  } catch {
    return error as? TracestoreError ?? TracestoreError(.corrupt, "another error: \(error)")
  }
}

func finalized(_ filter: Filter) throws -> Filter { try filter.finalized(checkingPatterns: { _ in }) }

/// A filter whose calls nest so deep.
func nested(_ depth: Int) -> Filter {
  var filter = Filter.call(.exists, .attribute("a"))
  for _ in 1..<max(1, depth) { filter = .call(.not, filter) }
  return filter
}

let anyCall = Filter.call(.exists, .attribute("a"))
let duration = Filter.field(.span, "duration")
let events = Filter.nested(NestedReference(.event))
let links = Filter.nested(NestedReference(.link))

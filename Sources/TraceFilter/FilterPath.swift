import TraceModel

/// The place of a node in a filter, as messages name it: `filter.args[1].args[0]`.
struct FilterPath {
  static let root = FilterPath(text: "filter")

  let text: String

  func argument(_ index: Int) -> FilterPath { FilterPath(text: "\(text).args[\(index)]") }

  /// An element of a list.
  func value(_ index: Int) -> FilterPath { FilterPath(text: "\(text).values[\(index)]") }

  func refusal(_ message: String, _ code: TracestoreError.Code = .invalidArgument) -> TracestoreError {
    TracestoreError(code, "\(text): \(message)")
  }

  /// What is said of a call that stands too deep.
  var tooDeep: TracestoreError {
    refusal("Calls are nested deeper than 20 levels; join conditions in one `and` or `or` instead of nesting them.")
  }
}

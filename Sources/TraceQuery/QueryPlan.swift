import Synchronization
import TraceColumns
import TraceSource

/// A predicate that counts how many rows go into each of its parts and how many come out.
final class QueryPlan: Sendable {
  private struct Counts {
    var rowsIn = 0
    var rowsOut = 0
  }

  private let predicate: SpanPredicate
  private let label: String
  private let parts: [QueryPlan]
  private let counts = Mutex(Counts())

  init(_ predicate: SpanPredicate) {
    self.predicate = predicate
    switch predicate {
    case .leaf(let leaf):
      label = leaf.label
      parts = []
    case .all(let predicates):
      label = predicates.isEmpty ? "everything" : "all of"
      parts = predicates.map { QueryPlan($0) }
    case .any(let predicates):
      label = predicates.isEmpty ? "nothing" : "any of"
      parts = predicates.map { QueryPlan($0) }
    case .not(let part):
      label = "not"
      parts = [QueryPlan(part)]
    }
  }

  /// As `SpanPredicate.filter`.
  func filter(_ mask: inout RowMask, in stripe: any SpanStripe) throws {
    let rowsIn = mask.setCount
    try predicate.filter(&mask, in: stripe) { _, index, mask in try parts[index].filter(&mask, in: stripe) }
    let rowsOut = mask.setCount
    counts.withLock {
      $0.rowsIn += rowsIn
      $0.rowsOut += rowsOut
    }
  }

  /// A line for each part, in the order in which they are decided.
  var lines: [String] {
    // One part under a boolean operator says what the operator says.
    if case .all = predicate, parts.count == 1 { return parts[0].lines }
    if case .any = predicate, parts.count == 1 { return parts[0].lines }
    let counts = counts.withLock { $0 }
    return ["\(label): \(counts.rowsIn) rows, \(counts.rowsOut) pass"] + parts.flatMap { $0.lines.map { "  " + $0 } }
  }
}

extension SpanLeaf {
  /// What the leaf looks at.
  fileprivate var label: String {
    switch self {
    case .text(let text, let test): "\(text.rawValue), \(test.label)"
    case .kind: "kind"
    case .statusCode: "status"
    case .start: "start"
    case .end: "end"
    case .duration: "duration"
    case .traceID: "trace id"
    case .spanID: "span id"
    case .parent: "parent"
    case .attribute(let level, let key, _): "attribute \(level) \(String(decoding: key, as: UTF8.self))"
    case .some(let level, _): "some \(level)"
    case .record: "compared span by span"
    }
  }
}

extension TextTest {
  fileprivate var label: String {
    switch self {
    case .oneOf(let texts): texts.count == 1 ? "equal to a text" : "one of \(texts.count) texts"
    case .notEmpty: "not empty"
    case .all: "any"
    case .condition: "a condition on texts"
    }
  }
}

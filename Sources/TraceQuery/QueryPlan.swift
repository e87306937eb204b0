import TraceColumns
import TraceSource

/// A predicate whose parts are numbered, so that a report can count how many rows go into each and how many come out.
struct QueryPlan: Sendable {
  private let predicate: SpanPredicate
  private let label: String
  /// Its place in the counts of a report.
  private let number: Int
  private let parts: [QueryPlan]

  init(_ predicate: SpanPredicate) {
    var count = 0
    self.init(predicate, &count)
  }

  private init(_ predicate: SpanPredicate, _ count: inout Int) {
    self.predicate = predicate
    number = count
    count += 1
    let inner: [SpanPredicate]
    switch predicate {
    case .leaf(let leaf): (label, inner) = (leaf.label, [])
    case .all(let predicates): (label, inner) = (predicates.isEmpty ? "everything" : "all of", predicates)
    case .any(let predicates): (label, inner) = (predicates.isEmpty ? "nothing" : "any of", predicates)
    case .not(let part): (label, inner) = ("not", [part])
    }
    var parts: [QueryPlan] = []
    for part in inner { parts.append(QueryPlan(part, &count)) }
    self.parts = parts
  }

  /// As `SpanPredicate.filter`.
  func filter(_ mask: inout RowMask, in stripe: any SpanStripe, _ report: inout SearchReport) throws {
    let rowsIn = mask.setCount
    try predicate.filter(&mask, in: stripe) { _, index, mask in
      try parts[index].filter(&mask, in: stripe, &report)
    }
    report.count(number, rowsIn: rowsIn, rowsOut: mask.setCount)
  }

  /// A line for each part, in the order in which they are decided.
  func lines(_ report: SearchReport) -> [String] {
    // One part under a boolean operator says what the operator says.
    if case .all = predicate, parts.count == 1 { return parts[0].lines(report) }
    if case .any = predicate, parts.count == 1 { return parts[0].lines(report) }
    let counts = report.counts(number)
    return ["\(label): \(counts.rowsIn) rows, \(counts.rowsOut) pass"]
      + parts.flatMap { $0.lines(report).map { "  " + $0 } }
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
    case .list(let list): list.count == 1 ? "equal to a text" : "one of \(list.count) texts"
    case .notEmpty: "not empty"
    case .all: "any"
    case .condition: "a condition on texts"
    }
  }
}

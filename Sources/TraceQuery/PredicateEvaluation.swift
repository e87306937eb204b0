import TraceColumns
import TraceSource

extension SpanPredicate {
  /// False when no row of the stripe can pass, decided without reading it.
  func mayMatch(_ stripe: any SpanStripe) throws -> Bool {
    switch self {
    case .leaf(let leaf): try stripe.mayMatch(leaf)
    case .all(let parts): try parts.allSatisfy { try $0.mayMatch(stripe) }
    case .any(let parts): try parts.contains { try $0.mayMatch(stripe) }
    case .not: true
    }
  }

  /// Clears the rows that do not pass.
  func filter(_ mask: inout RowMask, in stripe: any SpanStripe) throws {
    switch self {
    case .leaf(let leaf):
      try stripe.filter(&mask, by: leaf)
    case .all(let parts):
      for part in parts {
        if mask.isEmpty { return }
        try part.filter(&mask, in: stripe)
      }
    case .any(let parts):
      var passed = RowMask(count: mask.count)
      var open = mask
      for part in parts {
        if open.isEmpty { break }
        var own = open
        try part.filter(&own, in: stripe)
        passed.formUnion(own)
        open.subtract(own)
      }
      mask = passed
    case .not(let part):
      var passed = mask
      try part.filter(&passed, in: stripe)
      mask.subtract(passed)
    }
  }
}

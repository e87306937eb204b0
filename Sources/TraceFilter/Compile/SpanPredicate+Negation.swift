import TraceSource

extension SpanPredicate {
  /// What passes where this does not. `not` stands as deep as it can, and ranges and texts of runs have a complement:
  /// bounds and presence rule out stripes and runs for that as well.
  var negated: SpanPredicate {
    switch self {
    case .all(let parts): .any(parts.map(\.negated))
    case .any(let parts): .all(parts.map(\.negated).sorted { $0.cost < $1.cost })
    case .not(let part): part
    case .leaf(let leaf): leaf.complement ?? .not(self)
    }
  }
}

extension SpanLeaf {
  /// Nil where a mask has to be turned round.
  fileprivate var complement: SpanPredicate? {
    switch self {
    case .start(let range): .any(range.complement.map { .leaf(.start($0)) })
    case .end(let range): .any(range.complement.map { .leaf(.end($0)) })
    case .duration(let range): .any(range.complement.map { .leaf(.duration($0)) })
    case .text(.service, let test): .leaf(.text(.service, test.complement))
    case .text(.name, let test): .leaf(.text(.name, test.complement))
    default: nil
    }
  }
}

extension ClosedRange<UInt64> {
  /// Up to two ranges of everything else.
  fileprivate var complement: [ClosedRange<UInt64>] {
    var ranges: [ClosedRange<UInt64>] = []
    if lowerBound > 0 { ranges.append(0...lowerBound - 1) }
    if upperBound < .max { ranges.append(upperBound + 1...UInt64.max) }
    return ranges
  }
}

extension TextTest {
  fileprivate var complement: TextTest {
    switch self {
    case .all: .none
    case .notEmpty: .equal([])
    case .list, .condition:
      .condition(
        TextCondition("not \(name)") { [self] in
          let decide = makeDecision()
          return { !decide($0) }
        })
    }
  }
}

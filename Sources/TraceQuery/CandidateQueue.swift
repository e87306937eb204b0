import TraceModel
import TraceSource
import TracestoreV2

/// The stripes that may hold a match, best bound first. Sources are asked for theirs only when no better stripe is left:
/// a search that ends early never looks at the indexes of older segments.
struct CandidateQueue {
  private let search: TraceSearch
  /// By bound, the best last.
  private var sources: [(rank: UInt64, source: any SpanSource)]
  private var stripes: [(rank: UInt64, stripe: any SpanStripe)] = []

  init(_ search: TraceSearch) {
    self.search = search
    sources = search.snapshot.sources.map { (search.bestRank($0.bounds), $0) }.sorted { $0.rank < $1.rank }
  }

  /// - Parameter bound: stripes whose best rank is below it are of no use.
  mutating func next(
    notBelow bound: UInt64?, _ report: inout SearchReport, _ damage: inout DamageReport
  ) -> (any SpanStripe)? {
    while let best = sources.last, best.rank >= stripes.last?.rank ?? 0 {
      if let bound, best.rank < bound { break }
      sources.removeLast()
      let found = search.candidates(of: best.source, &report, &damage)
      if found.isEmpty { continue }
      stripes += found.map { (search.bestRank($0.bounds), $0) }
      stripes.sort { $0.rank < $1.rank }
    }
    guard let best = stripes.last, best.rank >= bound ?? 0 else { return nil }
    stripes.removeLast()
    return best.stripe
  }
}

extension TraceSearch {
  /// The stripes of a source that may hold a match. One that lies above the cursor as a whole has only matches of traces
  /// that were shown before or must be passed over.
  func candidates(
    of source: any SpanSource, _ report: inout SearchReport, _ damage: inout DamageReport
  ) -> [any SpanStripe] {
    func isAbove(_ bounds: StripeBounds) -> Bool {
      guard let cursor, query.order != .traceID else { return false }
      return worstRank(bounds) > cursor.rank
    }
    var stripes: [any SpanStripe]
    if let trace = predicate.onlyTrace {
      stripes = damage.collect { try source.rows(of: trace).map(\.stripe) } ?? source.stripes
      stripes.removeAll { isAbove($0.bounds) }
    } else {
      let candidates = damage.collect {
        try source.candidates(predicate, needing: neededTexts, where: { !isAbove($0) })
      }
      guard let candidates else {
        // A stripe whose index is damaged is read anyway: the index can only spare work.
        let all = source.stripes
        stripes = all.filter { !isAbove($0.bounds) }
        report.consider(stripes, of: all.count)
        return stripes
      }
      stripes = candidates
    }
    report.consider(stripes, of: query.options.isExplained ? source.stripeCount : 0)
    return stripes
  }
}

extension SpanPredicate {
  /// The trace without which nothing passes, if the predicate names one.
  fileprivate var onlyTrace: TraceID? {
    switch self {
    case .leaf(.traceID(let id)): id
    case .all(let parts): parts.lazy.compactMap(\.onlyTrace).first
    case .any(let parts) where parts.count == 1: parts[0].onlyTrace
    default: nil
    }
  }
}

import TraceColumns
import TraceFilter
package import TraceModel
package import TraceSource
package import TracestoreV2

/// Finds the first `limit` traces of a query in its order. Newest and slowest first are a walk over stripes, best bound
/// first, that ends as soon as no unread stripe can hold a better trace than those found.
package struct TraceSearch: Sendable {
  let query: TraceQuery
  let predicate: SpanPredicate
  /// Of the predicate: every segment is asked for them.
  let neededTexts: NeededTexts
  let snapshot: QuerySnapshot
  let cursor: PageCursor?
  /// Says what the predicate does, when the query asks for an explanation.
  private let plan: QueryPlan?

  /// - Throws: `invalidArgument` for a query outside its bounds, a filter that breaks a rule or a bad page token,
  ///   `unsupported` for an unknown order.
  package init(_ query: TraceQuery, in snapshot: QuerySnapshot) throws {
    try self.init(query, .traces, in: snapshot)
  }

  init(_ query: TraceQuery, _ listing: Listing, in snapshot: QuerySnapshot) throws {
    try query.validate()
    guard [.newest, .slowest, .traceID].contains(query.order) else {
      throw TracestoreError.unsupported("the order \"\(query.order.rawValue)\"")
    }
    self.query = query
    self.snapshot = snapshot
    // A filter stands beside the times alone.
    predicate = try SpanPredicate(query).and(query.filter?.predicate())
    neededTexts = predicate.neededTexts
    plan = query.options.isExplained ? QueryPlan(predicate) : nil
    cursor = try query.pageToken.map {
      try PageCursor(token: $0, query, listing, storeFingerprint: snapshot.storeFingerprint)
    }
  }

  /// One more than the limit, which tells whether there are more.
  var wanted: Int { query.limit == .max ? .max : query.limit + 1 }

  /// What a search found.
  package struct Page: Sendable {
    package var traces: [TraceID]
    /// A matching row of each, as far as the search came by one.
    package var rows: [TraceID: FoundRow] = [:]
    /// In the order of ids: for each trace where in the store it was found. Traces of one place stand in one stripe.
    package var places: [Int] = []
    package var summary: ResultSummary
  }

  package func run() throws -> Page {
    query.order == .traceID ? try firstByTraceID() : try best()
  }

  /// The best row of a trace so far.
  private struct Best {
    var rank: UInt64
    var row: FoundRow
  }

  private func best() throws -> Page {
    var damage = DamageReport()
    var report = SearchReport()
    var best: [TraceID: Best] = [:]
    var verified: [TraceID: Bool] = [:]
    var ranked: [PageCursor] = []

    var candidates = CandidateQueue(self)
    // Ties are ordered by trace id, so a stripe whose bound equals the worst rank may still matter.
    while let stripe = candidates.next(
      notBelow: ranked.count >= wanted ? ranked.last?.rank : nil, &report, &damage)
    {
      report.scan(stripe)
      var isImproved = false
      // Once enough traces are known, rows below the worst of them need no place in the table.
      let floor = ranked.count >= wanted ? ranked.last : nil
      damage.salvage(0..<stripe.rowCount, atLeast: Self.salvagedRowCount) { rows in
        var counted = report
        let mask = try matches(rows, in: stripe, &counted)
        var taken: Set<TraceID> = []
        var lastRank: UInt64 = 0
        try forEachBest(mask, in: stripe, floor, isEnough: { cursor == nil && taken.count >= wanted }) { match in
          // Rows come best first, so that the first of a trace is its best, and what follows the worst place that
          // counts is not looked at. With a cursor a taken trace may still be passed over, so that only the floor ends.
          let rank = match.rank
          if let floor, rank < floor.rank { return false }
          if cursor == nil, taken.count >= wanted, rank < lastRank { return false }
          let place = PageCursor(rank: rank, trace: match.trace)
          if let cursor, place <= cursor { return true }
          if let floor, floor < place { return true }
          guard taken.insert(match.trace).inserted else { return true }
          lastRank = rank
          if best[match.trace].map({ $0.rank < rank }) ?? true {
            best[match.trace] = Best(rank: rank, row: FoundRow(stripe: stripe, row: match.row))
            isImproved = true
          }
          return true
        }
        report = counted
      }
      if isImproved { ranked = top(&best, count: wanted, &verified, &damage) }
    }

    var page = try page(ranked.map(\.trace), lastRank: { ranked[$0].rank }, report, damage)
    for trace in page.traces { page.rows[trace] = best[trace]?.row }
    return page
  }

  /// - Parameter found: The traces in order; one more than the limit when there are more.
  func page(
    _ found: [TraceID], lastRank: (Int) -> UInt64, _ report: SearchReport, _ damage: DamageReport
  ) throws -> Page {
    var page = Page(traces: found, summary: ResultSummary(damage: damage.messages))
    if found.count > query.limit {
      page.traces.removeLast(found.count - query.limit)
      let last = PageCursor(rank: lastRank(query.limit - 1), trace: found[query.limit - 1])
      page.summary.isTruncated = true
      page.summary.continuation = try last.token(query, .traces, storeFingerprint: snapshot.storeFingerprint)
    }
    page.summary.explanation = explanation(report)
    return page
  }

  /// Nil when none was asked for.
  func explanation(_ report: SearchReport) -> String? {
    plan.map { plan in (report.lines(snapshot.sources) + plan.lines(report)).joined(separator: "\n") }
  }

  /// Rows that are given up together when a page is damaged: those of a page.
  static let salvagedRowCount = 1 << 10

  /// The rows of a range that satisfy the query.
  func matches(
    _ rows: Range<Int>, in stripe: any SpanStripe, _ report: inout SearchReport
  ) throws -> RowMask {
    var mask = RowMask(count: stripe.rowCount)
    mask.set(rows)
    if let plan {
      try plan.filter(&mask, in: stripe, &report)
    } else {
      try predicate.filter(&mask, in: stripe)
    }
    report.matchedRowCount += mask.setCount
    return mask
  }

  /// The best `count` places in order. What cannot be among them any more leaves `best`.
  private func top(
    _ best: inout [TraceID: Best], count: Int, _ verified: inout [TraceID: Bool], _ damage: inout DamageReport
  ) -> [PageCursor] {
    var ranked: [PageCursor] = []
    for place in best.map({ PageCursor(rank: $0.value.rank, trace: $0.key) }).sorted() {
      if ranked.count == count {
        best[place.trace] = nil
        continue
      }
      if cursor != nil {
        let isBelow = verified[place.trace] ?? isBelowCursor(place.trace, &damage)
        verified[place.trace] = isBelow
        if !isBelow { continue }
      }
      ranked.append(place)
    }
    return ranked
  }

  /// True when the trace has no match at or above the cursor: one that gained a newer match is passed over, never
  /// repeated.
  private func isBelowCursor(_ trace: TraceID, _ damage: inout DamageReport) -> Bool {
    guard let cursor else { return true }
    var isBelow = true
    for source in snapshot.sources {
      for located in damage.collect({ try source.rows(of: trace) }) ?? [] {
        damage.salvage(located) { located in
          var mask = RowMask(count: located.stripe.rowCount)
          for row in located.rows { mask.set(row) }
          try predicate.filter(&mask, in: located.stripe)
          try located.stripe.forEachMatch(mask) { match in
            if PageCursor(rank: rank(match), trace: trace) <= cursor { isBelow = false }
          }
        }
      }
    }
    return isBelow
  }
}

extension SpanPredicate {
  fileprivate func and(_ other: SpanPredicate?) -> SpanPredicate {
    guard let other else { return self }
    func parts(_ predicate: SpanPredicate) -> [SpanPredicate] {
      if case .all(let parts) = predicate { parts } else { [predicate] }
    }
    return .all(parts(self) + parts(other))
  }
}

import TraceColumns
package import TraceModel
import TraceSource
package import TracestoreV2

/// Finds the first `limit` traces of a query in its order. Newest and slowest first are a walk over stripes, best bound
/// first, that ends as soon as no unread stripe can hold a better trace than those found.
package struct TraceSearch: Sendable {
  let query: TraceQuery
  let predicate: SpanPredicate
  let snapshot: QuerySnapshot
  let cursor: PageCursor?

  /// - Throws: `invalidArgument` for a query outside its bounds or a bad page token, `unsupported` for what searches
  ///   do not serve yet.
  package init(_ query: TraceQuery, in snapshot: QuerySnapshot) throws {
    try query.validate()
    guard query.filter == nil else { throw TracestoreError.unsupported("structured filters") }
    guard [.newest, .slowest, .traceID].contains(query.order) else {
      throw TracestoreError.unsupported("the order \"\(query.order.rawValue)\"")
    }
    self.query = query
    self.snapshot = snapshot
    predicate = SpanPredicate(query)
    cursor = try query.pageToken.map {
      try PageCursor(token: $0, query, storeFingerprint: snapshot.storeFingerprint)
    }
  }

  /// One more than the limit, which tells whether there are more.
  var wanted: Int { query.limit == .max ? .max : query.limit + 1 }

  /// What a search found.
  package struct Page: Sendable {
    package var traces: [TraceID]
    package var summary: ResultSummary
  }

  package func run() throws -> Page {
    query.order == .traceID ? try firstByTraceID() : try best()
  }

  private func best() throws -> Page {
    var damage = DamageReport()
    var report = SearchReport()
    var best: [TraceID: UInt64] = [:]
    var verified: [TraceID: Bool] = [:]
    var ranked: [PageCursor] = []

    for stripe in try candidates(&report, &damage) {
      // Ties are ordered by trace id, so a stripe whose bound equals the worst rank may still matter.
      if ranked.count >= wanted, let last = ranked.last, bestRank(stripe) < last.rank { break }
      report.scannedStripeCount += 1
      report.scannedRowCount += stripe.rowCount
      var isImproved = false
      // Once enough traces are known, rows below the worst of them need no place in the table.
      let floor = ranked.count >= wanted ? ranked.last : nil
      damage.salvage(0..<stripe.rowCount, atLeast: Self.salvagedRowCount) { rows in
        let mask = try matches(rows, in: stripe)
        report.matchedRowCount += mask.setCount
        var taken: Set<TraceID> = []
        var lastRank: UInt64 = 0
        try forEachBest(mask, in: stripe, floor, isEnough: { cursor == nil && taken.count >= wanted }) { match in
          // Rows come best first, so that the first of a trace is its best, and what follows the worst place that
          // counts is not looked at. With a cursor a taken trace may still be passed over, so that only the floor ends.
          let rank = rank(match)
          if let floor, rank < floor.rank { return false }
          if cursor == nil, taken.count >= wanted, rank < lastRank { return false }
          let place = PageCursor(rank: rank, trace: match.trace)
          if let cursor, place <= cursor { return true }
          if let floor, floor < place { return true }
          guard taken.insert(match.trace).inserted else { return true }
          lastRank = rank
          if best[match.trace].map({ $0 < rank }) ?? true {
            best[match.trace] = rank
            isImproved = true
          }
          return true
        }
      }
      if isImproved { ranked = top(&best, count: wanted, &verified, &damage) }
    }

    return page(ranked.map(\.trace), lastRank: { ranked[$0].rank }, report, damage)
  }

  /// - Parameter found: The traces in order; one more than the limit when there are more.
  func page(
    _ found: [TraceID], lastRank: (Int) -> UInt64, _ report: SearchReport, _ damage: DamageReport
  ) -> Page {
    var page = Page(traces: found, summary: ResultSummary(damage: damage.messages))
    if found.count > query.limit {
      page.traces.removeLast(found.count - query.limit)
      let last = PageCursor(rank: lastRank(query.limit - 1), trace: found[query.limit - 1])
      page.summary.isTruncated = true
      page.summary.continuation = last.token(query, storeFingerprint: snapshot.storeFingerprint)
    }
    if query.options.isExplained { page.summary.explanation = report.description }
    return page
  }

  /// Rows that are given up together when a page is damaged: those of a page.
  static let salvagedRowCount = 1 << 10

  /// The rows of a range that satisfy the query.
  func matches(_ rows: Range<Int>, in stripe: any SpanStripe) throws -> RowMask {
    var mask = RowMask(count: stripe.rowCount)
    mask.set(rows)
    try predicate.filter(&mask, in: stripe)
    return mask
  }

  /// The stripes that may hold a match, best bound first. A stripe that lies above the cursor as a whole has only
  /// matches of traces that were shown before or must be passed over.
  private func candidates(_ report: inout SearchReport, _ damage: inout DamageReport) throws -> [any SpanStripe] {
    var stripes: [any SpanStripe] = []
    for source in snapshot.sources {
      for stripe in source.stripes {
        report.stripeCount += 1
        if let cursor, worstRank(stripe) > cursor.rank { continue }
        // A stripe whose index is damaged is read anyway: the index can only spare work.
        if damage.collect({ try predicate.mayMatch(stripe) }) ?? true { stripes.append(stripe) }
      }
    }
    return stripes.sorted { bestRank($0) > bestRank($1) }
  }

  /// The best `count` places in order. What cannot be among them any more leaves `best`.
  private func top(
    _ best: inout [TraceID: UInt64], count: Int, _ verified: inout [TraceID: Bool], _ damage: inout DamageReport
  ) -> [PageCursor] {
    var ranked: [PageCursor] = []
    for place in best.map({ PageCursor(rank: $0.value, trace: $0.key) }).sorted() {
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

/// What a search looked at, for people.
struct SearchReport: CustomStringConvertible {
  var stripeCount = 0
  var scannedStripeCount = 0
  var scannedRowCount = 0
  var matchedRowCount = 0

  var description: String {
    "\(stripeCount) stripes, \(scannedStripeCount) scanned, \(scannedRowCount) rows scanned, "
      + "\(matchedRowCount) rows matched"
  }
}

import TraceColumns
import TraceModel
import TraceSource
import TracestoreV2

extension TraceSearch {
  /// Room for ids between two sortings, when the limit asks for less.
  private static let minimumBatchCount = 1 << 16

  /// The first `limit` traces by ascending id. Every stripe that may hold a match is scanned: ids say nothing about
  /// time. Memory is bounded by twice the limit, and by twice the matching traces.
  func firstByTraceID() throws -> Page {
    var damage = DamageReport()
    var report = SearchReport()
    var found: [TraceID] = []
    /// Distinct and ascending at last.
    var sortedCount = 0

    func sort() {
      found.sort()
      var kept = 0
      for trace in found where kept == 0 || found[kept - 1] != trace {
        found[kept] = trace
        kept += 1
      }
      found.removeLast(found.count - min(kept, wanted))
      sortedCount = found.count
    }

    for source in snapshot.sources {
      for stripe in candidates(of: source, &report, &damage) {
        report.scan(stripe)
        let ceiling = sortedCount == wanted ? found[sortedCount - 1] : nil
        damage.salvage(0..<stripe.rowCount, atLeast: Self.salvagedRowCount) { rows in
          var counted = report
          let mask = try matches(rows, in: stripe, &counted)
          try stripe.forEachMatch(mask) { match in
            if let cursor, match.trace <= cursor.trace { return }
            if let ceiling, match.trace > ceiling { return }
            found.append(match.trace)
          }
          report = counted
        }
        if found.count - sortedCount > max(sortedCount, Self.minimumBatchCount) { sort() }
      }
    }
    sort()
    return try page(found, lastRank: { _ in 0 }, report, damage)
  }
}

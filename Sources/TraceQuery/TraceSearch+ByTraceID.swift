import TraceColumns
import TraceModel
import TraceSource
import TracestoreV2

/// A trace with the place of a stripe that it has a match in, among those that were scanned.
private struct PlacedTrace {
  var trace: TraceID
  var place: Int
}

extension TraceSearch {
  /// Room for ids between two sortings, when the limit asks for less.
  private static let minimumBatchCount = 1 << 16

  /// The first `limit` traces by ascending id. Every stripe that may hold a match is scanned: ids say nothing about
  /// time. Memory is bounded by twice the limit, and by twice the matching traces.
  func firstByTraceID() throws -> Page {
    var damage = DamageReport()
    var report = SearchReport()
    var found: [PlacedTrace] = []
    var stripeCount = 0
    /// Distinct and ascending at last.
    var sortedCount = 0

    func sort() {
      found.sort { $0.trace < $1.trace }
      var kept = 0
      for trace in found where kept == 0 || found[kept - 1].trace != trace.trace {
        found[kept] = trace
        kept += 1
      }
      found.removeLast(found.count - min(kept, wanted))
      sortedCount = found.count
    }

    for source in snapshot.sources {
      for stripe in candidates(of: source, &report, &damage) {
        report.scan(stripe)
        stripeCount += 1
        let ceiling = sortedCount == wanted ? found[sortedCount - 1].trace : nil
        damage.salvage(0..<stripe.rowCount, atLeast: Self.salvagedRowCount) { rows in
          var counted = report
          let mask = try matches(rows, in: stripe, &counted)
          try stripe.forEachMatch(mask) { match in
            if let cursor, match.trace <= cursor.trace { return }
            if let ceiling, match.trace > ceiling { return }
            found.append(PlacedTrace(trace: match.trace, place: stripeCount))
          }
          report = counted
        }
        if found.count - sortedCount > max(sortedCount, Self.minimumBatchCount) { sort() }
      }
    }
    sort()
    var page = try page(found.map(\.trace), lastRank: { _ in 0 }, report, damage)
    page.places = found.prefix(page.traces.count).map(\.place)
    return page
  }
}

import TraceSource

/// What a search looked at, for people.
///
/// A part of a stripe that is looked at again, because damage made the first look fail, counts once: whoever may fail
/// counts in a copy, and keeps that when all went well.
struct SearchReport {
  /// Stripes of the sources that were asked for candidates.
  private var consideredStripeCount = 0
  /// Stripes whose index does not rule them out.
  private var candidateCount = 0
  private(set) var scannedStripeCount = 0
  private(set) var scannedRowCount = 0
  private(set) var uncachedByteCount: UInt64 = 0
  private(set) var cachedByteCount: UInt64 = 0
  var matchedRowCount = 0
  /// By the number of a part of the plan.
  private var partCounts: [PartCounts] = []
  /// Whether a stripe was in the cache when the search first came to it.
  private var cachedStripes: [ObjectIdentifier: Bool] = [:]

  struct PartCounts {
    var rowsIn = 0
    var rowsOut = 0
  }

  /// - Parameters:
  ///   - candidates: those that are left.
  ///   - stripeCount: of the source.
  mutating func consider(_ candidates: [any SpanStripe], of stripeCount: Int) {
    consideredStripeCount += stripeCount
    candidateCount += candidates.count
  }

  mutating func scan(_ stripe: any SpanStripe) {
    scannedStripeCount += 1
    scannedRowCount += stripe.rowCount
    let isCached = cachedStripes[ObjectIdentifier(stripe)] ?? stripe.isCached
    cachedStripes[ObjectIdentifier(stripe)] = isCached
    if isCached { cachedByteCount += stripe.storedByteCount } else { uncachedByteCount += stripe.storedByteCount }
  }

  mutating func count(_ part: Int, rowsIn: Int, rowsOut: Int) {
    while partCounts.count <= part { partCounts.append(PartCounts()) }
    partCounts[part].rowsIn += rowsIn
    partCounts[part].rowsOut += rowsOut
  }

  func counts(_ part: Int) -> PartCounts { part < partCounts.count ? partCounts[part] : PartCounts() }

  /// For a search that is made again: what it looks at a second time counts once, and was read when it was first met.
  mutating func restart() {
    let known = cachedStripes
    self = SearchReport()
    cachedStripes = known
  }

  /// - Parameter sources: what there was to search.
  func lines(_ sources: [any SpanSource]) -> [String] {
    let stripeCount = sources.reduce(0) { $0 + $1.stripeCount }
    let ruledOutCount = consideredStripeCount - candidateCount
    return [
      "stripes: \(stripeCount), of which \(ruledOutCount) ruled out by their index, "
        + "\(stripeCount - ruledOutCount - scannedStripeCount) by better matches, \(scannedStripeCount) scanned",
      "bytes: \(uncachedByteCount) in stripes that were not cached, \(cachedByteCount) in cached ones",
      "rows: \(scannedRowCount) in these stripes, \(matchedRowCount) matched",
    ]
  }
}

import TraceSource

/// What a search looked at, for people.
struct SearchReport {
  /// Stripes of the sources that were asked for candidates.
  var consideredStripeCount = 0
  /// Stripes whose index does not rule them out.
  var candidateCount = 0
  private(set) var scannedStripeCount = 0
  private(set) var scannedRowCount = 0
  private(set) var readByteCount: UInt64 = 0
  private(set) var cachedByteCount: UInt64 = 0
  var matchedRowCount = 0

  mutating func scan(_ stripe: any SpanStripe) {
    scannedStripeCount += 1
    scannedRowCount += stripe.rowCount
    if stripe.isCached { cachedByteCount += stripe.storedByteCount } else { readByteCount += stripe.storedByteCount }
  }

  /// - Parameter sources: what there was to search.
  func lines(_ sources: [any SpanSource]) -> [String] {
    let stripeCount = sources.reduce(0) { $0 + $1.stripes.count }
    let ruledOutCount = consideredStripeCount - candidateCount
    return [
      "stripes: \(stripeCount), of which \(ruledOutCount) ruled out by their index, "
        + "\(stripeCount - ruledOutCount - scannedStripeCount) by better matches, \(scannedStripeCount) scanned",
      "bytes: \(readByteCount) read, \(cachedByteCount) in the cache",
      "rows: \(scannedRowCount) in these stripes, \(matchedRowCount) matched",
    ]
  }
}

import TraceColumns
import TraceModel
import TraceSource
import TracestoreV2

// What traces are ordered by: the newest start or the longest duration of their matching spans.
extension TraceSearch {
  private var isSlowestFirst: Bool { query.order == .slowest }

  func rank(_ match: MatchedRow) -> UInt64 { isSlowestFirst ? match.duration : match.start }

  /// A row with what the search orders it by.
  struct RankedRow {
    var row: Int
    var rank: UInt64
    var trace: TraceID
  }

  /// No row of the stripe ranks above.
  func bestRank(_ bounds: StripeBounds) -> UInt64 { isSlowestFirst ? bounds.maximumDuration : bounds.maximumStart }

  /// No row of the stripe ranks below.
  func worstRank(_ bounds: StripeBounds) -> UInt64 { isSlowestFirst ? bounds.minimumDuration : bounds.minimumStart }

  /// Calls `body` with set rows, best first, until it returns false.
  ///
  /// - Parameters:
  ///   - floor: rows that rank below it may be left out.
  ///   - isEnough: once it is true, rows that rank below those that were given may be left out.
  func forEachBest(
    _ mask: RowMask, in stripe: any SpanStripe, _ floor: PageCursor?, isEnough: () -> Bool,
    _ body: (RankedRow) -> Bool
  ) throws {
    guard isSlowestFirst else {
      return try stripe.forEachNewest(mask) { body(RankedRow(row: $0.row, rank: $0.start, trace: $0.trace)) }
    }
    // Long spans are few: durations are asked for in bands from the longest down, each four times as wide as the last.
    let least = floor?.rank ?? 0
    var band = max(least, stripe.bounds.maximumDuration / 2)...UInt64.max
    while true {
      var part = mask
      try stripe.filter(&part, by: .duration(band))
      var matches: [MatchedRow] = []
      try stripe.forEachMatch(part) { matches.append($0) }
      matches.sort { $0.duration > $1.duration }
      for match in matches where !body(RankedRow(row: match.row, rank: match.duration, trace: match.trace)) { return }
      if band.lowerBound <= least || isEnough() { return }
      band = max(least, band.lowerBound / 4)...(band.lowerBound - 1)
    }
  }
}

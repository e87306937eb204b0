import TraceBytes
import TraceColumns
import TraceMerge
import TraceModel
import TraceSource
package import TracestoreV2

/// Finds the first `limit` spans of a query in its order; equal (resource, scope, span) triples are one.
package struct SpanSearch: Sendable {
  private let search: TraceSearch
  private let nowNanoseconds: UInt64

  package struct Page: Sendable {
    package var spans: [FoundSpan]
    package var summary: ResultSummary
  }

  /// - Throws: as `TraceSearch`.
  package init(_ query: TraceQuery, in snapshot: QuerySnapshot, nowNanoseconds: UInt64) throws {
    search = try TraceSearch(query, .spans, in: snapshot)
    guard query.order == .newest || query.order == .slowest else {
      throw TracestoreError.unsupported("spans in the order \"\(query.order.rawValue)\"")
    }
    self.nowNanoseconds = nowNanoseconds
  }

  /// A row that may be in the answer.
  private struct Place {
    var cursor: PageCursor
    var stripe: any SpanStripe
    var row: Int
  }

  /// A record of the answer.
  private struct Found {
    var cursor: PageCursor
    var record: SourceSpan
  }

  package func run() throws -> Page {
    var damage = DamageReport()
    var report = SearchReport()
    // Triples that are there twice take room: with too little of it, the search is made again with more.
    let (sum, isEndless) = search.wanted.addingReportingOverflow(max(16, search.wanted / 4))
    var room = isEndless ? .max : sum
    while true {
      var (places, isCut) = try nearest(room, &report, &damage)
      if isCut, let last = places.last?.cursor {
        // Whether all spans under these ids are among the places is not known.
        places = Array(places.prefix { $0.cursor < last })
      }
      let found = materialised(places, &damage)
      if found.count >= search.wanted || !isCut { return try page(found, report, damage) }
      room = room > Int.max / 4 ? .max : room * 4
    }
  }

  private func page(_ found: [Found], _ report: SearchReport, _ damage: DamageReport) throws -> Page {
    let shown = found.prefix(search.query.limit)
    var summary = ResultSummary(damage: damage.messages)
    if shown.count < found.count, let last = shown.last {
      summary.isTruncated = true
      summary.continuation = try last.cursor.token(
        search.query, .spans, storeFingerprint: search.snapshot.storeFingerprint)
    }
    summary.explanation = search.explanation(report)
    let options = search.query.options
    return Page(
      spans: shown.map { $0.record.found(options, nowNanoseconds: nowNanoseconds) }, summary: summary)
  }

  /// The first `room` rows by rank, trace and span id, and whether there are more.
  private func nearest(
    _ room: Int, _ report: inout SearchReport, _ damage: inout DamageReport
  ) throws -> ([Place], isCut: Bool) {
    report.restart()
    var best: [Place] = []
    var isCut = false
    let cursor = search.cursor
    var candidates = CandidateQueue(search)
    while true {
      let floor = best.count >= room ? best.last?.cursor : nil
      guard let stripe = candidates.next(notBelow: floor?.rank, &report, &damage) else {
        // What ranks below the last place was not looked at.
        isCut = isCut || floor != nil
        return (best, isCut)
      }
      report.scan(stripe)
      damage.salvage(0..<stripe.rowCount, atLeast: TraceSearch.salvagedRowCount) { rows in
        var counted = report
        var mask = try search.matches(rows, in: stripe, &counted)
        if let cursor { try search.keepRanks(atMost: cursor.rank, &mask, in: stripe) }
        var taken: [TraceSearch.RankedRow] = []
        // Rows at the cursor's rank may all stand before it, so that they fill no room.
        var count = 0
        var lastRank: UInt64 = 0
        try search.forEachBest(mask, in: stripe, floor, isEnough: { count >= room }) { match in
          let rank = match.rank
          if let floor, rank < floor.rank {
            isCut = true
            return false
          }
          // Equal ranks are ordered by ids, which are not known yet.
          if count >= room, rank < lastRank { return false }
          taken.append(match)
          if cursor.map({ rank < $0.rank }) ?? true {
            count += 1
            lastRank = rank
          }
          return true
        }
        if count >= room { isCut = true }
        best += try places(taken, in: stripe)
        report = counted
      }
      best.sort { $0.cursor < $1.cursor }
      if best.count > room {
        isCut = true
        best.removeLast(best.count - room)
      }
    }
  }

  private func places(_ matches: [TraceSearch.RankedRow], in stripe: any SpanStripe) throws -> [Place] {
    let matches = matches.sorted { $0.row < $1.row }
    let ids = try stripe.spanIDs(matches.map(\.row))
    return zip(matches, ids).compactMap { match, id in
      let place = PageCursor(rank: match.rank, trace: match.trace, span: id)
      if let cursor = search.cursor {
        // What has the ids of the span before is decided by its content.
        let before = PageCursor(rank: cursor.rank, trace: cursor.trace, span: cursor.span)
        if place < before { return nil }
      }
      return Place(cursor: place, stripe: stripe, row: match.row)
    }
  }

  /// The records of the places in order, each triple once, behind the cursor.
  private func materialised(_ places: [Place], _ damage: inout DamageReport) -> [Found] {
    var byStripe: [ObjectIdentifier: (stripe: any SpanStripe, rows: [Int])] = [:]
    for place in places {
      byStripe[ObjectIdentifier(place.stripe), default: (place.stripe, [])].rows.append(place.row)
    }
    var records: [ObjectIdentifier: [Int: SourceSpan]] = [:]
    for (id, located) in byStripe {
      damage.salvage(LocatedRows(stripe: located.stripe, rows: located.rows.sorted())) { located in
        for (row, record) in zip(located.rows, try located.stripe.records(located.rows)) {
          records[id, default: [:]][row] = record
        }
      }
    }
    var found: [Found] = []
    for place in places {
      guard let record = records[ObjectIdentifier(place.stripe)]?[place.row] else { continue }
      var cursor = place.cursor
      cursor.content = ContentHash.hash(resource: record.resource, scope: record.scope, span: record.span).first
      if let last = search.cursor, cursor <= last { continue }
      found.append(Found(cursor: cursor, record: record))
    }
    found.sort { $0.cursor < $1.cursor }
    var kept: [Found] = []
    for item in found where kept.last.map({ !isSame($0, item) }) ?? true { kept.append(item) }
    return kept
  }

  private func isSame(_ left: Found, _ right: Found) -> Bool {
    func bytes(_ record: SourceSpan) -> [UInt8] {
      ContentHash.canonicalBytes(resource: record.resource, scope: record.scope, span: record.span)
    }
    return left.cursor == right.cursor && bytes(left.record) == bytes(right.record)
  }
}

extension TraceSearch {
  /// Clears rows that rank above a place.
  func keepRanks(atMost rank: UInt64, _ mask: inout RowMask, in stripe: any SpanStripe) throws {
    guard bestRank(stripe.bounds) > rank else { return }
    try stripe.filter(&mask, by: query.order == .slowest ? .duration(0...rank) : .start(0...rank))
  }
}

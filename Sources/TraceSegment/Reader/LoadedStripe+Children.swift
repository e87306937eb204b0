import TraceColumns

// Where the events and links of rows stand.
extension LoadedStripe {
  /// The first event of each row, then the event count; nil when there are no events.
  func eventOffsets(_ scratch: ReadScratch) throws -> [UInt32]? {
    guard head.eventCount > 0 else { return nil }
    return try part(.eventOffsets) {
      NumberList(try integers(ChunkID.eventCount, count: head.rowCount).decodeOffsets(total: head.eventCount, scratch))
    }.values
  }

  /// The first link of each row, then the link count; nil when there are no links.
  func linkOffsets(_ scratch: ReadScratch) throws -> [UInt32]? {
    guard head.linkCount > 0 else { return nil }
    return try part(.linkOffsets) {
      NumberList(try integers(ChunkID.linkCount, count: head.rowCount).decodeOffsets(total: head.linkCount, scratch))
    }.values
  }

  /// The events of each of a few ascending rows.
  func events(of rows: [Int], _ scratch: ReadScratch) throws -> [Range<Int>] {
    try children(of: rows, ChunkID.eventCount, total: head.eventCount, .eventOffsets, .eventPages)
  }

  /// The links of each of a few ascending rows.
  func links(of rows: [Int], _ scratch: ReadScratch) throws -> [Range<Int>] {
    try children(of: rows, ChunkID.linkCount, total: head.linkCount, .linkOffsets, .linkPages)
  }

  /// Few rows have children, and most pages of their counts are empty or nearly so: the sums of whole pages cost little
  /// beside the offsets of all rows.
  private func children(
    of rows: [Int], _ id: UInt32, total: Int, _ offsets: Part, _ pages: Part
  ) throws -> [Range<Int>] {
    guard total > 0 else { return [Range<Int>](repeating: 0..<0, count: rows.count) }
    if let offsets = known(offsets, as: NumberList.self)?.values {
      return rows.map { Int(offsets[$0])..<Int(offsets[$0 + 1]) }
    }
    let column = try integers(id, count: head.rowCount)
    let counts = try column.gather(rows)
    var firsts: [UInt32]?
    return try rows.indices.map { place in
      guard counts[place] > 0 else { return 0..<0 }
      let pageFirsts = try firsts ?? part(pages) { NumberList(try column.pageOffsets(total: total)) }.values
      firsts = pageFirsts
      let first =
        UInt64(pageFirsts[rows[place] / IntegerPage.maximumCount]) &+ (try column.sumInPage(before: rows[place]))
      guard first <= UInt64(total), counts[place] <= UInt64(total) - first else {
        throw column.place.damage("its values exceed their total of \(total)")
      }
      return Int(first)..<Int(first + counts[place])
    }
  }
}

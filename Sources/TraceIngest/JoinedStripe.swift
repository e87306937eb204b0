import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

/// A slice as a snapshot sees it: `JoinedSlice.height` rows a key. How many of them are spans is known once they are
/// joined; the others are never given.
final class JoinedStripe: SpanStripe {
  private let slice: JoinedSlice
  /// Places of keys that newer records have taken elsewhere.
  private let superseded: RowMask
  private let sources: OverlaySources
  private let cache: BlockCache
  private let damage: JoinDamage
  let index: Int

  init(
    _ slice: JoinedSlice, superseded: RowMask, _ sources: OverlaySources, _ cache: BlockCache, _ damage: JoinDamage,
    index: Int
  ) {
    self.slice = slice
    self.superseded = superseded
    self.sources = sources
    self.cache = cache
    self.damage = damage
    self.index = index
  }

  var rowCount: Int { slice.rowCount }
  var bounds: StripeBounds { slice.bounds }
  var isCached: Bool { cache.holds(slice.cacheKey) }
  var allRows: RowMask { RowMask(count: rowCount, filled: true) }
  /// Without those that newer records have taken elsewhere.
  var liveKeys: [SpanKey] { slice.keys.indices.filter { !superseded[$0] }.map { slice.keys[$0] } }

  /// Spans joined by themselves, beside the cache.
  func joined(_ keys: [SpanKey]) throws -> JoinedSpans {
    let joined = try JoinedSpans(keys, sources, superseded: RowMask(count: keys.count))
    damage.add(joined.damage)
    return joined
  }

  /// The cache may let go of the spans between two questions, so that one question asks once.
  private func joined() throws -> JoinedSpans {
    let joined = try slice.joined(sources, superseded: superseded, cache)
    damage.add(joined.damage)
    return joined
  }

  // MARK: Rows of the slice and rows of the table

  /// Those of the rows that are spans, in the table.
  private func spans(_ mask: RowMask, in joined: JoinedSpans) -> RowMask {
    var spans = RowMask(count: joined.stripe.rowCount)
    for place in slice.keys.indices where !superseded[place] {
      for (offset, row) in joined.rows(of: place).prefix(slice.height).enumerated()
      where mask[place * slice.height + offset] {
        spans.set(row)
      }
    }
    return spans
  }

  /// The row of the slice that a row of the table is.
  private func row(_ tableRow: Int, in joined: JoinedSpans) -> Int {
    let place = joined.owner(of: tableRow)
    return place * slice.height + tableRow - joined.rows(of: place).lowerBound
  }

  /// The rows of the table for rows that were given before. They are gone when the spans had to be joined again and a
  /// record could not be read any more.
  private func tableRows(_ rows: [Int], in joined: JoinedSpans) throws -> [Int] {
    try rows.map { row in
      let own = joined.rows(of: row / slice.height)
      guard row % slice.height < own.count else {
        throw TracestoreError(.snapshotExpired, "A span that was found could not be read again; ask again.")
      }
      return own.lowerBound + row % slice.height
    }
  }

  // MARK: Traces

  func mayHold(_ trace: TraceID) -> Bool { !places(of: trace).isEmpty }

  private func places(of trace: TraceID) -> [Int] {
    let first = slice.keys.indices.partition { slice.keys[$0].trace >= trace }
    let end = (first..<slice.keys.count).partition { slice.keys[$0].trace > trace }
    return (first..<end).filter { !superseded[$0] }
  }

  /// Ascending.
  func rows(of trace: TraceID) throws -> [Int] {
    let places = places(of: trace)
    if places.isEmpty { return [] }
    let joined = try joined()
    return places.flatMap { place in
      joined.rows(of: place).prefix(slice.height).map { row($0, in: joined) }
    }
  }

  // MARK: Questions

  func mayMatch(_ leaf: SpanLeaf) throws -> Bool {
    if isCached { return try joined().stripe.mayMatch(leaf) }
    let bounds = bounds
    switch leaf {
    case .start(let range): return bounds.minimumStart <= range.upperBound && bounds.maximumStart >= range.lowerBound
    case .duration(let range):
      return bounds.minimumDuration <= range.upperBound && bounds.maximumDuration >= range.lowerBound
    default: return true
    }
  }

  func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    if mask.isEmpty { return }
    let joined = try joined()
    var spans = spans(mask, in: joined)
    if !spans.isEmpty { try joined.stripe.filter(&spans, by: leaf) }
    mask = RowMask(count: mask.count)
    spans.forEachSet { mask.set(row($0, in: joined)) }
  }

  func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws {
    let joined = try joined()
    try joined.stripe.forEachMatch(spans(mask, in: joined)) { match in
      var match = match
      match.row = row(match.row, in: joined)
      body(match)
    }
  }

  func forEachNewest(_ mask: RowMask, _ body: (NewestRow) -> Bool) throws {
    let joined = try joined()
    try joined.stripe.forEachNewest(spans(mask, in: joined)) { newest in
      body(NewestRow(row: row(newest.row, in: joined), start: newest.start, trace: newest.trace))
    }
  }

  func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws {
    let joined = try joined()
    try joined.stripe.forEachAttributeKey(in: spans(mask, in: joined), body)
  }

  func forEachAttributeValue(
    key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool {
    let joined = try joined()
    return try joined.stripe.forEachAttributeValue(key: key, levels, in: spans(mask, in: joined), limit: limit, body)
  }

  func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws {
    let joined = try joined()
    try joined.stripe.forEachEnvelope(in: spans(mask, in: joined), body)
  }

  /// None: metrics measure records, and what several of them say together is none.
  func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void
  ) throws {}

  var holdsFinals: Bool { false }

  func text(_ code: UInt32) throws -> [UInt8] { [] }

  func operations(_ rows: [Int]) throws -> [OperationCount] {
    let joined = try joined()
    var mask = RowMask(count: rowCount)
    for row in rows { mask.set(row) }
    return try joined.stripe.operations(spans(mask, in: joined).rows)
  }

  // The following are asked of rows that were given before.

  func partialRows(_ rows: [Int]) -> [Int] {
    guard let joined = try? joined(), let tableRows = try? tableRows(rows, in: joined) else { return [] }
    return zip(rows, tableRows).filter { joined.source.view.rows[$1].marks.contains(.isPartial) }.map(\.0)
  }

  func spanIDs(_ rows: [Int]) throws -> [UInt64] {
    let joined = try joined()
    return try joined.stripe.spanIDs(tableRows(rows, in: joined))
  }

  func summaryRows(_ rows: [Int]) throws -> [SummaryRow] {
    let joined = try joined()
    return try joined.stripe.summaryRows(tableRows(rows, in: joined))
  }

  func records(_ rows: [Int]) throws -> [SourceSpan] {
    let joined = try joined()
    return try joined.stripe.records(tableRows(rows, in: joined))
  }
}

import TraceBytes
package import TraceColumns
import TraceFiles
import TraceModel
package import TraceSource

/// One stripe of a segment. What a query needs to pass it by is resident; the rest comes through the cache.
package final class SegmentStripe: SpanStripe {
  let core: SegmentCore
  /// The stripe's index in its segment.
  package let index: Int
  let summary: StripeSummary

  init(core: SegmentCore, index: Int, summary: StripeSummary) {
    self.core = core
    self.index = index
    self.summary = summary
  }

  package var rowCount: Int { summary.rowCount }
  package var bounds: StripeBounds { summary.bounds }
  /// Of the stripe's first byte in the file.
  package var offset: UInt64 { summary.offset }
  /// Bytes of the stripe in the file.
  package var byteCount: UInt64 { summary.byteCount }

  package var storedByteCount: UInt64 { summary.byteCount }
  package var isCached: Bool { core.cache.holds(cacheKey) }

  var cacheKey: BlockCache.Key { BlockCache.Key(fileNumber: core.number, offset: summary.offset) }

  /// What was computed of a stripe, or from it on, and is kept beside it.
  enum Computed: UInt64 {
    case calls = 1
    case cells, summary, elementPages
  }

  /// No block of a file begins inside the head of a stripe: its first bytes are places for what is no block of the file.
  ///
  /// - Parameter variant: tells apart what is kept of one kind.
  func cacheKey(_ computed: Computed, variant: UInt64 = 0) -> BlockCache.Key {
    BlockCache.Key(fileNumber: core.number, offset: summary.offset + computed.rawValue, variant: variant)
  }

  /// What is in memory of the stripe, through the cache.
  ///
  /// - Parameter isWhole: whether to read all of it in one read if it is not there; otherwise its columns are read when
  ///   they are first asked for.
  func load(isWhole: Bool = false) throws -> LoadedStripe {
    try core.cache.block(cacheKey) { try read(isWhole: isWhole) }
  }

  /// The stripe's bytes, read whole in one read past the cache.
  func read() throws -> LoadedStripe { try read(isWhole: true) }

  func read(isWhole: Bool) throws -> LoadedStripe {
    try LoadedStripe(
      file: core.file, path: core.path, stripeIndex: index, summary: summary, catalogue: try core.keys(),
      checksum: core.chunkChecksum, frontByteCount: isWhole ? .max : core.cache.frontByteCount)
  }

  /// Runs `body` over the stripe.
  ///
  /// - Parameter isWhole: whether `body` is after most of the columns; see `load(isWhole:)`.
  func reading<Result>(
    isWhole: Bool = false, _ body: (LoadedStripe, ReadScratch) throws -> Result
  ) throws -> Result {
    let loaded = try load(isWhole: isWhole)
    let before = loaded.residentByteCount
    defer { if loaded.residentByteCount != before { core.cache.recount(cacheKey) } }
    if isWhole { try loaded.readWhole() }
    return try core.cache.withScratch { scratch in try body(loaded, scratch) }
  }

  package func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws {
    try check(mask)
    guard !mask.isEmpty else { return }
    let rows = mask.rows
    let (started, durations) = try reading { loaded, _ -> ([NewestRow], [UInt64]) in
      (try startedRows(rows, loaded), try StripeTimes(loaded).durations.gather(rows))
    }
    for (row, duration) in zip(started, durations) {
      let visible = StripeTimes.visible(duration: duration, start: row.start)
      body(MatchedRow(row: row.row, start: row.start, duration: visible, trace: row.trace))
    }
  }

  /// When ascending rows start, and their traces.
  func startedRows(_ rows: [Int], _ loaded: LoadedStripe) throws -> [NewestRow] {
    let times = try StripeTimes(loaded)
    let highs = try loaded.integers(ChunkID.traceHigh, count: loaded.head.traceCount)
    let lows = try loaded.integers(ChunkID.traceLow, count: loaded.head.traceCount)
    let ordinals = try times.ordinals(of: rows)
    let offsets = try times.offsets.gather(rows)
    // Many rows share few traces: their ids are decoded at once when that is cheaper.
    let isDense = rows.count * 4 > loaded.head.traceCount
    let allHighs = isDense ? try highs.decodeAll() : []
    let allLows = isDense ? try lows.decodeAll() : []
    let allBases = isDense ? try times.bases.decodeAll() : []
    return try rows.indices.map { place in
      let ordinal = ordinals[place]
      let base = isDense ? allBases[ordinal] : try times.bases.value(at: ordinal)
      let high = isDense ? allHighs[ordinal] : try highs.value(at: ordinal)
      let low = isDense ? allLows[ordinal] : try lows.value(at: ordinal)
      return NewestRow(row: rows[place], start: base &+ offsets[place], trace: TraceID(high: high, low: low))
    }
  }

  package func spanIDs(_ rows: [Int]) throws -> [UInt64] {
    try check(rows)
    return try reading { loaded, _ in try loaded.integers(ChunkID.spanID, count: rowCount).gather(rows) }
  }

  func check(_ mask: RowMask) throws {
    guard mask.count == rowCount else {
      throw TracestoreError(
        .invalidArgument, "a mask of \(mask.count) rows meets a stripe of \(rowCount)", path: core.path)
    }
  }

  /// Rows come from the caller: they must ascend and stand inside the stripe.
  func check(_ rows: [Int]) throws {
    var previous = -1
    for row in rows {
      guard row > previous, row < rowCount else {
        throw TracestoreError(
          .invalidArgument, "row \(row) is asked of a stripe of \(rowCount) rows after row \(previous)", path: core.path
        )
      }
      previous = row
    }
  }

  /// The rows of the trace with this ordinal, which the trace index gave; empty when another trace has it, because
  /// index keys may collide.
  func rows(ofOrdinal ordinal: Int, trace: TraceID, for use: RowUse) throws -> [Int] {
    try reading(isWhole: use == .records) { loaded, scratch in
      guard ordinal < loaded.head.traceCount else {
        throw loaded.place(ChunkID.traceOrdinal).damage("the trace index names ordinal \(ordinal), which is not there")
      }
      guard try loaded.traceID(ordinal) == trace else { return [] }
      return try loaded.rows(ofTrace: ordinal, scratch).map { Int($0) }
    }
  }

  /// The rows of a trace one of which is known, if all that the segment has of it stand in this stripe.
  func rows(ofWholeTrace trace: TraceID, around row: Int) throws -> [Int]? {
    guard row < rowCount else { return nil }
    return try reading { loaded, scratch in
      let ordinal = try StripeTimes(loaded).ordinal(row)
      guard try loaded.isWholeTrace(ordinal), try loaded.traceID(ordinal) == trace else { return nil }
      return try loaded.rows(ofTrace: ordinal, scratch).map { Int($0) }
    }
  }

  /// From when to when a trace lasts one of whose rows is known, if all that the segment has of it stand in this stripe.
  func timeBounds(
    ofWholeTrace trace: TraceID, around row: Int
  ) throws -> (minimumStart: UInt64, maximumEnd: UInt64)? {
    guard row < rowCount, core.knowsTraceStarts else { return nil }
    return try reading { loaded, _ in
      let ordinal = try StripeTimes(loaded).ordinal(row)
      guard try loaded.isWholeTrace(ordinal), try loaded.traceID(ordinal) == trace else { return nil }
      return try loaded.timeBounds(ofTrace: ordinal)
    }
  }
}

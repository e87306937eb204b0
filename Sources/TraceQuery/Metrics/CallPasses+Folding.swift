import TraceAggregate
import TraceSource
import TracestoreV2

// A bucket of more calls than are held at a time.
extension CallPasses {
  private struct CellKey: Hashable {
    var series: UInt32
    var bucket: UInt64
  }

  /// A cell while more stripes follow.
  private struct FoldedCell {
    var callCount: UInt64 = 0
    var errorCount: UInt64 = 0
    var sketch = DurationSketch()
    var slowest = SlowestSpans()

    mutating func merge(_ other: FoldedCell) {
      callCount += other.callCount
      errorCount += other.errorCount
      sketch.merge(other.sketch)
      slowest.merge(other.slowest)
    }
  }

  /// The cells of each series of the table.
  func folded(
    _ slice: CallSlice, _ table: inout SeriesTable, _ ranks: [Int]?, _ damage: inout DamageReport
  ) throws -> [SeriesCells] {
    var cells: [CellKey: FoldedCell] = [:]
    try forEachChunk(of: slice, &table, ranks, &damage) { key, chunk, part in
      var cell = FoldedCell(callCount: UInt64(chunk.callCount), errorCount: UInt64(chunk.errorCount))
      if search.quantile != nil { chunk.add(to: &cell.sketch) }
      if chunk.exampleCount > 0 { cell.slowest.update(part.slowest(of: chunk)) }
      cells[key, default: FoldedCell()].merge(cell)
    }
    let exact = search.query.isExact ? try exactQuantiles(of: cells, slice, &table, ranks, &damage) : [:]
    var series: [SeriesCells] = []
    for (key, cell) in cells.sorted(by: { $0.key.bucket < $1.key.bucket }) {
      var result = CallCell(bucket: key.bucket)
      result.callCount = cell.callCount
      result.errorCount = cell.errorCount
      if let quantile = search.quantile {
        result.quantile = exact[key] ?? cell.sketch.finish(quantile) ?? 0
        result.isExact = cell.sketch.isExact || exact[key] != nil
      }
      let place = Int(key.series)
      while series.count <= place { series.append(SeriesCells()) }
      series[place].cells.append(result)
      if !cell.slowest.finish().isEmpty { series[place].setSlowest(cell.slowest, at: series[place].cells.count - 1) }
    }
    return series
  }

  /// A second pass that looks into the buckets of the scale where the quantiles are.
  private func exactQuantiles(
    of cells: [CellKey: FoldedCell], _ slice: CallSlice, _ table: inout SeriesTable, _ ranks: [Int]?,
    _ damage: inout DamageReport
  ) throws -> [CellKey: Double] {
    guard let quantile = search.quantile else { return [:] }
    var searches = cells.compactMapValues { $0.sketch.search(quantile) }
    if searches.isEmpty { return [:] }
    try forEachChunk(of: slice, &table, ranks, &damage) { key, chunk, _ in
      chunk.withDurations { searches[key]?.update($0) }
    }
    return searches.compactMapValues { $0.finish() }
  }

  private func forEachChunk(
    of slice: CallSlice, _ table: inout SeriesTable, _ ranks: [Int]?, _ damage: inout DamageReport,
    _ body: (CellKey, CallChunk, any CallPart) -> Void
  ) throws {
    var chunks: [CallChunk] = []
    for wave in slice.waves(maximumCallCount: search.maximumRowCount) {
      let parts = read(wave, isFolded: true, &damage)
      let pieces = try pieces(of: parts, &table, &damage)
      let ranked = ranks.map { pieces.grouped(by: $0) } ?? pieces
      for series in 0..<ranked.count {
        for located in ranked[series] {
          let part = parts[Int(located.part)]
          chunks.removeAll(keepingCapacity: true)
          part.appendChunks(of: located, to: &chunks)
          // Chunks point into it.
          withExtendedLifetime(part) {
            for chunk in chunks { body(CellKey(series: UInt32(series), bucket: chunk.bucket), chunk, part) }
          }
        }
      }
    }
  }
}

extension CallChunk {
  fileprivate func add(to sketch: inout DurationSketch) {
    if case .counted(let buckets) = durations { sketch.merge(buckets) } else { withDurations { sketch.update($0) } }
  }

  /// Calls `body` with the durations, in any order, if each is there.
  fileprivate func withDurations(_ body: (UnsafeBufferPointer<UInt64>) -> Void) {
    guard case .each(let durations) = durations else { return }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(durations.count)) { room in
      room.initialize(repeating: 0)
      guard let first = room.baseAddress else { return }
      durations.unpack(0..<Int(durations.count), into: first)
      body(UnsafeBufferPointer(room))
    }
  }
}

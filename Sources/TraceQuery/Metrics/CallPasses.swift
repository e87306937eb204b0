import TraceAggregate
import TraceColumns
import TraceModel
import TraceSource
import TracestoreV2

/// Walks through the stripes of a metrics query, many at once, as often as it takes.
struct CallPasses {
  /// A stripe with the place of its source.
  struct Place: Sendable {
    var source: Int
    var stripe: any SpanStripe
  }

  /// What a part of a stripe holds, and the series of its chunks.
  struct Part: Sendable {
    var place: Place
    var calls: CallChunks
    /// The ids of `calls.examples`.
    var examples: [SlowestSpans.Entry?] = []
  }

  /// Cells ascending by series and bucket; series are ranks among those shown, then the overflow.
  struct Answer {
    var cells: [CallCell]
    var shown: [[[UInt8]]]
    var hasOverflow: Bool
  }

  private let search: MetricsSearch
  private let scan: CallScan
  private let waves: [[Place]]
  private let repeats: RepeatedRows

  init(_ search: MetricsSearch, _ scan: CallScan, _ damage: inout DamageReport) {
    self.search = search
    self.scan = scan
    repeats = RepeatedRows(search.snapshot, in: scan.selection.starts, &damage)
    var places: [Place] = []
    for (index, source) in search.snapshot.recordSources.enumerated()
    where source.bounds.mayStart(in: scan.selection.starts) {
      let stripes = source.stripes
      var isOpen = stripes.map { $0.holdsFinals && $0.bounds.mayStart(in: scan.selection.starts) }
      if let predicate = search.predicate {
        // A damaged index spares nothing.
        isOpen = (try? predicate.stripes(of: source, among: isOpen)) ?? isOpen
      }
      for (stripe, isOpen) in zip(stripes, isOpen) where isOpen { places.append(Place(source: index, stripe: stripe)) }
    }
    var waves: [[Place]] = []
    var rowCount = 0
    for place in places {
      if waves.isEmpty || rowCount + place.stripe.rowCount > search.maximumRowCount {
        waves.append([])
        rowCount = 0
      }
      waves[waves.count - 1].append(place)
      rowCount += place.stripe.rowCount
    }
    self.waves = waves
  }

  func cells(_ damage: inout DamageReport) throws -> Answer {
    if waves.count > 1 { return try foldedCells(&damage) }
    var table = SeriesTable(sourceCount: search.snapshot.recordSources.count, groups: search.groups)
    let parts = waves.first.map { read($0, &damage) } ?? []
    var cellParts = try cellParts(parts, &table, &damage)
    let (ranks, shown, hasOverflow) = table.ranks(maximumCount: search.query.maximumSeriesCount)
    for index in cellParts.indices { cellParts[index].series = UInt32(ranks[Int(cellParts[index].series)]) }
    cellParts.groupByCell(seriesCount: shown.count + 1)
    return Answer(cells: finish(cellParts, of: parts), shown: shown, hasOverflow: hasOverflow)
  }

  // MARK: Reading

  private func read(_ places: [Place], _ damage: inout DamageReport) -> [Part] {
    let results = concurrently(search.parallel, places.count) { [self] index in
      var own = DamageReport()
      let parts = read(places[index], &own)
      return (parts, own)
    }
    var parts: [Part] = []
    for (own, report) in results {
      parts += own
      damage.add(report)
    }
    return parts
  }

  private func read(_ place: Place, _ damage: inout DamageReport) -> [Part] {
    let stripe = place.stripe
    var parts: [Part] = []
    damage.salvage(0..<stripe.rowCount, atLeast: TraceSearch.salvagedRowCount) { rows in
      var mask: RowMask?
      if let predicate = search.predicate {
        var own = RowMask(count: stripe.rowCount)
        own.set(rows)
        try predicate.filter(&own, in: stripe)
        if own.isEmpty { return }
        mask = own
      }
      if let repeated = repeats[place.source, stripe.index] {
        var own = mask ?? RowMask(count: stripe.rowCount, filled: true)
        own.subtract(repeated)
        mask = own
      }
      var part = Part(place: place, calls: try CallChunks(stripe, in: rows, mask, scan))
      if scan.needsExamples { part.examples = try ids(of: part.calls.examples.map(\.row), part) }
      if !part.calls.chunks.isEmpty { parts.append(part) }
    }
    return parts
  }

  private func ids(of rows: [Int], _ part: Part) throws -> [SlowestSpans.Entry?] {
    let stripe = part.place.stripe
    var mask = RowMask(count: stripe.rowCount)
    for row in rows { mask.set(row) }
    let distinct = mask.rows
    let spans = Dictionary(uniqueKeysWithValues: zip(distinct, try stripe.spanIDs(distinct)))
    var entries: [Int: SlowestSpans.Entry] = [:]
    try stripe.forEachMatch(mask) { match in
      entries[match.row] = SlowestSpans.Entry(
        duration: match.duration, trace: match.trace, span: spans[match.row] ?? 0)
    }
    return rows.map { entries[$0] }
  }

  /// One for each chunk of the parts. Texts of a part that cannot be read take the part with them.
  private func cellParts(
    _ parts: [Part], _ table: inout SeriesTable, _ damage: inout DamageReport
  ) throws -> [CellPart] {
    var cellParts: [CellPart] = []
    cellParts.reserveCapacity(parts.reduce(0) { $0 + $1.calls.chunks.count })
    for (index, part) in parts.enumerated() {
      let places: [Int]
      do {
        places = try table.places(of: part.calls, source: part.place.source, text: part.place.stripe.text)
      } catch let error as TracestoreError where error.code == .corrupt {
        damage.add(error)
        continue
      }
      for (chunkIndex, chunk) in part.calls.chunks.enumerated() {
        let series = places[Int(chunk.series)]
        table.count(UInt64(chunk.callCount), of: series)
        cellParts.append(
          CellPart(
            series: UInt32(series), stripe: UInt32(index), bucket: chunk.bucket,
            chunk: UInt32(truncatingIfNeeded: chunkIndex)))
      }
    }
    return cellParts
  }

  // MARK: Finishing

  /// Cells that one thread finishes at a time.
  private static let batchCount = 4096

  private func finish(_ cellParts: [CellPart], of parts: [Part]) -> [CallCell] {
    var starts: [Int] = []
    for index in cellParts.indices where index == 0 || !cellParts[index].isSameCell(cellParts[index - 1]) {
      starts.append(index)
    }
    let batches = stride(from: 0, to: starts.count, by: Self.batchCount).map {
      $0..<min($0 + Self.batchCount, starts.count)
    }
    starts.append(cellParts.count)
    let bounds = starts
    let results = concurrently(search.parallel, batches.count) { [self] index in
      var finisher = CellFinisher(quantile: search.quantile, isExact: search.query.isExact)
      return batches[index].map { finisher.cell(cellParts[bounds[$0]..<bounds[$0 + 1]], of: parts) }
    }
    var cells: [CallCell] = []
    cells.reserveCapacity(starts.count)
    for own in results { cells += own }
    return cells
  }

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

  /// The same for more calls than are held at a time.
  private func foldedCells(_ damage: inout DamageReport) throws -> Answer {
    var table = SeriesTable(sourceCount: search.snapshot.recordSources.count, groups: search.groups)
    var folded: [CellKey: FoldedCell] = [:]
    try forEachChunk(&table, &damage) { key, chunk, part in
      var cell = FoldedCell(callCount: UInt64(chunk.callCount), errorCount: UInt64(chunk.errorCount))
      if search.quantile != nil { part.calls.withDurations(of: chunk) { cell.sketch.update($0) } }
      cell.slowest.update(part.slowest(of: chunk))
      folded[key, default: FoldedCell()].merge(cell)
    }
    let (ranks, shown, hasOverflow) = table.ranks(maximumCount: search.query.maximumSeriesCount)
    var ranked: [CellKey: FoldedCell] = [:]
    for (key, cell) in folded {
      ranked[CellKey(series: UInt32(ranks[Int(key.series)]), bucket: key.bucket), default: FoldedCell()].merge(cell)
    }
    folded = [:]
    let exact = search.query.isExact ? try exactQuantiles(of: ranked, ranks, &table, &damage) : [:]
    let cells = ranked.map { key, cell in
      var result = CallCell(series: Int(key.series), bucket: key.bucket)
      result.callCount = cell.callCount
      result.errorCount = cell.errorCount
      if let quantile = search.quantile {
        result.quantile = exact[key] ?? cell.sketch.finish(quantile) ?? 0
        result.isExact = cell.sketch.isExact || exact[key] != nil
      }
      result.slowest = cell.slowest
      return result
    }
    return Answer(
      cells: cells.sorted { $0.series != $1.series ? $0.series < $1.series : $0.bucket < $1.bucket }, shown: shown,
      hasOverflow: hasOverflow)
  }

  /// A second pass that looks into the buckets where the quantiles are.
  private func exactQuantiles(
    of cells: [CellKey: FoldedCell], _ ranks: [Int], _ table: inout SeriesTable, _ damage: inout DamageReport
  ) throws -> [CellKey: Double] {
    guard let quantile = search.quantile else { return [:] }
    var searches = cells.compactMapValues { $0.sketch.search(quantile) }
    if searches.isEmpty { return [:] }
    try forEachChunk(&table, &damage) { key, chunk, part in
      // Nothing new turns up, unless damage hid it the first time.
      guard Int(key.series) < ranks.count else { return }
      let key = CellKey(series: UInt32(ranks[Int(key.series)]), bucket: key.bucket)
      part.calls.withDurations(of: chunk) { searches[key]?.update($0) }
    }
    return searches.compactMapValues { $0.finish() }
  }

  private func forEachChunk(
    _ table: inout SeriesTable, _ damage: inout DamageReport, _ body: (CellKey, CallChunk, Part) -> Void
  ) throws {
    for wave in waves {
      let parts = read(wave, &damage)
      for cellPart in try cellParts(parts, &table, &damage) {
        let part = parts[Int(cellPart.stripe)]
        body(
          CellKey(series: cellPart.series, bucket: cellPart.bucket), part.calls.chunks[Int(cellPart.chunk)], part)
      }
    }
  }
}

extension MetricsSearch {
  /// The quantile, when latencies are asked for.
  var quantile: Double? { measure == .latencies ? query.quantile : nil }
}

extension CellPart {
  func isSameCell(_ other: CellPart) -> Bool { series == other.series && bucket == other.bucket }
}

extension CallChunks {
  func withDurations<Result>(of chunk: CallChunk, _ body: (UnsafeBufferPointer<UInt64>) -> Result) -> Result {
    durations.withUnsafeBufferPointer {
      body(UnsafeBufferPointer(rebasing: $0[chunk.firstDuration..<(chunk.firstDuration + Int(chunk.callCount))]))
    }
  }
}

extension CallPasses.Part {
  func slowest(of chunk: CallChunk) -> [SlowestSpans.Entry] {
    if chunk.exampleCount == 0 { return [] }
    return examples[Int(chunk.firstExample)..<Int(chunk.firstExample + chunk.exampleCount)].compactMap(\.self)
  }
}

/// Makes cells of their parts; for one thread.
private struct CellFinisher {
  let quantile: Double?
  let isExact: Bool
  private var durations: [UInt64] = []

  init(quantile: Double?, isExact: Bool) {
    self.quantile = quantile
    self.isExact = isExact
  }

  mutating func cell(_ cellParts: ArraySlice<CellPart>, of parts: [CallPasses.Part]) -> CallCell {
    let first = cellParts[cellParts.startIndex]
    var cell = CallCell(series: Int(first.series), bucket: first.bucket)
    durations.removeAll(keepingCapacity: true)
    for cellPart in cellParts {
      let part = parts[Int(cellPart.stripe)]
      let chunk = part.calls.chunks[Int(cellPart.chunk)]
      cell.callCount += UInt64(chunk.callCount)
      cell.errorCount += UInt64(chunk.errorCount)
      if quantile != nil { part.calls.withDurations(of: chunk) { durations.append(contentsOf: $0) } }
      if chunk.exampleCount > 0 { cell.slowest.update(part.slowest(of: chunk)) }
    }
    guard let quantile, !durations.isEmpty else { return cell }
    let rank = QuantileRank(quantile, of: UInt64(durations.count))
    cell.isExact = isExact || durations.count < DurationSketch.exactCount
    cell.quantile = durations.withUnsafeMutableBufferPointer { durations in
      if cell.isExact { return Selection.value(rank, in: durations) }
      // What a sketch of as many durations says, so that no way of reading them changes an answer.
      var histogram = DurationHistogram()
      histogram.update(UnsafeBufferPointer(durations))
      return histogram.finish(rank)
    }
    return cell
  }
}

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

  /// What became of the cells of each series that is shown, then of the overflow if there is one.
  struct Answer<Made> {
    var made: [Made]
    /// The texts of their labels, the overflow's left out.
    var shown: [[[UInt8]]]
    var hasOverflow: Bool
  }

  /// Chunks of one series in one of the parts.
  struct LocatedPiece: Sendable {
    var part: Int
    var chunks: Range<Int>
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

  /// - Parameter make: what becomes of a series' cells; called on the threads that there are.
  func series<Made: Sendable>(
    _ damage: inout DamageReport, make: @escaping @Sendable (SeriesCells) -> Made
  ) throws -> Answer<Made> {
    if waves.count > 1 { return try foldedSeries(&damage, make) }
    var table = SeriesTable(sourceCount: search.snapshot.recordSources.count, groups: search.groups)
    let parts = waves.first.map { read($0, &damage) } ?? []
    let pieces = try pieces(of: parts, &table, &damage)
    let (ranks, shown, hasOverflow) = table.ranks(maximumCount: search.query.maximumSeriesCount)
    var ranked = [[LocatedPiece]](repeating: [], count: shown.count + (hasOverflow ? 1 : 0))
    for (own, rank) in zip(pieces, ranks) where rank < ranked.count { ranked[rank] += own }
    return Answer(made: finish(ranked, of: parts, make), shown: shown, hasOverflow: hasOverflow)
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
      var part = Part(place: place, calls: try calls(of: stripe, in: rows, mask))
      if scan.needsExamples { part.examples = try ids(of: part.calls.examples.map(\.row), part) }
      if !part.calls.chunks.isEmpty { parts.append(part) }
    }
    return parts
  }

  private func calls(of stripe: any SpanStripe, in rows: Range<Int>, _ mask: RowMask?) throws -> CallChunks {
    if scan.fitsCells, mask == nil, rows.count == stripe.rowCount,
      CallCells.decide(scan.selection.starts, for: stripe.bounds),
      // What is damaged a scan meets itself, if it needs it.
      let cells = try? stripe.callCells()
    {
      return try CallChunks(cells, of: stripe, scan)
    }
    return try CallChunks(stripe, in: rows, mask, scan)
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

  /// By series of the table. Texts of a part that cannot be read take the part with them.
  private func pieces(
    of parts: [Part], _ table: inout SeriesTable, _ damage: inout DamageReport
  ) throws -> [[LocatedPiece]] {
    var pieces: [[LocatedPiece]] = []
    for (index, part) in parts.enumerated() {
      let places: [Int]
      do {
        places = try table.places(of: part.calls, source: part.place.source, text: part.place.stripe.text)
      } catch let error as TracestoreError where error.code == .corrupt {
        damage.add(error)
        continue
      }
      for piece in part.calls.pieces {
        let series = places[Int(piece.series)]
        table.count(UInt64(piece.callCount), of: series)
        while pieces.count <= series { pieces.append([]) }
        pieces[series].append(LocatedPiece(part: index, chunks: piece.chunks))
      }
    }
    return pieces
  }

  // MARK: Finishing

  /// Chunks that one thread finishes at a time.
  private static let batchCount = 8192

  private func finish<Made: Sendable>(
    _ series: [[LocatedPiece]], of parts: [Part], _ make: @escaping @Sendable (SeriesCells) -> Made
  ) -> [Made] {
    var batches: [Range<Int>] = []
    var chunkCount = 0
    for (index, pieces) in series.enumerated() {
      if chunkCount == 0 { batches.append(index..<index) }
      batches[batches.count - 1] = batches[batches.count - 1].lowerBound..<(index + 1)
      chunkCount += pieces.reduce(1) { $0 + $1.chunks.count }
      if chunkCount >= Self.batchCount { chunkCount = 0 }
    }
    let results = concurrently(search.parallel, batches.count) { [self, batches] index in
      var finisher = CellFinisher(parts, quantile: search.quantile, isExact: search.query.isExact)
      return batches[index].map { make(finisher.cells(of: series[$0])) }
    }
    return results.flatMap { $0 }
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
  private func foldedSeries<Made>(_ damage: inout DamageReport, _ make: (SeriesCells) -> Made) throws -> Answer<Made> {
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
    var series = [SeriesCells](repeating: SeriesCells(), count: shown.count + (hasOverflow ? 1 : 0))
    for (key, cell) in ranked.sorted(by: { $0.key.bucket < $1.key.bucket }) {
      var result = CallCell(bucket: key.bucket)
      result.callCount = cell.callCount
      result.errorCount = cell.errorCount
      if let quantile = search.quantile {
        result.quantile = exact[key] ?? cell.sketch.finish(quantile) ?? 0
        result.isExact = cell.sketch.isExact || exact[key] != nil
      }
      let rank = Int(key.series)
      series[rank].cells.append(result)
      if !cell.slowest.finish().isEmpty { series[rank].setSlowest(cell.slowest, at: series[rank].cells.count - 1) }
    }
    return Answer(made: series.map(make), shown: shown, hasOverflow: hasOverflow)
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
      for (series, pieces) in try pieces(of: parts, &table, &damage).enumerated() {
        for piece in pieces {
          let part = parts[piece.part]
          for chunk in part.calls.chunks[piece.chunks] {
            body(CellKey(series: UInt32(series), bucket: chunk.bucket), chunk, part)
          }
        }
      }
    }
  }
}

extension MetricsSearch {
  /// The quantile, when latencies are asked for.
  var quantile: Double? { measure == .latencies ? query.quantile : nil }
}

extension CallChunks {
  func withDurations<Result>(of chunk: CallChunk, _ body: (UnsafeBufferPointer<UInt64>) -> Result) -> Result {
    durations.withUnsafeBufferPointer {
      body(UnsafeBufferPointer(rebasing: $0[Int(chunk.firstDuration)..<Int(chunk.firstDuration + chunk.callCount)]))
    }
  }
}

extension CallPasses.Part {
  func slowest(of chunk: CallChunk) -> [SlowestSpans.Entry] {
    if chunk.exampleCount == 0 { return [] }
    return examples[Int(chunk.firstExample)..<Int(chunk.firstExample + chunk.exampleCount)].compactMap(\.self)
  }
}

/// Makes cells of their chunks; for one thread.
private struct CellFinisher {
  private struct LocatedChunk {
    /// With the place of its durations here.
    var chunk: CallChunk
    var part: Int
  }

  private let parts: [CallPasses.Part]
  private let quantile: Double?
  private let isExact: Bool
  // Kept for their memory.
  private var chunks: [LocatedChunk] = []
  private var sorted: [LocatedChunk] = []
  private var places: [Int] = []
  private var durations: [UInt64] = []
  private var joined: [UInt64] = []

  init(_ parts: [CallPasses.Part], quantile: Double?, isExact: Bool) {
    self.parts = parts
    self.quantile = quantile
    self.isExact = isExact
  }

  /// The cells of one series.
  mutating func cells(of pieces: [CallPasses.LocatedPiece]) -> SeriesCells {
    gather(pieces)
    var result = SeriesCells()
    result.cells.reserveCapacity(chunks.count)
    var first = 0
    while first < chunks.count {
      let bucket = chunks[first].chunk.bucket
      var end = first &+ 1
      while end < chunks.count, chunks[end].chunk.bucket == bucket { end &+= 1 }
      result.cells.append(cell(bucket, first..<end))
      if chunks[first..<end].contains(where: { $0.chunk.exampleCount > 0 }) {
        result.setSlowest(slowest(of: first..<end), at: result.cells.count - 1)
      }
      first = end
    }
    return result
  }

  /// Brings the chunks of a series together, ascending by bucket, and their durations.
  private mutating func gather(_ pieces: [CallPasses.LocatedPiece]) {
    chunks.removeAll(keepingCapacity: true)
    durations.removeAll(keepingCapacity: true)
    var isAscending = true
    var last: UInt64 = 0
    for piece in pieces {
      let calls = parts[piece.part].calls
      let own = calls.chunks[piece.chunks]
      // The durations of a piece stand side by side.
      var offset: UInt32 = 0
      if quantile != nil, let first = own.first, let final = own.last {
        offset = UInt32(truncatingIfNeeded: durations.count) &- first.firstDuration
        durations += calls.durations[Int(first.firstDuration)..<Int(final.firstDuration + final.callCount)]
      }
      for var chunk in own {
        chunk.firstDuration &+= offset
        if chunk.bucket < last { isAscending = false }
        last = chunk.bucket
        chunks.append(LocatedChunk(chunk: chunk, part: piece.part))
      }
    }
    // Stripes follow each other in time mostly, but a series may have several runs in each.
    if !isAscending { sort() }
  }

  private mutating func sort() {
    guard let least = chunks.lazy.map(\.chunk.bucket).min(), let greatest = chunks.lazy.map(\.chunk.bucket).max() else {
      return
    }
    // Buckets lie close together mostly, so that counting is cheaper than comparing.
    guard greatest - least < UInt64(4 * chunks.count) else {
      return chunks.sort { $0.chunk.bucket < $1.chunk.bucket }
    }
    places.removeAll(keepingCapacity: true)
    places.append(contentsOf: repeatElement(0, count: Int(greatest - least) + 2))
    for located in chunks { places[Int(located.chunk.bucket - least) + 1] += 1 }
    for index in 1..<places.count { places[index] += places[index - 1] }
    sorted.removeAll(keepingCapacity: true)
    sorted.append(contentsOf: chunks)
    for located in chunks {
      let bucket = Int(located.chunk.bucket - least)
      sorted[places[bucket]] = located
      places[bucket] += 1
    }
    swap(&chunks, &sorted)
  }

  /// The cell of neighbouring chunks.
  private mutating func cell(_ bucket: UInt64, _ own: Range<Int>) -> CallCell {
    var cell = CallCell(bucket: bucket)
    for place in own {
      cell.callCount &+= UInt64(chunks[place].chunk.callCount)
      cell.errorCount &+= UInt64(chunks[place].chunk.errorCount)
    }
    guard let quantile else { return cell }
    let rank = QuantileRank(quantile, of: cell.callCount)
    cell.isExact = isExact || cell.callCount < UInt64(DurationSketch.exactCount)
    if own.count == 1 {
      // Nobody else wants these durations: their order may be lost.
      let chunk = chunks[own.lowerBound].chunk
      let range = Int(chunk.firstDuration)..<Int(chunk.firstDuration &+ chunk.callCount)
      cell.quantile = durations.withUnsafeMutableBufferPointer {
        Self.value(rank, in: UnsafeMutableBufferPointer(rebasing: $0[range]), isExact: cell.isExact)
      }
    } else {
      joined.removeAll(keepingCapacity: true)
      for place in own {
        let chunk = chunks[place].chunk
        joined += durations[Int(chunk.firstDuration)..<Int(chunk.firstDuration &+ chunk.callCount)]
      }
      cell.quantile = joined.withUnsafeMutableBufferPointer { Self.value(rank, in: $0, isExact: cell.isExact) }
    }
    return cell
  }

  private static func value(
    _ rank: QuantileRank, in durations: UnsafeMutableBufferPointer<UInt64>, isExact: Bool
  ) -> Double {
    if isExact { return Selection.value(rank, in: durations) }
    // What a sketch of as many durations says, so that no way of reading them changes an answer.
    var histogram = DurationHistogram()
    histogram.update(UnsafeBufferPointer(durations))
    return histogram.finish(rank)
  }

  private func slowest(of own: Range<Int>) -> SlowestSpans {
    var slowest = SlowestSpans()
    for located in chunks[own] { slowest.update(parts[located.part].slowest(of: located.chunk)) }
    return slowest
  }
}

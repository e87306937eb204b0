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

  /// A piece of one of the parts.
  struct LocatedPiece: Sendable {
    var part: Int
    var piece: CallPiece
  }

  /// Buckets whose calls are held at once, and the stripes that have some of them.
  private struct Slice {
    var starts: ClosedRange<UInt64>
    var places: [Place]
    /// A bucket with more calls than are held: a few stripes at a time, whose calls are folded into sketches.
    var isFolded: Bool
  }

  private let search: MetricsSearch
  private let scan: CallScan
  /// Ascending, together all buckets that have calls.
  private let slices: [Slice]
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
    slices = Self.slices(places, scan, maximumRowCount: search.maximumRowCount)
  }

  private static func slices(_ places: [Place], _ scan: CallScan, maximumRowCount: Int) -> [Slice] {
    let window = scan.selection.starts
    let width = scan.bucketNanoseconds
    var slices: [Slice] = []
    func add(_ buckets: ClosedRange<UInt64>, _ places: [Place]) {
      let first = max(buckets.lowerBound * width, window.lowerBound)
      let (end, isBeyond) = (buckets.upperBound * width).addingReportingOverflow(width - 1)
      let starts = first...(isBeyond ? window.upperBound : min(end, window.upperBound))
      let own = places.filter { $0.stripe.bounds.mayStart(in: starts) }
      if own.isEmpty { return }
      let rowCount = own.reduce(0) { $0 + $1.stripe.rowCount(in: starts) }
      if rowCount <= Double(maximumRowCount) || buckets.lowerBound == buckets.upperBound {
        slices.append(Slice(starts: starts, places: own, isFolded: rowCount > Double(maximumRowCount)))
      } else {
        let middle = buckets.lowerBound + (buckets.upperBound - buckets.lowerBound) / 2
        add(buckets.lowerBound...middle, own)
        add((middle + 1)...buckets.upperBound, own)
      }
    }
    add(window.lowerBound / width...window.upperBound / width, places)
    return slices
  }

  /// - Parameter make: what becomes of a series' cells; called on the threads that there are.
  func series<Made: Sendable>(
    _ damage: inout DamageReport, make: @escaping @Sendable (SeriesCells) -> Made
  ) throws -> Answer<Made> {
    var table = SeriesTable(sourceCount: search.snapshot.recordSources.count, groups: search.groups)
    let maximumCount = search.query.maximumSeriesCount
    if slices.count <= 1, slices.first?.isFolded != true {
      let parts = slices.first.map { read($0.places, scan, &damage) } ?? []
      let pieces = try pieces(of: parts, &table, &damage)
      for (place, own) in pieces.enumerated() { for located in own { table.count(located.piece.callCount, of: place) } }
      let (ranks, shown, hasOverflow) = table.ranks(maximumCount: maximumCount)
      return Answer(
        made: finish(pieces.grouped(by: ranks), of: parts, make), shown: shown, hasOverflow: hasOverflow)
    }
    var series = try sweep(&table, ranks: nil, &damage)
    let (ranks, shown, hasOverflow) = table.ranks(maximumCount: maximumCount)
    // Which series overflow is known in the end; a quantile of all their calls takes these once more.
    if hasOverflow { series = try sweep(&table, ranks: ranks, &damage) }
    let places = hasOverflow ? Array(series.indices) : ranks.places(count: shown.count)
    let cells = series
    let made = concurrently(search.parallel, places.count) { make(cells[places[$0]]) }
    return Answer(made: made, shown: shown, hasOverflow: hasOverflow)
  }

  /// Slice after slice.
  ///
  /// - Parameter ranks: of the series of the table, which share a last one; nil tells all of them apart.
  private func sweep(
    _ table: inout SeriesTable, ranks: [Int]?, _ damage: inout DamageReport
  ) throws -> [SeriesCells] {
    var series: [SeriesCells] = []
    var cellCount = 0
    for slice in slices {
      var scan = scan
      scan.selection.starts = slice.starts
      let own: [SeriesCells]
      if slice.isFolded {
        own = try folded(slice, scan, &table, ranks, &damage)
      } else {
        let parts = read(slice.places, scan, &damage)
        let pieces = try pieces(of: parts, &table, &damage)
        own = finish(ranks.map { pieces.grouped(by: $0) } ?? pieces, of: parts) { $0 }
      }
      for (place, cells) in own.enumerated() {
        if ranks == nil { table.count(cells.cells.reduce(0) { $0 + Int($1.callCount) }, of: place) }
        if place == series.count { series.append(cells) } else { series[place].append(cells) }
        cellCount += cells.cells.count
      }
      guard cellCount <= MetricsSearch.maximumPointCount else { throw MetricsSearch.tooManyPoints }
    }
    return series
  }

  // MARK: Reading

  private func read(_ places: [Place], _ scan: CallScan, _ damage: inout DamageReport) -> [Part] {
    let results = concurrently(search.parallel, places.count) { [self] index in
      var own = DamageReport()
      let parts = read(places[index], scan, &own)
      return (parts, own)
    }
    var parts: [Part] = []
    for (own, report) in results {
      parts += own
      damage.add(report)
    }
    return parts
  }

  private func read(_ place: Place, _ scan: CallScan, _ damage: inout DamageReport) -> [Part] {
    let stripe = place.stripe
    var parts: [Part] = []
    damage.salvage(0..<stripe.rowCount, atLeast: TraceSearch.salvagedRowCount) { rows in
      var mask: RowMask?
      if let predicate = search.predicate {
        var own = RowMask(count: stripe.rowCount)
        own.set(rows)
        try predicate.filter(&own, in: stripe)
        if own.isEmpty { return }
        if !own.isFull { mask = own }
      }
      if let repeated = repeats[place.source, stripe.index] {
        var own = mask ?? RowMask(count: stripe.rowCount, filled: true)
        own.subtract(repeated)
        mask = own
      }
      var part = Part(place: place, calls: try calls(of: stripe, in: rows, mask, scan))
      if scan.needsExamples { part.examples = try ids(of: part.calls.examples.map(\.row), part) }
      if !part.calls.pieces.isEmpty { parts.append(part) }
    }
    return parts
  }

  private func calls(
    of stripe: any SpanStripe, in rows: Range<Int>, _ mask: RowMask?, _ scan: CallScan
  ) throws -> CallChunks {
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
        while pieces.count <= series { pieces.append([]) }
        pieces[series].append(LocatedPiece(part: index, piece: piece))
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
      chunkCount += pieces.reduce(1) { $0 + $1.piece.chunks.count }
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
  private func folded(
    _ slice: Slice, _ scan: CallScan, _ table: inout SeriesTable, _ ranks: [Int]?, _ damage: inout DamageReport
  ) throws -> [SeriesCells] {
    var cells: [CellKey: FoldedCell] = [:]
    try forEachChunk(of: slice, scan, &table, ranks, &damage) { key, chunk, part in
      var cell = FoldedCell(callCount: UInt64(chunk.callCount), errorCount: UInt64(chunk.errorCount))
      if search.quantile != nil { part.calls.withDurations(of: chunk) { cell.sketch.update($0) } }
      cell.slowest.update(part.slowest(Int(chunk.firstExample), Int(chunk.exampleCount)))
      cells[key, default: FoldedCell()].merge(cell)
    }
    let exact = search.query.isExact ? try exactQuantiles(of: cells, slice, scan, &table, ranks, &damage) : [:]
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
    of cells: [CellKey: FoldedCell], _ slice: Slice, _ scan: CallScan, _ table: inout SeriesTable, _ ranks: [Int]?,
    _ damage: inout DamageReport
  ) throws -> [CellKey: Double] {
    guard let quantile = search.quantile else { return [:] }
    var searches = cells.compactMapValues { $0.sketch.search(quantile) }
    if searches.isEmpty { return [:] }
    try forEachChunk(of: slice, scan, &table, ranks, &damage) { key, chunk, part in
      part.calls.withDurations(of: chunk) { searches[key]?.update($0) }
    }
    return searches.compactMapValues { $0.finish() }
  }

  private func forEachChunk(
    of slice: Slice, _ scan: CallScan, _ table: inout SeriesTable, _ ranks: [Int]?, _ damage: inout DamageReport,
    _ body: (CellKey, CallChunk, Part) -> Void
  ) throws {
    var waves: [[Place]] = []
    var rowCount = 0
    for place in slice.places {
      if waves.isEmpty || rowCount + place.stripe.rowCount > search.maximumRowCount {
        waves.append([])
        rowCount = 0
      }
      waves[waves.count - 1].append(place)
      rowCount += place.stripe.rowCount
    }
    for wave in waves {
      let parts = read(wave, scan, &damage)
      let pieces = try pieces(of: parts, &table, &damage)
      for (series, own) in (ranks.map { pieces.grouped(by: $0) } ?? pieces).enumerated() {
        for located in own {
          let part = parts[located.part]
          part.calls.forEachChunk(of: located.piece) {
            body(CellKey(series: UInt32(series), bucket: $0.bucket), $0, part)
          }
        }
      }
    }
  }
}

extension SpanStripe {
  /// About how many rows start in a window, as if they were spread evenly over the stripe's times.
  fileprivate func rowCount(in starts: ClosedRange<UInt64>) -> Double {
    let (first, last) = (max(starts.lowerBound, bounds.minimumStart), min(starts.upperBound, bounds.maximumStart))
    guard first <= last else { return 0 }
    return Double(rowCount) * (Double(last - first) + 1) / (Double(bounds.maximumStart - bounds.minimumStart) + 1)
  }
}

extension [[CallPasses.LocatedPiece]] {
  /// By rank of their series. What has none turned up behind the ranking, because damage hid it the first time.
  fileprivate func grouped(by ranks: [Int]) -> [[CallPasses.LocatedPiece]] {
    var groups = [[CallPasses.LocatedPiece]](repeating: [], count: (ranks.max() ?? -1) + 1)
    for (pieces, rank) in zip(self, ranks) { groups[rank] += pieces }
    return groups
  }
}

extension [Int] {
  /// The places of the first ranks, each of which stands once.
  fileprivate func places(count: Int) -> [Int] {
    var places = [Int](repeating: 0, count: count)
    for (place, rank) in enumerated() where rank < count { places[rank] = place }
    return places
  }
}

extension MetricsSearch {
  /// The quantile, when latencies are asked for.
  var quantile: Double? { measure == .latencies ? query.quantile : nil }
}

extension CallChunks {
  func withDurations<Result>(of chunk: CallChunk, _ body: (UnsafeBufferPointer<UInt64>) -> Result) -> Result {
    body(
      UnsafeBufferPointer(
        rebasing: durations.values[Int(chunk.firstDuration)..<Int(chunk.firstDuration + chunk.callCount)]))
  }
}

extension CallPasses.Part {
  /// Examples of a chunk.
  func slowest(_ first: Int, _ count: Int) -> [SlowestSpans.Entry] {
    if count == 0 { return [] }
    return examples[first..<(first + count)].compactMap(\.self)
  }
}

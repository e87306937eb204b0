import TraceAggregate
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource
import TracestoreV2

/// Walks through the stripes of a metrics query, many at once, as often as it takes.
struct CallPasses {
  /// What became of the cells of each series that is shown, then of the overflow if there is one.
  struct Answer<Made> {
    var made: [Made]
    /// The texts of their labels, the overflow's left out.
    var shown: [[[UInt8]]]
    var hasOverflow: Bool
  }

  let search: MetricsSearch
  private let scan: CallScan
  /// Ascending, together all buckets that have calls.
  private var slices: [CallSlice] = []
  private let repeats: RepeatedRows
  /// Of a question that was asked before.
  private var plan: AskedPlan?

  init(_ search: MetricsSearch, _ scan: CallScan, _ damage: inout DamageReport) {
    self.search = search
    self.scan = scan
    repeats = RepeatedRows(search.snapshot, in: scan.selection.starts, &damage)
    // Beside damage nothing is kept: then a plan would only cost.
    if damage.messages.isEmpty { plan = AskedPlan(search, scan, repeats) { buckets(of: $0) } }
    slices = plan.map { CallSlice.slices($0, search, scan, repeats) } ?? CallSlice.slices(search, scan, repeats)
  }

  /// - Parameter make: what becomes of a series' cells; called on the threads that there are.
  func series<Made: Sendable>(
    _ damage: inout DamageReport, make: @escaping @Sendable (SeriesCells) -> Made
  ) throws -> Answer<Made> {
    var table = SeriesTable(sourceCount: search.snapshot.recordSources.count, groups: search.groups)
    let maximumCount = search.query.maximumSeriesCount
    if slices.count <= 1, slices.allSatisfy({ !$0.isFolded && $0.known == nil }) {
      let parts = slices.first.map { read($0.readings, &damage) } ?? []
      let pieces = try pieces(of: parts, &table, &damage)
      for series in 0..<pieces.count {
        for located in pieces[series] { table.count(located.piece.callCount, of: series) }
      }
      let (ranks, shown, hasOverflow) = table.ranks(maximumCount: maximumCount)
      if let plan, !hasOverflow {
        let series = finish(pieces, of: parts) { $0.exactCopy }
        if damage.messages.isEmpty { plan.keep(series, labels: table.labels, for: scan) }
        return Answer(made: made(of: series, ranks, count: shown.count, make), shown: shown, hasOverflow: false)
      }
      return Answer(
        made: finish(pieces.grouped(by: ranks), of: parts, make), shown: shown, hasOverflow: hasOverflow)
    }
    var series = try sweep(&table, ranks: nil, &damage)
    let (ranks, shown, hasOverflow) = table.ranks(maximumCount: maximumCount)
    guard hasOverflow else {
      if let plan, damage.messages.isEmpty { plan.keep(series, labels: table.labels, for: scan) }
      return Answer(made: made(of: series, ranks, count: shown.count, make), shown: shown, hasOverflow: false)
    }
    // Which series overflow is known in the end; a quantile of all their calls takes these once more.
    var passes = self
    if slices.contains(where: { $0.known != nil }) { passes.slices = CallSlice.slices(search, scan, repeats) }
    series = try passes.sweep(&table, ranks: ranks, &damage)
    return Answer(
      made: made(of: series, Array(series.indices), count: series.count, make), shown: shown, hasOverflow: true)
  }

  /// - Parameter ranks: of the series, in whose order their cells are made.
  private func made<Made: Sendable>(
    of series: [SeriesCells], _ ranks: [Int], count: Int, _ make: @escaping @Sendable (SeriesCells) -> Made
  ) -> [Made] {
    let places = ranks.places(count: count)
    return concurrently(search.parallel, places.count) { make(series[places[$0]]) }
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
      let own: [SeriesCells]
      if let buckets = slice.known {
        own = try knownCells(of: buckets, &table)
      } else if slice.isFolded {
        own = try folded(slice, &table, ranks, &damage)
      } else {
        let parts = read(slice.readings, &damage)
        let pieces = try pieces(of: parts, &table, &damage)
        own = finish(ranks.map { pieces.grouped(by: $0) } ?? pieces, of: parts) { $0.exactCopy }
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

  /// By series of the table.
  private func knownCells(of buckets: Range<UInt64>, _ table: inout SeriesTable) throws -> [SeriesCells] {
    var series: [SeriesCells] = []
    try plan?.known.forEachSeries(in: buckets) { labels, cells in
      let place = try table.place(of: labels)
      while series.count <= place { series.append(SeriesCells()) }
      series[place] = cells
    }
    return series
  }

  // MARK: Reading

  /// The buckets that some readings have calls in; nil where these are many, or damaged.
  private func buckets(of readings: [CallReading]) -> RangeSet<UInt64>? {
    guard readings.greatestCallCount <= search.maximumRowCount / 4 else { return nil }
    var damage = DamageReport()
    var chunks: [CallChunk] = []
    var buckets: Set<UInt64> = []
    for part in read(readings, &damage) {
      for piece in part.pieces {
        chunks.removeAll(keepingCapacity: true)
        part.appendChunks(of: LocatedPiece(part: 0, piece: piece), to: &chunks)
        for chunk in chunks { buckets.insert(chunk.bucket) }
      }
    }
    guard damage.messages.isEmpty else { return nil }
    return RangeSet(buckets.sorted().map { $0..<$0 + 1 })
  }

  /// - Parameter isFolded: whether the calls become sketches.
  func read(_ readings: [CallReading], isFolded: Bool = false, _ damage: inout DamageReport) -> [any CallPart] {
    let results = concurrently(search.parallel, readings.count) { [self] index in
      var own = DamageReport()
      let parts = read(readings[index], isFolded: isFolded, &own)
      return (parts, own)
    }
    var parts: [any CallPart] = []
    for (own, report) in results {
      parts += own
      damage.add(report)
    }
    return parts
  }

  private func read(_ reading: CallReading, isFolded: Bool, _ damage: inout DamageReport) -> [any CallPart] {
    var parts: [any CallPart] = []
    switch reading.content {
    case .rows(let stripe, let source): parts = self.parts(of: stripe, source: source, reading, &damage)
    case .minutes(let block, let minutes):
      if let cells = try? block.block.cells() {
        let quantile = isFolded ? nil : scan.cellQuantile(cells.shape)
        parts = [
          KeptCalls(cells, minutes, scan) { cellCount in
            quantile.flatMap { block.block.quantiles($0, of: cells, cellCount: cellCount) }
          }
        ]
      } else {
        // What is damaged a scan meets itself, if it needs it.
        for scanned in reading.scanned { parts += read(scanned, isFolded: isFolded, &damage) }
      }
    }
    return parts.filter { !$0.pieces.isEmpty }
  }

  /// Scans those rows of a stripe that count.
  private func parts(
    of stripe: any SpanStripe, source: Int, _ reading: CallReading, _ damage: inout DamageReport
  ) -> [any CallPart] {
    var scan = scan
    scan.selection.starts = reading.starts
    var parts: [any CallPart] = []
    damage.salvage(0..<stripe.rowCount, atLeast: TraceSearch.salvagedRowCount) { rows in
      var mask: RowMask?
      if let predicate = search.predicate {
        var own = RowMask(count: stripe.rowCount)
        own.set(rows)
        try predicate.filter(&own, in: stripe)
        if own.isEmpty { return }
        if !own.isFull { mask = own }
      }
      if let repeated = repeats[source, stripe.index] {
        var own = mask ?? RowMask(count: stripe.rowCount, filled: true)
        own.subtract(repeated)
        mask = own
      }
      parts.append(try ScannedCalls(stripe, in: rows, mask, source: source, scan))
    }
    return parts
  }

  /// By series of the table. Texts of a part that cannot be read take the part with them.
  func pieces(
    of parts: [any CallPart], _ table: inout SeriesTable, _ damage: inout DamageReport
  ) throws -> SeriesPieces {
    var series: [[Int]] = []
    series.reserveCapacity(parts.count)
    for part in parts {
      do {
        series.append(try table.places(of: part))
      } catch let error as TracestoreError where error.code == .corrupt {
        damage.add(error)
        series.append([])
      }
    }
    return SeriesPieces(of: parts, series: series)
  }

  // MARK: Finishing

  /// Chunks that one thread finishes at a time.
  private static let batchCount = 8192

  /// - Parameter make: what becomes of a series' cells, whose memory the next series takes.
  private func finish<Made: Sendable>(
    _ series: SeriesPieces, of parts: [any CallPart], _ make: @escaping @Sendable (SeriesCells) -> Made
  ) -> [Made] {
    var batches: [Range<Int>] = []
    var chunkCount = 0
    for index in 0..<series.count {
      if chunkCount == 0 { batches.append(index..<index) }
      batches[batches.count - 1] = batches[batches.count - 1].lowerBound..<(index + 1)
      chunkCount += series[index].reduce(1) { $0 + $1.piece.cellCount }
      if chunkCount >= Self.batchCount { chunkCount = 0 }
    }
    let results = concurrently(search.parallel, batches.count) { [self, batches] index in
      var finisher = CellFinisher(parts, search)
      return batches[index].map { finisher.withCells(of: series[$0], make) }
    }
    return results.flatMap { $0 }
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

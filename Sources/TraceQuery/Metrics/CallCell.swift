import TraceAggregate

/// What the calls of one series in one bucket come to.
struct CallCell {
  var bucket: UInt64
  var callCount: UInt64 = 0
  var errorCount: UInt64 = 0
  /// The quantile in nanoseconds, when one was asked for.
  var quantile = 0.0
  var isExact = true
}

/// The cells of one series, ascending by bucket, with the slowest spans of each where examples were asked for.
struct SeriesCells {
  var cells: [CallCell] = []
  /// By place of the cell; ends with the last one that has any. Not in the cells, which are copied by the hundred
  /// thousand and cost nothing to copy without it.
  private var slowest: [SlowestSpans] = []

  func slowest(at place: Int) -> SlowestSpans { place < slowest.count ? slowest[place] : SlowestSpans() }

  /// Adds cells of later buckets.
  mutating func append(_ later: SeriesCells) {
    if !later.slowest.isEmpty {
      while slowest.count < cells.count { slowest.append(SlowestSpans()) }
      slowest += later.slowest
    }
    cells += later.cells
  }

  /// The same in memory of its own, no more of it than it takes.
  var exactCopy: SeriesCells {
    var copy = SeriesCells()
    copy.cells = cells.withUnsafeBufferPointer { Array($0) }
    copy.slowest = slowest
    return copy
  }

  /// Leaves no cells, and the memory of those there were.
  mutating func removeAll() {
    cells.removeAll(keepingCapacity: true)
    slowest.removeAll()
  }

  mutating func setSlowest(_ spans: SlowestSpans, at place: Int) {
    while slowest.count <= place { slowest.append(SlowestSpans()) }
    slowest[place] = spans
  }
}

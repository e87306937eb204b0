import TraceAggregate
import TraceSegment
import TracestoreV2

/// Makes cells of their chunks; for one thread.
struct CellFinisher {
  private let parts: [any CallPart]
  private let quantile: Double?
  private let isExact: Bool
  /// Whether a cell in the cache is a bucket.
  private let isByMinute: Bool
  // Kept for their memory.
  private var result = SeriesCells()
  private var kept: [CallCells.Calls] = []
  private var chunks: [CallChunk] = []
  private var sorted: [CallChunk] = []
  private var places: [Int] = []
  private var durations: [UInt64] = []
  private var lists = AscendingLists()
  private var tally = BucketTally()

  init(_ parts: [any CallPart], _ search: MetricsSearch) {
    self.parts = parts
    quantile = search.quantile
    isExact = search.query.isExact
    isByMinute = search.window?.bucketNanoseconds == CallCells.nanoseconds
  }

  /// Calls `body` with the cells of one series.
  mutating func withCells<Result>(
    of pieces: ArraySlice<LocatedPiece>, _ body: (SeriesCells) -> Result
  ) -> Result {
    result.removeAll()
    if isByMinute, findKeptInOrder(pieces) { makeCellsOfKept() } else { makeCells(of: pieces) }
    return body(result)
  }

  private mutating func makeCells(of pieces: ArraySlice<LocatedPiece>) {
    gather(pieces)
    var first = 0
    while first < chunks.count {
      let bucket = chunks[first].bucket
      var end = first &+ 1
      while end < chunks.count, chunks[end].bucket == bucket { end &+= 1 }
      result.cells.append(cell(bucket, first..<end))
      if chunks[first..<end].contains(where: { $0.exampleCount > 0 }) {
        result.setSlowest(slowest(of: first..<end), at: result.cells.count - 1)
      }
      first = end
    }
  }

  /// Brings the chunks of a series together, ascending by bucket.
  private mutating func gather(_ pieces: ArraySlice<LocatedPiece>) {
    chunks.removeAll(keepingCapacity: true)
    for located in pieces { parts[Int(located.part)].appendChunks(of: located, to: &chunks) }
    var isAscending = true
    var last: UInt64 = 0
    for chunk in chunks {
      isAscending = isAscending && last <= chunk.bucket
      last = chunk.bucket
    }
    // Stripes follow each other in time mostly, but a series may have several runs in each.
    if !isAscending { sort() }
  }

  private mutating func sort() {
    guard let least = chunks.lazy.map(\.bucket).min(), let greatest = chunks.lazy.map(\.bucket).max() else {
      return
    }
    // Buckets lie close together mostly, so that counting is cheaper than comparing.
    guard greatest - least < UInt64(4 * chunks.count) else {
      return chunks.sort { $0.bucket < $1.bucket }
    }
    places.removeAll(keepingCapacity: true)
    places.append(contentsOf: repeatElement(0, count: Int(greatest - least) + 2))
    for chunk in chunks { places[Int(chunk.bucket - least) + 1] += 1 }
    for index in 1..<places.count { places[index] += places[index - 1] }
    sorted.removeAll(keepingCapacity: true)
    sorted.append(contentsOf: chunks)
    for chunk in chunks {
      let bucket = Int(chunk.bucket - least)
      sorted[places[bucket]] = chunk
      places[bucket] += 1
    }
    swap(&chunks, &sorted)
  }

  /// The cell of neighbouring chunks.
  private mutating func cell(_ bucket: UInt64, _ own: Range<Int>) -> CallCell {
    var cell = CallCell(bucket: bucket)
    for place in own {
      cell.callCount &+= UInt64(chunks[place].callCount)
      cell.errorCount &+= UInt64(chunks[place].errorCount)
    }
    guard let quantile else { return cell }
    let rank = QuantileRank(quantile, of: cell.callCount)
    if let estimate = countedEstimate(of: rank, own, callCount: cell.callCount) {
      cell.isExact = false
      cell.quantile = estimate
      return cell
    }
    let (lower, upper) = neighbours(of: rank, own, callCount: cell.callCount)
    // What a sketch of as many durations says, so that no way of reading them changes an answer.
    cell.isExact = isExact || DurationSketch.isExact(count: cell.callCount)
    cell.quantile = cell.isExact ? rank.value(lower, upper) : rank.estimate(lower, upper)
    return cell
  }

  /// The quantile where durations are only counted; nil where each is there.
  private mutating func countedEstimate(of rank: QuantileRank, _ own: Range<Int>, callCount: UInt64) -> Double? {
    if own.count == 1 {
      guard case .counted(let buckets) = chunks[own.lowerBound].durations else { return nil }
      return rank.estimate(buckets)
    }
    let isCounted = chunks[own].contains { if case .counted = $0.durations { true } else { false } }
    guard isCounted else { return nil }
    tally.clear()
    for place in own {
      switch chunks[place].durations {
      case .counted(let buckets): tally.merge(buckets)
      case .each(let packed):
        let count = Int(packed.count)
        if durations.count < count { durations = [UInt64](repeating: 0, count: max(count, 2 * durations.count)) }
        durations.withUnsafeMutableBufferPointer { values in
          guard let room = values.baseAddress else { return }
          packed.unpack(0..<count, into: room)
          tally.update(UnsafeBufferPointer(rebasing: values[..<count]))
        }
      case nil: break
      }
    }
    let lower = tally.value(at: rank.lower)
    return rank.value(lower, rank.upper > rank.lower ? tally.value(at: rank.upper) : lower)
  }

  /// Of more durations than this, those that ascend are not brought together.
  private static let maximumTakenCount = 512

  /// The durations at a rank and behind it, where they ascend in each chunk; nil where they do not.
  private mutating func ascendingNeighbours(
    of rank: QuantileRank, _ own: Range<Int>
  ) -> (lower: UInt64, upper: UInt64)? {
    lists.clear()
    for place in own {
      guard case .each(let packed) = chunks[place].durations, packed.isAscending else { return nil }
      lists.append(packed)
    }
    return lists.neighbours(of: rank)
  }

  /// The durations at a rank and behind it.
  private mutating func neighbours(
    of rank: QuantileRank, _ own: Range<Int>, callCount: UInt64
  ) -> (lower: UInt64, upper: UInt64) {
    if own.count == 1, case .each(let only) = chunks[own.lowerBound].durations, only.isAscending {
      return only.neighbours(of: rank)
    }
    // No more than so many of the longest, or of the shortest, of a chunk can be among them.
    let (fromEnd, fromStart) = (Int(callCount - rank.lower), Int(rank.upper) + 1)
    let isFromEnd = fromEnd < fromStart
    let neededCount = min(fromEnd, fromStart)
    var takenCount = 0
    for place in own { takenCount &+= chunks[place].takenCount(ofNeeded: neededCount) }
    if takenCount > Self.maximumTakenCount, let found = ascendingNeighbours(of: rank, own) { return found }
    if durations.count < takenCount {
      durations = [UInt64](repeating: 0, count: max(takenCount, 2 * durations.count))
    }
    return durations.withUnsafeMutableBufferPointer { values in
      var count = 0
      for place in own {
        guard case .each(let packed) = chunks[place].durations, let room = values.baseAddress else { continue }
        let all = Int(packed.count)
        let taken = chunks[place].takenCount(ofNeeded: neededCount)
        packed.unpack(isFromEnd ? (all - taken)..<all : 0..<taken, into: room + count)
        count += taken
      }
      return Selection.neighbours(
        of: isFromEnd ? rank.dropping(first: callCount - UInt64(count)) : rank,
        in: UnsafeMutableBufferPointer(rebasing: values[..<count]))
    }
  }

  private func slowest(of own: Range<Int>) -> SlowestSpans {
    var slowest = SlowestSpans()
    for chunk in chunks[own] { slowest.update(parts[Int(chunk.part)].slowest(of: chunk)) }
    return slowest
  }
}

// MARK: - Cells as they are kept

extension CellFinisher {
  /// Leaves the calls of pieces in `kept`. False unless all are of cells, and follow each other.
  private mutating func findKeptInOrder(_ pieces: ArraySlice<LocatedPiece>) -> Bool {
    kept.removeAll(keepingCapacity: true)
    for located in pieces {
      guard case .cells(let calls) = located.piece.calls else { return false }
      if let last = kept.last, last.lastMinute > calls.firstMinute { return false }
      kept.append(calls)
    }
    return true
  }

  /// Those that are kept, but for a minute that several have calls in.
  private mutating func makeCellsOfKept() {
    prefetchCuts()
    var (index, first) = (0, 0)
    while index < kept.count {
      let calls = kept[index]
      index += 1
      let isCut = index < kept.count && kept[index].firstMinute == calls.lastMinute
      append(calls.part(first..<(isCut ? max(first, calls.count - 1) : calls.count)))
      // A lone cell that ends the minute cut before stands there already.
      first = 0
      guard isCut else { continue }
      chunks.removeAll(keepingCapacity: true)
      chunks.append(CallChunk(calls, at: calls.count - 1, needsDurations: quantile != nil))
      while index < kept.count, kept[index].firstMinute == calls.lastMinute {
        chunks.append(CallChunk(kept[index], at: 0, needsDurations: quantile != nil))
        if kept[index].count > 1 {
          first = 1
          break
        }
        index += 1
      }
      result.cells.append(cell(UInt64(calls.lastMinute), 0..<chunks.count))
    }
  }

  /// Has what decides of each minute that several have calls in fetched, while the cells before it are gone through: it
  /// stands far from all else that is looked at.
  private func prefetchCuts() {
    guard let quantile else { return }
    for (calls, next) in zip(kept, kept.dropFirst()) where calls.lastMinute == next.firstMinute {
      for (own, place) in [(calls, calls.count - 1), (next, 0)] {
        guard case .each(let durations) = own.durations(at: place) else { continue }
        durations.prefetch(QuantileRank(quantile, of: UInt64(durations.count)))
      }
    }
  }

  private mutating func append(_ calls: CallCells.Calls) {
    let count = calls.count
    if count == 0 { return }
    func cell(_ place: Int) -> CallCell {
      CallCell(
        bucket: UInt64(calls.cells[place].minute),
        callCount: UInt64(calls.cells[place &+ 1].firstCall &- calls.cells[place].firstCall),
        errorCount: UInt64(calls.cells[place].errorCount))
    }
    guard let quantile else {
      for place in 0..<count { result.cells.append(cell(place)) }
      return
    }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { values in
      values.initialize(repeating: 0)
      guard let first = values.baseAddress else { return }
      calls.quantiles(quantile, isExact: isExact, into: first)
      for place in 0..<count {
        var cell = cell(place)
        cell.quantile = values[place]
        cell.isExact = isExact || DurationSketch.isExact(count: cell.callCount)
        result.cells.append(cell)
      }
    }
  }
}

extension CallCells.Calls {
  fileprivate var firstMinute: UInt32 { cells[0].minute }
  fileprivate var lastMinute: UInt32 { cells[count - 1].minute }
}

extension CallChunk {
  fileprivate init(_ calls: CallCells.Calls, at place: Int, needsDurations: Bool) {
    self.init(
      bucket: UInt64(calls.cells[place].minute), callCount: calls.callCount(at: place),
      errorCount: calls.cells[place].errorCount, durations: needsDurations ? calls.durations(at: place) : nil)
  }

  /// How many durations have to be looked at where so many at one end of all decide.
  fileprivate func takenCount(ofNeeded neededCount: Int) -> Int {
    guard case .each(let durations) = durations else { return 0 }
    return durations.isAscending ? min(Int(durations.count), neededCount) : Int(durations.count)
  }
}

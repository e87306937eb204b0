import TraceAggregate

/// Makes cells of their chunks; for one thread.
struct CellFinisher {
  private let parts: [any CallPart]
  private let quantile: Double?
  private let isExact: Bool
  // Kept for their memory.
  private var chunks: [CallChunk] = []
  private var sorted: [CallChunk] = []
  private var places: [Int] = []
  private var durations: [UInt64] = []

  init(_ parts: [any CallPart], quantile: Double?, isExact: Bool) {
    self.parts = parts
    self.quantile = quantile
    self.isExact = isExact
  }

  /// The cells of one series.
  mutating func cells(of pieces: [LocatedPiece]) -> SeriesCells {
    gather(pieces)
    var result = SeriesCells()
    result.cells.reserveCapacity(chunks.count)
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
    return result
  }

  /// Brings the chunks of a series together, ascending by bucket.
  private mutating func gather(_ pieces: [LocatedPiece]) {
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
    let (lower, upper) = neighbours(of: rank, own, callCount: cell.callCount)
    // What a sketch of as many durations says, so that no way of reading them changes an answer.
    cell.isExact = isExact || DurationSketch.isExact(count: cell.callCount)
    cell.quantile = cell.isExact ? rank.value(lower, upper) : rank.estimate(lower, upper)
    return cell
  }

  /// The durations at a rank and behind it.
  private mutating func neighbours(
    of rank: QuantileRank, _ own: Range<Int>, callCount: UInt64
  ) -> (lower: UInt64, upper: UInt64) {
    if own.count == 1, let only = chunks[own.lowerBound].durations, only.isAscending {
      return only.neighbours(of: rank)
    }
    // No more than so many of the longest, or of the shortest, of a chunk can be among them.
    let (fromEnd, fromStart) = (Int(callCount - rank.lower), Int(rank.upper) + 1)
    let isFromEnd = fromEnd < fromStart
    let neededCount = min(fromEnd, fromStart)
    var takenCount = 0
    for place in own { takenCount &+= chunks[place].takenCount(ofNeeded: neededCount) }
    if durations.count < takenCount {
      durations = [UInt64](repeating: 0, count: max(takenCount, 2 * durations.count))
    }
    return durations.withUnsafeMutableBufferPointer { values in
      var count = 0
      for place in own {
        guard let packed = chunks[place].durations, let room = values.baseAddress else { continue }
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

extension CallChunk {
  /// How many durations have to be looked at where so many at one end of all decide.
  fileprivate func takenCount(ofNeeded neededCount: Int) -> Int {
    guard let durations else { return 0 }
    return durations.isAscending ? min(Int(durations.count), neededCount) : Int(durations.count)
  }
}

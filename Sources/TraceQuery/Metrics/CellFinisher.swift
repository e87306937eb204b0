import TraceAggregate

/// Makes cells of their chunks; for one thread.
struct CellFinisher {
  private struct LocatedChunk {
    var bucket: UInt64
    var callCount: UInt32
    var errorCount: UInt32
    /// Of its part, which is kept as long as this is; nil when none were asked for.
    var durations: UnsafePointer<UInt64>?
    var part: UInt32
    var firstExample: UInt32
    var exampleCount: UInt32
  }

  private let parts: [CallPasses.Part]
  private let quantile: Double?
  private let isExact: Bool
  // Kept for their memory.
  private var chunks: [LocatedChunk] = []
  private var sorted: [LocatedChunk] = []
  private var places: [Int] = []
  private var durations: [UInt64] = []

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
  private mutating func gather(_ pieces: [CallPasses.LocatedPiece]) {
    chunks.removeAll(keepingCapacity: true)
    var isAscending = true
    var last: UInt64 = 0
    for located in pieces {
      let calls = parts[located.part].calls
      let durations = quantile == nil ? nil : calls.durations.values.baseAddress
      calls.forEachChunk(of: located.piece) { chunk in
        if chunk.bucket < last { isAscending = false }
        last = chunk.bucket
        chunks.append(
          LocatedChunk(
            bucket: chunk.bucket, callCount: chunk.callCount, errorCount: chunk.errorCount,
            durations: durations.map { $0 + Int(chunk.firstDuration) },
            part: UInt32(truncatingIfNeeded: located.part), firstExample: chunk.firstExample,
            exampleCount: chunk.exampleCount))
      }
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
    for located in chunks { places[Int(located.bucket - least) + 1] += 1 }
    for index in 1..<places.count { places[index] += places[index - 1] }
    sorted.removeAll(keepingCapacity: true)
    sorted.append(contentsOf: chunks)
    for located in chunks {
      let bucket = Int(located.bucket - least)
      sorted[places[bucket]] = located
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
    cell.isExact = isExact || cell.callCount < UInt64(DurationSketch.exactCount)
    durations.removeAll(keepingCapacity: true)
    for place in own {
      durations.append(
        contentsOf: UnsafeBufferPointer(start: chunks[place].durations, count: Int(chunks[place].callCount)))
    }
    cell.quantile = durations.withUnsafeMutableBufferPointer { Self.value(rank, in: $0, isExact: cell.isExact) }
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
    for located in chunks[own] {
      slowest.update(parts[Int(located.part)].slowest(Int(located.firstExample), Int(located.exampleCount)))
    }
    return slowest
  }
}

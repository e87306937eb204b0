import TraceColumns
package import TraceSource

/// The cells of a stripe with its durations, kept beside it: they are wanted for every look at a dashboard, and the
/// stripe's other bytes are not.
private final class StripeCells: MeasuredCells {
  let cells: CallCells
  /// As the file has them.
  private let durations: IntegerChunk
  private let longest: UInt64
  let residentByteCount: Int

  init(_ cells: CallCells, _ durations: (chunk: IntegerChunk, byteCount: Int), longest: UInt64) {
    self.cells = cells
    self.durations = durations.chunk
    self.longest = longest
    residentByteCount = cells.byteCount + durations.byteCount + 512
  }

  func readDurations(of ranges: [Range<Int>], into output: UnsafeMutableBufferPointer<UInt64>) throws {
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) { values in
      values.initialize(repeating: 0)
      var page = -1
      var written = 0
      for range in ranges {
        var row = range.lowerBound
        while row < range.upperBound {
          if row / IntegerPage.maximumCount != page {
            page = row / IntegerPage.maximumCount
            try durations.decodePage(page, into: values)
          }
          let first = page * IntegerPage.maximumCount
          let end = min(range.upperBound, first + IntegerPage.maximumCount)
          for place in (row - first)..<(end - first) {
            // What is longer than the longest is a span that ends before it starts.
            output[written] = values[place] <= longest ? values[place] : 0
            written += 1
          }
          row = end
        }
      }
    }
  }
}

private final class CellBlock: CachedBlock {
  /// Nil when they do not fit, so that this is found out once.
  let cells: StripeCells?

  init(_ cells: StripeCells?) { self.cells = cells }

  var residentByteCount: Int { cells?.residentByteCount ?? 64 }
  static let passCount = 32
}

extension SegmentStripe {
  package func callCells() throws -> (any MeasuredCells)? {
    // A duration that may be an inverted span's or a real one says which only with its start.
    guard bounds.minimumStart <= bounds.maximumStart,
      !bounds.maximumStart.addingReportingOverflow(bounds.maximumDuration).overflow,
      bounds.maximumStart / CallCells.nanoseconds - bounds.minimumStart / CallCells.nanoseconds <= UInt16.max
    else { return nil }
    // No block of the file begins two bytes into a stripe.
    let key = BlockCache.Key(fileNumber: core.number, offset: summary.offset + 2)
    let block = try core.cache.block(key) { () throws -> CellBlock in
      // Stripes that are in memory are used; others do not push out what is kept there.
      let loaded = isCached ? try load() : try read(isWhole: false)
      defer { core.cache.recount(cacheKey) }
      guard let cells = try core.cache.withScratch({ try makeCells(of: loaded, $0) }) else { return CellBlock(nil) }
      return CellBlock(
        StripeCells(
          cells, try loaded.detachedIntegers(ChunkID.duration, count: rowCount), longest: bounds.maximumDuration))
    }
    return block.cells
  }

  /// Nil when a cell has more errors than it can count.
  private func makeCells(of loaded: LoadedStripe, _ scratch: ReadScratch) throws -> CallCells? {
    let firstMinute = bounds.minimumStart / CallCells.nanoseconds
    var runs: [CallCells.Run] = []
    var minutes: [UInt16] = []
    var errorCounts: [Int] = []
    var firstRows: [UInt32] = []
    var end = 0
    try forEachCallRun(CallSelection(needsDurations: false), in: 0..<rowCount, nil, of: loaded, scratch) { part in
      // A run goes on in the next page, perhaps within a minute.
      let isSameRun =
        runs.last.map { $0.service == part.service && $0.name == part.name && $0.kind == part.kind } ?? false
      if !isSameRun {
        runs.append(
          CallCells.Run(service: part.service, name: part.name, kind: part.kind, firstCell: minutes.count))
      }
      var first = 0
      while first < part.starts.count {
        let minute = part.starts[first] / CallCells.nanoseconds
        let begin = minute &* CallCells.nanoseconds
        if first > 0 || !isSameRun || firstMinute &+ UInt64(minutes[minutes.count - 1]) != minute {
          guard let distance = UInt16(exactly: minute &- firstMinute) else {
            throw loaded.place(ChunkID.start).damage("a row starts outside of the times of its stripe")
          }
          minutes.append(distance)
          firstRows.append(UInt32(part.rows[first]))
          errorCounts.append(0)
        }
        while first < part.starts.count, part.starts[first] &- begin < CallCells.nanoseconds {
          if !part.errors.isEmpty { errorCounts[errorCounts.count - 1] += Int(part.errors[first]) }
          first += 1
        }
      }
      end = part.rows[part.starts.count - 1] + 1
    }
    firstRows.append(UInt32(end))
    guard errorCounts.allSatisfy({ $0 <= UInt16.max }) else { return nil }
    return CallCells(
      runs: runs, firstMinute: firstMinute, minutes: minutes, errorCounts: errorCounts.map { UInt16($0) },
      firstRows: firstRows)
  }
}

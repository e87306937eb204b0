import TraceColumns
package import TraceSource

/// The cells of a stripe with its durations, kept beside it: they are wanted for every look at a dashboard, and the
/// stripe's other bytes are not.
private final class StripeCells: CachedBlock {
  /// Nil when they would not fit.
  let cells: CallCells?
  /// As the file has them.
  let durations: IntegerChunk
  let residentByteCount: Int

  init(_ cells: CallCells?, _ durations: (chunk: IntegerChunk, byteCount: Int)) {
    self.cells = cells
    self.durations = durations.chunk
    residentByteCount = (cells?.byteCount ?? 0) + durations.byteCount + 512
  }
}

extension SegmentStripe {
  package func callCells() throws -> CallCells? {
    // A duration that may be an inverted span's or a real one says which only with its start.
    guard !bounds.maximumStart.addingReportingOverflow(bounds.maximumDuration).overflow else { return nil }
    return try cellBlock().cells
  }

  private func cellBlock() throws -> StripeCells {
    // No block of the file begins two bytes into a stripe.
    try core.cache.block(BlockCache.Key(fileNumber: core.number, offset: summary.offset + 2)) {
      // Stripes that are in memory are used; others do not push out what is kept there.
      let loaded = isCached ? try load() : try read(isWhole: false)
      return StripeCells(
        try core.cache.withScratch { try makeCells(of: loaded, $0) },
        try loaded.detachedIntegers(ChunkID.duration, count: rowCount))
    }
  }

  private func makeCells(of loaded: LoadedStripe, _ scratch: ReadScratch) throws -> CallCells? {
    let firstMinute = bounds.minimumStart / CallCells.nanoseconds
    guard bounds.maximumStart / CallCells.nanoseconds - firstMinute <= UInt16.max else { return nil }
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
          minutes.append(UInt16(minute - firstMinute))
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

  package func readDurations(
    of ranges: [Range<Int>], into output: UnsafeMutableBufferPointer<UInt64>
  ) throws {
    let longest = bounds.maximumDuration
    let column = try cellBlock().durations
    try core.cache.withScratch { scratch in
      var page = -1
      var written = 0
      for range in ranges {
        var row = range.lowerBound
        while row < range.upperBound {
          if row / ReadScratch.pageValueCount != page {
            page = row / ReadScratch.pageValueCount
            try column.decodePage(page, into: scratch.page)
          }
          let first = page * ReadScratch.pageValueCount
          let end = min(range.upperBound, first + ReadScratch.pageValueCount)
          for place in (row - first)..<(end - first) {
            let duration = scratch.page[place]
            // What is longer than the longest is a span that ends before it starts.
            output[written] = duration <= longest ? duration : 0
            written += 1
          }
          row = end
        }
      }
    }
  }
}

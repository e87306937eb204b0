import TraceColumns
package import TraceSource

/// The cells of a stripe, kept beside it: they are wanted for every look at a dashboard, and the stripe's own bytes are
/// not.
private final class StripeCells: CachedBlock {
  let cells: CallCells

  init(_ cells: CallCells) { self.cells = cells }

  var residentByteCount: Int {
    cells.minutes.count * 12 + cells.runs.count * MemoryLayout<CallCells.Run>.stride + 128
  }
}

extension SegmentStripe {
  package func callCells() throws -> CallCells? {
    // A duration that may be an inverted span's or a real one says which only with its start.
    guard !bounds.maximumStart.addingReportingOverflow(bounds.maximumDuration).overflow else { return nil }
    // No block of the file begins two bytes into a stripe.
    return try core.cache.block(BlockCache.Key(fileNumber: core.number, offset: summary.offset + 2)) {
      StripeCells(try makeCells())
    }.cells
  }

  private func makeCells() throws -> CallCells {
    var runs: [CallCells.Run] = []
    var minutes: [UInt32] = []
    var errorCounts: [UInt32] = []
    var firstRows: [UInt32] = []
    var end = 0
    try forEachCallRun(CallSelection(needsDurations: false), in: 0..<rowCount, nil) { part in
      let starts = part.starts
      var first = 0
      if let last = runs.last, last.service == part.service, last.name == part.name, last.kind == part.kind {
        // The run goes on in the next page, perhaps within a minute.
        while first < starts.count, starts[first] / CallCells.nanoseconds == UInt64(minutes[minutes.count - 1]) {
          if !part.errors.isEmpty { errorCounts[errorCounts.count - 1] += UInt32(part.errors[first]) }
          first += 1
        }
      } else {
        runs.append(
          CallCells.Run(
            service: part.service, name: part.name, kind: part.kind, cells: minutes.count..<minutes.count))
      }
      while first < starts.count {
        let minute = starts[first] / CallCells.nanoseconds
        let begin = minute &* CallCells.nanoseconds
        var errorCount: UInt32 = 0
        minutes.append(UInt32(minute))
        firstRows.append(UInt32(part.rows[first]))
        while first < starts.count, starts[first] &- begin < CallCells.nanoseconds {
          if !part.errors.isEmpty { errorCount += UInt32(part.errors[first]) }
          first += 1
        }
        errorCounts.append(errorCount)
      }
      runs[runs.count - 1].cells = runs[runs.count - 1].cells.lowerBound..<minutes.count
      end = part.rows[starts.count - 1] + 1
    }
    firstRows.append(UInt32(end))
    return CallCells(runs: runs, minutes: minutes, errorCounts: errorCounts, firstRows: firstRows)
  }

  package func durations(of ranges: [Range<Int>]) throws -> [UInt64] {
    let longest = bounds.maximumDuration
    return try reading { loaded, scratch in
      let column = try loaded.integers(ChunkID.duration, count: rowCount)
      let count = ranges.reduce(0) { $0 + $1.count }
      return try [UInt64](unsafeUninitializedCapacity: count) { output, initializedCount in
        var page = -1
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
              output.initializeElement(at: initializedCount, to: duration <= longest ? duration : 0)
              initializedCount += 1
            }
            row = end
          }
        }
      }
    }
  }
}

import TraceColumns
import TraceSource

// Conditions on when a span ran.
extension SegmentStripe {
  /// Runs that have to be cut at a bound of time from this number on are cheaper to cut row by row.
  private static let cutRunCount = 64

  /// Rows of a run ascend by start, so that each run is cut by bisection.
  func keepStarts(
    _ range: ClosedRange<UInt64>, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    let runs = try loaded.runs(scratch)
    runs.filter(&mask) { runs.minimumStarts[$0] <= range.upperBound && runs.maximumStarts[$0] >= range.lowerBound }
    let cut = (0..<runs.count).filter { run in
      let isInside = runs.minimumStarts[run] >= range.lowerBound && runs.maximumStarts[run] <= range.upperBound
      return !isInside && mask.hasSet(in: runs.rows(of: run))
    }
    guard !cut.isEmpty else { return }
    // Where much of the stripe is in question, the ordinals of all rows are kept for who asks next.
    let pageCount = IntegerPage.count(of: rowCount)
    let askedCount = (0..<pageCount).count { page in
      let first = page * IntegerPage.maximumCount
      return mask.hasSet(in: first..<min(rowCount, first + IntegerPage.maximumCount))
    }
    if askedCount * 4 > pageCount { _ = try loaded.ordinals(scratch) }
    let times = try StripeTimes(loaded)
    if cut.count >= Self.cutRunCount {
      let bases = try times.bases.decodeAll()
      return try keepPages(times.offsets, &mask, scratch) { rows, offsets in
        try bases.withUnsafeBufferPointer { try times.add($0, of: rows, to: offsets) }
      } passes: {
        range.contains($0)
      }
    }
    for run in cut {
      let rows = runs.rows(of: run)
      var kept = rows
      func first(_ passes: (UInt64) -> Bool) throws -> Int { try kept.partition { passes(try times.start($0)) } }
      if runs.minimumStarts[run] < range.lowerBound { kept = try first { $0 >= range.lowerBound }..<kept.upperBound }
      if runs.maximumStarts[run] > range.upperBound { kept = kept.lowerBound..<(try first { $0 > range.upperBound }) }
      mask.clear(rows.lowerBound..<kept.lowerBound)
      mask.clear(kept.upperBound..<rows.upperBound)
    }
  }

  func keepDurations(
    _ range: ClosedRange<UInt64>, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    let runs = try loaded.runs(scratch)
    runs.filter(&mask) { runs.maximumDurations[$0] >= range.lowerBound }
    if mask.isEmpty { return }
    let times = try StripeTimes(loaded)
    let durations = try times.durations
    // Spans that end before they start count as 0. Their stored durations exceed the longest real one, unless times
    // reach so far that the sum of start and duration has to decide for every row.
    let longest = bounds.maximumDuration
    guard !bounds.maximumStart.addingReportingOverflow(longest).overflow else {
      for row in mask.rows {
        let visible = StripeTimes.visible(duration: try durations.value(at: row), start: try times.start(row))
        if !range.contains(visible) { mask.clear(row) }
      }
      return
    }
    var hasInverted = false
    try keepValues(durations, &mask, scratch) { duration in
      if duration > longest { hasInverted = true }
      return range.contains(duration) || duration > longest
    }
    if hasInverted, !range.contains(0) { try keepValues(durations, &mask, scratch) { $0 <= longest } }
  }

  /// Ends are not stored: each is the sum of two columns. Start and longest duration of a run mostly say enough.
  func keepEnds(
    _ range: ClosedRange<UInt64>, _ mask: inout RowMask, _ loaded: LoadedStripe, _ scratch: ReadScratch
  ) throws {
    let runs = try loaded.runs(scratch)
    let times = try StripeTimes(loaded)
    let inverted = try loaded.invertedRows(times, scratch)
    var kept = mask
    var open: [Int] = []
    for run in 0..<runs.count {
      let rows = runs.rows(of: run)
      let latest = runs.maximumStarts[run].addingReportingOverflow(runs.maximumDurations[run])
      let latestEnd = min(latest.overflow ? .max : latest.partialValue, bounds.maximumEnd)
      if range.lowerBound <= runs.minimumStarts[run], latestEnd <= range.upperBound { continue }
      guard runs.minimumStarts[run] <= range.upperBound, range.lowerBound <= latestEnd else {
        kept.clear(rows)
        continue
      }
      mask.forEachSet(in: rows) { open.append($0) }
    }
    let ends = try times.ends(of: open)
    for (row, end) in zip(open, ends) where !range.contains(end) { kept.clear(row) }
    // What is said above holds for spans that end where they start or later.
    let asked = inverted.map { Int($0) }.filter { mask[$0] }
    for (row, end) in zip(asked, try times.ends(of: asked)) { kept[row] = range.contains(end) }
    mask = kept
  }
}

extension LoadedStripe {
  /// The rows of spans that end before they start, ascending: mostly there are none.
  fileprivate func invertedRows(_ times: StripeTimes, _ scratch: ReadScratch) throws -> [UInt32] {
    try part(.inversions) {
      var rows: [UInt32] = []
      // Their stored durations exceed the longest real one, unless times reach so far that the sum decides.
      let longest = summary.bounds.maximumDuration
      let durations = try times.durations
      let isPlain = !summary.bounds.maximumStart.addingReportingOverflow(longest).overflow
      try durations.forEachPage(in: 0..<head.rowCount, scratch) { first, values in
        for index in 0..<values.count where values[index] > longest || !isPlain {
          rows.append(UInt32(first + index))
        }
      }
      if !isPlain {
        rows = try rows.filter { row in
          let (start, duration) = (try times.start(Int(row)), try durations.value(at: Int(row)))
          return start.addingReportingOverflow(duration).overflow
        }
      }
      return NumberList(rows)
    }.values
  }
}

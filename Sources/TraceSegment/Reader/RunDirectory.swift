import TraceColumns

/// The runs of a stripe: maximal ranges of rows with equal service, name and kind, in row order.
final class RunDirectory: StripePart {
  /// The first row of each run, then the row count.
  let firstRows: [Int]
  /// Codes in the segment's strings.
  let services: [UInt32]
  let names: [UInt32]
  let kinds: [Int32]
  let errorCounts: [UInt64]
  /// Nanoseconds since the epoch.
  let minimumStarts: [UInt64]
  let maximumStarts: [UInt64]
  let maximumDurations: [UInt64]

  var count: Int { services.count }
  var residentByteCount: Int { count * 56 + 64 }

  /// - Precondition: `firstRows` has one element more than the others, starts at 0 and never decreases.
  init(
    firstRows: [Int], services: [UInt32], names: [UInt32], kinds: [Int32], errorCounts: [UInt64],
    minimumStarts: [UInt64], maximumStarts: [UInt64], maximumDurations: [UInt64]
  ) {
    self.firstRows = firstRows
    self.services = services
    self.names = names
    self.kinds = kinds
    self.errorCounts = errorCounts
    self.minimumStarts = minimumStarts
    self.maximumStarts = maximumStarts
    self.maximumDurations = maximumDurations
  }

  func rows(of run: Int) -> Range<Int> { firstRows[run]..<firstRows[run + 1] }

  /// The run that holds a row below the row count.
  func run(of row: Int) -> Int {
    var low = 0
    var high = count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if firstRows[middle] <= row { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// Clears the rows of every run that `keeps` refuses. Runs before the first row that is set and behind the last one are
  /// not asked: a condition on services leaves neighbours.
  func filter(_ mask: inout RowMask, keeps: (Int) -> Bool) {
    guard let first = mask.firstSet(), let last = mask.lastSet else { return }
    // Neighbours go together: mostly a few runs of many are kept.
    var end = first
    for run in run(of: first)...run(of: last) where keeps(run) {
      mask.clear(end..<max(end, firstRows[run]))
      end = firstRows[run + 1]
    }
    mask.clear(end..<max(end, last + 1))
  }
}

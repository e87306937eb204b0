import TraceBytes
package import TraceColumns
import TraceModel
package import TraceSource

// The newest rows first, without looking at the others.
extension SegmentStripe {
  /// Up to so many rows are sorted: looking through all runs costs more.
  private static let sortedRowCount = 64

  package func forEachNewest(_ mask: RowMask, _ body: (NewestRow) -> Bool) throws {
    try check(mask)
    let setCount = mask.setCount
    guard setCount > 0 else { return }
    if setCount <= Self.sortedRowCount {
      var rows = try reading { loaded, _ in try startedRows(mask.rows, loaded) }
      rows.sort { $0.start > $1.start }
      for row in rows where !body(row) { return }
      return
    }
    try reading { loaded, scratch in
      let runs = try loaded.runs(scratch)
      let times = try StripeTimes(loaded)
      var walk = NewestWalk(runs, mask)
      while let row = try walk.next(times) {
        let trace = try loaded.traceID(try times.ordinal(row))
        if !body(NewestRow(row: row, start: walk.start, trace: trace)) { return }
      }
    }
  }
}

/// Merges the runs of a stripe from their ends: rows of a run ascend by start, and the run directory bounds each run,
/// so that a run is first touched when its bound comes up.
private struct NewestWalk {
  private struct Head {
    /// Of `row` when it is exact, otherwise not below any start of the run.
    var start: UInt64
    /// The last set row of the run that was not given yet.
    var row: Int
    var firstRow: Int
    var isExact: Bool
  }

  private let mask: RowMask
  /// A heap by descending start.
  private var heads: [Head] = []
  /// The start of the row that `next` gave.
  private(set) var start: UInt64 = 0

  init(_ runs: RunDirectory, _ mask: RowMask) {
    self.mask = mask
    for run in 0..<runs.count {
      let rows = runs.rows(of: run)
      guard let last = mask.lastSet(in: rows) else { continue }
      heads.append(Head(start: runs.maximumStarts[run], row: last, firstRow: rows.lowerBound, isExact: false))
    }
    var index = heads.count / 2
    while index > 0 {
      index -= 1
      sink(index)
    }
  }

  mutating func next(_ times: StripeTimes) throws -> Int? {
    while let head = heads.first {
      guard head.isExact else {
        heads[0].start = try times.start(head.row)
        heads[0].isExact = true
        sink(0)
        continue
      }
      start = head.start
      if let row = mask.lastSet(in: head.firstRow..<head.row) {
        heads[0].row = row
        heads[0].start = try times.start(row)
      } else {
        let last = heads.removeLast()
        if !heads.isEmpty { heads[0] = last }
      }
      sink(0)
      return head.row
    }
    return nil
  }

  private mutating func sink(_ first: Int) {
    var index = first
    while true {
      var child = 2 * index + 1
      guard child < heads.count else { return }
      if child + 1 < heads.count, heads[child + 1].start > heads[child].start { child += 1 }
      guard heads[child].start > heads[index].start else { return }
      heads.swapAt(index, child)
      index = child
    }
  }
}

extension RowMask {
  /// The last set row of a range inside the mask.
  func lastSet(in range: Range<Int>) -> Int? {
    guard !range.isEmpty else { return nil }
    let last = range.upperBound - 1
    var index = last >> 6
    var word = words[index] & (UInt64.max >> UInt64(63 - last & 63))
    while word == 0 {
      index -= 1
      guard index >= 0, index << 6 | 63 >= range.lowerBound else { return nil }
      word = words[index]
    }
    let row = index << 6 | (63 - word.leadingZeroBitCount)
    return row >= range.lowerBound ? row : nil
  }
}

import Synchronization
import TraceAggregate

/// A quantile of every cell of a block: what is asked for again and again, of the same calls. Eight bytes a cell.
package final class CellQuantiles: @unchecked Sendable {
  let quantile: Double
  /// By place of the cell; exact where each duration is there.
  let values: UnsafeMutableBufferPointer<Double>

  fileprivate init(_ quantile: Double, count: Int) {
    self.quantile = quantile
    values = .allocate(capacity: count)
    values.initialize(repeating: 0)
  }

  deinit { values.deallocate() }

  var byteCount: Int { values.count * MemoryLayout<Double>.size }
}

extension CallCells {
  /// Quantiles of a block that are kept: a page shows one or two.
  private static let maximumQuantileCount = 2

  func keptQuantiles(_ quantile: Double) -> CellQuantiles? {
    allQuantiles.withLock { $0.first { $0.quantile == quantile } }
  }

  /// Makes a quantile of every cell, and keeps it.
  ///
  /// To look durations up is mostly to wait for memory: each cell has its own far from the others. Made all at once they
  /// are read one after the other.
  func makeQuantiles(_ quantile: Double) -> CellQuantiles {
    let made = CellQuantiles(quantile, count: cellCount)
    for (index, run) in runs.enumerated() {
      guard let first = made.values.baseAddress else { break }
      calls(of: index).quantiles(quantile, isExact: true, into: first + run.firstCell)
    }
    return allQuantiles.withLock { all in
      // Somebody else may have made it meanwhile.
      if let known = all.first(where: { $0.quantile == quantile }) { return known }
      if all.count == Self.maximumQuantileCount { all.removeFirst() }
      all.append(made)
      return made
    }
  }
}

extension CallBlock {
  /// A quantile of every cell, if it is kept; it is where there is ample room, which coarser cells and the sums of graphs
  /// need more.
  ///
  /// - Parameter cells: of this block.
  package func quantiles(_ quantile: Double, of cells: CallCells) -> CellQuantiles? {
    if let kept = cells.keptQuantiles(quantile) { return kept }
    let byteCount = cells.cellCount * MemoryLayout<Double>.size
    guard
      groups[0].cache.hasRoom(forKnown: byteCount + cells.residentByteCount / 2, passCount: CallCells.passCount)
    else { return nil }
    let made = cells.makeQuantiles(quantile)
    groups[0].cache.recount(cells.keys[0])
    return made
  }
}

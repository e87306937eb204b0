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

/// The quantiles of a block that are kept, those asked for last.
struct KeptQuantiles: Sendable {
  /// A page shows three or so, in turn.
  private static let maximumCount = 4

  /// The one asked for last stands last.
  private(set) var all: [CellQuantiles] = []
  /// Those that were asked for once and not made, so many at most.
  private var asked: [Double] = []

  func holds(_ quantile: Double) -> Bool { all.contains { $0.quantile == quantile } }

  mutating func find(_ quantile: Double) -> CellQuantiles? {
    guard let place = all.firstIndex(where: { $0.quantile == quantile }) else { return nil }
    let found = all.remove(at: place)
    all.append(found)
    return found
  }

  /// Whether it was asked for before; if not, it is from now on.
  mutating func isAskedAgain(_ quantile: Double) -> Bool {
    if asked.contains(quantile) { return true }
    if asked.count == Self.maximumCount { asked.removeFirst() }
    asked.append(quantile)
    return false
  }

  var byteCount: Int { all.reduce(0) { $0 + $1.byteCount } }

  /// - Returns: what was kept, to be freed outside of the lock.
  mutating func removeAll() -> [CellQuantiles] {
    defer { all.removeAll() }
    return all
  }

  /// - Returns: what is kept: somebody else may have made it meanwhile.
  mutating func keep(_ made: CellQuantiles) -> CellQuantiles {
    if let known = find(made.quantile) { return known }
    asked.removeAll { $0 == made.quantile }
    if all.count == Self.maximumCount { all.removeFirst() }
    all.append(made)
    return made
  }
}

extension CallCells {
  /// Lets go of quantiles that are kept.
  ///
  /// - Returns: how many bytes they took.
  func removeQuantiles(in cache: BlockCache) -> Int {
    let removed = quantiles.withLock { $0.removeAll() }
    if removed.isEmpty { return 0 }
    cache.recount(keys[0])
    return removed.reduce(0) { $0 + $1.byteCount }
  }

  /// Makes a quantile of every cell, and keeps it.
  ///
  /// To look durations up is mostly to wait for memory: each cell has its own far from the others. Made all at once they
  /// are read one after the other.
  fileprivate func makeQuantiles(_ quantile: Double) -> CellQuantiles {
    let made = CellQuantiles(quantile, count: cellCount)
    for (index, run) in runs.enumerated() {
      guard let first = made.values.baseAddress else { break }
      calls(of: index).quantiles(quantile, isExact: true, into: first + run.firstCell)
    }
    return quantiles.withLock { $0.keep(made) }
  }
}

extension CallBlock {
  /// Decides which blocks may keep a quantile of every cell: those that stand in the cache, while there is room. For cells
  /// of operations it has to be ample, as coarser cells and the sums of graphs need it more. Once for a question, as to look
  /// for room is a walk over all that the cache holds.
  package static func makeRoom(forQuantile quantile: Double, in blocks: inout [CallBlock]) {
    var room: Int?
    var plannedByteCount = blocks.reduce(0) { $0 + $1.foldedByteCount }
    for place in blocks.indices {
      let cache = blocks[place].groups[0].cache
      guard let cells = blocks[place].heldCells, cells.shape == blocks[place].shape,
        cache === blocks[0].groups[0].cache, !cells.quantiles.withLock({ $0.holds(quantile) })
      else { continue }
      let free = room ?? cache.roomForKnown(passCount: CallCells.passCount)
      room = free
      let byteCount = cells.cellCount * MemoryLayout<Double>.size
      let spareByteCount = cells.shape == .operations ? cells.byteCountBesideQuantiles / 2 : 0
      guard plannedByteCount + byteCount + spareByteCount <= free else { continue }
      plannedByteCount += byteCount
      blocks[place].mayKeepQuantile = true
    }
  }

  /// A quantile of every cell, if it is kept, or may be and is worth it: most of it is asked for, or it was asked for
  /// before.
  ///
  /// - Parameters:
  ///   - cells: of this block.
  ///   - cellCount: of how many of them it is asked for.
  package func quantiles(_ quantile: Double, of cells: CallCells, cellCount: Int) -> CellQuantiles? {
    let (kept, isAskedAgain) = cells.quantiles.withLock { all -> (CellQuantiles?, Bool) in
      if let kept = all.find(quantile) { return (kept, true) }
      return (nil, mayKeepQuantile && all.isAskedAgain(quantile))
    }
    if let kept { return kept }
    // What the cache let go of meanwhile nobody asks for again.
    guard mayKeepQuantile, isAskedAgain || 2 * cellCount >= cells.cellCount,
      groups[0].cache.holds(cells, at: cells.keys[0])
    else { return nil }
    let made = cells.makeQuantiles(quantile)
    groups[0].cache.recount(cells.keys[0])
    return made
  }
}

import Synchronization
import TraceSource

/// Groups whose cells stand in one block and are read at once.
///
/// The cells of single groups are brought together when they are asked for again, those of neighbours in time, so that
/// what a question costs does not follow the number of groups. A block of several stands in the cache in place of theirs.
/// Which go together changes no figure: a block is used where all its parts count, and counts each of them once.
package struct CallBlock: Sendable {
  private enum Content {
    case held(CallCells)
    /// To be made of finer ones.
    case folded(from: CallCells)
    /// To be made of its only group. What stands in its place and holds calls that do not count makes room for it.
    case unread(replacing: CallCells?)
  }

  /// How many groups' rows a block may have: of more, a part that goes takes more with it, of fewer, a question visits more
  /// blocks.
  package static let maximumGroupCount = 16

  /// Those that may have calls in the window that was asked for.
  package let groups: [CallGroup]
  /// Of all that is counted there.
  package let starts: ClosedRange<UInt64>
  private let rowCount: Int
  let shape: CellShape
  private let content: Content
  /// Whether a quantile that is asked for is kept with its cells.
  var mayKeepQuantile = false

  private init(_ groups: [CallGroup], _ shape: CellShape, _ content: Content, _ cells: CallCells?) {
    self.groups = groups
    self.shape = shape
    self.content = content
    starts = cells?.starts ?? groups[0].part.starts
    rowCount = cells?.rowCount ?? groups[0].rowCount
  }

  /// What memory it takes to have them, besides what the cache holds.
  package var madeByteCount: Int {
    if case .unread = content { groups.reduce(0) { $0 + $1.cellByteCount } } else { 0 }
  }

  /// - Throws: `corrupt`, from the cache as well.
  package func cells() throws -> CallCells {
    switch content {
    case .held(let cells): return cells
    case .folded(let cells): return fold(cells)
    case .unread(let stale):
      let cells = try groups[0].cells(replacing: stale)
      return shape == .operations ? cells : fold(cells)
    }
  }

  private func fold(_ cells: CallCells) -> CallCells {
    let folded = CallCellsMerge.cells(shape, of: [cells])
    groups[0].cache.replace(folded.keys, by: folded)
    return folded
  }
}

// MARK: - Which blocks

extension CallBlock {
  /// The blocks that hold the calls of some groups, of as few as there are.
  ///
  /// - Parameters:
  ///   - groups: all whose rows all count, of those that may have calls in the window.
  ///   - maximumRowCount: of a block; tests lower it.
  /// - Returns: blocks of the shape, or of operations where coarser cells would not stay; also the groups that an earlier
  ///   question met damage in.
  package static func blocks(
    of groups: [CallGroup], _ shape: CellShape, in window: ClosedRange<UInt64>, maximumRowCount: Int,
    parallel: @escaping SegmentParallelism
  ) -> (blocks: [CallBlock], damaged: [CallGroup]) {
    var cover = Cover(groups, shape, window)
    cover.find()
    return (join(cover.blocks, maximumRowCount, parallel), cover.damaged)
  }

  /// Finds what the cache has of some groups.
  private struct Cover {
    private let groups: [CallGroup]
    private let shape: CellShape
    private let window: ClosedRange<UInt64>
    private var places: [BlockCache.Key: Int] = [:]
    private var isCovered: [Bool]
    /// Parts outside of the window that a block has: looked up one after the other, two blocks may both have them.
    private var coveredElsewhere: Set<BlockCache.Key> = []
    /// Of coarser cells that will be made.
    private var plannedByteCount = 0
    /// What the cache has room for, looked up once.
    private var room: Int?
    private(set) var blocks: [CallBlock] = []
    private(set) var damaged: [CallGroup] = []

    init(_ groups: [CallGroup], _ shape: CellShape, _ window: ClosedRange<UInt64>) {
      self.groups = groups.sorted { $0.precedes($1) }
      self.shape = shape
      self.window = window
      isCovered = [Bool](repeating: false, count: groups.count)
      for (place, group) in self.groups.enumerated() { places[group.part.key] = place }
    }

    mutating func find() {
      for place in groups.indices where !isCovered[place] {
        let group = groups[place]
        let held: CallCells? = group.cache.find(group.key(shape))
        if let held, held.shape == shape, isUsable(held) {
          if held.damage != nil { damaged.append(group) } else { cover(held.parts, .held(held), held) }
          continue
        }
        let finer: CallCells? = shape == .operations ? held : group.cache.find(group.key(.operations))
        if shape != .operations, let finer, isUsable(finer) {
          if finer.damage != nil {
            damaged.append(group)
          } else {
            cover(finer.parts, isKept(finer, of: group) ? .folded(from: finer) : .held(finer), finer)
          }
        } else {
          cover([group.part], .unread(replacing: finer.flatMap { isStale($0) ? $0 : nil }), nil)
        }
      }
    }

    /// Whether coarser cells would stay. If not, the finer ones answer as well, in half the time that folding takes.
    private mutating func isKept(_ finer: CallCells, of group: CallGroup) -> Bool {
      let byteCount = plannedByteCount + CallBlock.foldedByteCount(finer)
      let cache = groups[0].cache
      var free = room ?? cache.roomForKnown(passCount: CallCells.passCount)
      // Quantiles of the finer ones save less, and are made again once there is ample room.
      if byteCount > free, byteCount <= free + finer.quantileByteCount, group.cache === cache {
        free += finer.removeQuantiles(in: cache)
      }
      room = free
      guard byteCount <= free else { return false }
      plannedByteCount = byteCount
      return true
    }

    /// Whether everything counts that was counted there. What starts outside of the window does no harm, whatever became
    /// of it.
    private func isUsable(_ cells: CallCells) -> Bool {
      cells.parts.allSatisfy { part in
        guard let place = places[part.key] else {
          return !part.starts.overlaps(window) && !coveredElsewhere.contains(part.key)
        }
        return groups[place].part == part && !isCovered[place]
      }
    }

    /// Whether something does not count that was counted there. A block that only shares parts with another one, as one of
    /// services may with one of operations, is none the worse for it.
    private func isStale(_ cells: CallCells) -> Bool {
      cells.parts.contains { part in
        guard let place = places[part.key] else { return part.starts.overlaps(window) }
        return groups[place].part != part
      }
    }

    private mutating func cover(_ parts: [CallCells.Part], _ content: Content, _ cells: CallCells?) {
      let own = parts.compactMap { places[$0.key] }.sorted()
      for place in own { isCovered[place] = true }
      for part in parts where places[part.key] == nil { coveredElsewhere.insert(part.key) }
      blocks.append(CallBlock(own.map { groups[$0] }, shape, content, cells))
    }
  }

  // MARK: Joining

  /// Brings neighbours together.
  private static func join(
    _ blocks: [CallBlock], _ maximumRowCount: Int, _ parallel: SegmentParallelism
  ) -> [CallBlock] {
    let ranges = Joining.ranges(
      of: blocks.map { block in
        // Not those of other caches, in which nothing is found later.
        let isJoinable = block.heldCells?.shape == block.shape && block.groups[0].cache === blocks[0].groups[0].cache
        return isJoinable ? block.rowCount : nil
      }, maximum: maximumRowCount)
    var joined = blocks
    for wave in waves(ranges, of: blocks, maximumRowCount).reversed() {
      let results = Mutex([CallCells?](repeating: nil, count: wave.count))
      parallel(wave.count) { index in
        let own = blocks[wave[index]]
        let cells = CallCellsMerge.cells(own[own.startIndex].shape, of: own.compactMap(\.heldCells))
        own[own.startIndex].groups[0].cache.replace(cells.keys, by: cells)
        results.withLock { $0[index] = cells }
      }
      for (range, cells) in zip(wave, results.withLock { $0 }).reversed() {
        guard let cells else { continue }
        let own = blocks[range]
        joined.replaceSubrange(
          range, with: [CallBlock(own.flatMap(\.groups), own[own.startIndex].shape, .held(cells), cells)])
      }
    }
    return joined
  }

  /// Ranges that are laid down at once: no more rows than a block may have, whose memory is needed twice meanwhile.
  private static func waves(
    _ ranges: [Range<Int>], of blocks: [CallBlock], _ maximumRowCount: Int
  ) -> [[Range<Int>]] {
    var waves: [[Range<Int>]] = []
    var rowCount = 0
    for range in ranges {
      let own = range.reduce(0) { $0 + blocks[$1].rowCount }
      if waves.isEmpty || rowCount + own > maximumRowCount {
        waves.append([])
        rowCount = 0
      }
      waves[waves.count - 1].append(range)
      rowCount += own
    }
    return waves
  }

  var heldCells: CallCells? { if case .held(let cells) = content { cells } else { nil } }

  /// What coarser cells will take: about an eighth of the finer ones, and a third of that again as a margin.
  fileprivate static func foldedByteCount(_ finer: CallCells) -> Int { finer.byteCountBesideQuantiles / 6 }

  /// What its cells will take in the cache, if they are to be made of finer ones.
  var foldedByteCount: Int { if case .folded(let finer) = content { Self.foldedByteCount(finer) } else { 0 } }
}

extension CallCells {
  /// Where it stands.
  var keys: [BlockCache.Key] {
    parts.map { part in
      var key = part.key
      key.variant = shape.variant
      return key
    }
  }

  var rowCount: Int { parts.reduce(0) { $0 + $1.rowCount } }
}

extension CallGroup {
  /// In time.
  fileprivate func precedes(_ other: CallGroup) -> Bool {
    if bounds.minimumStart != other.bounds.minimumStart { return bounds.minimumStart < other.bounds.minimumStart }
    return fileNumber != other.fileNumber
      ? fileNumber < other.fileNumber : stripes[0].summary.offset < other.stripes[0].summary.offset
  }
}

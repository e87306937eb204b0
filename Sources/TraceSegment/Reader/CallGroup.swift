import TraceModel
package import TraceSource

/// Neighbouring stripes whose calls are kept together, by run and minute (`CallCells`).
package struct CallGroup: Sendable {
  /// Rows of a group, but for a stripe that has more, which is scanned. Of more, the first question about a minute would
  /// read more; of fewer, a minute would be cut into more cells.
  package static let maximumRowCount = 1 << 18

  /// At least one.
  package private(set) var stripes: [SegmentStripe]
  package private(set) var rowCount: Int
  package private(set) var bounds: StripeBounds
  private var runCount: Int
  private let maximumRowCount: Int

  private init(_ stripe: SegmentStripe, maximumRowCount: Int) {
    stripes = [stripe]
    rowCount = stripe.rowCount
    bounds = stripe.bounds
    runCount = stripe.summary.runCount
    self.maximumRowCount = maximumRowCount
  }

  static func groups(_ stripes: [SegmentStripe], maximumRowCount: Int = Self.maximumRowCount) -> [CallGroup] {
    var groups: [CallGroup] = []
    for stripe in stripes where stripe.rowCount > 0 {
      if let last = groups.last, last.rowCount + stripe.rowCount <= maximumRowCount {
        groups[groups.count - 1].append(stripe)
      } else {
        groups.append(CallGroup(stripe, maximumRowCount: maximumRowCount))
      }
    }
    return groups
  }

  private mutating func append(_ stripe: SegmentStripe) {
    stripes.append(stripe)
    rowCount += stripe.rowCount
    bounds.include(stripe.bounds)
    runCount += stripe.summary.runCount
  }

  var cache: BlockCache { stripes[0].core.cache }
  package var fileNumber: UInt64 { stripes[0].core.number }

  /// Where cells stand that hold the calls of the group, alone or beside those of others.
  func key(_ shape: CellShape) -> BlockCache.Key {
    stripes[0].cacheKey(.cells, variant: shape.variant)
  }

  var part: CallCells.Part {
    CallCells.Part(
      key: key(.operations), starts: bounds.minimumStart...max(bounds.minimumStart, bounds.maximumStart),
      rowCount: rowCount)
  }

  /// Whether the calls are worth keeping: not those of a stripe that claims more rows than a group has, which few bytes
  /// can, and not where names seldom repeat, so that a call would take as much as a run.
  package var fitsCells: Bool { rowCount <= maximumRowCount && runCount <= rowCount / 2 }

  /// About what the calls take in memory: each some bytes, each run its own and those of a cell.
  package var cellByteCount: Int { rowCount * 6 + runCount * 68 }

  /// What the cache holds of the calls, maybe beside those of other groups.
  package var heldCells: CallCells? { cache.find(key(.operations)) }

  /// The calls of all stripes alone, from the cache or by reading their columns.
  ///
  /// - Parameter stale: cells that make room for these. Others in which the calls stand beside those of other groups stay:
  ///   they were brought together meanwhile, or are of use to other questions.
  /// - Throws: `corrupt`, or `limitExceeded` for names that take too much memory; from the cache as well.
  package func cells(replacing stale: CallCells? = nil) throws -> CallCells {
    if let held: CallCells = cache.find(key(.operations)), held.parts == [part] {
      if let damage = held.damage { throw damage }
      return held
    }
    let made: CallCells
    do { made = try makeCells() } catch let error as TracestoreError
      where [.corrupt, .limitExceeded].contains(error.code)
    {
      made = CallCells(CallCellsWriter(.operations).finish(), .operations, of: [part], damage: error)
    }
    cache.put(made, at: key(.operations), insteadOf: stale)
    if let damage = made.damage { throw damage }
    return made
  }

  private func makeCells() throws -> CallCells {
    var builder = CallCellsBuilder(callCount: min(rowCount, maximumRowCount))
    for stripe in stripes { try stripe.addCalls(to: &builder) }
    return CallCells(try builder.finish { try stripes[0].text($0) }, .operations, of: [part])
  }
}

extension SegmentStripe {
  /// Neighbouring rows of one service, name and kind.
  package var runCount: Int { summary.runCount }

  fileprivate func addCalls(to builder: inout CallCellsBuilder) throws {
    // Stripes that are in memory are used; others do not push out what is kept there.
    let loaded = isCached ? try load() : try read(isWhole: false)
    defer { core.cache.recount(cacheKey) }
    try core.cache.withScratch { scratch in
      try forEachCallRun(CallSelection(), in: 0..<rowCount, nil, of: loaded, scratch) { run in
        guard let first = run.starts.first, let last = run.starts.last, first >= bounds.minimumStart,
          last <= bounds.maximumStart
        else { throw loaded.place(ChunkID.start).damage("a row starts outside of the times of its stripe") }
        builder.update(run)
      }
    }
  }
}

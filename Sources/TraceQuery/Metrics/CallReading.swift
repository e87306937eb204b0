import TraceSegment
import TraceSource

/// Calls that are read at once.
struct CallReading: Sendable {
  enum Content: Sendable {
    /// Rows of a stripe, which are scanned, and the place of its source in the snapshot.
    case rows(any SpanStripe, source: Int)
    /// Whole minutes that are kept.
    case minutes(PlacedBlock, Range<UInt64>)
  }

  var content: Content
  /// What it is read for: starts outside of it do not count.
  var starts: ClosedRange<UInt64>

  /// What it holds in memory, in calls of eight bytes: of rows as if they were spread evenly over their times.
  var heldCallCount: Double {
    switch content {
    case .rows(let stripe, _): stripe.bounds.share(of: stripe.scannedCallCount, in: starts)
    case .minutes: Double(greatestCallCount)
    }
  }

  /// What it holds at most, wherever its calls start.
  var greatestCallCount: Int {
    switch content {
    case .rows(let stripe, _): stripe.scannedCallCount
    // Cells in the cache are the cache's. Others are made whole, however few are asked for.
    case .minutes(let block, _): block.block.madeByteCount / MemoryLayout<UInt64>.size
    }
  }

  /// The same calls, all of them scanned.
  var scanned: [CallReading] {
    switch content {
    case .rows: [self]
    case .minutes(let block, _): block.rows(in: starts)
    }
  }

  /// The same calls, scanned where that holds less.
  var narrowest: [CallReading] {
    let scanned = scanned
    return scanned.heldCallCount < heldCallCount ? scanned : [self]
  }
}

/// A block of cells, and where its groups stand in the snapshot.
struct PlacedBlock: Sendable {
  let block: CallBlock
  /// The place of the source of each group.
  let sources: [Int]

  /// The rows that are counted there, as far as they start in a window.
  func rows(in starts: ClosedRange<UInt64>) -> [CallReading] {
    var readings: [CallReading] = []
    for (group, source) in zip(block.groups, sources) where group.bounds.mayStart(in: starts) {
      for stripe in group.stripes where stripe.bounds.mayStart(in: starts) {
        readings.append(CallReading(content: .rows(stripe, source: source), starts: starts))
      }
    }
    return readings
  }

  /// Minutes that the window does not cut come from cells; what is left of those that it cuts is scanned.
  func readings(in starts: ClosedRange<UInt64>) -> [CallReading] {
    let width = CallCells.nanoseconds
    let (low, high) = (starts.lowerBound, starts.upperBound)
    // A minute in which the block begins or ends before the window cuts it is whole.
    let isCutBefore = low > block.starts.lowerBound && low % width > 0
    let isCutBehind = high < block.starts.upperBound && (high + 1) % width > 0
    let first = low / width + (isCutBefore ? 1 : 0)
    let end = high / width + (isCutBehind ? 0 : 1)
    guard first < end else { return rows(in: starts) }
    var readings: [CallReading] = []
    let whole = (isCutBefore ? first * width : low)...(isCutBehind ? end * width - 1 : high)
    readings.append(CallReading(content: .minutes(self, first..<end), starts: whole))
    if isCutBefore { readings += rows(in: low...(whole.lowerBound - 1)) }
    if isCutBehind { readings += rows(in: (whole.upperBound + 1)...high) }
    return readings
  }
}

extension [CallReading] {
  var heldCallCount: Double { reduce(0) { $0 + $1.heldCallCount } }
  var greatestCallCount: Int { reduce(0) { $0 + $1.greatestCallCount } }
}

extension SpanStripe {
  /// What a scan holds of all rows, in calls of eight bytes: a run takes as much as sixteen of them.
  fileprivate var scannedCallCount: Int { rowCount + 16 * ((self as? SegmentStripe)?.runCount ?? 0) }
}

/// Where the calls of a query stand: stripes by themselves, and blocks of cells that are kept.
struct CallPlaces: Sendable {
  private var stripes: [(source: Int, stripe: any SpanStripe)] = []
  private var blocks: [PlacedBlock] = []

  /// - Parameter isWanted: whether a stripe of a source is scanned, where nothing is read from cells.
  init(
    _ search: MetricsSearch, _ scan: CallScan, _ repeats: RepeatedRows,
    where isWanted: (_ source: Int, any SpanStripe) -> Bool = { _, _ in true }
  ) {
    var groups: [CallGroup] = []
    var sources: [UInt64: Int] = [:]
    for (index, source) in search.snapshot.recordSources.enumerated()
    where source.bounds.mayStart(in: scan.selection.starts) {
      if search.predicate == nil, scan.fitsCells, let segment = source as? Segment,
        let own = try? segment.callGroups(maximumRowCount: search.maximumGroupRowCount)
      {
        sources[segment.number] = index
        for group in own where group.bounds.mayStart(in: scan.selection.starts) {
          // Cells count all rows.
          if group.fitsCells, group.stripes.allSatisfy({ repeats[index, $0.index] == nil }) {
            groups.append(group)
          } else {
            add(group, source: index)
          }
        }
        continue
      }
      let stripes = source.stripes
      var isOpen = stripes.map {
        $0.holdsFinals && $0.bounds.mayStart(in: scan.selection.starts) && isWanted(index, $0)
      }
      guard isOpen.contains(true) else { continue }
      if let predicate = search.predicate {
        // A damaged index spares nothing.
        isOpen = (try? predicate.stripes(of: source, among: isOpen)) ?? isOpen
      }
      for (stripe, isOpen) in zip(stripes, isOpen) where isOpen { self.stripes.append((index, stripe)) }
    }
    if groups.isEmpty { return }
    var found = CallBlock.blocks(
      of: groups, scan.shape, in: scan.selection.starts,
      maximumRowCount: search.maximumGroupRowCount * CallBlock.maximumGroupCount, parallel: search.parallel)
    if let quantile = scan.cellQuantile(scan.shape) { CallBlock.makeRoom(forQuantile: quantile, in: &found.blocks) }
    func place(of group: CallGroup) -> Int { sources[group.fileNumber] ?? 0 }
    blocks = found.blocks.map { PlacedBlock(block: $0, sources: $0.groups.map(place)) }
    for group in found.damaged { add(group, source: place(of: group)) }
  }

  private mutating func add(_ group: CallGroup, source: Int) {
    stripes += group.stripes.map { (source, $0) }
  }

  /// All that has calls in a window.
  func readings(in starts: ClosedRange<UInt64>) -> [CallReading] {
    var readings: [CallReading] = []
    for (source, stripe) in stripes where stripe.bounds.mayStart(in: starts) {
      readings.append(CallReading(content: .rows(stripe, source: source), starts: starts))
    }
    for block in blocks where block.block.starts.overlaps(starts) { readings += block.readings(in: starts) }
    return readings
  }
}

extension StripeBounds {
  /// About how many rows start in a window.
  fileprivate func share(of rowCount: Int, in starts: ClosedRange<UInt64>) -> Double {
    let (first, last) = (max(starts.lowerBound, minimumStart), min(starts.upperBound, maximumStart))
    guard first <= last else { return 0 }
    return Double(rowCount) * (Double(last - first) + 1) / (Double(maximumStart - minimumStart) + 1)
  }
}

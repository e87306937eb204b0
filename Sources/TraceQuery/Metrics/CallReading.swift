import TraceSegment
import TraceSource

/// Calls of one source that are read at once.
struct CallReading: Sendable {
  enum Content: Sendable {
    /// Rows of a stripe, which are scanned.
    case rows(any SpanStripe)
    /// Whole minutes that are kept, of all stripes of a group.
    case minutes(CallGroup, Range<UInt64>)
  }

  /// The place of the source in the snapshot.
  var source: Int
  var content: Content
  /// What it is read for: starts outside of it do not count.
  var starts: ClosedRange<UInt64>

  /// What it holds in memory, in calls of eight bytes: of rows as if they were spread evenly over their times.
  var heldCallCount: Double {
    switch content {
    case .rows(let stripe): stripe.bounds.share(of: stripe.scannedCallCount, in: starts)
    case .minutes: Double(greatestCallCount)
    }
  }

  /// What it holds at most, wherever its calls start.
  var greatestCallCount: Int {
    switch content {
    case .rows(let stripe): stripe.scannedCallCount
    // Cells in the cache are the cache's. Others are made whole, however few are asked for.
    case .minutes(let group, _): group.isCached ? 0 : group.cellByteCount / MemoryLayout<UInt64>.size
    }
  }

  /// The same calls, all of them scanned.
  var scanned: [CallReading] {
    switch content {
    case .rows: [self]
    case .minutes(let group, _): Self.rows(of: group, source, in: starts)
    }
  }

  /// The same calls, scanned where that holds less.
  var narrowest: [CallReading] {
    let scanned = scanned
    return scanned.heldCallCount < heldCallCount ? scanned : [self]
  }

  static func rows(of group: CallGroup, _ source: Int, in starts: ClosedRange<UInt64>) -> [CallReading] {
    group.stripes.filter { $0.bounds.mayStart(in: starts) }.map {
      CallReading(source: source, content: .rows($0), starts: starts)
    }
  }
}

extension [CallReading] {
  var heldCallCount: Double { reduce(0) { $0 + $1.heldCallCount } }
}

extension SpanStripe {
  /// What a scan holds of all rows, in calls of eight bytes: a run takes as much as sixteen of them.
  fileprivate var scannedCallCount: Int { rowCount + 16 * ((self as? SegmentStripe)?.runCount ?? 0) }
}

/// Where the calls of a query stand: stripes by themselves, and groups of stripes of which cells are kept.
struct CallPlaces: Sendable {
  private enum Place: Sendable {
    case stripe(any SpanStripe)
    case group(CallGroup)
  }

  private var places: [(source: Int, place: Place)] = []

  init(_ search: MetricsSearch, _ scan: CallScan, _ repeats: RepeatedRows) {
    for (index, source) in search.snapshot.recordSources.enumerated()
    where source.bounds.mayStart(in: scan.selection.starts) {
      if search.predicate == nil, scan.fitsCells,
        let groups = try? (source as? Segment)?.callGroups(maximumRowCount: search.maximumGroupRowCount)
      {
        // Cells count all rows.
        for group in groups {
          if group.fitsCells, !group.isKnownDamaged, group.stripes.allSatisfy({ repeats[index, $0.index] == nil }) {
            places.append((index, .group(group)))
          } else {
            places += group.stripes.map { (index, .stripe($0)) }
          }
        }
        continue
      }
      let stripes = source.stripes
      var isOpen = stripes.map { $0.holdsFinals && $0.bounds.mayStart(in: scan.selection.starts) }
      if let predicate = search.predicate {
        // A damaged index spares nothing.
        isOpen = (try? predicate.stripes(of: source, among: isOpen)) ?? isOpen
      }
      for (stripe, isOpen) in zip(stripes, isOpen) where isOpen { places.append((index, .stripe(stripe))) }
    }
  }

  /// All that has calls in a window.
  func readings(in starts: ClosedRange<UInt64>) -> [CallReading] {
    var readings: [CallReading] = []
    for (source, place) in places {
      switch place {
      case .stripe(let stripe) where stripe.bounds.mayStart(in: starts):
        readings.append(CallReading(source: source, content: .rows(stripe), starts: starts))
      case .group(let group) where group.bounds.mayStart(in: starts):
        readings += Self.readings(of: group, source, in: starts)
      default: break
      }
    }
    return readings
  }

  /// Minutes that the window does not cut come from cells; what is left of those that it cuts is scanned.
  private static func readings(of group: CallGroup, _ source: Int, in starts: ClosedRange<UInt64>) -> [CallReading] {
    let width = CallCells.nanoseconds
    func rows(_ starts: ClosedRange<UInt64>) -> [CallReading] { CallReading.rows(of: group, source, in: starts) }
    let (low, high) = (starts.lowerBound, starts.upperBound)
    // A minute in which the group begins or ends before the window cuts it is whole.
    let isCutBefore = low > group.bounds.minimumStart && low % width > 0
    let isCutBehind = high < group.bounds.maximumStart && (high + 1) % width > 0
    let first = low / width + (isCutBefore ? 1 : 0)
    let end = high / width + (isCutBehind ? 0 : 1)
    guard first < end else { return rows(starts) }
    var readings: [CallReading] = []
    let whole = (isCutBefore ? first * width : low)...(isCutBehind ? end * width - 1 : high)
    readings.append(CallReading(source: source, content: .minutes(group, first..<end), starts: whole))
    if isCutBefore { readings += rows(low...(whole.lowerBound - 1)) }
    if isCutBehind { readings += rows((whole.upperBound + 1)...high) }
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

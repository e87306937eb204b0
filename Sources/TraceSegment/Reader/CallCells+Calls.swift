package import TraceAggregate

extension CallCells {
  /// Calls of a run in neighbouring cells. Valid as long as the cells.
  package struct Calls: @unchecked Sendable {
    /// Then the one behind them.
    package private(set) var cells: UnsafeBufferPointer<CallMinute>
    /// Of the whole run.
    private let durations: PackedDurations
    /// Of the whole run.
    private let firstCall: UInt32
    private var places: UnsafePointer<UInt32>?
    private let buckets: UnsafePointer<UInt8>?
    /// One of each cell, where it is known.
    private var known: (quantile: Double, values: UnsafePointer<Double>)?

    init(
      cells: UnsafeBufferPointer<CallMinute>, durations: PackedDurations, firstCall: UInt32,
      places: UnsafePointer<UInt32>?, buckets: UnsafePointer<UInt8>?
    ) {
      self.cells = cells
      self.durations = durations
      self.firstCall = firstCall
      self.places = places
      self.buckets = buckets
    }

    /// - Parameter values: of each cell, exact where each duration is there.
    func knowing(_ quantile: Double, _ values: UnsafePointer<Double>) -> Calls {
      var calls = self
      calls.known = (quantile, values)
      return calls
    }

    /// How many cells.
    package var count: Int { cells.count - 1 }
    package var callCount: Int { Int(cells[cells.count - 1].firstCall &- cells[0].firstCall) }
    var unit: UInt32 { durations.layout.unit }

    package func callCount(at place: Int) -> UInt32 { cells[place + 1].firstCall &- cells[place].firstCall }

    /// Those of some cells.
    package func part(_ range: Range<Int>) -> Calls {
      var part = self
      part.cells = UnsafeBufferPointer(rebasing: cells[range.lowerBound...range.upperBound])
      part.places = places.map { $0 + range.lowerBound }
      part.known = known.map { ($0.quantile, $0.values + range.lowerBound) }
      return part
    }

    /// The durations of a cell, which ascend.
    package func durations(at place: Int) -> CallDurations {
      let count = callCount(at: place)
      guard let places else {
        return .each(durations.part(from: Int(cells[place].firstCall &- firstCall), count: count))
      }
      let own = Int(places[place])
      guard let buckets, !DurationSketch.isExact(count: UInt64(count)) else {
        return .each(durations.part(from: own, count: count))
      }
      return .counted(PackedBuckets(buckets + own, count: UInt64(count)))
    }

    /// The quantile of each cell; durations that are only counted are estimated.
    package func quantiles(_ quantile: Double, isExact: Bool, into values: UnsafeMutablePointer<Double>) {
      guard let known, known.quantile == quantile else {
        return makeQuantiles(quantile, isExact: isExact, into: values)
      }
      values.update(from: known.values, count: count)
      if isExact || places != nil { return }
      // What is estimated is not known: few cells of operations have so many calls.
      for place in 0..<count where !DurationSketch.isExact(count: UInt64(callCount(at: place))) {
        part(place..<place + 1).makeQuantiles(quantile, isExact: false, into: values + place)
      }
    }

    private func makeQuantiles(_ quantile: Double, isExact: Bool, into values: UnsafeMutablePointer<Double>) {
      guard places != nil else {
        let part = durations.part(from: Int(cells[0].firstCall &- firstCall), count: UInt32(callCount))
        return part.quantiles(quantile, of: cells, isExact: isExact, into: values)
      }
      for place in 0..<count {
        let callCount = UInt64(callCount(at: place))
        let rank = QuantileRank(quantile, of: callCount)
        switch durations(at: place) {
        case .each(let durations):
          let (lower, upper) = durations.neighbours(of: rank)
          values[place] = rank.value(lower, upper)
        case .counted(let buckets): values[place] = rank.estimate(buckets)
        }
      }
    }
  }
}

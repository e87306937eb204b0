import TraceAggregate

/// What the calls of one series in one bucket come to.
struct CallCell {
  var series: Int
  var bucket: UInt64
  var callCount: UInt64 = 0
  var errorCount: UInt64 = 0
  /// The quantile in nanoseconds, when one was asked for.
  var quantile = 0.0
  var isExact = true
  var slowest = SlowestSpans()
}

/// A part of a cell: a chunk of a stripe.
struct CellPart {
  var series: UInt32
  var stripe: UInt32
  var bucket: UInt64
  var chunk: UInt32
}

extension [CellPart] {
  /// Brings the parts of each cell together, cells ascending by series and bucket.
  mutating func groupByCell(seriesCount: Int) {
    guard let least = self.lazy.map(\.bucket).min(), let greatest = self.lazy.map(\.bucket).max() else { return }
    // Buckets lie close together mostly, so that counting is cheaper than comparing.
    let (bucketCount, isWide) = (greatest - least).addingReportingOverflow(1)
    let (cellCount, isLarge) = bucketCount.multipliedReportingOverflow(by: UInt64(seriesCount))
    guard !isWide, !isLarge, cellCount <= UInt64(Swift.max(1 << 16, count * 8)) else {
      return sort { $0.series != $1.series ? $0.series < $1.series : $0.bucket < $1.bucket }
    }
    func cell(_ part: CellPart) -> Int { Int(part.series) &* Int(bucketCount) &+ Int(part.bucket &- least) }
    var places = [UInt32](repeating: 0, count: Int(cellCount) + 1)
    for part in self { places[cell(part) &+ 1] &+= 1 }
    for index in 1..<places.count { places[index] &+= places[index &- 1] }
    self = [CellPart](unsafeUninitializedCapacity: count) { result, initializedCount in
      for part in self {
        let own = cell(part)
        (result.baseAddress.unsafelyUnwrapped + Int(places[own])).initialize(to: part)
        places[own] &+= 1
      }
      initializedCount = count
    }
  }
}

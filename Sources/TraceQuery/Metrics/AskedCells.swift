import TraceAggregate
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource
import TracestoreV2

/// What a page asks again and again, wherever its window ends.
struct MetricsQuestion: Hashable, Sendable {
  private let measure: MetricsSearch.Measure
  private let query: MetricsQuery
  /// Texts are told apart by their bytes.
  private let services: Set<[UInt8]>

  init(_ measure: MetricsSearch.Measure, _ query: MetricsQuery) {
    self.measure = measure
    services = Set(query.serviceNames.map { Array($0.utf8) })
    var query = query
    query.serviceNames = []
    query.end = Timestamp(nanoseconds: 0)
    // Whether some are left out is decided by all series, which are known.
    query.maximumSeriesCount = 1
    self.query = query
  }
}

/// The cells that a question was answered with, of buckets whose calls all stand in segments. Kept for when it is asked
/// again: a scan of some thousand spans comes to 8 to 16 bytes a cell. Without any it says that the question was asked once.
final class AskedCells: CachedBlock {
  /// A stripe all of whose rows count.
  struct Part: Hashable, Sendable {
    var segment: UInt64
    var stripe: Int
  }

  private struct Series {
    var labels: [[UInt8]]
    /// Its cells reach to those of the next one.
    var firstCell: Int
  }

  let question: MetricsQuestion
  /// Where all calls of the buckets stand, and when those of each part start.
  let parts: [Part: ClosedRange<UInt64>]
  let buckets: RangeSet<UInt64>
  private let series: [Series]
  private let firstBucket: UInt64
  // Of each cell, ascending by bucket in each series.
  private let distances: [UInt32]
  private let callCounts: [UInt32]
  /// Empty where nobody asked for them, as are the quantiles.
  private let errorCounts: [UInt32]
  private let quantiles: [Double]
  private let isExact: Bool

  let residentByteCount: Int
  /// They go before what is made for more than one question, and outlive the walks over all stripes that others take which
  /// are not known yet.
  static let passCount = CallCells.passCount / 2

  /// Notes that a question was asked.
  convenience init(_ question: MetricsQuestion) {
    self.init(question, [:], RangeSet(), [], [], firstBucket: 0, scan: nil)
  }

  /// - Parameters:
  ///   - labels: of each series.
  ///   - cells: of each series; those of other buckets are left out.
  /// - Returns: nil where counts or buckets have more than 32 bits.
  convenience init?(
    _ question: MetricsQuestion, of parts: [Part: ClosedRange<UInt64>], in buckets: RangeSet<UInt64>,
    labels: [[[UInt8]]], _ cells: [SeriesCells], for scan: CallScan
  ) {
    let firstBucket = buckets.ranges.first?.lowerBound ?? 0
    let lastBucket = buckets.ranges.last?.upperBound ?? 0
    guard lastBucket - firstBucket <= UInt32.max else { return nil }
    let own = cells.map { series in series.cells.filter { buckets.contains($0.bucket) } }
    guard own.allSatisfy({ $0.allSatisfy { $0.callCount <= UInt32.max } }) else { return nil }
    self.init(question, parts, buckets, labels, own, firstBucket: firstBucket, scan: scan)
  }

  private init(
    _ question: MetricsQuestion, _ parts: [Part: ClosedRange<UInt64>], _ buckets: RangeSet<UInt64>,
    _ labels: [[[UInt8]]], _ cells: [[CallCell]], firstBucket: UInt64, scan: CallScan?
  ) {
    self.question = question
    self.parts = parts
    self.buckets = buckets
    self.firstBucket = firstBucket
    isExact = scan?.isExact ?? false
    var (series, cellCount) = ([Series](), 0)
    for (labels, own) in zip(labels, cells) where !own.isEmpty {
      series.append(Series(labels: labels, firstCell: cellCount))
      cellCount += own.count
    }
    self.series = series
    let all = cells.joined()
    distances = all.map { UInt32(truncatingIfNeeded: $0.bucket - firstBucket) }
    callCounts = all.map { UInt32(truncatingIfNeeded: $0.callCount) }
    errorCounts = scan?.selection.needsErrors == true ? all.map { UInt32(truncatingIfNeeded: $0.errorCount) } : []
    quantiles = scan?.quantile != nil ? all.map(\.quantile) : []
    let labelByteCount = series.reduce(0) { $0 + $1.labels.reduce(64) { $0 + $1.count + 48 } }
    residentByteCount =
      512 + parts.count * 48 + buckets.ranges.count * 16 + labelByteCount + cellCount * 8 + errorCounts.count * 4
      + quantiles.count * 8
  }

  /// Calls `body` with the cells of each series that has any in some buckets.
  func forEachSeries(
    in buckets: Range<UInt64>, _ body: (_ labels: [[UInt8]], _ cells: SeriesCells) throws -> Void
  ) rethrows {
    for (place, own) in series.enumerated() {
      let all = own.firstCell..<(place + 1 < series.count ? series[place + 1].firstCell : distances.count)
      let low = all.partition { firstBucket + UInt64(distances[$0]) >= buckets.lowerBound }
      let high = (low..<all.upperBound).partition { firstBucket + UInt64(distances[$0]) >= buckets.upperBound }
      if low == high { continue }
      var result = SeriesCells()
      result.cells = (low..<high).map(cell)
      try body(own.labels, result)
    }
  }

  private func cell(_ place: Int) -> CallCell {
    var cell = CallCell(bucket: firstBucket + UInt64(distances[place]), callCount: UInt64(callCounts[place]))
    if !errorCounts.isEmpty { cell.errorCount = UInt64(errorCounts[place]) }
    if !quantiles.isEmpty {
      cell.quantile = quantiles[place]
      cell.isExact = isExact || DurationSketch.isExact(count: cell.callCount)
    }
    return cell
  }
}

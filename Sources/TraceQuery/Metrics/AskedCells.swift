import TraceAggregate
import TraceColumns
import TraceFilter
import TraceModel
import TraceSegment
import TraceSource
import TracestoreV2

/// What a page asks again and again, of a window that moves on.
struct MetricsQuestion: Hashable, Sendable {
  /// Of a question with longer texts nothing is kept.
  static let maximumTextByteCount = 4096

  private let measure: MetricsSearch.Measure
  private let query: MetricsQuery
  /// Texts are told apart by their bytes.
  private let services: Set<[UInt8]>
  /// About where the window stands: of two windows of a page that lie far apart, each would drive out what is known of the
  /// other.
  private let place: UInt64
  /// What it would take to write down its filter, services, groups and kinds.
  let textByteCount: Int

  init(_ measure: MetricsSearch.Measure, _ query: MetricsQuery) {
    self.measure = measure
    services = Set(query.serviceNames.map { Array($0.utf8) })
    let (width, isBeyond) = query.lookbackNanoseconds.multipliedReportingOverflow(by: 4)
    place = isBeyond || width == 0 ? 0 : query.end.nanoseconds / width
    textByteCount = Self.textByteCount(of: query)
    var query = query
    query.serviceNames = []
    query.end = Timestamp(nanoseconds: 0)
    // Whether some are left out is decided by all series, which are known.
    query.maximumSeriesCount = 1
    self.query = query
  }

  /// Memory that depends on the question: of a filter about 180 bytes for each condition, which has some 20 bytes of text;
  /// names are objects of their own.
  var residentByteCount: Int { 8 * textByteCount }

  private static func textByteCount(of query: MetricsQuery) -> Int {
    var byteCount = 8 * (query.serviceNames.count + query.groups.count + query.spanKinds.count)
    for name in query.serviceNames { byteCount += name.utf8.count }
    for case .attribute(let reference) in query.groups { byteCount += reference.key.utf8.count }
    return byteCount + (query.filter?.text.utf8.count ?? 0)
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

  /// Of each cell, ascending by bucket in each series.
  private struct Columns {
    var distances: [UInt32] = []
    var callCounts: [UInt32] = []
    /// Empty where nobody asked for them, as are the quantiles.
    var errorCounts: [UInt32] = []
    var quantiles: [Double] = []
  }

  let question: MetricsQuestion
  /// Where all calls of the buckets stand, and when those of each part start.
  let parts: [Part: ClosedRange<UInt64>]
  let buckets: RangeSet<UInt64>
  private let series: [Series]
  private let firstBucket: UInt64
  private let columns: Columns
  private let isExact: Bool

  let residentByteCount: Int
  /// They go before what is made for more than one question, and outlive the walks over all stripes that others take which
  /// are not known yet.
  static let passCount = CallCells.passCount / 2

  /// Notes that a question was asked.
  convenience init(_ question: MetricsQuestion) {
    self.init(
      question, [:], RangeSet(), [], firstBucket: 0, Columns(), isExact: false,
      residentByteCount: Self.byteCount(of: question))
  }

  /// - Parameters:
  ///   - labels: of each series.
  ///   - cells: of each series; those of other buckets are left out.
  /// - Returns: nil where counts or buckets have more than 32 bits, and for what takes more than `maximumByteCount`.
  convenience init?(
    _ question: MetricsQuestion, of parts: [Part: ClosedRange<UInt64>], in buckets: RangeSet<UInt64>,
    labels: [[[UInt8]]], _ cells: [SeriesCells], for scan: CallScan, maximumByteCount: Int
  ) {
    let firstBucket = buckets.ranges.first?.lowerBound ?? 0
    let lastBucket = buckets.ranges.last?.upperBound ?? 0
    guard lastBucket - firstBucket <= UInt32.max else { return nil }
    let (hasErrors, hasQuantiles) = (scan.selection.needsErrors, scan.quantile != nil)
    // Counted before anything is copied: an answer may have many times the cells that there is room for.
    var byteCount = Self.byteCount(of: question) + parts.count * 48 + buckets.ranges.count * 16
    var series: [Series] = []
    var cellCount = 0
    for (labels, own) in zip(labels, cells) {
      let first = cellCount
      for cell in own.cells where buckets.contains(cell.bucket) {
        guard cell.callCount <= UInt32.max else { return nil }
        cellCount += 1
      }
      if cellCount == first { continue }
      series.append(Series(labels: labels, firstCell: first))
      byteCount += labels.reduce(64) { $0 + $1.count + 48 }
      byteCount += (cellCount - first) * (8 + (hasErrors ? 4 : 0) + (hasQuantiles ? 8 : 0))
      guard byteCount <= maximumByteCount else { return nil }
    }
    var columns = Columns()
    columns.distances.reserveCapacity(cellCount)
    columns.callCounts.reserveCapacity(cellCount)
    if hasErrors { columns.errorCounts.reserveCapacity(cellCount) }
    if hasQuantiles { columns.quantiles.reserveCapacity(cellCount) }
    for own in cells {
      for cell in own.cells where buckets.contains(cell.bucket) {
        columns.distances.append(UInt32(truncatingIfNeeded: cell.bucket - firstBucket))
        columns.callCounts.append(UInt32(truncatingIfNeeded: cell.callCount))
        if hasErrors { columns.errorCounts.append(UInt32(truncatingIfNeeded: cell.errorCount)) }
        if hasQuantiles { columns.quantiles.append(cell.quantile) }
      }
    }
    self.init(
      question, parts, buckets, series, firstBucket: firstBucket, columns, isExact: scan.isExact,
      residentByteCount: byteCount)
  }

  /// Of what is not cells.
  private static func byteCount(of question: MetricsQuestion) -> Int { 512 + question.residentByteCount }

  private init(
    _ question: MetricsQuestion, _ parts: [Part: ClosedRange<UInt64>], _ buckets: RangeSet<UInt64>,
    _ series: [Series], firstBucket: UInt64, _ columns: Columns, isExact: Bool, residentByteCount: Int
  ) {
    self.question = question
    self.parts = parts
    self.buckets = buckets
    self.series = series
    self.firstBucket = firstBucket
    self.columns = columns
    self.isExact = isExact
    self.residentByteCount = residentByteCount
  }

  /// Calls `body` with the cells of each series that has any in some buckets.
  func forEachSeries(
    in buckets: Range<UInt64>, _ body: (_ labels: [[UInt8]], _ cells: SeriesCells) throws -> Void
  ) rethrows {
    for (place, own) in series.enumerated() {
      let all = own.firstCell..<(place + 1 < series.count ? series[place + 1].firstCell : columns.distances.count)
      let low = all.partition { firstBucket + UInt64(columns.distances[$0]) >= buckets.lowerBound }
      let high = (low..<all.upperBound).partition { firstBucket + UInt64(columns.distances[$0]) >= buckets.upperBound }
      if low == high { continue }
      var result = SeriesCells()
      result.cells = (low..<high).map(cell)
      try body(own.labels, result)
    }
  }

  private func cell(_ place: Int) -> CallCell {
    var cell = CallCell(
      bucket: firstBucket + UInt64(columns.distances[place]), callCount: UInt64(columns.callCounts[place]))
    if !columns.errorCounts.isEmpty { cell.errorCount = UInt64(columns.errorCounts[place]) }
    if !columns.quantiles.isEmpty {
      cell.quantile = columns.quantiles[place]
      cell.isExact = isExact || DurationSketch.isExact(count: cell.callCount)
    }
    return cell
  }
}

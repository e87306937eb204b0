import TraceAggregate
import TraceModel
package import TraceSegment
package import TracestoreV2

/// A second source of series: the hourly figures of spans that have expired. They are series of their own, so that a
/// point never mixes rows that can be recounted with figures that cannot.
///
/// A point covers whole hours: the step and the rate window of the query, rounded up to hours.
package struct ExpiredHours: Sendable {
  /// Of the query with whole hours.
  private let search: MetricsSearch
  /// The starts that the query itself is about; nil when it has no points.
  private let askedStarts: ClosedRange<UInt64>?
  private let isAnswerable: Bool

  /// - Throws: `invalidArgument`, as a search for the same query.
  package init(
    _ measure: MetricsSearch.Measure, _ query: MetricsQuery, in snapshot: QuerySnapshot,
    parallel: @escaping SegmentParallelism
  ) throws {
    isAnswerable = query.filter == nil && query.groups.allSatisfy { $0 == .operation }
    askedStarts = (measure == .latencies ? MetricsWindow(latencies: query) : MetricsWindow(rates: query))?.starts
    var hourly = query
    hourly.stepNanoseconds = Self.wholeHours(query.stepNanoseconds)
    hourly.ratePerNanoseconds = Self.wholeHours(query.ratePerNanoseconds)
    hourly.exemplarCount = 0
    search = try MetricsSearch(measure, hourly, in: snapshot, parallel: parallel)
  }

  private static func wholeHours(_ nanoseconds: UInt64) -> UInt64 {
    let hour = HourlyFigures.hourNanoseconds
    let count = nanoseconds / hour + (nanoseconds % hour > 0 ? 1 : 0)
    return min(count, UInt64.max / hour) * hour
  }

  /// Adds the series behind those of the rows, and says in `expiredRows` what became of the expired ones.
  package func add(to family: inout MetricFamily) throws {
    // Rates of whole hours look back further, and may have no point where others have some.
    let touched = [askedStarts, search.window?.starts].compactMap(\.self)
    let files = search.snapshot.metrics.filter { file in touched.contains { $0.overlaps(file.times) } }
    if files.isEmpty { return }
    guard isAnswerable else {
      family.expiredRows = .leftOut
      return
    }
    var damage = DamageReport(family.summary.damage)
    var cells: [[UInt64: HourlyCell]] = []
    var table = SeriesTable(sourceCount: 0, groups: search.groups)
    var hasCutHours = false
    for file in files {
      guard let figures = damage.collect({ try file.figures() }) else { continue }
      for (key, hours) in figures.series where isWanted(key) {
        for (hour, cell) in hours {
          guard let bucket = search.window.flatMap({ Self.bucket(of: hour, $0) }) else {
            hasCutHours = hasCutHours || touched.contains { $0.overlaps(Self.starts(of: hour)) }
            continue
          }
          let place = try table.place(of: search.groups.isEmpty ? [key.service] : [key.service, key.operation])
          if place == cells.count { cells.append([:]) }
          cells[place][bucket, default: HourlyCell()].merge(cell)
          table.count(Int(clamping: cell.callCount), of: place)
        }
      }
    }
    family.summary.damage = damage.messages
    guard let window = search.window, !cells.isEmpty else {
      if hasCutHours { family.expiredRows = .leftOut }
      return
    }
    let (ranks, shown, hasOverflow) = table.ranks(maximumCount: search.query.maximumSeriesCount)
    var ranked = [[UInt64: HourlyCell]](repeating: [:], count: shown.count + (hasOverflow ? 1 : 0))
    for (place, rank) in ranks.enumerated() {
      for (bucket, cell) in cells[place] { ranked[rank][bucket, default: HourlyCell()].merge(cell) }
    }
    let names = search.labelNames
    let labels = shown.map { MetricsSearch.labels(names, $0) } + (hasOverflow ? [search.overflowLabels] : [])
    let points = try search.points(ranked.map(series), window)
    for (labels, points) in zip(labels, points) where !points.isEmpty {
      family.metrics.append(Metric(labels: labels + [MetricsQuery.expiredLabel], points: points))
      family.expiredRows = .hourly
    }
    if family.expiredRows == .hourly, search.measure == .latencies {
      family.errorBound = max(family.errorBound, LogLinearScale.relativeError)
    }
    if hasOverflow { family.summary.isTruncated = true }
  }

  private func isWanted(_ series: HourlyFigures.Series) -> Bool {
    let query = search.query
    return (query.spanKinds.isEmpty || query.spanKinds.contains { $0.rawValue == series.kind })
      && (query.serviceNames.isEmpty || query.serviceNames.contains { $0.utf8.elementsEqual(series.service) })
  }

  private static func starts(of hour: UInt64) -> ClosedRange<UInt64> {
    let start = hour * HourlyFigures.hourNanoseconds
    let (last, isBeyond) = start.addingReportingOverflow(HourlyFigures.hourNanoseconds - 1)
    return start...(isBeyond ? .max : last)
  }

  /// The bucket of an hour that lies whole in the window.
  private static func bucket(of hour: UInt64, _ window: MetricsWindow) -> UInt64? {
    let starts = starts(of: hour)
    guard window.starts.contains(starts.lowerBound), window.starts.contains(starts.upperBound) else { return nil }
    return starts.lowerBound / window.bucketNanoseconds
  }

  private func series(_ cells: [UInt64: HourlyCell]) -> SeriesCells {
    var series = SeriesCells()
    for (bucket, cell) in cells.sorted(by: { $0.key < $1.key }) {
      var result = CallCell(bucket: bucket)
      result.callCount = cell.callCount
      result.errorCount = cell.errorCount
      result.quantile = search.quantile.flatMap { cell.finish($0) } ?? 0
      result.isExact = false
      series.cells.append(result)
    }
    return series
  }
}

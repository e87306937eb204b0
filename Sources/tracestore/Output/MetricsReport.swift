import TraceModel
import TracestoreV2

/// Metrics for people: a line a series, with a small chart of its points.
struct MetricsReport {
  var family: MetricFamily
  var measure: MetricsCommand.Measure
  var query: MetricsQuery

  private static let maximumSeriesCount = 100
  private static let maximumChartWidth = 60

  func print() {
    let output = StandardOutput.shared
    let start = query.end.nanoseconds - min(query.end.nanoseconds, query.lookbackNanoseconds)
    output.writeLine(
      Style.bold(Sanitized.line(family.help))
        + Style.dim(
          " from \(Figure.time(Timestamp(nanoseconds: start))) to \(Figure.time(query.end)), every \(Figure.duration(query.stepNanoseconds))"
        ))
    sayWhatHasExpired()
    guard let longest = family.metrics.map(\.labels).max(by: { $0.count < $1.count }) else {
      return output.writeLine("no calls in this window: look at another with --end and --lookback, or at --all-kinds")
    }
    let names = longest.map {
      $0.name == "service_name"
        ? "SERVICE" : $0.name == MetricsQuery.expiredLabel.name ? "ROWS" : $0.name.uppercased()
    }
    let figures = ["MIN", "MEAN", "MAX", "LAST"]
    var table = TextTable(
      names + figures + [""], right: Set(names.count..<(names.count + figures.count)))
    for metric in family.metrics.prefix(Self.maximumSeriesCount) {
      let values = metric.points.map(\.value)
      let mean = values.reduce(0, +) / Double(max(1, values.count))
      table.add(
        metric.labels.map { DisplayWidth.cut(Sanitized.line($0.value), to: 40) }
          + Array(repeating: "", count: names.count - metric.labels.count)
          + [values.min() ?? 0, mean, values.max() ?? 0, values.last ?? 0].map(text) + [chart(metric.points)])
    }
    table.print()
    if family.metrics.count > Self.maximumSeriesCount {
      output.writeLine(
        "… \(Figure.count(family.metrics.count - Self.maximumSeriesCount)) more series (--json lists all)")
    }
    if family.summary.isTruncated {
      output.writeLine("Only the \(Figure.count(query.maximumSeriesCount)) series with the most calls stand alone.")
    }
    if family.errorBound > 0 {
      output.writeLine(
        "Quantiles are within \(Figure.decimal(family.errorBound * 100, fractionDigits: 2)) %; --exact makes those of stored spans exact."
      )
    }
  }

  private func sayWhatHasExpired() {
    switch family.expiredRows {
    case .none: break
    case .hourly: StandardOutput.shared.writeLine("Spans that have expired are told of by whole hours.")
    case .leftOut:
      StandardOutput.shared.writeLine(
        "Spans that have expired are left out: whole hours are kept of them, without attributes; ask without a filter, for longer."
      )
    }
  }

  private func text(_ value: Double) -> String {
    switch measure {
    case .latency: Figure.duration(UInt64(max(0, min(value * 1e6, 1e19))))
    case .calls: Figure.threeDigits(value) + "/s"
    case .errors: Figure.decimal(value * 100, fractionDigits: 2) + "%"
    }
  }

  /// A column for each step, or the greatest of several steps where there are more than fit; blank where there is none.
  private func chart(_ points: [MetricPoint]) -> String {
    let step = query.stepNanoseconds
    let last = max(1, query.end.nanoseconds) - 1
    let first = (query.end.nanoseconds - min(query.end.nanoseconds, query.lookbackNanoseconds)) / step
    let stepCount = last / step - min(first, last / step) + 1
    let width = min(UInt64(Self.maximumChartWidth), stepCount)
    var columns = [Double?](repeating: nil, count: Int(width))
    for point in points {
      let place = (point.time.nanoseconds / step - first).multipliedFullWidth(by: width)
      let column = Int(stepCount.dividingFullWidth((min(place.high, stepCount - 1), place.low)).quotient)
      guard columns.indices.contains(column) else { continue }
      columns[column] = max(columns[column] ?? 0, point.value)
    }
    let greatest = columns.compactMap(\.self).max() ?? 0
    let bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    return columns.map { value in
      guard let value else { return " " }
      return greatest > 0 ? bars[min(7, Int(value / greatest * 8))] : bars[0]
    }.joined()
  }
}

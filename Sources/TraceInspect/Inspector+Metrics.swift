import TraceFiles
import TraceModel
import TraceSegment

extension Inspector {
  /// Hourly figures of spans that have expired.
  func explainMetrics(_ path: String, _ byteCount: UInt64) throws -> Explanation {
    var result = Explanation(kind: "metrics", path: path, byteCount: byteCount)
    do {
      let bytes = try fileSystem.contents(ofFile: path, maximumByteCount: Int(MetricsSegment.maximumByteCount))
      let figures = try HourlyFigures(bytes, path: path)
      let cells = figures.series.values.lazy.flatMap(\.values)
      result.fields = [
        ("series", .count(figures.series.count)), ("hours of all series", .count(figures.cellCount)),
        ("calls", .number(cells.reduce(0) { $0 &+ $1.callCount })),
        ("errors", .number(cells.reduce(0) { $0 &+ $1.errorCount })),
      ]
      if let hours = figures.hours {
        result.fields += [
          ("first hour", Self.time(hours.lowerBound &* HourlyFigures.hourNanoseconds)),
          ("last hour", Self.time(hours.upperBound &* HourlyFigures.hourNanoseconds)),
        ]
      }
    } catch {
      result.note(error, at: 0)
    }
    return result
  }
}

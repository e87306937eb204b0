import TraceAggregate

/// What calls of one hour and one series come to.
package struct HourlyCell: Hashable, Sendable {
  private(set) var figures = CallFigures()
  private(set) var buckets = BucketCounts()

  package init() {}

  package var callCount: UInt64 { figures.callCount }
  package var errorCount: UInt64 { figures.errorCount }

  /// From figures that come from elsewhere: nil when the two are not of the same calls.
  init?(_ figures: CallFigures, _ buckets: BucketCounts) {
    guard figures.callCount == buckets.count, let durations = figures.durations,
      buckets.entries.first.map({ Int($0.bucket) }) == LogLinearScale.bucket(of: durations.lowerBound),
      buckets.entries.last.map({ Int($0.bucket) }) == LogLinearScale.bucket(of: durations.upperBound)
    else { return nil }
    self.figures = figures
    self.buckets = buckets
  }

  package mutating func update(_ durations: UnsafeBufferPointer<UInt64>, errorCount: Int) {
    figures.update(durations, errorCount: errorCount)
    buckets.update(durations)
  }

  package mutating func merge(_ other: HourlyCell) {
    figures.merge(other.figures)
    buckets.merge(other.buckets)
  }

  /// The quantile in nanoseconds, within `LogLinearScale.relativeError`; nil of nothing.
  package func finish(_ quantile: Double) -> Double? {
    guard let durations = figures.durations else { return nil }
    // The shortest and the longest are known exactly, whatever stands in the middle of their buckets.
    return min(
      max(buckets.finish(QuantileRank(quantile, of: buckets.count)), Double(durations.lowerBound)),
      Double(durations.upperBound))
  }
}

/// What is known of spans that have expired: their calls by hour, service, operation and kind.
package struct HourlyFigures: Hashable, Sendable {
  package static let hourNanoseconds: UInt64 = 3_600_000_000_000

  /// Names as UTF-8.
  package struct Series: Hashable, Comparable, Sendable {
    package var service: [UInt8]
    package var operation: [UInt8]
    package var kind: Int32

    package init(service: [UInt8], operation: [UInt8], kind: Int32) {
      self.service = service
      self.operation = operation
      self.kind = kind
    }

    package static func < (left: Series, right: Series) -> Bool {
      if left.service != right.service { return left.service.lexicographicallyPrecedes(right.service) }
      if left.operation != right.operation { return left.operation.lexicographicallyPrecedes(right.operation) }
      return left.kind < right.kind
    }
  }

  /// By hours since the epoch. No series is without cells.
  package internal(set) var series: [Series: [UInt64: HourlyCell]] = [:]

  package init() {}

  package var isEmpty: Bool { series.isEmpty }
  package var cellCount: Int { series.values.reduce(0) { $0 + $1.count } }

  /// The first and the last hour that has calls; nil without any.
  package var hours: ClosedRange<UInt64>? {
    let all = series.values.lazy.flatMap(\.keys)
    guard let first = all.min(), let last = all.max() else { return nil }
    return first...last
  }

  /// From the first nanosecond of the first hour to the last one of the last; nil without any.
  package var times: ClosedRange<UInt64>? {
    hours.map { hours in
      let last = hours.upperBound * Self.hourNanoseconds
      return hours.lowerBound * Self.hourNanoseconds...last + min(Self.hourNanoseconds - 1, .max - last)
    }
  }

  /// Adds calls of a series that start at any time.
  ///
  /// - Parameters:
  ///   - starts: nanoseconds since the epoch.
  ///   - durations: nanoseconds; as many.
  ///   - errors: 1 for an error; empty when there is none.
  package mutating func update(
    _ key: Series, starts: UnsafeBufferPointer<UInt64>, durations: UnsafeBufferPointer<UInt64>,
    errors: UnsafeBufferPointer<UInt8>
  ) {
    var first = 0
    while first < starts.count {
      let hour = starts[first] / Self.hourNanoseconds
      var end = first + 1
      while end < starts.count, starts[end] / Self.hourNanoseconds == hour { end += 1 }
      let errorCount = errors.isEmpty ? 0 : errors[first..<end].reduce(0) { $0 + Int($1) }
      series[key, default: [:]][hour, default: HourlyCell()].update(
        UnsafeBufferPointer(rebasing: durations[first..<end]), errorCount: errorCount)
      first = end
    }
  }

  package mutating func merge(_ other: HourlyFigures) {
    for (key, cells) in other.series { series[key, default: [:]].merge(cells) { own, their in own.merging(their) } }
  }

  /// Adds a cell.
  package mutating func merge(_ cell: HourlyCell, _ key: Series, hour: UInt64) {
    series[key, default: [:]][hour, default: HourlyCell()].merge(cell)
  }

  /// Forgets hours.
  package mutating func removeHours(where isGone: (UInt64) -> Bool) {
    for (key, cells) in series {
      let kept = cells.filter { !isGone($0.key) }
      series[key] = kept.isEmpty ? nil : kept
    }
  }

  /// Figures of at most about so many bytes each, which together are these; one where they fit.
  package func parts(maximumByteCount: Int) -> [HourlyFigures] {
    var parts: [HourlyFigures] = []
    var byteCount = Int.max
    for (key, cells) in series.sorted(by: { $0.key < $1.key }) {
      for (hour, cell) in cells.sorted(by: { $0.key < $1.key }) {
        let own = key.service.count + key.operation.count + 48 + cell.buckets.entries.count * 4
        if byteCount > maximumByteCount - own {
          parts.append(HourlyFigures())
          byteCount = 0
        }
        byteCount += own
        parts[parts.count - 1].series[key, default: [:]][hour] = cell
      }
    }
    return parts
  }
}

extension HourlyCell {
  fileprivate func merging(_ other: HourlyCell) -> HourlyCell {
    var result = self
    result.merge(other)
    return result
  }
}

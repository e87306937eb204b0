/// Durations for quantiles in bounded memory: themselves while they are few, a histogram from `exactCount` on.
///
/// Which of the two it is depends on their number alone, so that order and grouping change no answer.
package struct DurationSketch: Sendable {
  /// Fewer durations are kept themselves. More would make exact figures more frequent and a point's memory larger.
  private static let exactCount = 256

  private var values: [UInt64] = []
  private var histogram = DurationHistogram()

  package init() {}

  /// Whether the quantiles of so many durations are exact.
  package static func isExact(count: UInt64) -> Bool { count < UInt64(exactCount) }

  package var count: UInt64 { UInt64(values.count) + histogram.count }
  /// Whether quantiles are exact.
  package var isExact: Bool { histogram.count == 0 }

  package mutating func update(_ durations: UnsafeBufferPointer<UInt64>) {
    guard isExact, Self.isExact(count: count + UInt64(durations.count)) else {
      fold()
      return histogram.update(durations)
    }
    values.append(contentsOf: durations)
  }

  /// Adds durations of which only counts by bucket are left: there are too many to be exact.
  package mutating func merge(_ buckets: PackedBuckets) {
    fold()
    histogram.merge(buckets)
  }

  package mutating func merge(_ other: DurationSketch) {
    other.values.withUnsafeBufferPointer { update($0) }
    guard !other.isExact else { return }
    fold()
    histogram.merge(other.histogram)
  }

  /// The quantile in nanoseconds, exact or within `LogLinearScale.relativeError`; nil of nothing.
  package func finish(_ quantile: Double) -> Double? {
    guard count > 0 else { return nil }
    let rank = QuantileRank(quantile, of: count)
    guard isExact else { return histogram.finish(rank) }
    var values = values
    let (lower, upper) = values.withUnsafeMutableBufferPointer { Selection.neighbours(of: rank, in: $0) }
    return rank.value(lower, upper)
  }

  /// The buckets that have to be looked into for an exact quantile; nil when it is exact anyway.
  package func search(_ quantile: Double) -> QuantileSearch? {
    guard !isExact else { return nil }
    return QuantileSearch(QuantileRank(quantile, of: count), in: histogram)
  }

  private mutating func fold() {
    guard !values.isEmpty else { return }
    values.withUnsafeBufferPointer { histogram.update($0) }
    values = []
  }
}

/// An exact quantile of durations that only a histogram is known of: one more pass over them fills the buckets in
/// question.
package struct QuantileSearch: Sendable {
  private let rank: QuantileRank
  private let buckets: ClosedRange<Int>
  private let countBefore: UInt64
  private var values: [UInt64] = []

  init(_ rank: QuantileRank, in histogram: DurationHistogram) {
    self.rank = rank
    let (first, countBefore) = histogram.bucket(at: rank.lower)
    buckets = first...histogram.bucket(at: rank.upper).bucket
    self.countBefore = countBefore
  }

  /// Takes the durations that matter from all that the histogram counted.
  package mutating func update(_ durations: UnsafeBufferPointer<UInt64>) {
    for duration in durations where buckets.contains(LogLinearScale.bucket(of: duration)) { values.append(duration) }
  }

  /// Nil when what came was not what the histogram had counted.
  package func finish() -> Double? {
    var values = values
    values.sort()
    let (lower, upper) = (rank.lower - countBefore, rank.upper - countBefore)
    guard upper < UInt64(values.count) else { return nil }
    return rank.value(values[Int(lower)], values[Int(upper)])
  }
}

/// How many durations fall into each bucket of the log-linear scale.
///
/// It is a sum of counts: any order and any grouping of updates gives equal histograms, and what was merged can be
/// subtracted.
package struct DurationHistogram: Hashable, Sendable {
  /// The bucket of the first of `counts`; 0 when there are none.
  package private(set) var firstBucket = 0
  /// Neither the first nor the last is 0.
  package private(set) var counts: [UInt64] = []
  /// All durations.
  package private(set) var count: UInt64 = 0

  package init() {}

  /// Adds durations in nanoseconds.
  package mutating func update(_ durations: UnsafeBufferPointer<UInt64>) {
    guard let first = durations.first else { return }
    var least = first
    var greatest = first
    var index = 1
    while index < durations.count {
      least = min(least, durations[index])
      greatest = max(greatest, durations[index])
      index &+= 1
    }
    extend(to: LogLinearScale.bucket(of: least)...LogLinearScale.bucket(of: greatest))
    let base = firstBucket
    counts.withUnsafeMutableBufferPointer { counts in
      guard let cells = counts.baseAddress else { return }
      for duration in durations { (cells + (LogLinearScale.bucket(of: duration) &- base)).pointee &+= 1 }
    }
    count += UInt64(durations.count)
  }

  /// Adds one duration in nanoseconds.
  package mutating func update(_ duration: UInt64) {
    let bucket = LogLinearScale.bucket(of: duration)
    if bucket < firstBucket || bucket - firstBucket >= counts.count { extend(to: bucket...bucket) }
    counts[bucket - firstBucket] &+= 1
    count &+= 1
  }

  package mutating func merge(_ other: DurationHistogram) {
    guard other.count > 0 else { return }
    extend(to: other.firstBucket...(other.firstBucket + other.counts.count - 1))
    let offset = other.firstBucket - firstBucket
    for (index, otherCount) in other.counts.enumerated() { counts[offset + index] += otherCount }
    count += other.count
  }

  /// Adds what `appendBuckets` gave.
  package mutating func merge(_ buckets: PackedBuckets) {
    var bounds: (least: Int, greatest: Int)?
    buckets.forEachBucket { bucket, _ in bounds = (bounds?.least ?? bucket, bucket) }
    guard let bounds else { return }
    extend(to: bounds.least...bounds.greatest)
    let base = firstBucket
    counts.withUnsafeMutableBufferPointer { counts in
      buckets.forEachBucket { bucket, count in counts[bucket &- base] &+= count }
    }
    count += buckets.count
  }

  /// Takes out what was merged or updated before.
  ///
  /// - Precondition: `other` is a part of this histogram.
  package mutating func subtract(_ other: DurationHistogram) {
    for (index, otherCount) in other.counts.enumerated() where otherCount > 0 {
      let place = other.firstBucket + index - firstBucket
      precondition(
        counts.indices.contains(place) && counts[place] >= otherCount, "a histogram is subtracted that is no part")
      counts[place] -= otherCount
    }
    count -= other.count
    trim()
  }

  /// What stands for the durations around a rank: at most `LogLinearScale.relativeError` from what the durations
  /// themselves would give.
  ///
  /// - Precondition: the rank is of `count`.
  package func finish(_ rank: QuantileRank) -> Double {
    rank.value(
      LogLinearScale.middle(of: bucket(at: rank.lower).bucket), LogLinearScale.middle(of: bucket(at: rank.upper).bucket)
    )
  }

  /// The duration of rank ⌈share × count⌉ (at least 1), by the middle of its bucket; 0 when there are none.
  package func nearestRank(_ share: Double) -> UInt64 {
    if count == 0 { return 0 }
    let rank = (share * Double(count)).rounded(.up)
    let place = rank >= Double(count) ? count - 1 : rank >= 1 ? UInt64(rank) - 1 : 0
    return LogLinearScale.middle(of: bucket(at: place).bucket)
  }

  /// The bucket of a place among the ascending durations, and how many durations stand in the buckets before it.
  ///
  /// - Precondition: `place` is below `count`.
  package func bucket(at place: UInt64) -> (bucket: Int, countBefore: UInt64) {
    precondition(place < count, "a place behind all durations")
    var before: UInt64 = 0
    for (index, own) in counts.enumerated() {
      if place < before + own { return (firstBucket + index, before) }
      before += own
    }
    preconditionFailure("a histogram whose counts are not its count")
  }

  private mutating func extend(to buckets: ClosedRange<Int>) {
    guard !counts.isEmpty else {
      firstBucket = buckets.lowerBound
      counts = [UInt64](repeating: 0, count: buckets.count)
      return
    }
    if buckets.lowerBound < firstBucket {
      counts.insert(contentsOf: repeatElement(0, count: firstBucket - buckets.lowerBound), at: 0)
      firstBucket = buckets.lowerBound
    }
    let missing = buckets.upperBound - (firstBucket + counts.count - 1)
    if missing > 0 { counts.append(contentsOf: repeatElement(0, count: missing)) }
  }

  private mutating func trim() {
    guard let first = counts.firstIndex(where: { $0 > 0 }), let last = counts.lastIndex(where: { $0 > 0 }) else {
      self = DurationHistogram()
      return
    }
    counts = Array(counts[first...last])
    firstBucket += first
  }
}

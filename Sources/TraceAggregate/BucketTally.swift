/// Counts durations by the buckets of the scale, one cell after the other in the same memory.
package struct BucketTally {
  /// In 64 bits: the durations of a day may stand in one bucket.
  private var counts = [UInt64](repeating: 0, count: LogLinearScale.bucketCount)
  /// All buckets that have any lie in it.
  private var touched: ClosedRange<Int>?
  package private(set) var count: UInt64 = 0

  package init() {}

  package mutating func clear() {
    if let touched { for bucket in touched { counts[bucket] = 0 } }
    touched = nil
    count = 0
  }

  /// Adds durations in nanoseconds.
  package mutating func update(_ durations: UnsafeBufferPointer<UInt64>) {
    var (least, greatest) = (LogLinearScale.bucketCount, -1)
    counts.withUnsafeMutableBufferPointer { counts in
      for duration in durations {
        let bucket = LogLinearScale.bucket(of: duration)
        counts[bucket] &+= 1
        least = min(least, bucket)
        greatest = max(greatest, bucket)
      }
    }
    touch(least, greatest)
    count += UInt64(durations.count)
  }

  package mutating func merge(_ buckets: PackedBuckets) {
    var (least, greatest) = (LogLinearScale.bucketCount, -1)
    counts.withUnsafeMutableBufferPointer { counts in
      buckets.forEachBucket { bucket, count in
        counts[bucket] &+= count
        least = min(least, bucket)
        greatest = bucket
      }
    }
    count &+= buckets.count
    touch(least, greatest)
  }

  private mutating func touch(_ first: Int, _ last: Int) {
    guard first <= last else { return }
    touched = touched.map { min($0.lowerBound, first)...max($0.upperBound, last) } ?? first...last
  }

  /// Its buckets that have durations, ascending.
  package func appendBuckets(to list: inout [UInt8]) {
    guard let touched else { return }
    var last = 0
    for bucket in touched where counts[bucket] > 0 {
      PackedBuckets.append(bucket, counts[bucket], behind: &last, to: &list)
    }
  }

  /// What stands for the duration at a place of all, counted from 0: the middle of its bucket.
  ///
  /// - Precondition: `place` is below `count`.
  package func value(at place: UInt64) -> UInt64 {
    var before: UInt64 = 0
    for bucket in touched ?? 0...0 {
      before += counts[bucket]
      if place < before { return LogLinearScale.middle(of: bucket) }
    }
    preconditionFailure("a place behind all durations")
  }
}

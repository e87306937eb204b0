/// A bucket of a histogram that has durations, and how many: 4 bytes, where a list of all buckets has 8 for each.
package struct PackedBucket: Sendable {
  package var bucket: UInt16
  /// What exceeds it stands in further entries of the bucket.
  package var count: UInt16
}

extension DurationHistogram {
  /// Its buckets that have durations, ascending.
  package func appendBuckets(to list: inout [PackedBucket]) {
    for (index, count) in counts.enumerated() {
      var rest = count
      while rest > 0 {
        let own = UInt16(clamping: rest)
        list.append(PackedBucket(bucket: UInt16(truncatingIfNeeded: firstBucket + index), count: own))
        rest -= UInt64(own)
      }
    }
  }
}

/// A bucket of a histogram that has durations, and how many, or a part of them: 2 bytes, where a list of all buckets has 8
/// for each.
package struct PackedBucket: Hashable, Sendable {
  /// The bucket above five bits that say how many: up to 16, or 16 doubled up to 15 times. So the entries of a bucket are
  /// about as many as its count has bits, and mostly one.
  private let bits: UInt16

  private init(bucket: Int, countCode: UInt16) { bits = UInt16(truncatingIfNeeded: bucket) &<< 5 | countCode }

  /// A number in place of a bucket and its count.
  package init(raw: UInt16) { bits = raw }

  package var raw: UInt16 { bits }
  package var bucket: Int { Int(bits &>> 5) }
  package var count: UInt64 {
    let low = UInt64(bits & 15)
    return bits & 16 == 0 ? low &+ 1 : 16 &<< low
  }

  static func append(_ bucket: Int, _ count: UInt64, to list: inout [PackedBucket]) {
    var rest = count
    while rest >= 32 {
      let doublings = min(15, 59 - rest.leadingZeroBitCount)
      list.append(PackedBucket(bucket: bucket, countCode: 16 | UInt16(truncatingIfNeeded: doublings)))
      rest -= 16 << UInt64(doublings)
    }
    if rest > 16 {
      list.append(PackedBucket(bucket: bucket, countCode: 15))
      rest -= 16
    }
    if rest > 0 { list.append(PackedBucket(bucket: bucket, countCode: UInt16(truncatingIfNeeded: rest - 1))) }
  }
}

extension DurationHistogram {
  /// Its buckets that have durations, ascending.
  package func appendBuckets(to list: inout [PackedBucket]) {
    for (index, count) in counts.enumerated() { PackedBucket.append(firstBucket + index, count, to: &list) }
  }
}

extension QuantileRank {
  /// What stands for the durations at the rank and behind it, of durations that are counted by bucket.
  ///
  /// - Precondition: the rank is of `count`, and so many are counted.
  package func estimate(_ buckets: UnsafeBufferPointer<PackedBucket>, count: UInt64) -> Double {
    func value(at place: UInt64) -> UInt64 {
      // From the nearer end.
      if place < count / 2 {
        var before: UInt64 = 0
        for entry in buckets {
          before &+= entry.count
          if place < before { return LogLinearScale.middle(of: entry.bucket) }
        }
      } else {
        var first = count
        for entry in buckets.reversed() {
          first &-= entry.count
          if place >= first { return LogLinearScale.middle(of: entry.bucket) }
        }
      }
      preconditionFailure("a place behind all durations")
    }
    let least = value(at: lower)
    return self.value(least, upper > lower ? value(at: upper) : least)
  }
}

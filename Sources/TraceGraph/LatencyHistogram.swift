/// Counts of durations in buckets of which 32 make an octave: commutative, and exact below 64 ns.
package struct LatencyHistogram: Sendable {
  /// The bucket of `counts[0]`.
  private var firstBucket = 0
  private var counts: [UInt64] = []
  package private(set) var count: UInt64 = 0

  package init() {}

  /// The bucket of a duration, below 1,920.
  @inline(__always)
  package static func bucket(of value: UInt64) -> Int {
    if value < 64 { return Int(truncatingIfNeeded: value) }
    let exponent = 63 &- value.leadingZeroBitCount
    return (exponent &- 4) &<< 5 &+ Int(truncatingIfNeeded: value &>> UInt64(exponent &- 5)) & 31
  }

  /// The middle of a bucket: no value in it is farther away than 1/64 of itself.
  package static func middle(of bucket: Int) -> UInt64 {
    if bucket < 64 { return UInt64(max(0, bucket)) }
    let shift = UInt64(min(bucket >> 5, 63) - 1)
    let lower = UInt64(32 | bucket & 31) << shift
    return lower + (1 << shift) / 2
  }

  package mutating func add(bucket: Int, count added: UInt64 = 1) {
    let index = bucket - firstBucket
    if index < 0 || index >= counts.count { makeRoom(for: bucket) }
    counts[bucket - firstBucket] &+= added
    count &+= added
  }

  private mutating func makeRoom(for bucket: Int) {
    guard let last = counts.indices.last else {
      firstBucket = bucket
      counts = [0]
      return
    }
    if bucket < firstBucket {
      counts.insert(contentsOf: repeatElement(0, count: firstBucket - bucket), at: 0)
      firstBucket = bucket
    } else if bucket - firstBucket > last {
      counts.append(contentsOf: repeatElement(0, count: bucket - firstBucket - last))
    }
  }

  package mutating func add(_ other: LatencyHistogram) { other.forEachBucket { add(bucket: $0, count: $1) } }

  /// Calls `body` with each bucket that is not empty, ascending.
  package func forEachBucket(_ body: (_ bucket: Int, _ count: UInt64) -> Void) {
    for (index, count) in counts.enumerated() where count > 0 { body(firstBucket + index, count) }
  }

  /// The bucket that holds the value of rank ⌈share × count⌉ (at least 1), by its middle; 0 when there is no value.
  package func quantile(_ share: Double) -> UInt64 {
    let rank = max(1, UInt64((share * Double(count)).rounded(.up)))
    var seen: UInt64 = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if seen >= rank, count > 0 { return Self.middle(of: firstBucket + index) }
    }
    return 0
  }
}

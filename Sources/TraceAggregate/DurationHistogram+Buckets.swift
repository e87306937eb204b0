/// Which buckets of a histogram have durations, and how many: mostly a byte for each, where a list of all buckets has 8.
/// The memory is somebody else's.
///
/// A byte goes on by so many buckets as its upper half says, and counts durations there as its lower half says: up to 9,
/// or 16 times a power of 8 of them. Where that is 0, it goes on by sixteen times one more than the upper half, and counts
/// nothing. So a bucket of many takes several bytes, which add up. The list ends where all are counted.
package struct PackedBuckets: @unchecked Sendable {
  private let bytes: UnsafePointer<UInt8>
  /// Of all durations.
  package let count: UInt64

  /// What `append` left behind.
  package init(_ bytes: UnsafePointer<UInt8>, count: UInt64) {
    self.bytes = bytes
    self.count = count
  }

  private static let greatestPlain: UInt64 = 9
  private static let greatestCode: UInt64 = 15

  /// Calls `body` with buckets, ascending, of which one may come several times in a row; its counts add up.
  @inline(__always)
  package func forEachBucket(_ body: (_ bucket: Int, _ count: UInt64) -> Void) {
    var bucket = 0
    var rest = count
    var place = bytes
    while rest > 0 {
      let byte = place.pointee
      place += 1
      let code = UInt64(byte & 15)
      if code == 0 {
        bucket &+= (Int(byte &>> 4) &+ 1) &<< 4
        continue
      }
      bucket &+= Int(byte &>> 4)
      let own = Self.count(code)
      rest &-= own
      body(bucket, own)
    }
  }

  @inline(__always)
  private static func count(_ code: UInt64) -> UInt64 {
    code <= greatestPlain ? code : 16 &<< (3 &* (code &- greatestPlain &- 1))
  }

  /// Adds a bucket to a list.
  ///
  /// - Parameter last: the bucket that was added before; 0 at the beginning.
  static func append(_ bucket: Int, _ count: UInt64, behind last: inout Int, to list: inout [UInt8]) {
    var gap = bucket - last
    var rest = count
    var code = greatestCode
    while rest > 0 {
      if rest <= greatestPlain { code = rest }
      while self.count(code) > rest { code -= 1 }
      while gap > 15 {
        let steps = min(16, gap / 16)
        list.append(UInt8(truncatingIfNeeded: (steps - 1) << 4))
        gap -= steps << 4
      }
      list.append(UInt8(truncatingIfNeeded: gap << 4) | UInt8(truncatingIfNeeded: code))
      gap = 0
      rest -= self.count(code)
    }
    last = bucket
  }
}

extension DurationHistogram {
  /// Its buckets that have durations, ascending.
  package func appendBuckets(to list: inout [UInt8]) {
    var last = 0
    for (index, count) in counts.enumerated() where count > 0 {
      PackedBuckets.append(firstBucket + index, count, behind: &last, to: &list)
    }
  }
}

extension QuantileRank {
  /// What stands for the durations at the rank and behind it.
  ///
  /// - Precondition: the rank is of all that are counted.
  package func estimate(_ buckets: PackedBuckets) -> Double {
    var before: UInt64 = 0
    var (least, next): (Int?, Int?) = (nil, nil)
    buckets.forEachBucket { bucket, count in
      before &+= count
      if least == nil, lower < before { least = bucket }
      if next == nil, upper < before { next = bucket }
    }
    guard let least, let next else { preconditionFailure("a place behind all durations") }
    return value(LogLinearScale.middle(of: least), LogLinearScale.middle(of: next))
  }
}

/// Buckets for durations in nanoseconds: 32 to an octave, whole numbers only.
///
/// Below 64 a bucket is one value. Above, bucket `shift * 32 + (value >> shift)` holds `1 << shift` values, where
/// `shift` leaves six bits of the value; so a bucket is at most 1/32 of its least value wide, and its middle is at most
/// 1/64 from any of its values.
package enum LogLinearScale {
  /// The bits of a value below its highest one that tell buckets apart.
  static let precisionBitCount = 5
  /// Every value of `UInt64` falls below this.
  package static let bucketCount = 1920
  /// How far the middle of a bucket is from a value of it, at most, in shares of the value.
  package static let relativeError = 1.0 / 64

  @inline(__always)
  package static func bucket(of value: UInt64) -> Int {
    // Bits below the seventh stay, so that the count of leading zeros needs no special case for small values.
    let shift = 63 &- precisionBitCount &- (value | 32).leadingZeroBitCount
    return shift &<< precisionBitCount &+ Int(truncatingIfNeeded: value &>> UInt64(truncatingIfNeeded: shift))
  }

  /// The values of a bucket below `bucketCount`.
  package static func values(of bucket: Int) -> ClosedRange<UInt64> {
    precondition(bucket >= 0 && bucket < bucketCount, "a bucket outside of the scale")
    if bucket < 64 { return UInt64(bucket)...UInt64(bucket) }
    let shift = UInt64(bucket >> precisionBitCount) - 1
    let first = UInt64(bucket - Int(shift) << precisionBitCount) << shift
    return first...(first + ((1 << shift) - 1))
  }

  /// What stands for the values of a bucket.
  package static func middle(of bucket: Int) -> UInt64 {
    let values = values(of: bucket)
    return values.lowerBound + (values.upperBound - values.lowerBound) / 2
  }
}

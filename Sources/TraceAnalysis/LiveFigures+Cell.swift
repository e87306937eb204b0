import TraceAggregate
import TraceGraph

extension LiveFigures {
  /// A service in a minute.
  public struct Cell: Sendable {
    public private(set) var callCount: UInt64 = 0
    public private(set) var errorCount: UInt64 = 0
    /// Saturating.
    public private(set) var sumNanoseconds: UInt64 = 0
    public private(set) var maximumNanoseconds: UInt64 = 0
    /// The buckets of the first durations. Many edges have no more calls in a minute, and need no memory of their own.
    private var firstBuckets = SIMD4<UInt16>(repeating: 0)
    /// All durations, from the fifth on.
    private var durations = OctaveCounts()

    /// What it takes without counts of durations.
    static let byteCount = 96

    public var errorRate: Double { callCount == 0 ? 0 : Double(errorCount) / Double(callCount) }

    /// A quantile of the durations, at most 1/64 of itself away from the exact one.
    public func nanoseconds(quantile: Double) -> UInt64 { min(maximumNanoseconds, buckets.nearestRank(quantile)) }

    private var areAllFirst: Bool { callCount <= UInt64(firstBuckets.scalarCount) }

    private var buckets: BucketCounts {
      guard areAllFirst else { return durations.buckets }
      var result = BucketCounts()
      for index in 0..<Int(callCount) { _ = result.add(bucket: firstBuckets[index]) }
      return result
    }

    /// Adds a call and returns by how many bytes the cell grew.
    mutating func add(duration: UInt64, isError: Bool) -> Int {
      let bucket = UInt16(truncatingIfNeeded: LogLinearScale.bucket(of: duration))
      var grown = 0
      if callCount < UInt64(firstBuckets.scalarCount) {
        firstBuckets[Int(callCount)] = bucket
      } else {
        if areAllFirst {
          for index in firstBuckets.indices { grown += durations.add(bucket: firstBuckets[index]) }
        }
        grown += durations.add(bucket: bucket)
      }
      callCount &+= 1
      if isError { errorCount &+= 1 }
      sumNanoseconds = saturatingSum(sumNanoseconds, duration)
      maximumNanoseconds = max(maximumNanoseconds, duration)
      // Arrays grow by doubling.
      return grown + grown / 2
    }

    mutating func merge(_ other: Cell) {
      var merged = buckets
      merged.merge(other.buckets)
      callCount &+= other.callCount
      errorCount &+= other.errorCount
      sumNanoseconds = saturatingSum(sumNanoseconds, other.sumNanoseconds)
      maximumNanoseconds = max(maximumNanoseconds, other.maximumNanoseconds)
      durations = OctaveCounts(merged)
      if areAllFirst {
        let few = merged.entries.flatMap { repeatElement($0.bucket, count: Int($0.count)) }
        for (index, bucket) in few.enumerated() { firstBuckets[index] = bucket }
      }
    }
  }
}

import TraceAggregate

/// The sums of an `EdgeTally` as they are kept: 48 bytes an edge, and mostly one for each bucket that its durations fall
/// into.
package struct PackedTally: Sendable {
  private struct Edge {
    var key: EdgeKey
    /// Those of the edges before stand before its own. It takes 2^51 calls to need more bytes than 32 bits count.
    var bucketByteCount: UInt32
    /// Of messages there are as many as links, which may be more than rows.
    var callCount: UInt64
    var errorCount: UInt64
    var sumNanoseconds: UInt64
    var maximumNanoseconds: UInt64
  }

  private var edges: [Edge] = []
  private var buckets: [UInt8] = []

  package init(_ tally: EdgeTally) {
    edges.reserveCapacity(tally.edges.count)
    for (key, sums) in zip(tally.edges, tally.sums) {
      let first = buckets.count
      sums.durations.appendBuckets(to: &buckets)
      edges.append(
        Edge(
          key: key, bucketByteCount: UInt32(buckets.count - first), callCount: sums.callCount,
          errorCount: sums.errorCount, sumNanoseconds: sums.sumNanoseconds,
          maximumNanoseconds: sums.maximumNanoseconds))
    }
    buckets = Array(buckets)
  }

  package var byteCount: Int { edges.count * MemoryLayout<Edge>.stride + buckets.count }

  /// Adds all sums to those of another tally.
  ///
  /// - Parameter key: an edge in the codes of that one.
  package func add(to tally: inout EdgeTally, _ key: (EdgeKey) -> EdgeKey) {
    buckets.withUnsafeBufferPointer { buckets in
      guard let first = buckets.baseAddress else { return }
      var place = 0
      for edge in edges {
        let own = PackedBuckets(first + place, count: edge.callCount)
        place += Int(edge.bucketByteCount)
        tally.update(key(edge.key)) { sums in
          sums.callCount &+= edge.callCount
          sums.errorCount &+= edge.errorCount
          sums.sumNanoseconds = saturatingSum(sums.sumNanoseconds, edge.sumNanoseconds)
          sums.maximumNanoseconds = max(sums.maximumNanoseconds, edge.maximumNanoseconds)
          sums.durations.merge(own)
        }
      }
    }
  }
}

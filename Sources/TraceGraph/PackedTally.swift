import TraceAggregate

/// The sums of an `EdgeTally` as they are kept: 56 bytes an edge, and 2 for each bucket that its durations fall into.
package struct PackedTally: Sendable {
  private struct Edge {
    var key: EdgeKey
    /// Its buckets begin where those of the edge before end.
    var bucketsEnd: UInt32
    var callCount: UInt64
    var errorCount: UInt64
    var sumNanoseconds: UInt64
    var maximumNanoseconds: UInt64
  }

  private var edges: [Edge] = []
  private var buckets: [PackedBucket] = []

  package init(_ tally: EdgeTally) {
    edges.reserveCapacity(tally.edges.count)
    for (key, sums) in zip(tally.edges, tally.sums) {
      sums.durations.appendBuckets(to: &buckets)
      edges.append(
        Edge(
          key: key, bucketsEnd: UInt32(buckets.count), callCount: sums.callCount, errorCount: sums.errorCount,
          sumNanoseconds: sums.sumNanoseconds, maximumNanoseconds: sums.maximumNanoseconds))
    }
    buckets = Array(buckets)
  }

  package var byteCount: Int {
    edges.count * MemoryLayout<Edge>.stride + buckets.count * MemoryLayout<PackedBucket>.stride
  }

  /// Adds all sums to those of another tally.
  ///
  /// - Parameter key: an edge in the codes of that one.
  package func add(to tally: inout EdgeTally, _ key: (EdgeKey) -> EdgeKey) {
    var firstBucket = 0
    for edge in edges {
      let own = buckets[firstBucket..<Int(edge.bucketsEnd)]
      firstBucket = own.endIndex
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

import TraceAggregate

/// The sums of an `EdgeTally` as they are kept: 40 bytes an edge, and mostly one for each bucket that its durations fall
/// into.
package struct PackedTally: Sendable {
  private struct Edge {
    var key: EdgeKey
    /// Its buckets begin where those of the edge before end.
    var bucketsEnd: UInt32
    // Of fewer rows than 32 bits count.
    var callCount: UInt32
    var errorCount: UInt32
    var sumNanoseconds: UInt64
    var maximumNanoseconds: UInt64
  }

  private var edges: [Edge] = []
  private var buckets: [UInt8] = []

  package init(_ tally: EdgeTally) {
    edges.reserveCapacity(tally.edges.count)
    for (key, sums) in zip(tally.edges, tally.sums) {
      sums.durations.appendBuckets(to: &buckets)
      edges.append(
        Edge(
          key: key, bucketsEnd: UInt32(buckets.count), callCount: UInt32(sums.callCount),
          errorCount: UInt32(sums.errorCount), sumNanoseconds: sums.sumNanoseconds,
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
        let own = PackedBuckets(first + place, count: UInt64(edge.callCount))
        place = Int(edge.bucketsEnd)
        tally.update(key(edge.key)) { sums in
          sums.callCount &+= UInt64(edge.callCount)
          sums.errorCount &+= UInt64(edge.errorCount)
          sums.sumNanoseconds = saturatingSum(sums.sumNanoseconds, edge.sumNanoseconds)
          sums.maximumNanoseconds = max(sums.maximumNanoseconds, edge.maximumNanoseconds)
          sums.durations.merge(own)
        }
      }
    }
  }
}

import TraceAggregate
import TraceBytes

/// The sums of an `EdgeTally` as they are kept: some 20 bytes an edge, and mostly one for each bucket that its durations
/// fall into.
package struct PackedTally: Sendable {
  private let edgeCount: Int
  /// Of each edge its key and its sums, as varints, then how many bytes its buckets take, and these.
  private let bytes: [UInt8]

  package init(_ tally: EdgeTally) {
    var writer = ByteWriter()
    var buckets: [UInt8] = []
    for (key, sums) in zip(tally.edges, tally.sums) {
      buckets.removeAll(keepingCapacity: true)
      sums.durations.appendBuckets(to: &buckets)
      writer.appendVarint(UInt64(key.caller))
      writer.appendVarint(UInt64(key.callee))
      writer.append(key.connection.rawValue)
      writer.appendVarint(sums.callCount)
      writer.appendVarint(sums.errorCount)
      writer.appendVarint(sums.sumNanoseconds)
      writer.appendVarint(sums.maximumNanoseconds)
      writer.appendVarint(buckets.count)
      writer.append(buckets)
    }
    edgeCount = tally.edges.count
    // Without the room that it grew into.
    bytes = writer.bytes.withUnsafeBufferPointer { Array($0) }
  }

  package var byteCount: Int { bytes.count }

  /// Adds all sums to those of another tally.
  ///
  /// - Parameter key: an edge in the codes of that one.
  package func add(to tally: inout EdgeTally, _ key: (EdgeKey) -> EdgeKey) {
    bytes.withUnsafeBytes { bytes in
      do {
        var reader = ByteReader(bytes)
        for _ in 0..<edgeCount { try Self.addEdge(of: &reader, to: &tally, key) }
      } catch {
        preconditionFailure("sums are not as they were written: \(error)")
      }
    }
  }

  private static func addEdge(
    of reader: inout ByteReader, to tally: inout EdgeTally, _ key: (EdgeKey) -> EdgeKey
  ) throws(BytesError) {
    let (caller, callee) = (try reader.readVarint(), try reader.readVarint())
    guard let connection = Connection(rawValue: try reader.readUInt8()) else {
      preconditionFailure("a connection that nobody wrote")
    }
    let edge = EdgeKey(
      caller: UInt32(truncatingIfNeeded: caller), callee: UInt32(truncatingIfNeeded: callee), connection: connection)
    let (callCount, errorCount) = (try reader.readVarint(), try reader.readVarint())
    let (sum, maximum) = (try reader.readVarint(), try reader.readVarint())
    let buckets = try reader.readLengthPrefixedBytes()
    tally.update(key(edge)) { sums in
      sums.callCount &+= callCount
      sums.errorCount &+= errorCount
      sums.sumNanoseconds = saturatingSum(sums.sumNanoseconds, sum)
      sums.maximumNanoseconds = max(sums.maximumNanoseconds, maximum)
      if let first = buckets.bindMemory(to: UInt8.self).baseAddress {
        sums.durations.merge(PackedBuckets(first, count: callCount))
      }
    }
  }
}

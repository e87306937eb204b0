/// Filters that are asked together, their fingerprints side by side in memory.
///
/// Whether one filter holds a hash says nothing of where the next one looks, so that a processor loads for several at
/// once what it would wait for one by one.
package struct FuseFilterList: Sendable {
  private struct Member {
    var geometry: FuseGeometry
    var width: FuseFilter.FingerprintWidth
    var attempt: UInt8
    /// Where its fingerprints begin, in bytes.
    var offset: Int
  }

  private let members: [Member]
  private let fingerprints: [UInt8]

  package var count: Int { members.count }
  /// How many bytes of memory the list holds.
  package var byteCount: Int { fingerprints.count + members.count * MemoryLayout<Member>.stride }

  package init(_ filters: [FuseFilter]) {
    var members: [Member] = []
    var fingerprints: [UInt8] = []
    members.reserveCapacity(filters.count)
    fingerprints.reserveCapacity(filters.reduce(0) { $0 + $1.byteCount })
    for filter in filters {
      members.append(
        Member(geometry: filter.geometry, width: filter.width, attempt: filter.attempt, offset: fingerprints.count))
      fingerprints.append(contentsOf: filter.fingerprints)
    }
    self.members = members
    self.fingerprints = fingerprints
  }

  /// Calls `body` with the index of each filter that may hold one of the hashes, once for each of them.
  @inline(__always)
  package func forEachFilter(thatMayHold hashes: [UInt64], _ body: (Int) -> Void) {
    fingerprints.withUnsafeBytes { fingerprints in
      members.withUnsafeBufferPointer { members in
        for hash in hashes {
          var index = 0
          while index < members.count {
            let member = members[index]
            let bytes = UnsafeRawBufferPointer(rebasing: fingerprints[member.offset...])
            if member.geometry.holds(hash, member.attempt, member.width, bytes) { body(index) }
            index &+= 1
          }
        }
      }
    }
  }
}

extension FuseFilter {
  /// Builds a filter over `hashes`; equal ones count once. The result depends on the set alone.
  ///
  /// Nil if a hundred attempts fail, which random hashes do not do in the lifetime of a machine; a caller without a
  /// filter reads what the filter would have spared it.
  package init?(_ hashes: [UInt64], width: FingerprintWidth) {
    var distinct = hashes
    distinct.sort()
    var count = 0
    for index in distinct.indices where index == 0 || distinct[index] != distinct[index - 1] {
      distinct[count] = distinct[index]
      count += 1
    }
    distinct.removeLast(distinct.count - count)
    guard count <= Self.maximumCount else { return nil }
    guard count > 0 else {
      self.init(
        width: width, count: 0, attempt: 0, geometry: FuseGeometry(segmentExponent: 0, segmentCount: 0),
        fingerprints: [])
      return
    }
    let geometry = FuseGeometry(count: count)
    var peeling = FusePeeling(geometry: geometry, count: count)
    for attempt in 0..<Self.attemptCount {
      guard peeling.peel(distinct, attempt: UInt8(attempt)) else { continue }
      let fingerprints = peeling.assign(width: width)
      self.init(width: width, count: count, attempt: UInt8(attempt), geometry: geometry, fingerprints: fingerprints)
      return
    }
    return nil
  }
}

/// Finds an order in which every hash has a place that no later one touches: a place that a single remaining hash
/// looks at is given to that hash, which is taken out, which makes further places single.
private struct FusePeeling {
  let geometry: FuseGeometry
  /// How many remaining hashes look at each place, and the exclusive or of these hashes.
  private var degrees: [UInt32]
  private var sums: [UInt64]
  private var queue: [UInt32] = []
  /// The hashes in the order they were taken out, with the place each was given.
  private var order: [(hash: UInt64, place: UInt32)] = []

  init(geometry: FuseGeometry, count: Int) {
    self.geometry = geometry
    degrees = [UInt32](repeating: 0, count: geometry.tableCount)
    sums = [UInt64](repeating: 0, count: geometry.tableCount)
    order.reserveCapacity(count)
  }

  /// False if some hashes remain that share all their places.
  mutating func peel(_ hashes: [UInt64], attempt: UInt8) -> Bool {
    for index in degrees.indices {
      degrees[index] = 0
      sums[index] = 0
    }
    order.removeAll(keepingCapacity: true)
    queue.removeAll(keepingCapacity: true)
    // Mixed and sorted: the table is then walked from front to back, which the memory likes.
    let mixed = hashes.map { FuseGeometry.mix($0, attempt) }.sorted()
    for hash in mixed { visit(hash) { $0 += 1 } }
    for place in degrees.indices where degrees[place] == 1 { queue.append(UInt32(place)) }
    while let place = queue.popLast() {
      guard degrees[Int(place)] == 1 else { continue }
      let hash = sums[Int(place)]
      order.append((hash, place))
      visit(hash) { $0 -= 1 }
      let places = geometry.places(of: hash)
      for other in [places.0, places.1, places.2] where degrees[other] == 1 { queue.append(UInt32(other)) }
    }
    return order.count == hashes.count
  }

  @inline(__always)
  private mutating func visit(_ hash: UInt64, _ change: (inout UInt32) -> Void) {
    let places = geometry.places(of: hash)
    change(&degrees[places.0])
    sums[places.0] ^= hash
    change(&degrees[places.1])
    sums[places.1] ^= hash
    change(&degrees[places.2])
    sums[places.2] ^= hash
  }

  /// Last taken out, first assigned: the two other places of a hash are final when its own is set.
  func assign(width: FuseFilter.FingerprintWidth) -> [UInt8] {
    var table = [UInt16](repeating: 0, count: geometry.tableCount)
    for (hash, place) in order.reversed() {
      let places = geometry.places(of: hash)
      let fingerprint = UInt16(truncatingIfNeeded: FuseGeometry.fingerprint(of: hash))
      // The place of this hash still holds zero.
      table[Int(place)] = fingerprint ^ table[places.0] ^ table[places.1] ^ table[places.2]
    }
    switch width {
    case .eight: return table.map { UInt8(truncatingIfNeeded: $0) }
    case .sixteen:
      var bytes: [UInt8] = []
      bytes.reserveCapacity(2 * table.count)
      for fingerprint in table {
        bytes.append(UInt8(truncatingIfNeeded: fingerprint))
        bytes.append(UInt8(truncatingIfNeeded: fingerprint >> 8))
      }
      return bytes
    }
  }
}

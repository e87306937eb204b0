extension FuseFilter {
  /// Builds a filter over `hashes`; equal ones count once. The result depends on the set alone.
  ///
  /// Nil if a hundred attempts fail, which random hashes do not do in the lifetime of a machine; a caller without a
  /// filter reads what the filter would have spared it.
  package init?(_ hashes: [UInt64], width: FingerprintWidth) {
    guard hashes.count <= Self.maximumCount else { return nil }
    guard !hashes.isEmpty else {
      self.init(
        width: width, count: 0, attempt: 0, geometry: FuseGeometry(segmentExponent: 0, segmentCount: 0),
        fingerprints: [])
      return
    }
    if let filter = Self.filter(hashes, width, attempts: 0..<1) {
      self = filter
      return
    }
    // Equal hashes share all their places, so that no attempt succeeds with them. Hardly a caller has some: they are
    // looked for only now.
    var distinct: [UInt64] = []
    distinct.reserveCapacity(hashes.count)
    for hash in hashes.sorted() where hash != distinct.last { distinct.append(hash) }
    let first = distinct.count == hashes.count ? 1 : 0
    guard let filter = Self.filter(distinct, width, attempts: first..<Self.attemptCount) else { return nil }
    self = filter
  }

  private static func filter(_ hashes: [UInt64], _ width: FingerprintWidth, attempts: Range<Int>) -> FuseFilter? {
    let geometry = FuseGeometry(count: hashes.count)
    let peeling = FusePeeling(geometry: geometry, count: hashes.count)
    for attempt in attempts where peeling.peel(hashes, attempt: UInt8(attempt)) {
      return FuseFilter(
        width: width, count: hashes.count, attempt: UInt8(attempt), geometry: geometry,
        fingerprints: peeling.assign(width: width))
    }
    return nil
  }
}

/// Finds an order in which every hash has a place that no later one touches: a place that a single remaining hash
/// looks at is given to that hash, which is taken out, which makes further places single.
private struct FusePeeling: ~Copyable {
  private struct Cell {
    /// The exclusive or of the remaining hashes that look at the place.
    var sum: UInt64 = 0
    /// How many they are.
    var degree = 0
  }

  private let geometry: FuseGeometry
  private let cells: UnsafeMutableBufferPointer<Cell>
  /// Places that may be single. A place is put here once a hash and once in the beginning.
  private let queue: UnsafeMutablePointer<Int>
  /// The hashes in the order they were taken out, with the place each was given.
  private let order: UnsafeMutableBufferPointer<(hash: UInt64, place: Int)>

  init(geometry: FuseGeometry, count: Int) {
    self.geometry = geometry
    cells = .allocate(capacity: geometry.tableCount)
    queue = .allocate(capacity: geometry.tableCount + 3 * count)
    order = .allocate(capacity: count)
  }

  deinit {
    cells.deallocate()
    queue.deallocate()
    order.deallocate()
  }

  /// A table above this many places is walked from front to back, which the memory likes; smaller ones are near anyway.
  private static let nearCount = 1 << 16

  /// False if some hashes remain that share all their places. The order of the hashes makes no difference.
  func peel(_ hashes: [UInt64], attempt: UInt8) -> Bool {
    cells.initialize(repeating: Cell())
    var mixed = hashes.map { FuseGeometry.mix($0, attempt) }
    if geometry.tableCount > Self.nearCount { mixed.sort() }
    for hash in mixed { visit(hash, change: 1) }
    var queueCount = 0
    for place in cells.indices where cells[place].degree == 1 {
      queue[queueCount] = place
      queueCount &+= 1
    }
    var found = 0
    while queueCount > 0 {
      queueCount &-= 1
      let place = queue[queueCount]
      guard cells[place].degree == 1 else { continue }
      let hash = cells[place].sum
      order.initializeElement(at: found, to: (hash, place))
      found &+= 1
      visit(hash, change: -1)
      let places = geometry.places(of: hash)
      @inline(__always)
      func enqueue(_ place: Int) {
        if cells[place].degree == 1 {
          queue[queueCount] = place
          queueCount &+= 1
        }
      }
      enqueue(places.0)
      enqueue(places.1)
      enqueue(places.2)
    }
    return found == hashes.count
  }

  @inline(__always)
  private func visit(_ hash: UInt64, change: Int) {
    let places = geometry.places(of: hash)
    cells[places.0].sum ^= hash
    cells[places.0].degree &+= change
    cells[places.1].sum ^= hash
    cells[places.1].degree &+= change
    cells[places.2].sum ^= hash
    cells[places.2].degree &+= change
  }

  /// Last taken out, first assigned: the two other places of a hash are final when its own is set.
  func assign(width: FuseFilter.FingerprintWidth) -> [UInt8] {
    var table = [UInt16](repeating: 0, count: geometry.tableCount)
    table.withUnsafeMutableBufferPointer { table in
      for (hash, place) in order.reversed() {
        let places = geometry.places(of: hash)
        let fingerprint = UInt16(truncatingIfNeeded: FuseGeometry.fingerprint(of: hash))
        // The place of this hash still holds zero.
        table[place] = fingerprint ^ table[places.0] ^ table[places.1] ^ table[places.2]
      }
    }
    switch width {
    case .four:
      var bytes = [UInt8](repeating: 0, count: width.byteCount(table.count))
      for (place, fingerprint) in table.enumerated() {
        bytes[place >> 1] |= UInt8(fingerprint & 15) << UInt8((place & 1) * 4)
      }
      return bytes
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

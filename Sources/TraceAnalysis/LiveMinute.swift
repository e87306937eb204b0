import TraceGraph

/// What started in a minute: cells of services, and edges of the graph. Names are codes.
struct LiveMinute: Sendable {
  let number: UInt64
  /// The service of each cell.
  private(set) var services: [UInt32] = []
  private(set) var cells: [LiveFigures.Cell] = []
  /// The cell of each service, by code; `none` where there is none.
  private var places: [UInt32] = []
  private(set) var edges: [EdgeKey] = []
  private(set) var edgeCells: [LiveFigures.Cell] = []
  private var edgePlaces = EdgePlaces()
  /// Bytes held, roughly.
  private(set) var byteCount = 256

  private static let none = UInt32.max
  private static let edgeByteCount = LiveFigures.Cell.byteCount + 64

  init(_ number: UInt64) { self.number = number }

  /// Adds a call and returns by how many bytes the minute grew.
  ///
  /// - Parameter otherCode: under what a service counts that has no cell yet, where there is no room for it.
  mutating func add(_ span: CallSpan, otherCode: UInt32?) -> Int {
    let before = byteCount
    var place = known(span.service)
    if place == Self.none { place = newPlace(of: otherCode ?? span.service) }
    byteCount += cells[Int(place)].add(duration: span.duration, isError: span.isError)
    return byteCount - before
  }

  private func known(_ service: UInt32) -> UInt32 {
    Int(service) < places.count ? places[Int(service)] : Self.none
  }

  private mutating func newPlace(of service: UInt32) -> UInt32 {
    let place = known(service)
    if place != Self.none { return place }
    if Int(service) >= places.count {
      let missing = Int(service) + 1 - places.count
      places += repeatElement(Self.none, count: missing)
      byteCount += 4 * missing
    }
    places[Int(service)] = UInt32(truncatingIfNeeded: cells.count)
    services.append(service)
    cells.append(LiveFigures.Cell())
    byteCount += LiveFigures.Cell.byteCount
    return places[Int(service)]
  }

  /// Adds a call of the graph and returns by how many bytes the minute grew; nil where its edge is new and has no room.
  mutating func add(_ call: Call, isFull: Bool) -> Int? {
    let key = EdgeKey(call)
    let before = byteCount
    var place = edgePlaces.place(of: key)
    if place < 0 {
      if isFull { return nil }
      place = edges.count
      edgePlaces.insert(key, place)
      edges.append(key)
      edgeCells.append(LiveFigures.Cell())
      byteCount += Self.edgeByteCount
    }
    byteCount += edgeCells[place].add(duration: call.duration, isError: call.isError)
    return byteCount - before
  }

  /// Gives all names other codes.
  mutating func recode(_ code: (UInt32) -> UInt32) {
    byteCount -= 4 * places.count
    places = []
    for (place, service) in services.enumerated() {
      services[place] = code(service)
      let missing = max(0, Int(services[place]) + 1 - places.count)
      places += repeatElement(Self.none, count: missing)
      places[Int(services[place])] = UInt32(truncatingIfNeeded: place)
    }
    byteCount += 4 * places.count
    edgePlaces = EdgePlaces()
    for (place, edge) in edges.enumerated() {
      edges[place] = EdgeKey(caller: code(edge.caller), callee: code(edge.callee), connection: edge.connection)
      edgePlaces.insert(edges[place], place)
    }
  }
}

/// Places of edges, by open addressing: a call is looked up in some nanoseconds.
private struct EdgePlaces: Sendable {
  /// Keys of edges, or 0. At most half of it is taken.
  private var keys = [UInt64](repeating: 0, count: 16)
  private var places = [UInt32](repeating: 0, count: 16)
  private var count = 0

  /// Never 0. There are fewer than 2^28 names.
  private static func packed(_ key: EdgeKey) -> UInt64 {
    UInt64(key.caller) &<< 36 | UInt64(key.callee) &<< 8 | UInt64(key.connection.rawValue) &+ 1
  }

  private func slot(of key: UInt64) -> Int {
    // Every bit of the key counts: callers stand high in it.
    let product = key.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    var slot = Int(truncatingIfNeeded: product.high ^ product.low) & (keys.count &- 1)
    while keys[slot] != 0, keys[slot] != key { slot = (slot &+ 1) & (keys.count &- 1) }
    return slot
  }

  /// Below 0 for an edge that has none.
  func place(of key: EdgeKey) -> Int {
    let slot = slot(of: Self.packed(key))
    return keys[slot] == 0 ? -1 : Int(places[slot])
  }

  /// Adds an edge that has no place.
  mutating func insert(_ key: EdgeKey, _ place: Int) {
    if 2 * count >= keys.count { grow() }
    let packed = Self.packed(key)
    let slot = slot(of: packed)
    keys[slot] = packed
    places[slot] = UInt32(truncatingIfNeeded: place)
    count += 1
  }

  private mutating func grow() {
    let old = self
    keys = [UInt64](repeating: 0, count: 2 * old.keys.count)
    places = [UInt32](repeating: 0, count: 2 * old.keys.count)
    for (index, key) in old.keys.enumerated() where key != 0 {
      let slot = slot(of: key)
      keys[slot] = key
      places[slot] = old.places[index]
    }
  }
}

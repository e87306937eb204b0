import TraceBytes
import TraceColumns

/// The shape list of a stripe: for each shape, the key catalogue entries of its slots in attribute order.
final class StripeShapes: StripePart {
  private let lists: SlotLists

  var count: Int { lists.count }
  var residentByteCount: Int { lists.firstSlots.capacity * 8 + lists.slots.capacity * 4 }

  init(_ lists: SlotLists) { self.lists = lists }

  /// The catalogue entries of a shape below `count`.
  func entries(_ shape: Int) -> ArraySlice<UInt32> { lists[shape] }

  /// Hands all slots to `body`, with where those of each shape begin and the last ones end.
  @inline(__always)
  func withSlots<Result>(
    _ body: (_ firstSlots: UnsafeBufferPointer<Int>, _ slots: UnsafeBufferPointer<UInt32>) throws -> Result
  ) rethrows -> Result {
    try lists.firstSlots.withUnsafeBufferPointer { firstSlots in
      try lists.slots.withUnsafeBufferPointer { try body(firstSlots, $0) }
    }
  }

  func slotCount(_ shape: Int) -> Int { lists.firstSlots[shape + 1] - lists.firstSlots[shape] }

  /// Hands to `body`, for each shape, how many of its slots belong to a catalogue entry.
  func withMultiplicities<Result>(
    of entry: UInt32, _ body: (UnsafeMutableBufferPointer<UInt32>) throws -> Result
  ) rethrows -> Result {
    try withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count) { multiplicities in
      withSlots { firstSlots, slots in
        var slot = 0
        for shape in 0..<count {
          var multiplicity: UInt32 = 0
          let end = firstSlots[shape &+ 1]
          while slot < end {
            multiplicity &+= slots[slot] == entry ? 1 : 0
            slot &+= 1
          }
          multiplicities.initializeElement(at: shape, to: multiplicity)
        }
      }
      return try body(multiplicities)
    }
  }
}

/// Which shapes have each catalogue entry.
private struct ShapeOwners {
  /// For each catalogue entry up to the greatest that occurs, where its shapes begin in `owners`; then their count.
  private let firstOwners: [UInt32]
  /// See `owners(of:)`.
  private let owners: [UInt32]

  var byteCount: Int { (firstOwners.count + owners.count) * 4 }

  init(_ shapes: StripeShapes) {
    (firstOwners, owners) = shapes.withSlots { firstSlots, slots in
      let entryCount = (slots.max().map { Int($0) } ?? -1) + 1
      var firstOwners = [UInt32](repeating: 0, count: entryCount + 1)
      for slot in slots { firstOwners[Int(slot) + 1] += 1 }
      for entry in 0..<entryCount { firstOwners[entry + 1] += firstOwners[entry] }
      var next = firstOwners
      var owners = [UInt32](repeating: 0, count: slots.count)
      for shape in 0..<(firstSlots.count - 1) {
        for slot in firstSlots[shape]..<firstSlots[shape + 1] {
          let entry = Int(slots[slot])
          owners[Int(next[entry])] = UInt32(truncatingIfNeeded: shape)
          next[entry] += 1
        }
      }
      return (firstOwners, owners)
    }
  }

  /// The shapes that have a catalogue entry, ascending, once for each slot of theirs that has it.
  func owners(of entry: UInt32) -> ArraySlice<UInt32> {
    guard Int(entry) + 1 < firstOwners.count else { return [] }
    return owners[Int(firstOwners[Int(entry)])..<Int(firstOwners[Int(entry) + 1])]
  }
}

/// The shape of each element.
struct ShapeCodes {
  // Two bytes do for nearly every stripe.
  private let narrow: [UInt16]
  private let wide: [UInt32]

  var count: Int { narrow.count + wide.count }
  var byteCount: Int { narrow.count * 2 + wide.count * 4 }

  init(_ codes: [UInt16]) { (narrow, wide) = (codes, []) }
  init(_ codes: [UInt32]) { (narrow, wide) = ([], codes) }

  /// - Precondition: there are shapes, and no value of the column is above the last of them.
  init(_ column: IntegerChunk, shapeCount: Int, _ scratch: ReadScratch) throws {
    let maximum = UInt64(shapeCount - 1)
    if maximum <= UInt64(UInt16.max) {
      self.init(try column.decode(maximum: maximum, scratch) as [UInt16])
    } else {
      self.init(try column.decode(maximum: maximum, scratch) as [UInt32])
    }
  }

  subscript(element: Int) -> UInt32 { narrow.isEmpty ? wide[element] : UInt32(narrow[element]) }

  /// The tallies of all blocks, and where those of each block begin and the last ones end.
  func tallies(shapeCount: Int) -> (firsts: [UInt32], tallies: [ShapeMap.Tally]) {
    narrow.isEmpty
      ? wide.withUnsafeBufferPointer { Self.tallies($0, shapeCount) }
      : narrow.withUnsafeBufferPointer { Self.tallies($0, shapeCount) }
  }

  /// Adds up the shapes of the elements of a range. `places` says for each shape where its tally may stand: it does if
  /// there is one and it is this shape's.
  func tally(_ elements: Range<Int>, into tallies: inout [ShapeMap.Tally], _ places: inout [UInt32]) {
    narrow.isEmpty
      ? wide.withUnsafeBufferPointer { Self.tally($0, elements, &tallies, &places) }
      : narrow.withUnsafeBufferPointer { Self.tally($0, elements, &tallies, &places) }
  }

  private static func tally<Code: FixedWidthInteger & UnsignedInteger>(
    _ codes: UnsafeBufferPointer<Code>, _ elements: Range<Int>, _ tallies: inout [ShapeMap.Tally],
    _ places: inout [UInt32]
  ) {
    places.withUnsafeMutableBufferPointer { places in
      var element = elements.lowerBound
      while element < elements.upperBound {
        let code = codes[element]
        let start = element
        repeat { element &+= 1 } while element < elements.upperBound && codes[element] == code
        let count = UInt32(truncatingIfNeeded: element &- start)
        let place = Int(places[Int(truncatingIfNeeded: code)])
        if place < tallies.count, tallies[place].shape == UInt32(code) {
          tallies[place].count &+= count
        } else {
          places[Int(truncatingIfNeeded: code)] = UInt32(truncatingIfNeeded: tallies.count)
          tallies.append(ShapeMap.Tally(shape: UInt32(code), count: count))
        }
      }
    }
  }

  private static func tallies<Code: FixedWidthInteger & UnsignedInteger>(
    _ codes: UnsafeBufferPointer<Code>, _ shapeCount: Int
  ) -> (firsts: [UInt32], tallies: [ShapeMap.Tally]) {
    var firsts: [UInt32] = [0]
    let tallies = UnsafeMutablePointer<ShapeMap.Tally>.allocate(capacity: codes.count)
    defer { tallies.deallocate() }
    var tallyCount = 0
    // Where the tally of a shape stands, if the shape occurred in this block: otherwise before the block's.
    withUnsafeTemporaryAllocation(of: Int.self, capacity: shapeCount) { places in
      places.initialize(repeating: -1)
      var element = 0
      while element < codes.count {
        let end = min(codes.count, element &+ 1 << ShapeMap.blockShift)
        let first = tallyCount
        // One by one: rows of one operation share few shapes, in no order that a branch could foresee.
        while element < end {
          let code = codes[element]
          let place = places[Int(truncatingIfNeeded: code)]
          if place >= first {
            tallies[place].count &+= 1
          } else {
            places[Int(truncatingIfNeeded: code)] = tallyCount
            (tallies + tallyCount).initialize(to: ShapeMap.Tally(shape: UInt32(code), count: 1))
            tallyCount &+= 1
          }
          element &+= 1
        }
        firsts.append(UInt32(truncatingIfNeeded: tallyCount))
      }
    }
    return (firsts, Array(UnsafeBufferPointer(start: tallies, count: tallyCount)))
  }
}

/// Which shape each element (row, event or link) of a stripe has, with tallies for blocks of 256 elements.
///
/// The values of a catalogue entry stand densely, in element order. Tallies find the place of an element's value, and
/// the element of a value, without walking the elements from the start.
final class ShapeMap: StripePart {
  static let blockShift = 8

  struct Tally {
    var shape: UInt32
    var count: UInt32
  }

  private struct BlockTally {
    var block: UInt32
    var count: UInt32
  }

  /// The shape of each element; every code is below `shapes.count`.
  let codes: ShapeCodes
  let shapes: StripeShapes
  private let owners: ShapeOwners
  let blockCount: Int
  /// How often each shape occurs in the blocks that have it, ascending: shape by shape, because a catalogue entry belongs
  /// to few of them.
  private let tallies: [BlockTally]
  /// Where the tallies of each shape begin; then their count.
  private let firstTallies: [UInt32]

  var residentByteCount: Int {
    codes.byteCount + owners.byteCount + firstTallies.count * 4 + tallies.count * 8
  }

  /// - Precondition: every code is below `shapes.count`.
  init(codes: ShapeCodes, shapes: StripeShapes) {
    self.codes = codes
    self.shapes = shapes
    owners = ShapeOwners(shapes)
    let (firsts, byBlock) = codes.tallies(shapeCount: shapes.count)
    blockCount = firsts.count - 1
    var places = [UInt32](repeating: 0, count: shapes.count + 1)
    for tally in byBlock { places[Int(tally.shape) + 1] += 1 }
    for shape in 0..<shapes.count { places[shape + 1] += places[shape] }
    firstTallies = places
    var tallies = [BlockTally](repeating: BlockTally(block: 0, count: 0), count: byBlock.count)
    for block in 0..<blockCount {
      for tally in byBlock[Int(firsts[block])..<Int(firsts[block + 1])] {
        let place = Int(places[Int(tally.shape)])
        tallies[place] = BlockTally(block: UInt32(truncatingIfNeeded: block), count: tally.count)
        places[Int(tally.shape)] += 1
      }
    }
    self.tallies = tallies
  }

  /// Which shapes occur.
  var usedShapes: [Bool] { (0..<shapes.count).map { firstTallies[$0] < firstTallies[$0 + 1] } }

  /// For each block, how many values of `entry` stand before it; then the total. Nil when that is more than a column
  /// may hold: then some chunk lies.
  func prefix(of entry: UInt32) -> [UInt32]? {
    var total = 0
    var result = [UInt32](unsafeUninitializedCapacity: blockCount + 1) { result, initializedCount in
      initializedCount = blockCount
      withUnsafeTemporaryAllocation(of: Int.self, capacity: blockCount) { counts in
        counts.initialize(repeating: 0)
        var owners = owners.owners(of: entry)
        while let shape = owners.first.map({ Int($0) }) {
          // A shape comes once for each slot that has the entry.
          let multiplicity = owners.prefix { Int($0) == shape }.count
          owners = owners.dropFirst(multiplicity)
          for tally in tallies[Int(firstTallies[shape])..<Int(firstTallies[shape + 1])] {
            counts[Int(tally.block)] &+= Int(tally.count) &* multiplicity
          }
        }
        for block in 0..<blockCount {
          result.initializeElement(at: block, to: UInt32(truncatingIfNeeded: total))
          total &+= counts[block]
        }
      }
    }
    guard total <= IntegerColumn.maximumCount else { return nil }
    result.append(UInt32(truncatingIfNeeded: total))
    return result
  }
}

/// Walks from places among the values of one catalogue entry to the elements that hold them, or back, ascending.
struct DenseCursor {
  private let map: ShapeMap
  private let prefix: [UInt32]
  private let multiplicities: [Int]
  private var element = 0
  /// How many values stand before `element`.
  private var valueCountBefore = 0

  init(map: ShapeMap, prefix: [UInt32], entry: UInt32) {
    self.map = map
    self.prefix = prefix
    multiplicities = map.shapes.withMultiplicities(of: entry) { $0.map { Int($0) } }
  }

  /// How many values of the entry an element has.
  func valueCount(of element: Int) -> Int { multiplicities[Int(map.codes[element])] }

  /// The places of the values that an element has; elements must not decrease from call to call.
  mutating func values(of next: Int) -> Range<Int> {
    let block = next >> ShapeMap.blockShift
    if block != element >> ShapeMap.blockShift {
      element = block << ShapeMap.blockShift
      valueCountBefore = Int(prefix[block])
    }
    while element < next {
      valueCountBefore += multiplicities[Int(map.codes[element])]
      element += 1
    }
    return valueCountBefore..<valueCountBefore + multiplicities[Int(map.codes[next])]
  }

  /// The element of the value at `index`, which must not decrease from call to call; nil past the end.
  mutating func element(of index: Int) -> Int? {
    let block = element >> ShapeMap.blockShift
    if block + 1 < prefix.count, index >= Int(prefix[block + 1]) {
      // The last block that starts at or before the value, by bisection.
      var low = block + 1
      var high = prefix.count - 1
      while low < high {
        let middle = (low + high + 1) / 2
        if Int(prefix[middle]) <= index { low = middle } else { high = middle - 1 }
      }
      element = low << ShapeMap.blockShift
      valueCountBefore = Int(prefix[low])
    }
    while element < map.codes.count {
      let count = multiplicities[Int(map.codes[element])]
      if index < valueCountBefore + count { return element }
      valueCountBefore += count
      element += 1
    }
    return nil
  }
}

import TraceBytes
import TraceColumns

/// The shape list of a stripe: for each shape, the key catalogue entries of its slots in attribute order.
final class StripeShapes: StripePart {
  private let firstSlots: [Int]
  private let slots: [UInt32]

  var count: Int { firstSlots.count - 1 }
  var residentByteCount: Int { firstSlots.count * 8 + slots.count * 4 }

  init(_ shapes: [[UInt32]]) {
    var firstSlots = [0]
    var slots: [UInt32] = []
    for shape in shapes {
      slots.append(contentsOf: shape)
      firstSlots.append(slots.count)
    }
    self.firstSlots = firstSlots
    self.slots = slots
  }

  /// The catalogue entries of a shape below `count`.
  func entries(_ shape: Int) -> ArraySlice<UInt32> { slots[firstSlots[shape]..<firstSlots[shape + 1]] }

  func slotCount(_ shape: Int) -> Int { firstSlots[shape + 1] - firstSlots[shape] }

  /// How many slots of the shape belong to a catalogue entry.
  func multiplicity(of entry: UInt32, in shape: Int) -> Int {
    var total = 0
    var slot = firstSlots[shape]
    let end = firstSlots[shape + 1]
    while slot < end {
      if slots[slot] == entry { total &+= 1 }
      slot &+= 1
    }
    return total
  }
}

/// Which shape each element (row, event or link) of a stripe has, with tallies for blocks of 128 elements.
///
/// The values of a catalogue entry stand densely, in element order. Tallies find the place of an element's value, and
/// the element of a value, without walking the elements from the start.
final class ShapeMap: StripePart {
  static let blockShift = 7

  struct Tally {
    var shape: UInt32
    var count: UInt32
  }

  /// The shape of each element; every code is below `shapes.count`.
  let codes: [UInt32]
  let shapes: StripeShapes
  private let firstTallies: [UInt32]
  private let tallies: [Tally]

  var blockCount: Int { firstTallies.count - 1 }
  var residentByteCount: Int { codes.count * 4 + firstTallies.count * 4 + tallies.count * 8 }

  /// - Precondition: every code is below `shapes.count`.
  init(codes: [UInt32], shapes: StripeShapes) {
    self.codes = codes
    self.shapes = shapes
    var firstTallies: [UInt32] = [0]
    var tallies: [Tally] = []
    firstTallies.reserveCapacity(codes.count >> Self.blockShift + 2)
    codes.withUnsafeBufferPointer { codes in
      var element = 0
      while element < codes.count {
        let end = min(codes.count, element + 1 << Self.blockShift)
        let first = tallies.count
        while element < end {
          let code = codes[element]
          let start = element
          // Rows of one operation mostly share a shape.
          repeat { element &+= 1 } while element < end && codes[element] == code
          let count = UInt32(truncatingIfNeeded: element &- start)
          var place = tallies.count - 1
          while place >= first, tallies[place].shape != code { place -= 1 }
          if place >= first { tallies[place].count += count } else { tallies.append(Tally(shape: code, count: count)) }
        }
        firstTallies.append(UInt32(tallies.count))
      }
    }
    self.firstTallies = firstTallies
    self.tallies = tallies
  }

  /// For each block, how many values of `entry` stand before it; then the total. Nil when that is more than a column
  /// may hold: then some chunk lies.
  func prefix(of entry: UInt32) -> [UInt32]? {
    var multiplicities = [Int](repeating: -1, count: shapes.count)
    var result: [UInt32] = []
    result.reserveCapacity(blockCount + 1)
    var total = 0
    for block in 0..<blockCount {
      result.append(UInt32(truncatingIfNeeded: total))
      for place in Int(firstTallies[block])..<Int(firstTallies[block + 1]) {
        let shape = Int(tallies[place].shape)
        if multiplicities[shape] < 0 { multiplicities[shape] = shapes.multiplicity(of: entry, in: shape) }
        total += multiplicities[shape] * Int(tallies[place].count)
      }
    }
    guard total <= IntegerColumn.maximumCount else { return nil }
    result.append(UInt32(truncatingIfNeeded: total))
    return result
  }

  /// Fills `tallies` with the shapes of the elements that stand before `element` in its block.
  func tallyBefore(_ element: Int, into tallies: inout [Tally]) {
    tallies.removeAll(keepingCapacity: true)
    var place = (element >> Self.blockShift) << Self.blockShift
    var last = 0
    while place < element {
      let code = codes[place]
      place &+= 1
      if last < tallies.count, tallies[last].shape == code {
        tallies[last].count &+= 1
        continue
      }
      last = 0
      while last < tallies.count, tallies[last].shape != code { last &+= 1 }
      if last < tallies.count { tallies[last].count &+= 1 } else { tallies.append(Tally(shape: code, count: 1)) }
    }
  }

  /// Where the first value of `entry` in `element` stands among its values.
  func denseIndex(of element: Int, entry: UInt32, prefix: [UInt32], talliesBefore: [Tally]) -> Int {
    var index = Int(prefix[element >> Self.blockShift])
    for tally in talliesBefore {
      index += shapes.multiplicity(of: entry, in: Int(tally.shape)) * Int(tally.count)
    }
    return index
  }
}

/// Walks from places among the values of one catalogue entry to the elements that hold them, ascending.
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
    multiplicities = (0..<map.shapes.count).map { map.shapes.multiplicity(of: entry, in: $0) }
  }

  /// How many values of the entry an element has.
  func valueCount(of element: Int) -> Int { multiplicities[Int(map.codes[element])] }

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

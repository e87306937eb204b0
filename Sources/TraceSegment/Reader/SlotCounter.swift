/// Finds where the values of one element stand, key by key, in one pass over the shapes before it.
struct SlotCounter {
  /// Of the elements before the one that was begun, in its block.
  private var tallies: [ShapeMap.Tally] = []
  /// For each shape, where its tally may stand.
  private var places: [UInt32]
  /// For each catalogue entry, how many values stand before the next one of the element, in its block; zeros between
  /// elements.
  private var counts: [UInt32]

  init(entryCount: Int, shapeCount: Int) {
    counts = [UInt32](repeating: 0, count: entryCount)
    places = [UInt32](repeating: 0, count: shapeCount)
  }

  /// Begins with an element, whose slots are to be asked for in attribute order.
  mutating func begin(_ element: Int, of map: ShapeMap) {
    let first = (element >> ShapeMap.blockShift) << ShapeMap.blockShift
    tallies.removeAll(keepingCapacity: true)
    map.codes.tally(first..<element, into: &tallies, &places)
    map.shapes.withSlots { firstSlots, slots in
      for tally in tallies {
        let shape = Int(tally.shape)
        for slot in firstSlots[shape]..<firstSlots[shape &+ 1] { counts[Int(slots[slot])] &+= tally.count }
      }
    }
  }

  /// Where the value of the next slot stands among those of its entry in the block, which begins where
  /// `ShapeMap.prefix(of:)` says.
  mutating func next(_ entry: UInt32) -> UInt32 {
    // A key that occurs twice in one element has its values side by side.
    defer { counts[Int(entry)] &+= 1 }
    return counts[Int(entry)]
  }

  /// Ends with an element that was begun.
  mutating func end(_ element: Int, of map: ShapeMap) {
    map.shapes.withSlots { firstSlots, slots in
      func clear(_ shape: Int) {
        for slot in firstSlots[shape]..<firstSlots[shape &+ 1] { counts[Int(slots[slot])] = 0 }
      }
      for tally in tallies { clear(Int(tally.shape)) }
      clear(Int(map.codes[element]))
    }
  }
}

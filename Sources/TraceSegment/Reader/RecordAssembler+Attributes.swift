import TraceColumns
import TraceModel

extension RecordAssembler {
  /// Where a value of an element stands: the element's block, and how many values of the key stand before it in that.
  private struct Slot {
    var entry: UInt32
    var block: UInt32
    var countInBlock: UInt32
  }

  /// The attributes of each of ascending elements.
  ///
  /// Key by key: element by element, each value would be a walk through the parts of another column.
  mutating func attributes(of elements: [Int], _ map: ShapeMap) throws -> [[Attribute]] {
    // Element by element, in attribute order.
    var slots: [Slot] = []
    var counts: [Int] = []
    counts.reserveCapacity(elements.count)
    // For each key catalogue entry, first how many slots it has, then where the next of them goes in `order`.
    var places = [Int](repeating: 0, count: loaded.catalogue.count)
    var used: [UInt32] = []
    for element in elements {
      let entries = map.shapes.entries(Int(map.codes[element]))
      counts.append(entries.count)
      if entries.isEmpty { continue }
      let block = UInt32(truncatingIfNeeded: element >> ShapeMap.blockShift)
      counter.begin(element, of: map)
      for entry in entries {
        slots.append(Slot(entry: entry, block: block, countInBlock: counter.next(entry)))
        if places[Int(entry)] == 0 { used.append(entry) }
        places[Int(entry)] += 1
      }
      counter.end(element, of: map)
    }
    used.sort()
    var count = 0
    for entry in used { (places[Int(entry)], count) = (count, count + places[Int(entry)]) }
    // The slots of each key, one key after the other.
    var order = [Int](repeating: 0, count: slots.count)
    for (number, slot) in slots.enumerated() {
      order[places[Int(slot.entry)]] = number
      places[Int(slot.entry)] += 1
    }
    let list = AttributeList(order: order)
    var indices: [Int] = []
    for entry in used {
      let column = try loaded.attributeColumn(entry, map, scratch)
      indices.removeAll(keepingCapacity: true)
      for number in order[list.count..<places[Int(entry)]] {
        indices.append(Int(column.prefix[Int(slots[number].block)]) + Int(slots[number].countInBlock))
      }
      try column.append(at: indices, to: list, strings, scratch)
      guard list.count == places[Int(entry)] else {
        throw loaded.place(ChunkID.attribute(entry)).damage("it gives other values than it is asked for")
      }
    }
    return list.take(counts)
  }
}

/// Attributes that are made in one order and wanted in another.
final class AttributeList {
  private let memory: UnsafeMutablePointer<Attribute>
  /// Where each goes, as they are made.
  private let order: [Int]
  /// How many were made.
  private(set) var count = 0

  init(order: [Int]) {
    self.order = order
    memory = .allocate(capacity: order.count)
  }

  deinit {
    for place in order[..<count] { (memory + place).deinitialize(count: 1) }
    memory.deallocate()
  }

  /// Puts the next one where it goes.
  func append(_ attribute: consuming Attribute) {
    (memory + order[count]).initialize(to: attribute)
    count += 1
  }

  /// All of them in the order in which they are wanted, cut into lists, and leaves none.
  ///
  /// - Precondition: all were made, and `counts` adds up to their number.
  func take(_ counts: [Int]) -> [[Attribute]] {
    precondition(count == order.count, "attributes are taken before they were made")
    count = 0
    var first = 0
    return counts.map { count in
      defer { first += count }
      precondition(count <= order.count - first, "more attributes are taken than there are")
      return [Attribute](unsafeUninitializedCapacity: count) { buffer, initializedCount in
        buffer.baseAddress?.moveInitialize(from: memory + first, count: count)
        initializedCount = count
      }
    }
  }
}

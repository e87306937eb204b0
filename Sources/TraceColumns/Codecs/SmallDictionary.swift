/// Up to 256 distinct values of a page with their counts, ascending.
struct SmallDictionary: ~Copyable {
  static let maximumCount = 256
  /// A fourth of the slots are taken at most.
  private static let slotCount = 1024

  /// The distinct values.
  private let storedValues: UnsafeMutablePointer<UInt64>
  /// How often each of them occurs.
  private let storedCounts: UnsafeMutablePointer<Int>
  private(set) var count = 0
  /// One more than the place of the value that a slot belongs to; or, for values that are slots themselves, their counts.
  private let slots: UnsafeMutablePointer<UInt16>

  init() {
    storedValues = .allocate(capacity: Self.maximumCount)
    storedCounts = .allocate(capacity: Self.maximumCount)
    slots = .allocate(capacity: Self.slotCount)
  }

  deinit {
    storedValues.deallocate()
    storedCounts.deallocate()
    slots.deallocate()
  }

  var values: UnsafeBufferPointer<UInt64> { UnsafeBufferPointer(start: storedValues, count: count) }
  var counts: UnsafeBufferPointer<Int> { UnsafeBufferPointer(start: storedCounts, count: count) }

  /// Collects the distinct values of `input`, none of them above `maximum`, and writes the index of each value to
  /// `indices`. False if there are more than `limit` of them.
  mutating func gather(
    _ input: UnsafeBufferPointer<UInt64>, maximum: UInt64, limit: Int, indices: UnsafeMutablePointer<UInt64>
  ) -> Bool {
    let limit = min(limit, Self.maximumCount)
    slots.update(repeating: 0, count: Self.slotCount)
    count = 0
    if maximum < UInt64(Self.slotCount) { return gatherSmall(input, Int(maximum), limit: limit, indices: indices) }
    guard gatherAny(input, limit: limit, indices: indices) else { return false }
    sort(UnsafeMutableBufferPointer(start: indices, count: input.count))
    return true
  }

  /// Values that are slots: counted, and in order without being sorted.
  private mutating func gatherSmall(
    _ input: UnsafeBufferPointer<UInt64>, _ maximum: Int, limit: Int, indices: UnsafeMutablePointer<UInt64>
  ) -> Bool {
    var index = 0
    while index < input.count {
      slots[Int(truncatingIfNeeded: input[index])] &+= 1
      index &+= 1
    }
    var value = 0
    while value <= maximum {
      if slots[value] > 0 {
        guard count < limit else { return false }
        storedValues[count] = UInt64(value)
        storedCounts[count] = Int(slots[value])
        slots[value] = UInt16(truncatingIfNeeded: count)
        count &+= 1
      }
      value &+= 1
    }
    index = 0
    while index < input.count {
      indices[index] = UInt64(slots[Int(truncatingIfNeeded: input[index])])
      index &+= 1
    }
    return true
  }

  /// Multiplicative hashing; the order of the table never shows, because the values are sorted afterwards.
  @inline(__always)
  private static func slot(of value: UInt64) -> Int {
    Int(truncatingIfNeeded: ((value ^ value &>> 32) &* 0x9e37_79b9_7f4a_7c15) &>> 54)
  }

  private mutating func gatherAny(
    _ input: UnsafeBufferPointer<UInt64>, limit: Int, indices: UnsafeMutablePointer<UInt64>
  ) -> Bool {
    var found = 0
    var index = 0
    while index < input.count {
      let value = input[index]
      var slot = Self.slot(of: value)
      var entry = Int(slots[slot])
      while entry != 0, storedValues[entry &- 1] != value {
        slot = (slot &+ 1) & (Self.slotCount &- 1)
        entry = Int(slots[slot])
      }
      if entry == 0 {
        guard found < limit else { return false }
        storedValues[found] = value
        storedCounts[found] = 0
        found &+= 1
        entry = found
        slots[slot] = UInt16(truncatingIfNeeded: found)
      }
      storedCounts[entry &- 1] &+= 1
      indices[index] = UInt64(entry &- 1)
      index &+= 1
    }
    count = found
    return true
  }

  /// Orders the distinct values and renumbers the indices.
  private func sort(_ indices: UnsafeMutableBufferPointer<UInt64>) {
    withUnsafeTemporaryAllocation(of: (value: UInt64, count: Int, place: Int).self, capacity: count) { buffer in
      var entries = buffer
      var index = 0
      while index < count {
        entries.initializeElement(at: index, to: (storedValues[index], storedCounts[index], index))
        index &+= 1
      }
      entries.sort { $0.value < $1.value }
      // The slots are not needed any more: they take the rank of each place.
      index = 0
      while index < count {
        storedValues[index] = entries[index].value
        storedCounts[index] = entries[index].count
        slots[entries[index].place] = UInt16(truncatingIfNeeded: index)
        index &+= 1
      }
    }
    var index = 0
    while index < indices.count {
      indices[index] = UInt64(slots[Int(truncatingIfNeeded: indices[index])])
      index &+= 1
    }
  }
}

/// What the choice among encodings needs to know about a page, gathered in two passes without allocation on
/// the page's own account: the buffers belong to the codec's workspace and are reused.
///
/// All figures speak about the *reduced* values `(value - base) / scale`.
struct IntegerStatistics {
  var count = 0
  /// The least value, which every encoding subtracts.
  var base: UInt64 = 0
  var scale = IntegerScale.one
  /// The greatest reduced value.
  var maximum: UInt64 = 0
  /// How many runs of equal values there are.
  var runCount = 0
  /// The longest run.
  var longestRun = 0
  /// The least and the greatest difference of neighbours, as signed numbers modulo 2^64.
  var minimumDelta: Int64 = 0
  var maximumDelta: Int64 = 0

  /// The bits that one exception of `PatchedBits` needs for its position.
  static let positionWidth = 10

  /// The size of `PatchedBits` for values with this histogram of widths, and the width to pack at.
  static func bestPatch(
    _ histogram: UnsafePointer<UInt16>, count: Int, maximumWidth: Int
  ) -> (byteCount: Int, width: Int, exceptionCount: Int) {
    var best = (byteCount: Int.max, width: maximumWidth, exceptionCount: 0)
    var exceptionCount = 0
    var width = maximumWidth
    while width >= 0 {
      let byteCount = PatchedBits.byteCount(
        count: count, width: width, exceptionCount: exceptionCount, highWidth: maximumWidth &- width)
      if byteCount < best.byteCount { best = (byteCount, width, exceptionCount) }
      exceptionCount &+= Int(histogram[width])
      width &-= 1
    }
    return best
  }
}

/// Buffers for one page, reused from page to page. Not thread-safe: one per worker.
final class IntegerWorkspace {
  /// The reduced values of the page.
  let reduced: UnsafeMutablePointer<UInt64>
  /// What an encoding computes on its way: deltas, run values, indices.
  let first: UnsafeMutablePointer<UInt64>
  let second: UnsafeMutablePointer<UInt64>
  /// `widths[w]` reduced values need exactly `w` bits.
  let widths: UnsafeMutablePointer<UInt16>
  /// The same for zigzagged deltas.
  let deltaWidths: UnsafeMutablePointer<UInt16>
  /// Distinct values and how often each occurs, ascending once `dictionary` has run.
  var dictionary = SmallDictionary()
  /// Whether `dictionary` and the indices in `second` describe the page at hand.
  var hasDictionary = false
  /// The code lengths of the plan that the Huffman encoding proposed last.
  var codeLengths: [Int] = []

  init() {
    reduced = .allocate(capacity: IntegerPage.maximumCount)
    first = .allocate(capacity: IntegerPage.maximumCount)
    second = .allocate(capacity: IntegerPage.maximumCount)
    widths = .allocate(capacity: 65)
    deltaWidths = .allocate(capacity: 65)
  }

  deinit {
    reduced.deallocate()
    first.deallocate()
    second.deallocate()
    widths.deallocate()
    deltaWidths.deallocate()
  }

  /// Fills `reduced` and the histograms.
  func survey(_ values: UnsafeBufferPointer<UInt64>) -> IntegerStatistics {
    var statistics = IntegerStatistics()
    statistics.count = values.count
    guard let head = values.first else { return statistics }
    var minimum = head
    var maximum = head
    var differing: UInt64 = 0
    var index = 1
    while index < values.count {
      let value = values[index]
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      differing |= value ^ head
      index &+= 1
    }
    statistics.base = minimum
    guard maximum != minimum else {
      statistics.runCount = 1
      statistics.longestRun = values.count
      reduced.update(repeating: 0, count: values.count)
      return statistics
    }
    // The lowest bit in which values differ is the lowest bit of their differences from the least one.
    statistics.scale = .common(to: values, minimum: minimum, differingBits: differing)
    reduce(values, base: minimum, scale: statistics.scale)
    statistics.maximum = (maximum &- minimum) / statistics.scale.factor
    surveyReduced(&statistics)
    return statistics
  }

  private func reduce(_ values: UnsafeBufferPointer<UInt64>, base: UInt64, scale: IntegerScale) {
    var index = 0
    let count = values.count
    if scale.factor == 1 {
      while index < count {
        reduced[index] = values[index] &- base
        index &+= 1
      }
    } else if scale.code > 9 {
      let shift = UInt64(scale.code - 0x40)
      while index < count {
        reduced[index] = (values[index] &- base) &>> shift
        index &+= 1
      }
    } else {
      while index < count {
        reduced[index] = (values[index] &- base) / scale.factor
        index &+= 1
      }
    }
  }

  private func surveyReduced(_ statistics: inout IntegerStatistics) {
    widths.update(repeating: 0, count: 65)
    deltaWidths.update(repeating: 0, count: 65)
    var previous = reduced[0]
    widths[BitPacking.width(of: previous)] &+= 1
    var minimumDelta = Int64.max
    var maximumDelta = Int64.min
    var runCount = 1
    var runStart = 0
    var longestRun = 0
    var index = 1
    let count = statistics.count
    while index < count {
      let value = reduced[index]
      widths[BitPacking.width(of: value)] &+= 1
      let delta = Int64(bitPattern: value &- previous)
      minimumDelta = min(minimumDelta, delta)
      maximumDelta = max(maximumDelta, delta)
      deltaWidths[BitPacking.width(of: UInt64(bitPattern: (delta &<< 1) ^ (delta &>> 63)))] &+= 1
      if delta != 0 {
        runCount &+= 1
        longestRun = max(longestRun, index &- runStart)
        runStart = index
      }
      previous = value
      index &+= 1
    }
    statistics.runCount = runCount
    statistics.longestRun = max(longestRun, count &- runStart)
    statistics.minimumDelta = minimumDelta
    statistics.maximumDelta = maximumDelta
  }
}

/// Up to 256 distinct values with their counts: an open-addressed table that gives up on the 257th.
struct SmallDictionary {
  static let maximumCount = 256
  private static let slotCount = 1024

  /// The distinct values; ascending after `gather` returned true.
  private(set) var values: [UInt64] = []
  /// How often each of `values` occurs.
  private(set) var counts: [Int] = []
  private var slots = [UInt16](repeating: 0, count: slotCount)
  private var ranks: [UInt64] = []

  /// Multiplicative hashing; the order of the table never shows, because `values` is sorted afterwards.
  @inline(__always)
  private static func slot(of value: UInt64) -> Int {
    Int(truncatingIfNeeded: ((value ^ value &>> 32) &* 0x9e37_79b9_7f4a_7c15) &>> 54)
  }

  /// Collects the distinct values of `input` and writes the index of each value to `indices`.
  /// False if there are more than `limit` of them.
  mutating func gather(
    _ input: UnsafeBufferPointer<UInt64>, limit: Int, indices: UnsafeMutablePointer<UInt64>
  ) -> Bool {
    values.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
    let limit = min(limit, Self.maximumCount)
    let fits = slots.withUnsafeMutableBufferPointer { slots in
      slots.update(repeating: 0)
      var index = 0
      while index < input.count {
        let value = input[index]
        var slot = Self.slot(of: value)
        while true {
          let entry = Int(slots[slot])
          if entry == 0 {
            guard values.count < limit else { return false }
            values.append(value)
            counts.append(1)
            slots[slot] = UInt16(values.count)
            indices[index] = UInt64(values.count &- 1)
            break
          }
          if values[entry &- 1] == value {
            counts[entry &- 1] &+= 1
            indices[index] = UInt64(entry &- 1)
            break
          }
          slot = (slot &+ 1) & (Self.slotCount &- 1)
        }
        index &+= 1
      }
      return true
    }
    guard fits else { return false }
    sort(indices: UnsafeMutableBufferPointer(start: indices, count: input.count))
    return true
  }

  /// Orders the distinct values and renumbers the indices.
  private mutating func sort(indices: UnsafeMutableBufferPointer<UInt64>) {
    let order = values.indices.sorted { values[$0] < values[$1] }
    ranks.removeAll(keepingCapacity: true)
    ranks.append(contentsOf: repeatElement(0, count: order.count))
    for (rank, index) in order.enumerated() { ranks[index] = UInt64(rank) }
    values = order.map { values[$0] }
    counts = order.map { counts[$0] }
    ranks.withUnsafeBufferPointer { ranks in
      var index = 0
      while index < indices.count {
        indices[index] = ranks[Int(indices[index])]
        index &+= 1
      }
    }
  }
}

/// How often each step from a value to the next occurs, for `StepIntegers`: an open-addressed table that leaves out what
/// it meets when it is full.
final class StepTable {
  /// The most steps in the table of a page.
  static let maximumCount = 255
  /// The greatest cycle: twice a value stays far below 2^64.
  static let maximumCycle: UInt64 = 1 << 62
  private static let slotCount = 512
  private static let sampleCount = 16

  /// A step, how often it occurs and what it is called.
  private struct Entry {
    var step: UInt64
    var count: Int
    var code: UInt64
  }

  /// How the steps of a page are written.
  struct Choice {
    /// The steps with codes of their own.
    var stepCount: Int
    /// The bits of a code.
    var width: Int
    /// The steps without.
    var escapeCount: Int
    var bitCount: Int
  }

  /// The steps that were chosen, the most frequent first.
  @exclusivity(unchecked) private(set) var steps: [UInt64] = []
  /// Entries that occur twice or more, the most frequent first.
  @exclusivity(unchecked) private var frequent: [Entry] = []
  @exclusivity(unchecked) private var entryCount = 0
  private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: maximumCount)
  /// One more than the entry; 0 where there is none.
  private let slots = UnsafeMutablePointer<UInt8>.allocate(capacity: slotCount)

  deinit {
    entries.deallocate()
    slots.deallocate()
  }

  /// How far `value` lies behind `previous`, both below the cycle.
  @inline(__always)
  static func step(from previous: UInt64, to value: UInt64, cycle: UInt64) -> UInt64 {
    value >= previous ? value &- previous : value &+ (cycle &- previous)
  }

  /// The place of a step in `slots`; the order of the table never shows.
  @inline(__always)
  private func slot(of step: UInt64) -> Int {
    Int(truncatingIfNeeded: ((step ^ step &>> 32) &* 0x9e37_79b9_7f4a_7c15) &>> 55)
  }

  /// About how many bits each step will take, judged by sixteen of them; nil when they are too different.
  func sample(_ values: UnsafePointer<UInt64>, count: Int, cycle: UInt64, stepWidth: Int) -> Int? {
    entryCount = 0
    let stride = max(1, count / Self.sampleCount)
    var total = 0
    var index = 1
    while index <= count, total < Self.sampleCount {
      let step = Self.step(from: values[index &- 1], to: values[index], cycle: cycle)
      var entry = 0
      while entry < entryCount, entries[entry].step != step { entry &+= 1 }
      if entry == entryCount {
        if entryCount == Self.sampleCount / 2 { return nil }
        (entries + entryCount).initialize(to: Entry(step: step, count: 0, code: 0))
        entryCount &+= 1
      }
      entries[entry].count &+= 1
      total &+= 1
      index &+= stride
    }
    return choice(stepWidth: stepWidth, total: total, tableBitCount: 0).bitCount * count / total
  }

  /// Counts the steps to the `count` values that follow the first. False when more than `limit` are different.
  func count(_ values: UnsafePointer<UInt64>, count: Int, cycle: UInt64, limit: Int) -> Bool {
    entryCount = 0
    slots.update(repeating: 0, count: Self.slotCount)
    var index = 1
    while index <= count {
      let step = Self.step(from: values[index &- 1], to: values[index], cycle: cycle)
      var place = slot(of: step)
      while slots[place] != 0, entries[Int(slots[place]) &- 1].step != step {
        place = (place &+ 1) & (Self.slotCount &- 1)
      }
      if slots[place] != 0 {
        entries[Int(slots[place]) &- 1].count &+= 1
      } else {
        if entryCount >= limit { return false }
        if entryCount < Self.maximumCount {
          (entries + entryCount).initialize(to: Entry(step: step, count: 1, code: 0))
          entryCount &+= 1
          slots[place] = UInt8(truncatingIfNeeded: entryCount)
        }
      }
      index &+= 1
    }
    return true
  }

  /// How many of the most frequent steps get a code, so that codes, table and rare steps take the fewest bits.
  ///
  /// - Parameter tableBitCount: what a step in the table takes.
  func choice(stepWidth: Int, total: Int, tableBitCount: Int) -> Choice {
    frequent.removeAll(keepingCapacity: true)
    var index = 0
    while index < entryCount {
      if entries[index].count > 1 { frequent.append(entries[index]) }
      index &+= 1
    }
    frequent.sort { $0.count != $1.count ? $0.count > $1.count : $0.step < $1.step }
    var best = Choice(stepCount: 0, width: 0, escapeCount: total, bitCount: total * stepWidth)
    var covered = 0
    var stepCount = 0
    for width in 1...8 {
      while stepCount < min(frequent.count, 1 << width - 1) {
        covered += frequent[stepCount].count
        stepCount += 1
      }
      let escapeCount = total - covered
      // The step count itself is the code of a rare step.
      let codeWidth = BitPacking.width(of: UInt64(escapeCount > 0 ? stepCount : max(stepCount, 1) - 1))
      let bitCount = codeWidth * total + stepCount * tableBitCount + escapeCount * stepWidth
      if bitCount < best.bitCount {
        best = Choice(stepCount: stepCount, width: codeWidth, escapeCount: escapeCount, bitCount: bitCount)
      }
      if stepCount == frequent.count { break }
    }
    return best
  }

  /// Gives the most frequent steps their codes.
  func choose(_ stepCount: Int) {
    steps.removeAll(keepingCapacity: true)
    for index in 0..<entryCount { entries[index].code = UInt64(stepCount) }
    for (code, entry) in frequent.prefix(stepCount).enumerated() {
      steps.append(entry.step)
      entries[entryIndex(of: entry.step)].code = UInt64(code)
    }
  }

  /// The code of a step; for a rare one how many were chosen.
  @inline(__always)
  func code(of step: UInt64) -> UInt64 {
    let entry = entryIndex(of: step)
    return entry < 0 ? UInt64(steps.count) : entries[entry].code
  }

  /// -1 when it was not counted.
  @inline(__always)
  private func entryIndex(of step: UInt64) -> Int {
    var place = slot(of: step)
    while slots[place] != 0, entries[Int(slots[place]) &- 1].step != step {
      place = (place &+ 1) & (Self.slotCount &- 1)
    }
    return Int(slots[place]) &- 1
  }
}

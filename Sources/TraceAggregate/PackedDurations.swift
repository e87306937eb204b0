import CMemory

/// Durations in nanoseconds that stand side by side, each with as many bits as the others. The memory is somebody else's
/// and stays as it is for as long as this is used.
package struct PackedDurations: @unchecked Sendable {
  /// How durations are written: as multiples of a unit.
  package struct Layout: Hashable, Sendable {
    /// In nanoseconds: clocks that count micro- or milliseconds are frequent.
    package let unit: UInt32
    /// Up to 56, so that all bits of a duration lie within eight bytes, or 64: then each begins with a byte.
    package let bitCount: UInt8

    static let words = Layout(unit: 1, bitCount: 64)

    private init(unit: UInt32, bitCount: UInt8) {
      self.unit = unit
      self.bitCount = bitCount
    }

    /// The narrowest one for durations.
    package init(for durations: UnsafeBufferPointer<UInt64>) {
      var longest: UInt64 = 0
      var unit: UInt32 = 1_000_000
      for duration in durations {
        longest = max(longest, duration)
        while unit > 1, duration % UInt64(unit) > 0 { unit /= 1000 }
      }
      self.init(unit: unit, longest: longest)
    }

    /// The narrowest one for durations up to one of them.
    ///
    /// - Precondition: all are multiples of the unit.
    package init(unit: UInt32, longest: UInt64) {
      let bitCount = 64 - (longest / UInt64(unit)).leadingZeroBitCount
      self.init(unit: unit, bitCount: bitCount > 56 ? 64 : UInt8(max(1, bitCount)))
    }
  }

  /// Bytes that may be read behind the last one: each is loaded with what follows it.
  package static let slackByteCount = 8

  private let memory: UnsafeRawPointer
  private let firstBit: Int
  package let layout: Layout
  package let isAscending: Bool
  package let count: UInt32

  /// Durations as a `DurationPacker` left them.
  package init(_ memory: UnsafeRawPointer, _ layout: Layout, count: UInt32) {
    self.init(memory, firstBit: 0, layout, count: count, isAscending: false)
  }

  /// Words as they are, in any order.
  package init(_ words: UnsafePointer<UInt64>, count: UInt32) {
    self.init(UnsafeRawPointer(words), firstBit: 0, .words, count: count, isAscending: false)
  }

  private init(_ memory: UnsafeRawPointer, firstBit: Int, _ layout: Layout, count: UInt32, isAscending: Bool) {
    self.memory = memory
    self.firstBit = firstBit
    self.layout = layout
    self.count = count
    self.isAscending = isAscending
  }

  /// Some of them, which ascend.
  package func part(from place: Int, count: UInt32) -> PackedDurations {
    PackedDurations(
      memory, firstBit: firstBit &+ place &* Int(layout.bitCount), layout, count: count, isAscending: true)
  }

  /// The durations at a rank of all and behind it, where they ascend.
  package func neighbours(of rank: QuantileRank) -> (lower: UInt64, upper: UInt64) {
    (self[Int(rank.lower)], self[Int(rank.upper)])
  }

  /// Has a quantile fetched, where they ascend, for whoever looks at it later.
  package func prefetch(_ rank: QuantileRank) { tracestore_prefetch(memory + byteOffset(of: Int(rank.lower))) }

  /// The longest, where they ascend.
  ///
  /// - Precondition: there are some.
  package var last: UInt64 { self[Int(count) - 1] }

  /// The quantile of each of neighbouring cells whose durations these are, one after the other, as they ascend in each.
  ///
  /// - Parameters:
  ///   - cells: then the one behind them.
  ///   - isExact: whether those of many calls are as well.
  ///   - values: room for as many as there are cells.
  package func quantiles(
    _ quantile: Double, of cells: UnsafeBufferPointer<CallMinute>, isExact: Bool,
    into values: UnsafeMutablePointer<Double>
  ) {
    guard let first = cells.first else { return }
    withUnsafeTemporaryAllocation(of: QuantileRank.self, capacity: Self.fetchedCount) { ranks in
      guard let ranks = ranks.baseAddress else { return }
      var next = 0
      while next < cells.count &- 1 {
        let batch = next..<min(cells.count &- 1, next &+ Self.fetchedCount)
        // Each cell looks at a place of its own, mostly far from what the processor holds: all are under way before the
        // first is waited for.
        for place in batch {
          let firstCall = cells[place].firstCall
          let rank = QuantileRank(quantile, of: UInt64(cells[place &+ 1].firstCall &- firstCall))
          (ranks + (place &- batch.lowerBound)).initialize(to: rank)
          tracestore_prefetch(memory + byteOffset(of: Int(firstCall &- first.firstCall) &+ Int(rank.lower)))
        }
        for place in batch {
          let firstCall = cells[place].firstCall
          let rank = ranks[place &- batch.lowerBound]
          let base = Int(firstCall &- first.firstCall)
          let (lower, upper) = (self[base &+ Int(rank.lower)], self[base &+ Int(rank.upper)])
          let isExact = isExact || DurationSketch.isExact(count: UInt64(cells[place &+ 1].firstCall &- firstCall))
          values[place] = isExact ? rank.value(lower, upper) : rank.estimate(lower, upper)
        }
        next = batch.upperBound
      }
    }
  }

  /// Durations that are fetched at once: as many as fit on the stack. Processors fetch a few dozen at a time.
  private static let fetchedCount = 64

  @inline(__always)
  private func byteOffset(of place: Int) -> Int { (firstBit &+ place &* Int(layout.bitCount)) &>> 3 }

  /// Writes those of some places.
  package func unpack(_ places: Range<Int>, into output: UnsafeMutablePointer<UInt64>) {
    if layout == .words {
      // Packed ones of so many bits begin with any byte.
      let size = MemoryLayout<UInt64>.size
      return UnsafeMutableRawPointer(output).copyMemory(
        from: memory + (firstBit / 8 + places.lowerBound * size), byteCount: places.count * size)
    }
    var place = places.lowerBound
    while place < places.upperBound {
      output[place &- places.lowerBound] = self[place]
      place &+= 1
    }
  }

  /// The first of some places whose duration is not less than a value, or the end, where they ascend.
  func firstPlace(in places: Range<Int>, notLessThan value: UInt64) -> Int {
    var (low, count) = (places.lowerBound, places.count)
    while count > 0 {
      let half = count / 2
      let isLess = self[low &+ half] < value
      low = isLess ? low &+ half &+ 1 : low
      count = isLess ? count &- half &- 1 : half
    }
    return low
  }

  @inline(__always)
  subscript(place: Int) -> UInt64 {
    let bit = firstBit &+ place &* Int(layout.bitCount)
    let word = UInt64(littleEndian: memory.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self))
    return (word &>> UInt64(bit & 7) & UInt64.max &>> UInt64(64 &- layout.bitCount)) &* UInt64(layout.unit)
  }
}

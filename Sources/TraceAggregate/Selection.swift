/// The values around a rank, without sorting all of them.
package enum Selection {
  /// Below this many values a sort by insertion is quicker than partitions.
  private static let insertionCount = 12

  /// The values at a rank and behind it, of values whose order is lost.
  ///
  /// - Precondition: the rank is of as many values as there are.
  package static func neighbours(
    of rank: QuantileRank, in values: UnsafeMutableBufferPointer<UInt64>
  ) -> (lower: UInt64, upper: UInt64) {
    let lower = Int(rank.lower)
    // High quantiles of few values, which most cells of a busy store are, want one of the greatest two.
    if values.count &- lower <= 2 { return greatestTwo(rank, in: values) }
    let low = select(lower, in: values)
    guard rank.fraction > 0 else { return (low, low) }
    // What stands behind a selected place is not less than its value: the next is the least of them.
    var next = UInt64.max
    var index = lower + 1
    while index < values.count {
      next = min(next, values[index])
      index &+= 1
    }
    return (low, next)
  }

  /// - Precondition: the rank is that of the last value or of the last but one.
  private static func greatestTwo(
    _ rank: QuantileRank, in values: UnsafeMutableBufferPointer<UInt64>
  ) -> (lower: UInt64, upper: UInt64) {
    var greatest: UInt64 = 0
    var second: UInt64 = 0
    for value in values {
      second = max(second, min(greatest, value))
      greatest = max(greatest, value)
    }
    return Int(rank.lower) == values.count &- 1 ? (greatest, greatest) : (second, greatest)
  }

  /// Moves values so that the one at `place` is where a sort would put it, no greater one stands before it and no
  /// smaller one behind it; gives it back. Cost: linear, unless values were laid out to make it slow.
  static func select(_ place: Int, in values: UnsafeMutableBufferPointer<UInt64>) -> UInt64 {
    precondition(place >= 0 && place < values.count, "a place outside of the values")
    var low = 0
    var high = values.count &- 1
    while high &- low >= insertionCount {
      // The middle one of three ends long walks through sorted values.
      let middle = low &+ (high &- low) / 2
      if values[middle] < values[low] { values.swapAt(middle, low) }
      if values[high] < values[low] { values.swapAt(high, low) }
      if values[high] < values[middle] { values.swapAt(high, middle) }
      let pivot = values[middle]
      var left = low
      var right = high
      while left <= right {
        while values[left] < pivot { left &+= 1 }
        while values[right] > pivot { right &-= 1 }
        if left <= right {
          values.swapAt(left, right)
          left &+= 1
          right &-= 1
        }
      }
      if place <= right { high = right } else if place >= left { low = left } else { return values[place] }
    }
    var index = low &+ 1
    while index <= high {
      let value = values[index]
      var hole = index
      while hole > low, values[hole &- 1] > value {
        values[hole] = values[hole &- 1]
        hole &-= 1
      }
      values[hole] = value
      index &+= 1
    }
    return values[place]
  }
}

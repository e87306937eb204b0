/// The words that `bool`, `int` and `double` attributes stand as.
package enum NumberOrder {
  /// An `int` chunk is an `IntegerColumn` of these: unsigned order is the order of the integers.
  @inlinable
  package static func int(_ bits: UInt64) -> UInt64 { bits ^ 1 << 63 }

  /// The zone of a `double` chunk is made of these: unsigned order is IEEE 754's total order, so −0 stands before +0
  /// and NaNs stand at both ends. Applied to the bits of a double.
  @inlinable
  package static func double(_ bits: UInt64) -> UInt64 { bits >> 63 == 1 ? ~bits : bits | 1 << 63 }

  /// The inverse of `double(_:)`.
  package static func doubleBits(_ word: UInt64) -> UInt64 { word >> 63 == 1 ? word ^ 1 << 63 : ~word }
}

/// A set of words: ranges that ascend and do not touch.
package struct WordRanges: Hashable, Sendable {
  package let ranges: [ClosedRange<UInt64>]

  /// - Parameter ranges: in any order; they may overlap.
  package init(_ ranges: [ClosedRange<UInt64>]) {
    var merged: [ClosedRange<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, last.upperBound == .max || range.lowerBound <= last.upperBound + 1 {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    self.ranges = merged
  }

  package static let none = WordRanges([])
  package static let all = WordRanges([0...UInt64.max])

  package var isEmpty: Bool { ranges.isEmpty }

  package func contains(_ word: UInt64) -> Bool {
    guard ranges.count > 4 else { return ranges.contains { $0.contains(word) } }
    let place = firstRange(reaching: word)
    return place < ranges.count && ranges[place].lowerBound <= word
  }

  /// Whether any word from `minimum` to `maximum` is in the set.
  package func overlaps(_ minimum: UInt64, _ maximum: UInt64) -> Bool {
    let place = firstRange(reaching: minimum)
    return place < ranges.count && ranges[place].lowerBound <= maximum
  }

  /// The first range that does not end below `word`.
  private func firstRange(reaching word: UInt64) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < word { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// A set of rows out of `0..<count`, one bit a row.
///
/// Bits at and above `count` are always zero: every operation that could set them clears them again, so
/// counting and iterating need no special case for the last word. Operations on two masks require equal counts.
public struct RowMask: Hashable, Sendable {
  /// How many rows the mask speaks about.
  package let count: Int
  /// Row `i` is bit `i & 63` of word `i >> 6`.
  @usableFromInline package private(set) var words: [UInt64]

  /// A mask of `count` rows, all of them outside (or inside, when `filled`).
  package init(count: Int, filled: Bool = false) {
    precondition(count >= 0, "a mask cannot have a negative count of rows")
    self.count = count
    words = [UInt64](repeating: filled ? .max : 0, count: (count &+ 63) >> 6)
    clearTail()
  }

  /// The first `count` rows of the mask; no more than it has.
  package func prefix(_ count: Int) -> RowMask {
    var mask = RowMask(count: min(count, self.count))
    for index in mask.words.indices { mask.words[index] = words[index] }
    mask.clearTail()
    return mask
  }

  private mutating func clearTail() {
    if count & 63 != 0 { words[words.count - 1] &= (1 << UInt64(count & 63)) &- 1 }
  }

  /// Reads or changes one row, which must be inside `0..<count`.
  package subscript(row: Int) -> Bool {
    get {
      precondition(row >= 0 && row < count, "a row outside of the mask")
      return words[row >> 6] >> UInt64(row & 63) & 1 == 1
    }
    set { if newValue { set(row) } else { clear(row) } }
  }

  package mutating func set(_ row: Int) {
    precondition(row >= 0 && row < count, "a row outside of the mask")
    words[row >> 6] |= 1 << UInt64(row & 63)
  }

  package mutating func clear(_ row: Int) {
    precondition(row >= 0 && row < count, "a row outside of the mask")
    words[row >> 6] &= ~(1 << UInt64(row & 63))
  }

  /// Puts every row of `range` inside.
  package mutating func set(_ range: Range<Int>) {
    forEachWord(of: range) { words, index, bits in words[index] |= bits }
  }

  /// Puts every row of `range` outside.
  package mutating func clear(_ range: Range<Int>) {
    forEachWord(of: range) { words, index, bits in words[index] &= ~bits }
  }

  private mutating func forEachWord(of range: Range<Int>, _ body: (inout [UInt64], Int, UInt64) -> Void) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "rows outside of the mask")
    guard !range.isEmpty else { return }
    let first = range.lowerBound >> 6
    let last = (range.upperBound - 1) >> 6
    for index in first...last {
      var bits = UInt64.max
      if index == first { bits &= .max << UInt64(range.lowerBound & 63) }
      if index == last { bits &= .max >> UInt64(63 - (range.upperBound - 1) & 63) }
      body(&words, index, bits)
    }
  }

  /// Keeps the rows that are also inside `other`.
  package mutating func formIntersection(_ other: RowMask) { combine(other) { $0 & $1 } }

  /// Adds the rows of `other`.
  package mutating func formUnion(_ other: RowMask) { combine(other) { $0 | $1 } }

  /// Removes the rows of `other`.
  package mutating func subtract(_ other: RowMask) { combine(other) { $0 & ~$1 } }

  /// Swaps inside and outside.
  package mutating func invert() {
    var index = 0
    while index < words.count {
      words[index] = ~words[index]
      index &+= 1
    }
    clearTail()
  }

  @inline(__always)
  private mutating func combine(_ other: RowMask, _ operation: (UInt64, UInt64) -> UInt64) {
    precondition(count == other.count, "masks over different counts of rows")
    other.words.withUnsafeBufferPointer { right in
      words.withUnsafeMutableBufferPointer { left in
        var index = 0
        while index < left.count {
          left[index] = operation(left[index], right[index])
          index &+= 1
        }
      }
    }
  }

  /// How many rows are inside.
  package var setCount: Int {
    var total = 0
    for word in words { total &+= word.nonzeroBitCount }
    return total
  }

  /// Whether no row is inside.
  package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

  /// Whether every row is inside.
  package var isFull: Bool { setCount == count }

  /// The first row inside, at or after `row`.
  package func firstSet(from row: Int = 0) -> Int? {
    guard row < count else { return nil }
    var index = max(row, 0) >> 6
    var word = words[index] & .max << UInt64(max(row, 0) & 63)
    while word == 0 {
      index &+= 1
      guard index < words.count else { return nil }
      word = words[index]
    }
    return index << 6 | word.trailingZeroBitCount
  }

  /// Whether any row of a range inside the mask is set.
  package func hasSet(in range: Range<Int>) -> Bool {
    let end = min(range.upperBound, count)
    guard range.lowerBound < end else { return false }
    let (first, last) = (range.lowerBound >> 6, (end &- 1) >> 6)
    let head = UInt64.max << UInt64(range.lowerBound & 63)
    let tail = UInt64.max >> UInt64(63 &- (end &- 1) & 63)
    if first == last { return words[first] & head & tail != 0 }
    return words[first] & head != 0 || words[(first &+ 1)..<last].contains { $0 != 0 } || words[last] & tail != 0
  }

  /// The last row inside.
  package var lastSet: Int? {
    var index = words.count - 1
    while index >= 0 {
      if words[index] != 0 { return index << 6 | (63 - words[index].leadingZeroBitCount) }
      index -= 1
    }
    return nil
  }

  /// Calls `body` with every row inside, ascending.
  @inlinable
  public func forEachSet<Failure: Error>(_ body: (Int) throws(Failure) -> Void) throws(Failure) {
    var index = 0
    while index < words.count {
      var word = words[index]
      while word != 0 {
        try body(index << 6 | word.trailingZeroBitCount)
        word &= word &- 1
      }
      index &+= 1
    }
  }

  /// Calls `body` with every range of neighbouring rows inside, ascending.
  package func forEachRun(_ body: (Range<Int>) -> Void) {
    var first = firstSet()
    while let start = first {
      var index = start >> 6
      var word = ~words[index] & .max << UInt64(start & 63)
      while word == 0, index + 1 < words.count {
        index &+= 1
        word = ~words[index]
      }
      let end = min(count, index << 6 &+ word.trailingZeroBitCount)
      body(start..<end)
      first = firstSet(from: end)
    }
  }

  /// Calls `body` with every row inside a range of them, ascending.
  @inline(__always)
  package func forEachSet(in range: Range<Int>, _ body: (Int) -> Void) {
    var row = firstSet(from: range.lowerBound)
    while let set = row, set < range.upperBound {
      body(set)
      row = firstSet(from: set + 1)
    }
  }

  /// The rows inside, ascending.
  package var rows: [Int] {
    var result: [Int] = []
    result.reserveCapacity(setCount)
    forEachSet { result.append($0) }
    return result
  }

  /// Keeps, of 64 rows, those whose bit is set.
  @inline(__always)
  package mutating func keepWord(_ word: UInt64, at index: Int) { words[index] &= word }

  /// Replaces 64 rows at once; a kernel that compares whole words writes its verdicts here.
  package mutating func setWord(_ word: UInt64, at index: Int) {
    words[index] = word
    if index == words.count - 1 { clearTail() }
  }
}

import Testing

@testable import TraceColumns

struct RowMaskTests {
  @Test func everyRangeOfEverySmallMaskMatchesASet() {
    for count in [0, 1, 5, 63, 64, 65, 130] {
      for lower in stride(from: 0, through: count, by: 3) {
        for upper in lower...count {
          var mask = RowMask(count: count)
          mask.set(lower..<upper)
          #expect(mask.rows == Array(lower..<upper))
          #expect(mask.setCount == upper - lower)
          #expect(mask.isEmpty == (lower == upper))
          #expect(mask.firstSet() == (lower < upper ? lower : nil))
          #expect(mask.lastSet == (lower < upper ? upper - 1 : nil))
          var rest = RowMask(count: count, filled: true)
          rest.clear(lower..<upper)
          mask.invert()
          #expect(mask == rest)
        }
      }
    }
  }

  @Test func operationsMatchSets() {
    for seed in 0..<50 {
      var random = SeededRandom(seed: UInt64(seed))
      let count = 1 + random.below(300)
      let left = Set((0..<count).filter { _ in random.below(3) == 0 })
      let right = Set((0..<count).filter { _ in random.below(2) == 0 })
      func mask(_ rows: Set<Int>) -> RowMask {
        var mask = RowMask(count: count)
        for row in rows { mask[row] = true }
        return mask
      }
      var both = mask(left)
      both.formIntersection(mask(right))
      #expect(both == mask(left.intersection(right)), "seed \(seed)")
      var either = mask(left)
      either.formUnion(mask(right))
      #expect(either == mask(left.union(right)), "seed \(seed)")
      var difference = mask(left)
      difference.subtract(mask(right))
      #expect(difference.rows == left.subtracting(right).sorted(), "seed \(seed)")
      for row in 0..<count {
        #expect(difference[row] == (left.contains(row) && !right.contains(row)))
        let first = left.subtracting(right).filter { $0 >= row }.min()
        #expect(difference.firstSet(from: row) == first)
        for length in [0, 1, 62, 63, 64, 65, 127, 128, 129, 400] {
          #expect(difference.hasSet(in: row..<(row + length)) == (first.map { $0 < row + length } ?? false))
        }
      }
    }
  }

  @Test func `runs, and rows of a range, are those of the rows inside`() {
    for seed in 0..<50 as Range<UInt64> {
      var random = SeededRandom(seed: seed)
      let count = random.below(300)
      var mask = RowMask(count: count)
      var row = random.below(70)
      while row < count {
        let end = min(count, row + 1 + random.below(150))
        mask.set(row..<end)
        row = end + random.below(70)
      }
      var rows: [Int] = []
      var lastEnd = -1
      mask.forEachRun { run in
        #expect(run.lowerBound > lastEnd && !run.isEmpty, "seed \(seed): runs that touch")
        lastEnd = run.upperBound
        rows += run
      }
      #expect(rows == mask.rows, "seed \(seed)")
      let lower = random.below(count + 1)
      let range = lower..<(lower + random.below(count - lower + 1))
      var inside: [Int] = []
      mask.forEachSet(in: range) { inside.append($0) }
      #expect(inside == mask.rows.filter { range.contains($0) }, "seed \(seed)")
      if count > 64 {
        mask.keepWord(0b101, at: 0)
        #expect(mask.rows == rows.filter { $0 > 63 || $0 == 0 || $0 == 2 }, "seed \(seed)")
      }
    }
  }

  @Test func aFilledMaskHasNoRowsBeyondItsCount() {
    var mask = RowMask(count: 70, filled: true)
    #expect(mask.isFull)
    #expect(mask.setCount == 70)
    mask.setWord(.max, at: 1)
    #expect(mask.setCount == 70)
    mask.clear(69)
    #expect(mask.lastSet == 68)
    #expect(!mask.isFull)
  }
}

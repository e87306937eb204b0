/// Which neighbours of a row of kept blocks are brought together in one, as more of them come.
package enum Joining {
  /// Ranges of two or more. Each time, what is joined has at least half as much beside it, so that it is made anew a few
  /// times and not with every block that comes; what is left are few blocks, each much larger than those behind it.
  ///
  /// - Parameters:
  ///   - weights: of each block; nil of one that stays by itself.
  ///   - maximum: of the weights of one range together.
  package static func ranges(of weights: [Int?], maximum: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    func split(_ range: Range<Int>) {
      let own = weights[range].map { $0 ?? 0 }
      guard own.count > 1, let greatest = own.max(), let place = own.firstIndex(of: greatest) else { return }
      if greatest * 3 <= own.reduce(0, +) * 2 { return ranges.append(range) }
      split(range.lowerBound..<(range.lowerBound + place))
      split((range.lowerBound + place + 1)..<range.upperBound)
    }
    var first = 0
    var sum = 0
    for (place, weight) in weights.enumerated() {
      guard let weight else {
        split(first..<place)
        (first, sum) = (place + 1, 0)
        continue
      }
      if sum + weight > maximum {
        split(first..<place)
        (first, sum) = (place, 0)
      }
      sum += weight
    }
    split(first..<weights.count)
    return ranges
  }
}

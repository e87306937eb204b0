extension Range<Int> {
  /// The first number that passes, where all behind one that passes do; the end when none does.
  package func partition(passes: (Int) throws -> Bool) rethrows -> Int {
    var low = lowerBound
    var high = upperBound
    while low < high {
      let middle = (low + high) / 2
      if try passes(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

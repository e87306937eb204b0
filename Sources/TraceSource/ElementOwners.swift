/// Finds the row that an event or link belongs to.
package struct ElementOwners {
  private let offsets: [UInt32]

  /// - Parameter offsets: the first element of each row, then the element count.
  package init(_ offsets: [UInt32]) { self.offsets = offsets }

  /// The row of `element`, at or after `row`; logarithmic in the distance.
  package func owner(of element: Int, from row: Int) -> Int {
    var low = row
    var step = 1
    while low + step < offsets.count - 1, Int(offsets[low + step]) <= element {
      low += step
      step *= 2
    }
    var high = min(low + step, offsets.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if Int(offsets[middle]) <= element { low = middle } else { high = middle }
    }
    return low
  }
}

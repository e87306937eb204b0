import Synchronization
import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

// The way from values to the rows, events or links that have them, for those who want few of them.
extension LoadedStripe {
  /// True once: the first question goes through the shapes and keeps nothing. One way takes about as long as making the map,
  /// which takes the memory of several columns, so that only a stripe that is asked again has one.
  func takeFirstPass() -> Bool { !isPassed.exchange(true, ordering: .relaxed) }

  /// Calls `body` with the elements in `range` that have one of the values at `indices` of a catalogue entry, ascending.
  /// Pages without a shape that has the entry are passed over.
  ///
  /// - Parameter indices: of the size of the column of values.
  func forEachElement(
    of entry: UInt32, _ level: ColumnLevel, at indices: RowMask, in range: Range<Int>, _ scratch: ReadScratch,
    _ body: (Int) -> Void
  ) throws {
    let shapes = try shapes(scratch)
    let column = try shapeColumn(level)
    var found: [Int] = []
    // How many values stand before an element.
    var valueCount = 0
    try shapes.withMultiplicities(of: entry) { multiplicities in
      let holders = multiplicities.indices.filter { multiplicities[$0] > 0 }.map { UInt64($0)...UInt64($0) }
      try column.forEachPage(in: 0..<column.count, scratch, holding: WordRanges(holders)) { first, codes in
        var place = 0
        while place < codes.count {
          guard codes[place] < UInt64(multiplicities.count) else {
            throw column.place.damage("an element has shape \(codes[place]) of \(multiplicities.count)")
          }
          let count = Int(multiplicities[Int(codes[place])])
          if count > 0 {
            let values = valueCount..<(valueCount &+ count)
            if values.upperBound <= indices.count, indices.hasSet(in: values) { found.append(first &+ place) }
            valueCount = values.upperBound
          }
          place &+= 1
        }
      }
    }
    guard valueCount == indices.count else {
      throw self.place(ChunkID.attribute(entry)).damage("\(valueCount) values are due and \(indices.count) are there")
    }
    for element in found where range.contains(element) { body(element) }
  }
}

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
      try column.forEachPage(in: 0..<column.count, scratch, holding: Self.holders(multiplicities)) { first, codes in
        for (place, code) in codes.enumerated() {
          let values = valueCount..<(valueCount &+ (try Self.valueCount(code, multiplicities, column)))
          if !values.isEmpty, values.upperBound <= indices.count, indices.hasSet(in: values) {
            found.append(first + place)
          }
          valueCount = values.upperBound
        }
      }
    }
    guard valueCount == indices.count else {
      throw self.place(ChunkID.attribute(entry)).damage("\(valueCount) values are due and \(indices.count) are there")
    }
    for element in found where range.contains(element) { body(element) }
  }
}

/// For each catalogue entry that was asked for, how many of its values stand before each page of elements, then how many
/// there are.
///
/// The way from a value to its element leads through the shapes of all elements before it. With this it leads through
/// those of its page. Making it takes as long as going the whole way, and it takes little memory where the shapes take much:
/// so it stays when its stripe goes.
final class ElementPages: CachedBlock {
  static let passCount = 8

  private let prefixes = Mutex<[UInt32: [UInt32]]>([:])

  var residentByteCount: Int { prefixes.withLock { $0.values.reduce(256) { $0 + $1.count * 4 + 96 } } }

  func prefix(of entry: UInt32) -> [UInt32]? { prefixes.withLock { $0[entry] } }

  func keep(_ prefix: [UInt32], of entry: UInt32) { prefixes.withLock { $0[entry] = prefix } }
}

extension LoadedStripe {
  /// What `ElementPages` keeps of an entry.
  func pagePrefix(of entry: UInt32, _ level: ColumnLevel, _ scratch: ReadScratch) throws -> [UInt32] {
    let column = try shapeColumn(level)
    try column.expect(pageCount: IntegerPage.count(of: column.count))
    var prefix: [UInt32] = []
    var valueCount = 0
    try shapes(scratch).withMultiplicities(of: entry) { multiplicities in
      let holders = Self.holders(multiplicities)
      for first in stride(from: 0, to: column.count, by: ReadScratch.pageValueCount) {
        prefix.append(UInt32(truncatingIfNeeded: valueCount))
        let elements = first..<min(column.count, first + ReadScratch.pageValueCount)
        try column.forEachPage(in: elements, scratch, holding: holders) { _, codes in
          for code in codes { valueCount &+= try Self.valueCount(code, multiplicities, column) }
        }
      }
    }
    guard valueCount <= IntegerColumn.maximumCount else {
      throw place(ChunkID.shapes).damage("its shapes have more values than a column may hold")
    }
    prefix.append(UInt32(valueCount))
    return prefix
  }

  /// As `forEachElement(of:_:at:in:_:_:)`, for values in few pages of elements: only these pages are looked at.
  ///
  /// - Parameter prefix: as `pagePrefix` made it.
  func forEachElement(
    of entry: UInt32, _ level: ColumnLevel, at indices: RowMask, in range: Range<Int>, by prefix: [UInt32],
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    let total = Int(prefix[prefix.count - 1])
    guard total == indices.count else {
      throw place(ChunkID.attribute(entry)).damage("\(total) values are due and \(indices.count) are there")
    }
    let column = try shapeColumn(level)
    var found: [Int] = []
    try shapes(scratch).withMultiplicities(of: entry) { multiplicities in
      for page in 0..<(prefix.count - 1) where indices.hasSet(in: Int(prefix[page])..<Int(prefix[page + 1])) {
        let first = page * ReadScratch.pageValueCount
        var valueCount = Int(prefix[page])
        try column.forEachPage(
          in: first..<min(column.count, first + ReadScratch.pageValueCount), scratch
        ) { first, codes in
          for (place, code) in codes.enumerated() {
            let values = valueCount..<(valueCount + (try Self.valueCount(code, multiplicities, column)))
            // Counted before: they are no more than there are.
            if !values.isEmpty, indices.hasSet(in: values) { found.append(first + place) }
            valueCount = values.upperBound
          }
        }
      }
    }
    for element in found where range.contains(element) { body(element) }
  }

  private static func holders(_ multiplicities: UnsafeMutableBufferPointer<UInt32>) -> WordRanges {
    WordRanges(multiplicities.indices.filter { multiplicities[$0] > 0 }.map { UInt64($0)...UInt64($0) })
  }

  @inline(__always)
  private static func valueCount(
    _ code: UInt64, _ multiplicities: UnsafeMutableBufferPointer<UInt32>, _ column: IntegerChunk
  ) throws -> Int {
    guard code < UInt64(multiplicities.count) else {
      throw column.place.damage("an element has shape \(code) of \(multiplicities.count)")
    }
    return Int(multiplicities[Int(code)])
  }
}

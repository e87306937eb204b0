import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// The least and the greatest of some words.
private struct WordZone {
  private var least = UInt64.max
  private var greatest = UInt64.min

  mutating func include(_ word: UInt64) { (least, greatest) = (min(least, word), max(greatest, word)) }

  func isExactly(_ minimum: UInt64, _ maximum: UInt64) -> Bool { least == minimum && greatest == maximum }
}

// What the stripe index says of columns of numbers.
extension LoadedStripe {
  /// Compares it with what they hold.
  ///
  /// - Throws: `corrupt` when the index would rule out what is there, or names what is not.
  func verifyIndex(_ scratch: ReadScratch) throws {
    for number in summary.numbers {
      var zone = WordZone()
      var words: Set<UInt64> = []
      try forEachOrderedWord(number, scratch) { word in
        zone.include(word)
        if !number.words.isEmpty, words.count <= number.words.count { words.insert(word) }
      }
      guard zone.isExactly(number.minimum, number.maximum), words.sorted() == number.words else {
        throw place(number.chunk).damage("the stripe index says that it holds other values")
      }
    }
    guard let distances = summary.eventDistances else { return }
    var zone = WordZone()
    try integers(ChunkID.eventTime, count: head.eventCount).forEachPage(in: 0..<head.eventCount, scratch) { _, values in
      for value in values { zone.include(NumberOrder.int(UInt64(bitPattern: unzigzag(value)))) }
    }
    func word(_ distance: Int64) -> UInt64 { NumberOrder.int(UInt64(bitPattern: distance)) }
    guard zone.isExactly(word(distances.lowerBound), word(distances.upperBound)) else {
      throw place(ChunkID.eventTime).damage("the stripe index says that events stand elsewhere")
    }
  }

  /// Calls `body` with each value of a column as the word by which it is ordered.
  private func forEachOrderedWord(
    _ number: NumberSummary, _ scratch: ReadScratch, _ body: (UInt64) -> Void
  ) throws {
    let count = number.valueCount
    let entry = UInt32(truncatingIfNeeded: Int(number.chunk) - Int(SegmentFormat.firstAttributeChunk))
    guard let type = type(ofNumber: number.chunk), !type.isText else {
      throw place(number.chunk).damage("the stripe index takes it for a column of numbers")
    }
    // A column that was left out of the file says nothing of its count.
    let prefix = try prefix(of: entry, in: shapeMap(catalogue[Int(entry)].level, scratch))
    let due = Int(prefix[prefix.count - 1])
    guard count == due else {
      throw place(number.chunk).damage("the stripe index gives it \(count) values, not \(due)")
    }
    switch type {
    case .bool, .int:
      try integers(number.chunk, count: count).forEachPage(in: 0..<count, scratch) { _, values in values.forEach(body) }
    case .double:
      try doubles(number.chunk, count: count).forEachValue(in: 0..<count, scratch) { body(NumberOrder.double($1)) }
    default: if count > 0 { body(0) }
    }
  }

  /// Nil for a chunk that is no attribute's.
  private func type(ofNumber chunk: UInt32) -> AttributeType? {
    guard chunk >= SegmentFormat.firstAttributeChunk else { return nil }
    let entry = Int(chunk - SegmentFormat.firstAttributeChunk)
    return entry < catalogue.count ? catalogue[entry].type : nil
  }

  /// A line for people; nil where the stripe index says nothing of a column's numbers.
  func describeIndex(_ id: UInt32) -> String? {
    if id == ChunkID.eventTime {
      return summary.eventDistances.map { "stripe index: \($0.lowerBound) to \($0.upperBound) ns after the start" }
    }
    guard let number = summary.number(id), let type = type(ofNumber: id) else { return nil }
    func text(_ word: UInt64) -> String {
      switch type {
      case .int: AttributeValue.int(Int64(bitPattern: NumberOrder.int(word))).text
      case .double: AttributeValue.double(Double(bitPattern: NumberOrder.doubleBits(word))).text
      default: "\(word)"
      }
    }
    let values =
      number.words.isEmpty ? "" : ", \(number.words.count) values: " + number.words.map(text).joined(separator: " ")
    return "stripe index: \(text(number.minimum)) to \(text(number.maximum))" + values
  }
}

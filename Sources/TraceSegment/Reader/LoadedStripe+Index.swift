import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

// What the stripe index says of columns of numbers.
extension LoadedStripe {
  /// Compares it with what they hold.
  ///
  /// - Throws: `corrupt` when the index would rule out what is there, or names what is not.
  func verifyIndex(_ scratch: ReadScratch) throws {
    for number in summary.numbers {
      let words = try orderedWords(number, scratch)
      let isComplete = number.words.isEmpty || Set(words).sorted() == number.words
      guard isComplete, words.min() == number.minimum, words.max() == number.maximum else {
        throw place(number.chunk).damage("the stripe index says that it holds other values")
      }
    }
    guard let distances = summary.eventDistances else { return }
    let stored = try integers(ChunkID.eventTime, count: head.eventCount).decodeAll().map { unzigzag($0) }
    guard stored.min() == distances.lowerBound, stored.max() == distances.upperBound else {
      throw place(ChunkID.eventTime).damage("the stripe index says that events stand elsewhere")
    }
  }

  private func orderedWords(_ number: NumberSummary, _ scratch: ReadScratch) throws -> [UInt64] {
    let count = number.valueCount
    switch type(ofNumber: number.chunk) {
    case .bool, .int: return try integers(number.chunk, count: count).decodeAll()
    case .double:
      var words: [UInt64] = []
      try doubles(number.chunk, count: count).forEachValue(in: 0..<count, scratch) {
        words.append(NumberOrder.double($1))
      }
      return words
    case .absent, .empty: return [UInt64](repeating: 0, count: count)
    default: throw place(number.chunk).damage("the stripe index takes it for a column of numbers")
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

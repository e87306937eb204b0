import TraceBytes
import TraceColumns
import TraceModel
import TraceSource

/// A text column of a stripe. One that was left out of the file reads as empty strings.
final class StripeText: StripePart, @unchecked Sendable {
  fileprivate enum Form {
    case empty
    case dictionary(TextDictionary)
    case column(OpenText)
  }

  fileprivate let form: Form
  private let owner: SegmentBuffer?
  let place: ChunkPlace
  let count: Int

  var residentByteCount: Int {
    if case .dictionary(let dictionary) = form { dictionary.local.residentByteCount + 192 } else { 192 }
  }

  /// - Parameters:
  ///   - bytes: nil when the chunk was left out.
  ///   - summary: what the stripe index says of the chunk.
  init(
    _ bytes: UnsafeRawBufferPointer?, count: Int, summary: TextSummary?, isVerifying: Bool, owner: SegmentBuffer?,
    place: ChunkPlace, tally: ByteTally, _ scratch: ReadScratch
  ) throws {
    self.count = count
    self.owner = owner
    self.place = place
    guard let bytes else {
      guard summary == nil || summary?.form == .empty else {
        throw place.damage("the stripe index names it, and it is not there")
      }
      form = .empty
      return
    }
    form = try place.naming {
      let head = try TextChunkHead(bytes, at: place.fileOffset)
      guard let summary, summary.form == head.form, summary.valueCount == count else {
        throw place.damage("it is not what the stripe index announces")
      }
      let parts = UnsafeRawBufferPointer(rebasing: bytes[TextChunkHead.byteCount...])
      let first = UnsafeRawBufferPointer(rebasing: parts[..<head.firstByteCount])
      let second = UnsafeRawBufferPointer(rebasing: parts[head.firstByteCount...])
      switch head.form {
      case .empty: return .empty
      case .dictionary:
        let indices = try IntegerChunk(
          IntegerColumn(first, verifying: isVerifying), count: count, owner: owner, place: place, tally: tally)
        return .dictionary(
          TextDictionary(
            indices: indices, shared: summary.shared,
            local: try TextArena(decoding: second, isVerifying: isVerifying, scratch)))
      case .column:
        let column = try TextColumn(first, verifying: isVerifying, scratch: scratch.columns)
        guard column.count == count else { throw place.damage("\(count) values are due and \(column.count) are there") }
        return .column(OpenText(column, tally))
      }
    }
  }

  /// Calls `body` with the bytes of a value, which live as long as the call.
  func withValue<Result>(
    at index: Int, _ strings: StringTable, _ scratch: ReadScratch, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    switch form {
    case .empty: return try body(UnsafeRawBufferPointer(start: nil, count: 0))
    case .dictionary(let dictionary):
      return try withEntry(try dictionary.indices.value(at: index), dictionary, strings, body)
    case .column(let text):
      return try place.naming { try text.column.reading(at: index, scratch, body) }
    }
  }

  /// Calls `body` with the place of each of ascending `indices` and the bytes of its value, which live as long as the
  /// call; with nil where the value is that of the place before.
  func forEachValue(
    at indices: [Int], _ strings: StringTable, _ scratch: ReadScratch,
    _ body: (_ place: Int, UnsafeRawBufferPointer?) throws -> Void
  ) throws {
    switch form {
    case .empty:
      for place in indices.indices { try body(place, place == 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : nil) }
    case .dictionary(let dictionary):
      var last: UInt64?
      for (place, entry) in try dictionary.indices.gather(indices, isKeeping: true).enumerated() {
        if entry == last {
          try body(place, nil)
        } else {
          try withEntry(entry, dictionary, strings) { try body(place, $0) }
          last = entry
        }
      }
    case .column(let text):
      guard let dictionary = text.keptDictionary(scratch) else {
        return try self.place.naming { try text.column.reading(indices, scratch) { try body($0, $1) } }
      }
      var last: Int?
      for (place, entry) in try self.place.naming({ try text.column.dictionaryCodes(indices) }).enumerated() {
        if entry == last {
          try body(place, nil)
        } else {
          try dictionary.withText(entry) { try body(place, $0) }
          last = entry
        }
      }
    }
  }

  private func withEntry<Result>(
    _ entry: UInt64, _ dictionary: TextDictionary, _ strings: StringTable,
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let sharedCount = dictionary.shared.count
    guard entry < UInt64(dictionary.count) else {
      throw place.damage("a value names string \(entry) of \(dictionary.count)")
    }
    let index = Int(entry)
    return index < sharedCount
      ? try strings.withBytes(dictionary.shared[index], body) : try dictionary.local.withText(index - sharedCount, body)
  }

  /// The bytes of the values at ascending `indices`.
  func bytes(at indices: [Int], _ strings: StringTable, _ scratch: ReadScratch) throws -> [[UInt8]] {
    if case .empty = form { return [[UInt8]](repeating: [], count: indices.count) }
    return try made(at: indices, strings, scratch) { _, bytes in bytes.array }
  }

  /// The values at ascending `indices` as text.
  func strings(at indices: [Int], _ strings: StringTable, _ scratch: ReadScratch) throws -> [String] {
    if case .empty = form { return [String](repeating: "", count: indices.count) }
    return try made(at: indices, strings, scratch) { place, bytes in
      guard let text = bytes.text else { throw self.place.damage("value \(indices[place]) is not UTF-8") }
      return text
    }
  }

  /// What `make` makes of the values at ascending `indices`; neighbours that agree share it.
  private func made<Value>(
    at indices: [Int], _ strings: StringTable, _ scratch: ReadScratch,
    _ make: (_ place: Int, UnsafeRawBufferPointer) throws -> Value
  ) throws -> [Value] {
    var made: [Value] = []
    made.reserveCapacity(indices.count)
    try forEachValue(at: indices, strings, scratch) { place, bytes in
      if let bytes { made.append(try make(place, bytes)) } else { made.append(made[made.count - 1]) }
    }
    guard made.count == indices.count else { throw place.damage("it gives other values than it is asked for") }
    return made
  }

  /// Calls `body` with the index of each value in `range` that passes, ascending.
  ///
  /// - Parameter neededRows: pages without one of these need not be decoded.
  func forEachIndex(
    passing test: TextTest, in range: Range<Int>, neededRows: RowMask? = nil, _ strings: StringTable,
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    if let list = test.list, list.count <= 1 {
      guard let needle = list.texts.first else { return }
      let code = strings.code(of: needle)
      return try forEachIndex(equalTo: needle, code: code, in: range, neededRows: neededRows, scratch, body)
    }
    let decide = test.makeDecision()
    switch form {
    case .empty:
      if decide(UnsafeRawBufferPointer(start: nil, count: 0)) { for index in range { body(index) } }
    case .dictionary(let dictionary):
      // Each string is looked at once, when a value first names it.
      var answers = [Bool?](repeating: nil, count: dictionary.count)
      try dictionary.indices.forEachPage(in: range, scratch, neededRows: neededRows) { first, values in
        for index in 0..<values.count {
          let entry = Int(truncatingIfNeeded: values[index])
          let passes: Bool
          if values[index] < UInt64(answers.count), let known = answers[entry] {
            passes = known
          } else {
            passes = try withEntry(values[index], dictionary, strings, decide)
            answers[entry] = passes
          }
          if passes { body(first &+ index) }
        }
      }
    case .column(let text):
      try place.naming {
        try text.column.reading(range, scratch) { index, bytes in if decide(bytes) { body(index) } }
      }
    }
  }

  /// Calls `body` with the index of each value in `range` that has exactly these bytes, ascending.
  ///
  /// - Parameters:
  ///   - code: the needle's code in the segment's strings, nil when it is not among them.
  ///   - neededRows: pages without one of these need not be decoded.
  private func forEachIndex(
    equalTo needle: [UInt8], code: UInt32?, in range: Range<Int>, neededRows: RowMask? = nil,
    _ scratch: ReadScratch, _ body: (Int) -> Void
  ) throws {
    switch form {
    case .empty:
      if needle.isEmpty { for index in range { body(index) } }
    case .dictionary(let dictionary):
      guard let target = dictionary.entry(of: needle, code: code) else { return }
      try dictionary.indices.forEachPage(in: range, scratch, neededRows: neededRows) { first, values in
        var index = 0
        while index < values.count {
          if values[index] == target { body(first &+ index) }
          index &+= 1
        }
      }
    case .column(let text):
      for index in try place.naming({ try text.column.rows(equalTo: needle, scratch: scratch.columns) })
      where range.contains(index) { body(index) }
    }
  }

  /// Calls `body` with each distinct value in `range` and how often it occurs; a column may give a value several times.
  ///
  /// - Parameter isWanted: which values count, asked for in order; nil: all.
  func forEachDistinct(
    in range: Range<Int>, where isWanted: ((Int) -> Bool)?, _ strings: StringTable, _ scratch: ReadScratch,
    _ body: (UnsafeRawBufferPointer, _ count: Int) throws -> Void
  ) throws {
    switch form {
    case .empty:
      let wanted = isWanted.map { isWanted in range.count(where: isWanted) } ?? range.count
      if wanted > 0 { try body(UnsafeRawBufferPointer(start: nil, count: 0), wanted) }
    case .dictionary(let dictionary):
      var counts = [Int](repeating: 0, count: dictionary.count)
      try dictionary.indices.forEachPage(in: range, scratch) { first, values in
        for index in 0..<values.count {
          let value = values[index]
          guard value < UInt64(counts.count) else {
            throw place.damage("a value names string \(value) of \(counts.count)")
          }
          if isWanted?(first + index) ?? true { counts[Int(value)] += 1 }
        }
      }
      for (entry, occurrences) in counts.enumerated() where occurrences > 0 {
        try withEntry(UInt64(entry), dictionary, strings) { try body($0, occurrences) }
      }
    case .column(let text):
      try place.naming {
        try text.column.reading(range, scratch) { index, bytes in if isWanted?(index) ?? true { try body(bytes, 1) } }
      }
    }
  }
}

extension StripeText {
  /// Every value, to be carried over into a table.
  func codes(_ scratch: ReadScratch) throws -> TextCodes {
    switch form {
    case .empty: return .empty
    case .dictionary(let dictionary):
      guard dictionary.count > 0 || count == 0 else { throw place.damage("its dictionary is empty") }
      let maximum = UInt64(max(1, dictionary.count)) - 1
      return .dictionary(
        entries: try dictionary.indices.decodeCodes(maximum: maximum, scratch), shared: dictionary.shared,
        local: dictionary.local)
    case .column(let text):
      var bytes: [UInt8] = []
      var ends: [Int] = []
      ends.reserveCapacity(count)
      try place.naming {
        try text.column.readingAll(scratch) { _, value in
          bytes.append(contentsOf: value)
          ends.append(bytes.count)
        }
      }
      guard ends.count == count else { throw place.damage("\(count) values are due and \(ends.count) are there") }
      return .column(bytes: bytes, ends: ends)
    }
  }
}

package import TraceBytes

/// Few distinct strings: a `SortedTextList` of them, then their indices (`IntegerColumn`).
struct DictionaryText {
  /// The most bytes that the distinct strings of a column may have together, because readers keep them in memory
  /// while they walk through the column.
  static let maximumByteCount = 16 << 20

  let count: Int
  /// The distinct strings.
  let list: SortedTextList
  private let indices: IntegerColumn

  static func encode(_ distinct: DistinctTexts, into writer: inout ByteWriter, scratch: ColumnScratch) {
    let order = distinct.arena.withTexts { text in
      (0..<distinct.arena.count).sorted { TextOrder.precedes(text($0), text($1)) }
    }
    var ranks = [UInt64](repeating: 0, count: order.count)
    for (rank, index) in order.enumerated() { ranks[index] = UInt64(rank) }
    distinct.arena.withTexts { text in
      SortedTextList.encode(count: order.count, text: { text(order[$0]) }, into: &writer, scratch: scratch)
    }
    IntegerColumn.encode(distinct.indices.map { ranks[Int($0)] }, into: &writer, scratch: scratch)
  }

  init(_ reader: inout ByteReader, count: Int, verifying: Bool) throws(BytesError) {
    self.count = count
    list = try reader.readTextList(verifying: verifying)
    indices = try reader.readIntegerColumn(verifying: verifying)
    guard indices.count == count else {
      throw BytesError(offset: reader.offset, reason: "the parts of a dictionary column disagree about its count")
    }
  }

  private func checked(_ index: UInt64) throws(BytesError) -> Int {
    guard index < UInt64(list.count) else {
      throw BytesError(offset: 0, reason: "a dictionary column has an index outside of its dictionary")
    }
    return Int(index)
  }

  func withValue<Result>(
    at row: Int, scratch: ColumnScratch, _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    try list.withText(at: try checked(try indices.value(at: row)), scratch: scratch, body)
  }

  func forEach(
    scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    var arena = TextArena()
    try list.forEach(scratch: scratch) { _, text throws(BytesError) in
      try Self.append(text, to: &arena)
    }
    try arena.withTexts { text throws(BytesError) in
      try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
        buffer throws(BytesError) in
        for page in 0..<indices.pageCount {
          let first = page * IntegerPage.maximumCount
          let found = try indices.decodePage(page, into: buffer)
          for index in 0..<found { try body(first + index, text(try checked(buffer[index]))) }
        }
      }
    }
  }

  /// Texts share what they begin with, so that few bytes may stand for many.
  private static func append(_ text: UnsafeRawBufferPointer, to arena: inout TextArena) throws(BytesError) {
    guard arena.bytes.count + text.count <= maximumByteCount else {
      throw BytesError(offset: 0, reason: "the dictionary of a text column is larger than 16 MiB")
    }
    arena.append(text)
  }

  /// Which string of the list each of ascending rows has.
  func codes(_ rows: [Int]) throws(BytesError) -> [Int] {
    var codes: [Int] = []
    codes.reserveCapacity(rows.count)
    for code in try indices.gather(rows) { codes.append(try checked(code)) }
    return codes
  }

  func gather(
    _ rows: [Int], scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    let codes = try codes(rows)
    if codes.count == 1 {
      return try list.withText(at: codes[0], scratch: scratch) { text throws(BytesError) in try body(0, text) }
    }
    // A chunk is opened once, for all of its strings that are asked for.
    let places = codes.indices.sorted { codes[$0] < codes[$1] }
    var arena = TextArena()
    var textOfPlace = [Int](repeating: 0, count: codes.count)
    try list.forEach(at: places.map { codes[$0] }, scratch: scratch) { order, text throws(BytesError) in
      let isRepeated = order > 0 && codes[places[order]] == codes[places[order - 1]]
      if !isRepeated { try Self.append(text, to: &arena) }
      textOfPlace[places[order]] = arena.count - 1
    }
    try arena.withTexts { text throws(BytesError) in
      for place in codes.indices { try body(place, text(textOfPlace[place])) }
    }
  }

  func rows(equalTo needle: UnsafeRawBufferPointer, scratch: ColumnScratch) throws(BytesError) -> [Int] {
    guard let code = try list.index(of: needle, scratch: scratch) else { return [] }
    return try indices.rows(equalTo: UInt64(code))
  }

  func describe() -> [String] { list.describe() + ["indices:"] + indices.describe() }
}

extension IntegerColumn {
  /// The rows that hold `value`, ascending.
  package func rows(equalTo value: UInt64) throws(BytesError) -> [Int] {
    var result: [Int] = []
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
      buffer throws(BytesError) in
      for page in 0..<pageCount {
        let first = page * IntegerPage.maximumCount
        let found = try decodePage(page, into: buffer)
        var index = 0
        while index < found {
          if buffer[index] == value { result.append(first &+ index) }
          index &+= 1
        }
      }
    }
    return result
  }
}

/// The distinct strings of a column in order of first occurrence, and which one each row holds.
struct DistinctTexts {
  private(set) var arena = TextArena()
  private(set) var indices: [UInt32] = []

  var byteCount: Int { arena.bytes.count }

  /// Nil if there are more than `maximumCount` distinct strings, or more bytes of them than a dictionary may have.
  init?(count: Int, value: (Int) -> UnsafeRawBufferPointer, maximumCount: Int) {
    var table = TextTable()
    indices.reserveCapacity(count)
    for row in 0..<count {
      let text = value(row)
      let (index, isNew) = table.insert(text, into: &arena)
      if isNew, arena.count > maximumCount || arena.bytes.count > DictionaryText.maximumByteCount { return nil }
      indices.append(index)
    }
  }
}

/// An open-addressed table over the strings of an arena. Its order never shows: indices follow first occurrence.
struct TextTable {
  /// The upper half of the hash, then index + 1; 0 is an empty slot.
  private var slots = [UInt64](repeating: 0, count: 256)
  private var count = 0

  /// The index of `text`, which is appended to the arena if it is new.
  mutating func insert(_ text: UnsafeRawBufferPointer, into arena: inout TextArena) -> (index: UInt32, isNew: Bool) {
    if (count + 1) * 2 > slots.count { grow(arena) }
    let hash = SeededHash.process(text)
    let mark = hash & 0xffff_ffff_0000_0000
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let entry = slots[slot]
      if entry & 0xffff_ffff_0000_0000 == mark {
        let index = Int(entry & 0xffff_ffff) - 1
        if arena.isEqual(at: index, to: text) { return (UInt32(index), false) }
      }
      slot = (slot + 1) & mask
    }
    arena.append(text)
    slots[slot] = mark | UInt64(arena.count)
    count += 1
    return (UInt32(arena.count - 1), true)
  }

  private mutating func grow(_ arena: TextArena) {
    let size = slots.count * 4
    var grown = [UInt64](repeating: 0, count: size)
    arena.withTexts { text in
      for index in 0..<arena.count {
        let hash = SeededHash.process(text(index))
        var slot = Int(truncatingIfNeeded: hash) & (size - 1)
        while grown[slot] != 0 { slot = (slot + 1) & (size - 1) }
        grown[slot] = hash & 0xffff_ffff_0000_0000 | UInt64(index + 1)
      }
    }
    slots = grown
  }
}

import TraceBytes

/// Strings as they are, in blocks of up to 64.
///
/// Nothing if there are no strings. Otherwise lengths (`IntegerColumn`), is-uniform u8, block ends by row (`IntegerColumn`, empty if uniform: then all blocks but
/// the last hold 64 strings), stored byte counts of the blocks (`IntegerColumn`), then the blocks (`TextBlock`).
/// A block is closed when it holds 64 strings or at least 8 KiB.
struct RawText {
  private static let blockRowCount = 64
  private static let targetByteCount = 8 << 10

  let count: Int
  /// Nil without strings.
  private let lengths: IntegerColumn?
  /// Where each block ends, by row; empty if uniform.
  private let rowEnds: [Int]
  /// Where each block ends, by byte, checksums included.
  private let byteEnds: [Int]
  private let blocks: UnsafeRawBufferPointer
  private let isVerifying: Bool

  static func encode(
    count: Int, value: (Int) -> UnsafeRawBufferPointer, into writer: inout ByteWriter, scratch: ColumnScratch
  ) {
    guard count > 0 else { return }
    var lengths: [UInt64] = []
    lengths.reserveCapacity(count)
    var rowEnds: [UInt64] = []
    var byteCounts: [UInt64] = []
    var blocks = ByteWriter()
    var text = scratch.takeBuffer()
    var isUniform = true
    var blockStart = 0
    for row in 0..<count {
      let bytes = value(row)
      precondition(bytes.count <= TextBlock.maximumTextByteCount, "a text is longer than 64 MiB")
      lengths.append(UInt64(bytes.count))
      text.append(contentsOf: bytes)
      let blockCount = row + 1 - blockStart
      guard blockCount == blockRowCount || text.count >= targetByteCount || row + 1 == count else { continue }
      if blockCount < blockRowCount, row + 1 < count { isUniform = false }
      rowEnds.append(UInt64(row + 1))
      byteCounts.append(UInt64(text.withUnsafeBytes { TextBlock.encode($0, into: &blocks, scratch: scratch) }))
      text.removeAll(keepingCapacity: true)
      blockStart = row + 1
    }
    scratch.giveBack(&text)
    IntegerColumn.encode(lengths, into: &writer, scratch: scratch)
    writer.append(isUniform ? 1 : 0)
    IntegerColumn.encode(isUniform ? [] : rowEnds, into: &writer, scratch: scratch)
    IntegerColumn.encode(byteCounts, into: &writer, scratch: scratch)
    writer.append(blocks.bytes)
  }

  init(_ reader: inout ByteReader, count: Int, verifying: Bool) throws(BytesError) {
    self.count = count
    isVerifying = verifying
    guard count > 0 else {
      lengths = nil
      rowEnds = []
      byteEnds = []
      blocks = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let lengths = try reader.readIntegerColumn(verifying: verifying)
    self.lengths = lengths
    let isUniform = try reader.readUInt8()
    let ends = try reader.readIntegerColumn(verifying: verifying)
    let byteCounts = try reader.readIntegerColumn(verifying: verifying)
    let uniformCount = (count + Self.blockRowCount - 1) / Self.blockRowCount
    guard lengths.count == count, isUniform <= 1, ends.count == (isUniform == 1 ? 0 : byteCounts.count),
      byteCounts.count <= count, byteCounts.count >= uniformCount, isUniform == 0 || byteCounts.count == uniformCount
    else { throw BytesError(offset: reader.offset, reason: "the parts of a raw text column disagree about its count") }
    var rowEnds: [Int] = []
    for end in try ends.decodeAll() {
      guard end > UInt64(rowEnds.last ?? 0), end <= UInt64(count),
        Int(end) - (rowEnds.last ?? 0) <= Self.blockRowCount
      else { throw BytesError(offset: reader.offset, reason: "the blocks of a raw text column are out of order") }
      rowEnds.append(Int(end))
    }
    guard isUniform == 1 || rowEnds.last ?? 0 == count else {
      throw BytesError(offset: reader.offset, reason: "the blocks of a raw text column do not hold all of its strings")
    }
    self.rowEnds = rowEnds
    var byteEnds: [Int] = []
    byteEnds.reserveCapacity(byteCounts.count)
    var end = 0
    let limit = reader.remaining
    for byteCount in try byteCounts.decodeAll() {
      guard byteCount <= UInt64(limit), end + Int(byteCount) + TextBlock.checksumByteCount <= limit else {
        throw BytesError(offset: reader.offset, reason: "the blocks of a raw text column reach beyond it")
      }
      end += Int(byteCount) + TextBlock.checksumByteCount
      byteEnds.append(end)
    }
    self.byteEnds = byteEnds
    blocks = try reader.readBytes(end)
  }

  private func rows(ofBlock block: Int) -> Range<Int> {
    if rowEnds.isEmpty {
      let first = block * Self.blockRowCount
      return first..<min(first + Self.blockRowCount, count)
    }
    return (block == 0 ? 0 : rowEnds[block - 1])..<rowEnds[block]
  }

  /// The rows of the block that holds a row below the count.
  func rowsOfBlock(with row: Int) -> Range<Int> { rows(ofBlock: block(ofRow: row)) }

  private func block(ofRow row: Int) -> Int {
    guard !rowEnds.isEmpty else { return row / Self.blockRowCount }
    var lower = 0
    var upper = rowEnds.count - 1
    while lower < upper {
      let middle = (lower + upper) / 2
      if rowEnds[middle] <= row { lower = middle + 1 } else { upper = middle }
    }
    return lower
  }

  /// Hands the block's text and the end of each of its strings to `body`.
  private func withBlock<Result>(
    _ block: Int, scratch: ColumnScratch,
    _ body: (UnsafeRawBufferPointer, UnsafeMutableBufferPointer<UInt64>) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    guard let lengths else { throw BytesError(offset: 0, reason: "an empty text column has no blocks") }
    let rows = rows(ofBlock: block)
    return try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.blockRowCount) {
      ends throws(BytesError) in
      try lengths.decode(rows: rows, into: ends)
      var end: UInt64 = 0
      var index = 0
      while index < rows.count {
        guard ends[index] <= UInt64(TextBlock.maximumTextByteCount) else {
          throw BytesError(offset: 0, reason: "a raw text column announces a string of \(ends[index]) bytes")
        }
        end &+= ends[index]
        ends[index] = end
        index &+= 1
      }
      let start = block == 0 ? 0 : byteEnds[block - 1]
      let stored = UnsafeRawBufferPointer(rebasing: blocks[start..<byteEnds[block]])
      return try TextBlock.withText(of: stored, byteCount: Int(end), verifying: isVerifying, scratch: scratch) {
        text throws(BytesError) in try body(text, ends)
      }
    }
  }

  /// The byte counts of strings, without reading them. What a string cannot have counts as the most that it can.
  func byteCounts(_ rows: [Int]) throws(BytesError) -> [Int] {
    try lengths?.gather(rows).map { min(Int(clamping: $0), TextBlock.maximumTextByteCount) } ?? []
  }

  /// String `index` of a block.
  @inline(__always)
  private static func slice(
    _ text: UnsafeRawBufferPointer, _ ends: UnsafeMutableBufferPointer<UInt64>, _ index: Int
  ) -> UnsafeRawBufferPointer {
    let start = index == 0 ? 0 : Int(ends[index &- 1])
    return UnsafeRawBufferPointer(rebasing: text[start..<Int(ends[index])])
  }

  func withValue<Result>(
    at row: Int, scratch: ColumnScratch, _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    let block = block(ofRow: row)
    return try withBlock(block, scratch: scratch) { text, ends throws(BytesError) in
      try body(Self.slice(text, ends, row - rows(ofBlock: block).lowerBound))
    }
  }

  func forEach(
    scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    for block in byteEnds.indices {
      let rows = rows(ofBlock: block)
      try withBlock(block, scratch: scratch) { text, ends throws(BytesError) in
        for row in rows { try body(row, Self.slice(text, ends, row - rows.lowerBound)) }
      }
    }
  }

  func gather(
    _ rows: [Int], scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    var place = 0
    while place < rows.count {
      let block = block(ofRow: rows[place])
      let blockRows = self.rows(ofBlock: block)
      try withBlock(block, scratch: scratch) { text, ends throws(BytesError) in
        while place < rows.count, blockRows.contains(rows[place]) {
          try body(place, Self.slice(text, ends, rows[place] - blockRows.lowerBound))
          place += 1
        }
      }
    }
  }

  func rows(equalTo needle: UnsafeRawBufferPointer, scratch: ColumnScratch) throws(BytesError) -> [Int] {
    guard let lengths else { return [] }
    var candidates: [Int] = []
    try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: IntegerPage.maximumCount) {
      buffer throws(BytesError) in
      for page in 0..<lengths.pageCount {
        let first = page * IntegerPage.maximumCount
        let found = try lengths.decodePage(page, into: buffer)
        for index in 0..<found where buffer[index] == UInt64(needle.count) { candidates.append(first + index) }
      }
    }
    var result: [Int] = []
    try gather(candidates, scratch: scratch) { place, text throws(BytesError) in
      if text.hasEqualBytes(needle) { result.append(candidates[place]) }
    }
    return result
  }

  func describe() -> [String] {
    ["\(byteEnds.count) blocks, \(blocks.count) bytes", "lengths:"] + (lengths?.describe() ?? [])
  }
}

extension ByteReader {
  /// The column at the cursor, which moves behind it.
  mutating func readIntegerColumn(verifying: Bool) throws(BytesError) -> IntegerColumn {
    var rest = self
    let column = try IntegerColumn(try rest.readBytes(rest.remaining), verifying: verifying)
    try skip(column.byteCount)
    return column
  }

  /// The list at the cursor, which moves behind it.
  mutating func readTextList(verifying: Bool) throws(BytesError) -> SortedTextList {
    var rest = self
    let list = try SortedTextList(try rest.readBytes(rest.remaining), verifying: verifying)
    try skip(list.byteCount)
    return list
  }
}

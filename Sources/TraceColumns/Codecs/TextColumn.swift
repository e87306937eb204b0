package import TraceBytes

/// How the strings of a column are written. The raw value is the byte on disk.
package enum TextEncoding: UInt8, CaseIterable, Sendable {
  case raw = 0
  case dictionary = 1
  case template = 2

  package var name: String {
    switch self {
    case .raw: "raw"
    case .dictionary: "dictionary"
    case .template: "template"
    }
  }
}

/// Any number of byte strings, each of at most 64 MiB, in the encoding that takes the least.
///
/// Encoding u8, count varint, crc32c of both; then what the encoding writes. The view borrows its bytes and is
/// immutable; the scratch belongs to the calling worker.
package struct TextColumn: @unchecked Sendable {
  /// The most strings in a column.
  package static let maximumCount = IntegerColumn.maximumCount
  /// The longest string.
  package static let maximumTextByteCount = TextBlock.maximumTextByteCount

  package let encoding: TextEncoding
  /// How many strings the column holds.
  package let count: Int
  /// How many bytes the column takes; the next thing may follow there.
  package let byteCount: Int
  private let content: Content

  private enum Content {
    case raw(RawText)
    case dictionary(DictionaryText)
    case template(TemplateText)
  }

  /// Opens the column at the start of `bytes`, which may go on after it. Blocks are verified when they are read.
  ///
  /// - Parameter verifying: whether to compare checksums; a caller that has verified these bytes before may say no.
  package init(
    _ bytes: UnsafeRawBufferPointer, verifying: Bool = true, scratch: ColumnScratch
  ) throws(BytesError) {
    var reader = ByteReader(bytes)
    let (encoding, count) = try Self.readHead(&reader, verifying: verifying)
    self.count = count
    self.encoding = encoding
    switch encoding {
    case .raw: content = .raw(try RawText(&reader, count: count, verifying: verifying))
    case .dictionary: content = .dictionary(try DictionaryText(&reader, count: count, verifying: verifying))
    case .template:
      content = .template(try TemplateText(&reader, count: count, verifying: verifying, scratch: scratch))
    }
    byteCount = reader.offset
  }

  /// Reads what every text column opens with.
  static func readHead(
    _ reader: inout ByteReader, verifying: Bool
  ) throws(BytesError) -> (encoding: TextEncoding, count: Int) {
    var rest = reader
    let bytes = try rest.readBytes(rest.remaining)
    let start = reader.offset
    let code = try reader.readUInt8()
    let count = try reader.readCount(limit: maximumCount)
    let checkedByteCount = reader.offset - start
    let checksum = try reader.readUInt32()
    if verifying {
      guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<checkedByteCount])) == checksum else {
        throw BytesError(offset: start, reason: "the head of a text column does not match its checksum")
      }
    }
    guard let encoding = TextEncoding(rawValue: code) else {
      throw BytesError(offset: start, reason: "the text encoding \(code) is unknown")
    }
    return (encoding, count)
  }

  /// Hands string `row` to `body`, borrowed for the call. `row` must be below `count`. Cost: one block.
  package func withValue<Result>(
    at row: Int, scratch: ColumnScratch, _ body: (UnsafeRawBufferPointer) throws(BytesError) -> Result
  ) throws(BytesError) -> Result {
    precondition(row >= 0 && row < count, "a row outside of its column")
    switch content {
    case .raw(let raw): return try raw.withValue(at: row, scratch: scratch, body)
    case .dictionary(let dictionary): return try dictionary.withValue(at: row, scratch: scratch, body)
    case .template(let template): return try template.withValue(at: row, scratch: scratch, body)
    }
  }

  /// A copy of string `row`.
  package func value(at row: Int, scratch: ColumnScratch) throws(BytesError) -> [UInt8] {
    try withValue(at: row, scratch: scratch) { $0.array }
  }

  /// Hands every string to `body` with its row, ascending.
  package func forEach(
    scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    switch content {
    case .raw(let raw): try raw.forEach(scratch: scratch, body)
    case .dictionary(let dictionary): try dictionary.forEach(scratch: scratch, body)
    case .template(let template): try template.forEach(scratch: scratch, body)
    }
  }

  /// Hands the strings of `rows`, which ascend, to `body` with their place in `rows`. Opens each block once.
  package func gather(
    _ rows: [Int], scratch: ColumnScratch, _ body: (Int, UnsafeRawBufferPointer) throws(BytesError) -> Void
  ) throws(BytesError) {
    precondition(rows.allSatisfy { $0 >= 0 && $0 < count }, "rows outside of their column")
    switch content {
    case .raw(let raw): try raw.gather(rows, scratch: scratch, body)
    case .dictionary(let dictionary): try dictionary.gather(rows, scratch: scratch, body)
    case .template(let template): try template.gather(rows, scratch: scratch, body)
    }
  }

  /// The distinct strings, where rows have numbers of them; see `dictionaryCodes(_:)`.
  package var dictionary: SortedTextList? {
    if case .dictionary(let dictionary) = content { return dictionary.list }
    return nil
  }

  /// Which string of the dictionary each of ascending rows has; none where there is no dictionary.
  package func dictionaryCodes(_ rows: [Int]) throws(BytesError) -> [Int] {
    precondition(rows.allSatisfy { $0 >= 0 && $0 < count }, "rows outside of their column")
    guard case .dictionary(let dictionary) = content else { return [] }
    return try dictionary.codes(rows)
  }

  /// The rows whose strings are inflated with that of a row, at least this one.
  package func rowsInflated(with row: Int) -> Range<Int> {
    precondition(row >= 0 && row < count, "a row outside of its column")
    if case .raw(let raw) = content { return raw.rowsOfBlock(with: row) }
    return row..<(row + 1)
  }

  /// The byte counts of strings, about and without reading them. Those that are stored in other ways than as they are
  /// count as what they take on average: they are short, or repeated.
  package func estimatedByteCounts(_ rows: [Int]) throws(BytesError) -> [Int] {
    if case .raw(let raw) = content { return try raw.byteCounts(rows) }
    return [Int](repeating: byteCount / max(1, count), count: rows.count)
  }

  /// The rows whose string is `text`, ascending. A dictionary compares codes, a template compares slots, raw text is
  /// only inflated where a length agrees.
  package func rows(equalTo text: UnsafeRawBufferPointer, scratch: ColumnScratch) throws(BytesError) -> [Int] {
    switch content {
    case .raw(let raw): try raw.rows(equalTo: text, scratch: scratch)
    case .dictionary(let dictionary): try dictionary.rows(equalTo: text, scratch: scratch)
    case .template(let template): try template.rows(equalTo: text, scratch: scratch)
    }
  }

  package func rows(equalTo text: [UInt8], scratch: ColumnScratch) throws(BytesError) -> [Int] {
    try text.withRawBytes { text throws(BytesError) in try rows(equalTo: text, scratch: scratch) }
  }

  /// Lines for people.
  package func describe() -> [String] {
    let head = "text (\(encoding.name)): \(count) strings, \(byteCount) bytes"
    switch content {
    case .raw(let raw): return [head] + raw.describe()
    case .dictionary(let dictionary): return [head] + dictionary.describe()
    case .template(let template): return [head] + template.describe()
    }
  }
}

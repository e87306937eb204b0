import TraceBytes
import TraceColumns

extension TextColumn {
  /// As `withValue`, for a body that throws errors of this room.
  func reading<Result>(
    at row: Int, _ scratch: ReadScratch, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    try withValue(at: row, scratch: scratch.columns) { bytes in Swift.Result { try body(bytes) } }.get()
  }

  /// As `forEach`, for a body that throws errors of this room.
  func readingAll(_ scratch: ReadScratch, _ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    var failure: (any Error)?
    try forEach(scratch: scratch.columns) { row, bytes in
      guard failure == nil else { return }
      do { try body(row, bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// The same for a range of rows; blocks without one of them are not looked at.
  func reading(
    _ rows: Range<Int>, _ scratch: ReadScratch, _ body: (Int, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if rows == 0..<count { return try readingAll(scratch, body) }
    try reading(Array(rows), scratch) { place, bytes in try body(rows.lowerBound + place, bytes) }
  }

  /// As `gather`, for a body that throws errors of this room.
  func reading(_ rows: [Int], _ scratch: ReadScratch, _ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    var failure: (any Error)?
    try gather(rows, scratch: scratch.columns) { place, bytes in
      guard failure == nil else { return }
      do { try body(place, bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

extension TextArena {
  /// The strings of a list, in memory.
  convenience init(decoding bytes: UnsafeRawBufferPointer, isVerifying: Bool, _ scratch: ReadScratch) throws {
    try self.init(try SortedTextList(bytes, verifying: isVerifying), maximumByteCount: Int(UInt32.max), scratch)
  }

  /// The same for strings of at most so many bytes, which has to be below 4 GiB.
  convenience init(_ list: SortedTextList, maximumByteCount: Int, _ scratch: ReadScratch) throws {
    var texts: [UInt8] = []
    var ends: [UInt32] = []
    texts.reserveCapacity(min(list.estimatedTextByteCount, maximumByteCount))
    ends.reserveCapacity(min(list.count, list.byteCount))
    var previous = 0..<0
    try list.forEach(scratch: scratch.columns) { index, text throws(BytesError) in
      guard texts.count + text.count <= maximumByteCount else {
        throw BytesError(offset: 0, reason: "the strings of a list exceed \(maximumByteCount) bytes")
      }
      let start = texts.count
      texts.append(contentsOf: text)
      let isAscending =
        index == 0
        || texts.withUnsafeBytes { all in
          TextOrder.precedes(
            UnsafeRawBufferPointer(rebasing: all[previous]), UnsafeRawBufferPointer(rebasing: all[start...]))
        }
      guard isAscending else { throw BytesError(offset: 0, reason: "the strings of a list do not ascend") }
      previous = start..<texts.count
      ends.append(UInt32(texts.count))
    }
    self.init(bytes: texts, ends: ends)
  }
}

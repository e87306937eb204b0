import TraceBytes
import TraceColumns
import TraceModel

/// An integer column of a stripe. One that was left out of the file reads as zeros.
final class IntegerChunk: StripePart, @unchecked Sendable {
  private let column: IntegerColumn?
  /// Keeps the memory of the column.
  private let owner: SegmentBuffer
  let place: ChunkPlace
  /// The pages that were asked for single values.
  private let opened: OnceTable
  private let tally: ByteTally
  let count: Int

  init(
    _ column: IntegerColumn?, count: Int, owner: SegmentBuffer, place: ChunkPlace, tally: ByteTally
  ) throws {
    if let column, column.count != count {
      throw place.damage("\(count) values are due and \(column.count) are there")
    }
    self.column = column
    self.count = count
    self.owner = owner
    self.place = place
    self.tally = tally
    opened = OnceTable(count: column?.pageCount ?? 0)
  }

  var residentByteCount: Int { 128 + opened.byteCount }

  func value(at index: Int) throws -> UInt64 {
    guard opened.count > 0 else { return 0 }
    let (page, offset) = (index / IntegerPage.maximumCount, index % IntegerPage.maximumCount)
    do {
      if let value = try opened.withObject(at: page, as: OpenPage.self, { try $0.value(at: offset) }) { return value }
      return try open(page).value(at: offset)
    } catch { throw place.named(error) }
  }

  @inline(never)
  private func open(_ index: Int) throws -> OpenPage {
    guard let column else { throw place.damage("page \(index) is asked for") }
    let page = try OpenPage(try column.page(at: index))
    if opened.put(page, at: index) { tally.add(page.residentByteCount) }
    return page
  }

  /// Calls `body` with pages of values that cover `range`: the index of the first value, and the values. Pages without a
  /// row of `neededRows` are not decoded.
  func forEachPage(
    in range: Range<Int>, _ scratch: ReadScratch, neededRows: RowMask? = nil,
    _ body: (_ first: Int, UnsafeBufferPointer<UInt64>) throws -> Void
  ) throws {
    guard !range.isEmpty else { return }
    let pageCount = ReadScratch.pageValueCount
    if column == nil { scratch.page.update(repeating: 0) }
    var page = range.lowerBound / pageCount
    while page * pageCount < range.upperBound {
      let first = page * pageCount
      let end = min(count, first + pageCount)
      let wanted = max(first, range.lowerBound)..<min(end, range.upperBound)
      if neededRows?.hasSet(in: wanted) ?? true {
        if let column {
          _ = try place.naming { try column.decodePage(page, into: scratch.page) }
        }
        try body(
          wanted.lowerBound,
          UnsafeBufferPointer(rebasing: scratch.page[(wanted.lowerBound - first)..<(wanted.upperBound - first)]))
      }
      page += 1
    }
  }

  /// All values, each of which must be at most `maximum`.
  func decodeCodes(maximum: UInt64, _ scratch: ReadScratch) throws -> [UInt32] {
    let maximum = min(maximum, UInt64(UInt32.max))
    return try [UInt32](unsafeUninitializedCapacity: count) { codes, initializedCount in
      try forEachPage(in: 0..<count, scratch) { first, values in
        var greatest: UInt64 = 0
        for index in 0..<values.count {
          greatest = max(greatest, values[index])
          codes[first &+ index] = UInt32(truncatingIfNeeded: values[index])
        }
        initializedCount = first + values.count
        guard greatest <= maximum else {
          throw place.damage("a value is \(greatest) where \(maximum) is the greatest")
        }
      }
    }
  }

  func decodeAll() throws -> [UInt64] {
    guard let column else { return [UInt64](repeating: 0, count: count) }
    return try place.naming { try column.decodeAll() }
  }

  /// The values of ascending rows inside the column.
  func gather(_ rows: [Int]) throws -> [UInt64] {
    guard let column else { return [UInt64](repeating: 0, count: rows.count) }
    // A few rows of each page are likely asked for again; many are cheaper decoded and forgotten.
    if rows.count > 16 * column.pageCount { return try place.naming { try column.gather(rows) } }
    return try rows.map { try value(at: $0) }
  }

  /// For each element, the sum of the values before it, then the total, which must be `total`.
  func decodeOffsets(total: Int, _ scratch: ReadScratch) throws -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(count + 1)
    var sum: UInt64 = 0
    try forEachPage(in: 0..<count, scratch) { _, values in
      for value in values {
        result.append(UInt32(truncatingIfNeeded: sum))
        guard value <= UInt64(total) - sum else { throw place.damage("its values exceed their total of \(total)") }
        sum += value
      }
    }
    guard sum == UInt64(total) else { throw place.damage("its values are \(sum) together, not \(total)") }
    result.append(UInt32(truncatingIfNeeded: sum))
    return result
  }
}

/// Where a chunk stands, for errors.
struct ChunkPlace: Sendable {
  var path: String
  /// What the chunk is called.
  var name: String
  /// The offset of its first byte in the file.
  var fileOffset: UInt64

  /// The error for bytes that passed their checksum and mean nothing, or did not pass it.
  func damage(_ reason: String, cause: (any Error)? = nil) -> TracestoreError {
    TracestoreError(
      .corrupt, "the segment's \(name) is damaged: \(reason); run verify", path: path, offset: fileOffset, cause: cause)
  }

  /// Runs `body` and turns the errors of codecs into `corrupt` with this place.
  @inline(__always)
  func naming<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw named(error) }
  }

  /// The error with this place, unless it has one.
  @inline(never)
  func named(_ error: any Error) -> TracestoreError {
    switch error {
    case let error as TracestoreError where error.path != nil: return error
    case let error as BytesError:
      var failure = damage(error.reason)
      failure.offset = fileOffset &+ UInt64(clamping: error.offset)
      return failure
    case let error as CompressionError: return damage(error.reason)
    default: return damage("\(error)", cause: error)
    }
  }
}

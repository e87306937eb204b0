import Synchronization
import TraceBytes
import TraceColumns
import TraceModel

/// An integer column of a stripe. One that was left out of the file reads as zeros.
final class IntegerChunk: StripePart, @unchecked Sendable {
  private enum Source {
    case zeros
    case memory(IntegerColumn)
    case file(PagedColumn)
  }

  private let source: Source
  /// Keeps the memory of the column.
  private let owner: SegmentBuffer?
  let place: ChunkPlace
  /// The pages that were asked for single values again and again.
  private let opened: OnceTable
  /// How often each page was asked for a value, in two bits; pages take turns where there are more than places. Races
  /// may miscount, which only moves the time when a page is opened.
  private let askCounts = Atomic<UInt64>(0)
  private let tally: ByteTally
  let count: Int

  init(
    _ column: IntegerColumn?, count: Int, owner: SegmentBuffer?, place: ChunkPlace, tally: ByteTally
  ) throws {
    if let column, column.count != count {
      throw place.damage("\(count) values are due and \(column.count) are there")
    }
    source = column.map(Source.memory) ?? .zeros
    self.count = count
    self.owner = owner
    self.place = place
    self.tally = tally
    opened = OnceTable(count: column?.pageCount ?? 0)
  }

  init(_ column: PagedColumn, count: Int, place: ChunkPlace, tally: ByteTally) {
    source = .file(column)
    self.count = count
    owner = nil
    self.place = place
    self.tally = tally
    opened = OnceTable(count: IntegerPage.count(of: count))
  }

  var residentByteCount: Int {
    let pages = if case .file(let column) = source { column.residentByteCount } else { 0 }
    return 128 + opened.byteCount + pages
  }

  /// Whether pages are read when they are asked for; then the count is the one that the reader expects.
  var isPaged: Bool { if case .file = source { true } else { false } }

  /// Nil for zeros. Reads the column if it is not there.
  private func column() throws -> IntegerColumn? {
    switch source {
    case .zeros: nil
    case .memory(let column): column
    case .file(let pages): try pages.column()
    }
  }

  /// - Parameter isKeeping: whether a page that takes long for one value is opened at once.
  func value(at index: Int, isKeeping: Bool = false) throws -> UInt64 {
    guard opened.count > 0 else { return 0 }
    let (page, offset) = (index / IntegerPage.maximumCount, index % IntegerPage.maximumCount)
    do {
      if let value = try opened.withObject(at: page, as: OpenPage.self, { try $0.value(at: offset) }) { return value }
      return try value(at: offset, ofClosed: page, isKeeping: isKeeping)
    } catch { throw place.named(error) }
  }

  /// What is asked for once or twice is not worth keeping: a search wants a value or two of the pages that it touches.
  @inline(never)
  private func value(at offset: Int, ofClosed index: Int, isKeeping: Bool) throws -> UInt64 {
    let shift = UInt64(2 &* (index & 31))
    guard askCounts.load(ordering: .relaxed) &>> shift & 3 < 3 else { return try open(index).value(at: offset) }
    askCounts.add(1 &<< shift, ordering: .relaxed)
    let page = try page(index)
    return try isKeeping && page.isCostlyForOne ? open(index).value(at: offset) : page.value(at: offset)
  }

  private func page(_ index: Int) throws -> IntegerPage {
    switch source {
    case .zeros: throw place.damage("page \(index) is asked for")
    case .memory(let column): try column.page(at: index)
    case .file(let pages): try pages.page(at: index)
    }
  }

  @inline(never)
  private func open(_ index: Int) throws -> OpenPage {
    let page = try OpenPage(try page(index))
    if opened.put(page, at: index) { tally.add(page.residentByteCount) }
    return page
  }

  /// Says how many pages will be asked for one after the other, so that many of them are read at once.
  func expect(pageCount: Int) throws {
    if case .file(let column) = source { _ = try column.column(forPages: pageCount) }
  }

  /// How many pages some rows stand in.
  private func pageCount(of rows: [Int]) -> Int {
    var (count, last) = (0, -1)
    for row in rows where row / IntegerPage.maximumCount != last {
      count += 1
      last = row / IntegerPage.maximumCount
    }
    return count
  }

  /// Decodes a page into the front of `output`, which has room for the values of any.
  func decodePage(_ page: Int, into output: UnsafeMutableBufferPointer<UInt64>) throws {
    guard opened.count > 0 else { return output.update(repeating: 0) }
    try place.naming { try self.page(page).decode(into: output) }
  }

  /// Calls `body` with pages of values that cover `range`: the index of the first value, and the values. Pages without a
  /// row of `neededRows`, or certainly without one of `values`, are left out.
  func forEachPage(
    in range: Range<Int>, _ scratch: ReadScratch, neededRows: RowMask? = nil, holding values: WordRanges? = nil,
    _ body: (_ first: Int, UnsafeBufferPointer<UInt64>) throws -> Void
  ) throws {
    guard !range.isEmpty else { return }
    let pageCount = ReadScratch.pageValueCount
    func rows(ofPage page: Int) -> Range<Int> {
      max(page * pageCount, range.lowerBound)..<min((page + 1) * pageCount, range.upperBound)
    }
    let pages = range.lowerBound / pageCount..<IntegerPage.count(of: range.upperBound)
    func isNeeded(_ page: Int) -> Bool { neededRows?.hasSet(in: rows(ofPage: page)) ?? true }
    if isPaged { try expect(pageCount: pages.count(where: isNeeded)) }
    for page in pages where isNeeded(page) {
      if opened.count > 0 {
        let isHeld = try place.naming {
          let page = try self.page(page)
          guard values.map(page.mayHold) ?? true else { return false }
          try page.decode(into: scratch.page)
          return true
        }
        if !isHeld { continue }
      } else {
        scratch.page.update(repeating: 0)
      }
      let wanted = rows(ofPage: page)
      let first = page * pageCount
      try body(
        wanted.lowerBound,
        UnsafeBufferPointer(rebasing: scratch.page[(wanted.lowerBound - first)..<(wanted.upperBound - first)]))
    }
  }

  /// All values, each of which must be at most `maximum`.
  func decodeCodes(maximum: UInt64, _ scratch: ReadScratch) throws -> [UInt32] {
    try decode(maximum: maximum, scratch)
  }

  /// All values, each of which must be at most `maximum` and fit the type.
  func decode<Code: FixedWidthInteger & UnsignedInteger>(
    maximum: UInt64, _ scratch: ReadScratch
  ) throws -> [Code] {
    let maximum = min(maximum, UInt64(Code.max))
    return try [Code](unsafeUninitializedCapacity: count) { codes, initializedCount in
      try forEachPage(in: 0..<count, scratch) { first, values in
        // No bit above those of the maximum mostly means that no value is above it.
        var bits: UInt64 = 0
        var index = 0
        while index < values.count {
          bits |= values[index]
          codes[first &+ index] = Code(truncatingIfNeeded: values[index])
          index &+= 1
        }
        initializedCount = first + values.count
        if bits > maximum, let greatest = values.max(), greatest > maximum {
          throw place.damage("a value is \(greatest) where \(maximum) is the greatest")
        }
      }
    }
  }

  func decodeAll() throws -> [UInt64] {
    guard let column = try column() else { return [UInt64](repeating: 0, count: count) }
    return try place.naming { try column.decodeAll() }
  }

  /// The values of ascending rows inside the column.
  ///
  /// - Parameter isKeeping: see `value(at:isKeeping:)`. Where one trace is read others are, and their rows stand all over
  ///   the pages.
  func gather(_ rows: [Int], isKeeping: Bool = false) throws -> [UInt64] {
    guard opened.count > 0 else { return [UInt64](repeating: 0, count: rows.count) }
    // A few rows of each page are likely asked for again; many are cheaper decoded and forgotten.
    if rows.count > 16 * opened.count, let column = try column() {
      return try place.naming { try column.gather(rows) }
    }
    if isPaged { try expect(pageCount: pageCount(of: rows)) }
    return try rows.map { try value(at: $0, isKeeping: isKeeping) }
  }

  /// For each element, the sum of the values before it, then the total, which must be `total`.
  func decodeOffsets(total: Int, _ scratch: ReadScratch) throws -> [UInt32] {
    var sum: UInt64 = 0
    var result = try [UInt32](unsafeUninitializedCapacity: count + 1) { offsets, initializedCount in
      try forEachPage(in: 0..<count, scratch) { first, values in
        var greatest: UInt64 = 0
        var index = 0
        while index < values.count {
          offsets[first &+ index] = UInt32(truncatingIfNeeded: sum)
          sum = sum &+ values[index]
          greatest = max(greatest, values[index])
          index &+= 1
        }
        initializedCount = first + values.count
        // A page of values that are no greater than the total, which is below 2^29, adds less than 2^40.
        guard greatest <= UInt64(total), sum <= UInt64(total) else {
          throw place.damage("its values exceed their total of \(total)")
        }
      }
    }
    guard sum == UInt64(total) else { throw place.damage("its values are \(sum) together, not \(total)") }
    result.append(UInt32(truncatingIfNeeded: sum))
    return result
  }

  /// For each page, the sum of the values before it; they must be at most `total` together.
  func pageOffsets(total: Int) throws -> [UInt32] {
    var offsets: [UInt32] = []
    var sum: UInt64 = 0
    try expect(pageCount: opened.count)
    for index in 0..<max(1, opened.count) {
      offsets.append(UInt32(truncatingIfNeeded: sum))
      guard opened.count > 0 else { continue }
      let (next, overflow) = sum.addingReportingOverflow(
        try place.naming { () throws -> UInt64 in
          let page = try page(index)
          return try page.sum(ofFirst: page.count)
        })
      guard !overflow, next <= UInt64(total) else { throw place.damage("its values exceed their total of \(total)") }
      sum = next
    }
    return offsets
  }

  /// The sum of the values that stand before one in its page, modulo 2^64.
  func sumInPage(before index: Int) throws -> UInt64 {
    guard opened.count > 0 else { return 0 }
    return try place.naming {
      try page(index / IntegerPage.maximumCount).sum(ofFirst: index % IntegerPage.maximumCount)
    }
  }
}

import Testing
import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel

@testable import TraceSegment

/// Columns that are read page by page.
@Suite struct PagedColumnTests {
  /// A column in a file, behind some bytes of a stripe and before others.
  private struct Fixture {
    let files = CountingFileSystem(SimulatedFileSystem(isDurabilityTracked: false))
    let values: [UInt64]
    let range: Range<Int>
    let checksum: UInt32
    let byteCount: Int
    /// What the file holds, before `change`.
    let bytes: [UInt8]

    init(_ values: [UInt64], change: (inout [UInt8], Range<Int>) -> Void = { _, _ in }) throws {
      self.values = values
      var writer = ByteWriter()
      for _ in 0..<100 { writer.append(7 as UInt8) }
      IntegerColumn.encode(values, into: &writer, scratch: ColumnScratch())
      range = 100..<writer.count
      for _ in 0..<50 { writer.append(9 as UInt8) }
      bytes = writer.bytes
      byteCount = bytes.count
      checksum = CRC32C.mixedChecksum(Array(bytes[range]))
      var changed = bytes
      change(&changed, range)
      let file = try files.open("stripe", .create)
      try changed.withUnsafeBytes { try file.append($0) }
      file.close()
      files.reset()
    }

    func stripe() throws -> StripeBytes {
      try StripeBytes(
        file: try files.open("stripe", .read), path: "stripe", at: 0, byteCount: byteCount, checksum: .mixed,
        frontByteCount: 64)
    }

    func chunk(_ stripe: StripeBytes) -> IntegerChunk {
      let place = ChunkPlace(path: "stripe", subject: .stripe(0), fileOffset: 100)
      let column = PagedColumn(stripe, range, checksum: checksum, count: values.count, place: place)
      return IntegerChunk(column, count: values.count, place: place, tally: stripe.tally)
    }

    func chunk() throws -> IntegerChunk { chunk(try stripe()) }

    func reads(_ body: () throws -> Void) rethrows -> FileCounts {
      files.reset()
      try body()
      return files.snapshot().total()
    }
  }

  /// Pages of every encoding that a writer chooses.
  private static func values(_ count: Int, _ random: inout SeededRandom) -> [UInt64] {
    var values: [UInt64] = []
    while values.count < count {
      let (kind, base) = (random.below(5), random.next() >> 20)
      for index in 0..<IntegerPage.maximumCount {
        switch kind {
        case 0: values.append(base)
        case 1: values.append(random.next() >> 40)
        case 2: values.append(base &+ UInt64(index) * 1000 &+ UInt64(random.below(900)))
        case 3: values.append(random.chance(2) ? random.next() : UInt64(random.below(3)))
        default: values.append([3, 500, 70_000][random.below(3)])
        }
      }
    }
    return Array(values[..<count])
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `whatever is asked in whatever order, values are those that were written`(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let count = IntegerPage.maximumCount + 1 + random.below(20 * IntegerPage.maximumCount)
    let fixture = try Fixture(Self.values(count, &random))
    let values = fixture.values
    let scratch = ReadScratch()
    let chunk = try fixture.chunk()
    for _ in 0..<40 {
      switch random.below(5) {
      case 0:
        let index = random.below(count)
        #expect(try chunk.value(at: index) == values[index], "seed \(seed)")
      case 1:
        let rows = (0..<(1 + random.below(60))).map { _ in random.below(count) }.sorted()
        #expect(try chunk.gather(rows) == rows.map { values[$0] }, "seed \(seed)")
      case 2:
        let first = random.below(count)
        let rows = first..<min(count, first + 1 + random.below(3 * IntegerPage.maximumCount))
        var mask = RowMask(count: count)
        for row in rows where random.below(500) == 0 { mask.set(row) }
        var seen: [Int: UInt64] = [:]
        try chunk.forEachPage(in: rows, scratch, neededRows: mask) { first, values in
          for (place, value) in values.enumerated() { seen[first + place] = value }
        }
        let isRight = seen.allSatisfy { rows.contains($0.key) && values[$0.key] == $0.value }
        #expect(isRight && mask.rows.allSatisfy { seen[$0] != nil }, "seed \(seed)")
      case 3:
        let page = random.below(IntegerPage.count(of: count))
        let rows = (page * IntegerPage.maximumCount)..<min(count, (page + 1) * IntegerPage.maximumCount)
        try chunk.decodePage(page, into: scratch.page)
        #expect(Array(scratch.page[..<rows.count]) == Array(values[rows]), "seed \(seed)")
      default:
        if random.chance(20) { #expect(try chunk.decodeAll() == values, "seed \(seed)") }
      }
    }
  }

  @Test func `a value costs its page, and a column of which much is asked for is read whole`() throws {
    var random = SeededRandom(seed: 21)
    let fixture = try Fixture((0..<32 * 1024).map { _ in random.next() >> 20 })
    let stripe = try fixture.stripe()
    let chunk = fixture.chunk(stripe)
    let first = try fixture.reads { _ = try chunk.value(at: 5000) }
    #expect(first.readCount == 2 && first.readByteCount < UInt64(fixture.range.count) / 16)
    #expect(stripe.tally.byteCount >= Int(first.readByteCount))
    #expect(try fixture.reads { _ = try chunk.value(at: 5001) }.readCount == 0)
    #expect(try fixture.reads { _ = try chunk.value(at: 9000) }.readCount == 1)
    for page in 10..<16 { #expect(try fixture.reads { _ = try chunk.value(at: page * 1024) }.readCount == 1) }
    // A quarter of the pages is there.
    let whole = try fixture.reads { _ = try chunk.value(at: 20 * 1024) }
    #expect(whole.readCount == 1 && whole.readByteCount == UInt64(fixture.range.count))
    #expect(try fixture.reads { _ = try chunk.decodeAll() }.readCount == 0)
    // Who is after all of it does not read the directory first.
    let fresh = try fixture.chunk()
    #expect(try fixture.reads { _ = try fresh.decodeAll() }.readCount == 1)
    let scratch = ReadScratch()
    let scanned = try fixture.chunk()
    #expect(try fixture.reads { try scanned.forEachPage(in: 0..<32 * 1024, scratch) { _, _ in } }.readCount == 1)
    // What is in memory with the stripe is not read again, by whom it was opened before or after.
    let read = try fixture.stripe()
    let early = fixture.chunk(read)
    _ = try early.value(at: 3)
    try read.readWhole()
    #expect(try fixture.reads { _ = try early.value(at: 30_000) }.readCount == 0)
    #expect(try fixture.reads { _ = try fixture.chunk(read).decodeAll() }.readCount == 0)
    // Nor are rows of many pages read one after the other.
    let spread = try fixture.chunk()
    let rows = (0..<32).map { $0 * 1024 }
    #expect(try fixture.reads { _ = try spread.gather(rows) }.readCount == 1)
  }

  @Test func `damage costs the page that it hit, and is never a wrong value`() throws {
    var random = SeededRandom(seed: 22)
    let values = Self.values(9 * 1024 + 77, &random)
    for _ in 0..<300 {
      var hit = 0
      let fixture = try Fixture(values) { bytes, range in
        hit = range.lowerBound + random.below(range.count)
        bytes[hit] ^= 1 << UInt8(random.below(8))
      }
      let isWhole = random.chance(50)
      let chunk = try fixture.chunk()
      var failureCount = 0
      if isWhole { do { _ = try chunk.decodeAll() } catch { failureCount += 1 } }
      for page in 0..<10 {
        do {
          let value = try chunk.value(at: page * 1024 + 3)
          #expect(value == values[page * 1024 + 3], "byte \(hit)")
        } catch let error as TracestoreError {
          #expect(error.code == .corrupt && error.path == "stripe", "byte \(hit): \(error)")
          failureCount += 1
        }
      }
      // In the directory nothing is known of any page.
      let directory = try fixture.bytes[fixture.range].withUnsafeBytes { try IntegerPageDirectory($0)?.byteCount }
      let isInDirectory = hit < fixture.range.lowerBound + (directory ?? 0)
      let dueCount = (isInDirectory ? 10 : 1) + (isWhole ? 1 : 0)
      #expect(failureCount == dueCount, "byte \(hit)")
    }
  }

  @Test func `a column of another stripe whose pages are well is damage once it is read whole`() throws {
    var random = SeededRandom(seed: 23)
    let values = (0..<4 * 1024).map { _ in random.next() }
    var other = ByteWriter()
    IntegerColumn.encode(values.map { $0 ^ 1 }, into: &other, scratch: ColumnScratch())
    let fixture = try Fixture(values) { bytes, range in
      if other.count == range.count { bytes.replaceSubrange(range, with: other.bytes) }
    }
    try #require(other.count == fixture.range.count)
    let chunk = try fixture.chunk()
    _ = try chunk.value(at: 0)
    let failure = try #require(throws: TracestoreError.self) { _ = try chunk.decodeAll() }
    #expect(failure.code == .corrupt && failure.message.contains("checksum"))
    // Once that is known no page is believed, and nothing is read again.
    let reads = fixture.reads {
      for index in [0, 2000, 4000] { #expect(throws: TracestoreError.self) { try chunk.value(at: index) } }
    }
    #expect(reads.readCount == 0)
  }

  @Test func `a file that ends inside a page is damage`() throws {
    var random = SeededRandom(seed: 24)
    let fixture = try Fixture((0..<8 * 1024).map { _ in random.next() }) { bytes, range in
      bytes.removeLast(bytes.count - range.upperBound + 4000)
    }
    let chunk = try fixture.chunk()
    #expect(try chunk.value(at: 0) == fixture.values[0])
    let failure = try #require(throws: TracestoreError.self) { _ = try chunk.value(at: 8 * 1024 - 1) }
    #expect(failure.code == .corrupt && failure.message.contains("ends after"))
  }

  @Test func `many readers at once get the values that were written`() async throws {
    var random = SeededRandom(seed: 25)
    let fixture = try Fixture(Self.values(30 * 1024, &random))
    let chunk = try fixture.chunk()
    let values = fixture.values
    let wrongCount = try await withThrowingTaskGroup(of: Int.self) { group in
      for reader in 0..<8 as Range<UInt64> {
        group.addTask {
          var random = SeededRandom(seed: reader)
          return try (0..<2000).count { _ in
            let index = random.below(values.count)
            return try chunk.value(at: index) != values[index]
          }
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(wrongCount == 0)
  }
}

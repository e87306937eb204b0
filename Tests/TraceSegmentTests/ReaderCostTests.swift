import Testing
import TraceColumns
import TraceFiles
import TraceModel
import TraceSource

@testable import TraceSegment

/// What a read may cost, counted at the file.
@Suite struct ReaderCostTests {
  @Test func `opening takes two reads`() throws {
    var generator = RecordGenerator(seed: 61)
    let fixture = try SegmentFixture(generator.records(300, traceCount: 30))
    _ = try fixture.open()
    #expect(fixture.files.snapshot().total().readCount == 2)
  }

  @Test func `a trace takes one read of the index and one for each of its stripes`() throws {
    var generator = RecordGenerator(seed: 62)
    let records = generator.records(800, traceCount: 40)
    let fixture = try SegmentFixture(records)
    let segment = try fixture.open()
    // Resident sections are loaded at first use; afterwards the cache holds nothing.
    for located in try segment.rows(of: records[0].span.traceID) { _ = try located.stripe.records(located.rows) }
    for trace in Set(records.map(\.span.traceID)).sorted() {
      let cache = BlockCache(maximumByteCount: 1 << 26)
      let fresh = try fixture.open(cache: cache)
      for located in try fresh.rows(of: records[0].span.traceID) { _ = try located.stripe.records(located.rows) }
      cache.removeBlocks(ofFile: 1)
      fixture.files.reset()
      let found = try fresh.rows(of: trace)
      for located in found { _ = try located.stripe.records(located.rows) }
      #expect(!found.isEmpty)
      #expect(fixture.files.snapshot().total().readCount <= 2 + found.count)
    }
  }

  @Test func `a trace that is not here is answered by the filter`() throws {
    var generator = RecordGenerator(seed: 63)
    let records = generator.records(800, traceCount: 40)
    let fixture = try SegmentFixture(records)
    let segment = try fixture.open()
    _ = try segment.rows(of: records[0].span.traceID)
    fixture.files.reset()
    var answered = 0
    for number in 0..<1000 as Range<UInt64> {
      #expect(try segment.rows(of: TraceID(high: 1 << 40, low: number)).isEmpty)
      if fixture.files.reset().total().readCount == 0 { answered += 1 }
    }
    #expect(answered > 950)
  }

  @Test func `a search reads the columns that it asks for, each once, and records read the rest`() throws {
    var generator = RecordGenerator(seed: 68)
    let records = generator.records(800, traceCount: 40)
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 800))
    let cache = BlockCache(maximumByteCount: 1 << 26, frontByteCount: 0)
    let stripe = try #require(try fixture.open(cache: cache).spanStripes().first)
    // Resident sections are loaded at first use; afterwards the cache holds nothing.
    _ = try stripe.records([0])
    cache.removeBlocks(ofFile: 1)
    func read(_ body: () throws -> Void) throws -> FileCounts {
      fixture.files.reset()
      try body()
      return fixture.files.snapshot().total()
    }
    var mask = RowMask(count: stripe.rowCount, filled: true)
    let middle = stripe.bounds.minimumDuration / 2 + stripe.bounds.maximumDuration / 2
    let searched = try read { try stripe.filter(&mask, by: .duration(middle...UInt64.max)) }
    #expect(!mask.isEmpty && mask.setCount < stripe.rowCount)
    #expect(searched.readByteCount < stripe.byteCount / 2)
    #expect(try read { try stripe.filter(&mask, by: .duration(middle...UInt64.max)) }.readCount == 0)
    let recalled = try read { _ = try stripe.records(mask.rows) }
    #expect(recalled.readCount == 1 && recalled.readByteCount == stripe.byteCount)
    #expect(try read { _ = try stripe.records(mask.rows) }.readCount == 0)
  }

  @Test func `a warm read takes none`() throws {
    var generator = RecordGenerator(seed: 64)
    let records = generator.records(800, traceCount: 40)
    let fixture = try SegmentFixture(records)
    let segment = try fixture.open()
    let before = try segment.allRecords()
    fixture.files.reset()
    #expect(try segment.allRecords() == before)
    #expect(fixture.files.snapshot().total().readCount == 0)
  }

  @Test func `bounds and presence spare the stripes that cannot match`() throws {
    var generator = RecordGenerator(seed: 65)
    let fixture = try SegmentFixture(generator.records(800, traceCount: 40))
    let segment = try fixture.open()
    for stripe in segment.stripes {
      _ = try stripe.mayMatch(.service([1]))
      _ = try stripe.mayMatch(.attribute(level: .span, key: [1], ValueTest(.string("x"))))
    }
    fixture.files.reset()
    for stripe in segment.stripes {
      #expect(try !stripe.mayMatch(.start(1...1_000)) || stripe.bounds.minimumStart <= 1_000)
      #expect(try !stripe.mayMatch(.service(Array("none".utf8))))
      #expect(try !stripe.mayMatch(.attribute(level: .span, key: Array("missing".utf8), ValueTest(.string("x")))))
    }
    #expect(fixture.files.snapshot().total().readCount == 0)
  }

  @Test func `not rules out the stripes whose rows all pass, and no others`() throws {
    var generator = RecordGenerator(seed: 68)
    let mixed = generator.records(800, traceCount: 40)
    let uniform = mixed.map { record in
      var record = record
      (record.resource, record.scope) = (mixed[0].resource, mixed[0].scope)
      record.span.kind = .server
      return record
    }
    for (records, isUniform) in [(mixed, false), (uniform, true)] {
      let segment = try SegmentFixture(records).open()
      let stripes = segment.stripes
      let open = [Bool](repeating: true, count: stripes.count)
      for leaf in sampleLeaves() {
        for (stripe, mayFail) in zip(stripes, try segment.stripes(mayFail: leaf, among: open)) where !mayFail {
          var mask = RowMask(count: stripe.rowCount, filled: true)
          try stripe.filter(&mask, by: leaf)
          #expect(mask.isFull, "\(leaf)")
        }
      }
      let scope = SpanLeaf.scopeName(Array(mixed[0].scope.name.utf8))
      for leaf in [SpanLeaf.kind(SpanKind.server.rawValue), scope] {
        #expect(try segment.stripes(mayFail: leaf, among: open).contains(true) != isUniform, "\(leaf)")
      }
    }
  }

  @Test func `a number that no span has costs its column and no shapes`() throws {
    var generator = RecordGenerator(seed: 69)
    var records = generator.records(4000, traceCount: 200)
    for index in records.indices {
      records[index].span.attributes += [Attribute("number", .int(Int64(index * 7919 % 997) * 2))]
    }
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 4096))
    let segment = try fixture.open()
    let stripe = try #require(try segment.spanStripes().first)
    func found(_ number: Int64) throws -> (count: Int, reads: FileCounts) {
      let leaf = SpanLeaf.attribute(level: .span, key: Array("number".utf8), ValueTest(exactly: .int(number)))
      #expect(try stripe.mayMatch(leaf))
      var mask = RowMask(count: stripe.rowCount, filled: true)
      fixture.files.reset()
      try stripe.filter(&mask, by: leaf)
      return (mask.setCount, fixture.files.snapshot().total())
    }
    // The head and the column; then what says which spans have its values.
    let missing = try found(501)
    #expect(missing.count == 0 && missing.reads.readCount == 2)
    let present = try found(500)
    #expect(present.count == records.count { $0.span.attributes.contains(Attribute("number", .int(500))) })
    #expect(present.count > 0 && present.reads.readCount > 0)
  }

  @Test func `conditions on attributes have the same answers before the shapes are known`() throws {
    var generator = RecordGenerator(seed: 70)
    let fixture = try SegmentFixture(generator.records(300, traceCount: 20))
    let warm = try fixture.open()
    _ = try warm.allRecords()
    for leaf in sampleLeaves() {
      guard case .attribute = leaf else { continue }
      let cold = try fixture.open()
      #expect(try counted(cold.records(passing: leaf)) == counted(warm.records(passing: leaf)), "\(leaf)")
    }
  }

  @Test(arguments: 71..<74 as Range<UInt64>)
  func `conditions on attributes have the same answers while shapes are passed by, and after`(seed: UInt64) throws {
    var generator = RecordGenerator(seed: seed)
    let records = generator.records(1500, traceCount: 20)
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 2048))
    for leaf in sampleLeaves() {
      guard case .attribute = leaf else { continue }
      let expected = records.filter { leaf.matches(resource: $0.resource, scope: $0.scope, span: $0.span) }
      let stripe = try #require(try fixture.open().stripes.first)
      for turn in 0..<6 {
        // Each turn a part of the rows, and at last all: what one has left behind must not change the next.
        var mask = RowMask(count: stripe.rowCount)
        mask.set(turn == 5 ? 0..<stripe.rowCount : (turn * 100)..<(1500 - turn * 200))
        let asked = try stripe.spanIDs(mask.rows).count
        try stripe.filter(&mask, by: leaf)
        #expect(mask.setCount <= asked)
        if turn < 5 { continue }
        // Records would need the shapes of all rows.
        #expect(mask.setCount == expected.count, "seed \(seed), \(leaf)")
        let found = try stripe.records(mask.rows).map { PlacedSpan($0) }
        #expect(counted(found) == counted(expected), "seed \(seed), \(leaf)")
      }
    }
  }

  @Test func `the rows of rare values are found page by page, whatever was found before`() throws {
    var generator = RecordGenerator(seed: 75)
    var records = generator.records(6000, traceCount: 200)
    for index in records.indices where !index.isMultiple(of: 3) {
      // Some twice in one span, some in three.
      let text = index % 1000 == 1 ? "shared \(index / 3000)" : "own \(index)"
      records[index].span.attributes += [Attribute](
        repeating: Attribute("rare", .string(text)), count: index.isMultiple(of: 5) ? 2 : 1)
    }
    // What the rows are told by.
    for index in records.indices { records[index].span.spanID = SpanID(UInt64(index + 1)) }
    let fixture = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: 8192))
    let segment = try fixture.open()
    let stripe = try #require(try segment.spanStripes().first)
    let ids = try stripe.spanIDs(Array(0..<stripe.rowCount))
    func leaf(_ text: String) -> SpanLeaf {
      .attribute(level: .span, key: Array("rare".utf8), ValueTest(exactly: .string(text)))
    }
    for text in ["own 2", "own 5", "shared 0", "own 4999", "shared 1", "own 5998", "own 2"] {
      let expected = records.filter { $0.span.attributes.contains(Attribute("rare", .string(text))) }
      for range in [0..<stripe.rowCount, 1..<2500, 2500..<stripe.rowCount] {
        var mask = RowMask(count: stripe.rowCount)
        mask.set(range)
        try stripe.filter(&mask, by: leaf(text))
        let found = mask.rows.map { ids[$0] }.sorted()
        let due = ids[range].filter { id in expected.contains { $0.span.spanID.rawValue == id } }.sorted()
        #expect(found == due, "\(text), \(range)")
        #expect(range.count < stripe.rowCount || found.count == expected.count, "\(text)")
      }
    }
    // What stands in one place needs no map of all shapes, however often it is asked for.
    let fresh = try #require(try fixture.open().spanStripes().first)
    for text in ["own 2", "own 4999", "own 2", "own 5998"] {
      var mask = RowMask(count: fresh.rowCount, filled: true)
      try fresh.filter(&mask, by: leaf(text))
      #expect(mask.setCount == 1, "\(text)")
    }
    #expect(try fresh.reading { loaded, _ in loaded.known(.shapeMap(.span), as: ShapeMap.self) } == nil)
  }

  @Test func `answers stay right when the cache holds next to nothing`() throws {
    var generator = RecordGenerator(seed: 66)
    let records = generator.records(500, traceCount: 30)
    let fixture = try SegmentFixture(records)
    for maximum in [0, 1000, 100_000] {
      let cache = BlockCache(maximumByteCount: maximum)
      let segment = try fixture.open(cache: cache)
      #expect(counted(try segment.allRecords()) == counted(records))
      #expect(cache.statistics.residentByteCount <= maximum)
      segment.releaseMemory()
      #expect(segment.residentByteCount == 0)
      #expect(counted(try segment.allRecords()) == counted(records))
    }
  }

  @Test func `many readers at once get the same answers`() async throws {
    var generator = RecordGenerator(seed: 67)
    let records = generator.records(300, traceCount: 30)
    let segment = try SegmentFixture(records).open(cache: BlockCache(maximumByteCount: 60_000))
    let expected = counted(records)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for reader in 0..<8 {
        group.addTask {
          for round in 0..<3 {
            if reader == 0 && round == 1 { segment.releaseMemory() }
            if counted(try segment.allRecords()) != expected { return false }
            let trace = records[reader * 7 + round].span.traceID
            let found = try segment.rows(of: trace).reduce(0) { $0 + $1.rows.count }
            if found != records.filter({ $0.span.traceID == trace }).count { return false }
          }
          return true
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }
}

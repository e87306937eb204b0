import Testing
import TraceColumns
import TraceFiles
import TraceModel
import TraceSegment
import TraceSource
import TracestoreV2

/// Which stripes of a segment a search looks at, decided for all of them together.
@Suite struct ReaderCandidateTests {
  private let key = Array("user.id".utf8)

  private func equals(_ text: String) -> SpanLeaf {
    .attribute(level: .span, key: key, ValueTest(exactly: .string(text)))
  }

  /// Records each of which has a text of its own under one key, and one that some share.
  private func records(_ count: Int) -> [PlacedSpan] {
    (0..<count).map { index in
      var span = SpanRecord(
        traceID: TraceID(high: 1, low: UInt64(index / 4 + 1)), spanID: SpanID(UInt64(index + 1)), name: "work",
        start: Timestamp(nanoseconds: 1_000_000_000 + UInt64(index) * 1_000_000),
        end: Timestamp(nanoseconds: 1_000_500_000 + UInt64(index) * 1_000_000))
      span.attributes = [Attribute("user.id", .string("user-\(index * 7919)-\(index)"))]
      if index % 3 == 0 { span.attributes.append(Attribute("tier", .string("gold"))) }
      return PlacedSpan(Resource(attributes: [Attribute("service.name", .string("s"))]), InstrumentationScope(), span)
    }
  }

  private func tree(_ leaves: [SpanLeaf], _ random: inout SeededRandom, depth: Int = 0) -> SpanPredicate {
    if depth == 3 || random.chance(40) {
      let leaf = SpanPredicate.leaf(random.pick(leaves))
      return random.chance(20) ? .not(leaf) : leaf
    }
    let parts = (0..<random.below(4)).map { _ in tree(leaves, &random, depth: depth + 1) }
    switch random.below(5) {
    case 0: return .not(.all(parts))
    case 1, 2: return .all(parts)
    default: return .any(parts)
    }
  }

  @Test(arguments: 71..<77 as Range<UInt64>)
  func `no stripe with a row that passes is left out, and none is kept that says no for itself`(seed: UInt64) throws {
    var generator = RecordGenerator(seed: seed)
    var records = generator.records(200, traceCount: 40)
    if seed % 2 == 0 { for index in records.indices where index % 50 == 7 { records[index].isPartial = true } }
    let stripeRowCount = [4, 16, 64][Int(seed % 3)]
    let segment = try SegmentFixture(records, options: SegmentOptions(stripeRowCount: stripeRowCount)).open()
    let stripes = segment.stripes
    let contents = try stripes.map { try $0.records(Array(0..<$0.rowCount)) }
    let leaves = sampleLeaves() + identityLeaves(Array(records.prefix(5)))
    let trees = leaves.map { SpanPredicate.leaf($0) } + (0..<200).map { _ in tree(leaves, &generator.random) }
    for predicate in trees {
      let found = try segment.candidates(predicate) { _ in true }
      #expect(found.map(\.index) == found.map(\.index).sorted())
      let indices = Set(found.map(\.index))
      let open = try predicate.stripes(of: segment, among: stripes.map { _ in true })
      for (place, stripe) in stripes.enumerated() {
        let isHit = contents[place].contains {
          predicate.matches(resource: $0.resource, scope: $0.scope, span: $0.span)
        }
        if isHit { #expect(indices.contains(stripe.index), "seed \(seed), \(predicate)") }
        if !open[place] { #expect(!indices.contains(stripe.index), "seed \(seed), \(predicate)") }
      }
      let bound = stripes[stripes.count / 2].bounds.maximumStart
      let older = try segment.candidates(predicate) { $0.minimumStart <= bound }
      let expected = found.filter { $0.bounds.minimumStart <= bound }
      #expect(older.map(\.index) == expected.map(\.index), "seed \(seed), \(predicate)")
    }
  }

  @Test func `a text that is nowhere costs one read, one that is somewhere the filters of its column besides`() throws {
    let fixture = try SegmentFixture(records(600), options: SegmentOptions(stripeRowCount: 40))
    let segment = try fixture.open()
    // One of 16 texts comes by the filter over texts by mistake.
    let readOnceCount = try (0..<64).count { number in
      let fresh = try fixture.open()
      fixture.files.reset()
      #expect(try fresh.candidates(.leaf(equals("nobody \(number)"))) { _ in true }.isEmpty)
      return fixture.files.snapshot().total().readCount == 1
    }
    #expect((50...63).contains(readOnceCount))
    // The stripe index, strings and keys are resident after the first question that needs them.
    #expect(try segment.candidates(.leaf(.name([1]))) { _ in true }.isEmpty)
    #expect(try segment.candidates(.leaf(.attribute(level: .span, key: [1], .present))) { _ in true }.isEmpty)
    let elsewhere = SpanLeaf.attribute(level: .link, key: [1], ValueTest(exactly: .string("user-0-0")))
    #expect(try segment.candidates(.leaf(elsewhere)) { _ in true }.isEmpty)
    fixture.files.reset()
    var candidateCount = 0
    for record in records(600) {
      let leaf = equals(record.span.attributes[0].value.text)
      candidateCount += try segment.candidates(.leaf(leaf)) { _ in true }.count
    }
    // One of 256 filters says yes by mistake.
    #expect((600...700).contains(candidateCount))
    #expect(fixture.files.reset().total().readCount == 1)
    var mistakeCount = 0
    for index in 0..<10_000 {
      mistakeCount += try segment.candidates(.leaf(equals("nobody-\(index)"))) { _ in true }.count
    }
    #expect(mistakeCount < 100)
    #expect(fixture.files.snapshot().total().readCount == 0)
  }

  @Test func `texts that are needed together are looked for together, in whatever form they are asked for`() throws {
    let fixture = try SegmentFixture(records(600), options: SegmentOptions(stripeRowCount: 40))
    func leaf(_ text: String) -> SpanPredicate { .leaf(equals(text)) }
    let (here, there) = (leaf("user-0-0"), leaf(records(600)[1].span.attributes[0].value.text))
    let readOnceCount = try (0..<64).count { number in
      let (nobody, noone) = (leaf("nobody \(number)"), leaf("no one \(number)"))
      let segment = try fixture.open()
      fixture.files.reset()
      #expect(try segment.candidates(.any([.all([here, nobody]), .all([there, noone])])) { _ in true }.isEmpty)
      return fixture.files.snapshot().total().readCount == 1
    }
    // Two of 16 pairs come by by mistake.
    #expect((46...63).contains(readOnceCount))
    let segment = try fixture.open()
    for predicate in [
      .any([.all([here, leaf("nobody")]), here]), .any([here, .leaf(.name([1])), .not(leaf("nobody"))]),
      .all([here, .any([leaf("nobody"), .all([here, .not(leaf("nobody"))])])]),
    ] as [SpanPredicate] {
      #expect(try !segment.candidates(predicate) { _ in true }.isEmpty, "\(predicate)")
    }
  }

  @Test func `needed texts rule out what their predicate rules out`() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededRandom(seed: seed)
    /// A tree of leaves, and what it comes to where some texts are there; nothing is known of half of the leaves.
    func tree(_ depth: Int) -> (SpanPredicate, (Set<String>) -> Bool) {
      let parts = depth == 0 ? [] : (0..<(1 + random.below(3))).map { _ in tree(depth - 1) }
      switch depth == 0 ? random.below(2) : 2 + random.below(3) {
      case 0: return (.leaf(.kind([1])), { _ in true })
      case 1:
        let text = "\(random.below(6))"
        return (.leaf(equals(text)), { $0.contains(text) })
      case 2: return (.not(parts[0].0), { _ in true })
      case 3: return (.all(parts.map(\.0)), { texts in parts.allSatisfy { $0.1(texts) } })
      default: return (.any(parts.map(\.0)), { texts in parts.contains { $0.1(texts) } })
      }
    }
    func hash(_ text: String) -> UInt64? { ValueTest(exactly: .string(text)).textHashes?.first }
    for _ in 0..<300 {
      let (predicate, isMet) = tree(random.below(4))
      let needed = predicate.neededTexts
      for bits in 0..<64 {
        let texts = Set((0..<6).filter { bits >> $0 & 1 == 1 }.map { "\($0)" })
        let hashes = Set(texts.compactMap(hash))
        #expect(needed.areMet(hashes.contains) == isMet(texts), "seed \(seed), \(predicate), \(texts)")
      }
    }
  }

  @Test func `a text is looked for at every level and in every form`() throws {
    var record = records(1)[0]
    record.resource.attributes += [Attribute("host", .string("resource text")), Attribute("raw", .bytes([1, 2, 3]))]
    record.scope.attributes = [Attribute("a", .string("scope text"))]
    record.span.attributes += [Attribute("b", .bytes([4, 5])), Attribute("none", .string(""))]
    record.span.events = [SpanEvent(name: "e", attributes: [Attribute("c", .string("event text"))])]
    record.span.links = [SpanLink(attributes: [Attribute("d", .string("link text"))])]
    for count in [1, 3] {
      // In one stripe they are its own, in several they are shared.
      let segment = try SegmentFixture(
        (0..<count).map { index in
          var record = record
          record.span.traceID = TraceID(high: 1, low: UInt64(index + 1))
          return record
        }, options: SegmentOptions(stripeRowCount: 1)
      ).open()
      let values: [(ColumnLevel, String, AttributeValue)] = [
        (.resource, "host", .string("resource text")), (.resource, "raw", .bytes([1, 2, 3])),
        (.scope, "a", .string("scope text")), (.span, "b", .bytes([4, 5])), (.span, "none", .string("")),
        (.event, "c", .string("event text")), (.link, "d", .string("link text")),
      ]
      for (level, key, value) in values {
        let leaf = SpanLeaf.attribute(level: level, key: Array(key.utf8), ValueTest(exactly: value))
        #expect(try segment.candidates(.leaf(leaf)) { _ in true }.count == count, "\(key)")
      }
    }
  }

  @Test func `an attribute in a form of its own has any value, so that no text is ruled out`() throws {
    var records = records(40)
    records[7].span.attributes.append(
      Attribute("odd", .string("a text of its own"), unknownFields: [0x98, 0x06, 0x07]))
    let segment = try SegmentFixture(records).open()
    #expect(!segment.sectionRanges.contains { $0.name == "textFilter" })
    let test = ValueTest(exactly: .string("a text of its own"))
    let leaf = SpanLeaf.attribute(level: .span, key: Array("odd".utf8), test)
    #expect(try segment.candidates(.leaf(leaf)) { _ in true }.count == 1)
    #expect(try segment.records(passing: leaf).map(\.span.spanID) == [SpanID(8)])
    #expect(try SegmentFixture(self.records(40)).open().sectionRanges.contains { $0.name == "textFilter" })
  }

  @Test func `a damaged filter over texts is named, and rules nothing out`() throws {
    let fixture = try SegmentFixture(records(100))
    let section = try #require(try fixture.open().sectionRanges.first { $0.name == "textFilter" })
    var bytes = fixture.bytes
    bytes[Int(section.offset + section.byteCount / 2)] ^= 0x10
    let segment = try SegmentFixture.open(bytes: bytes)
    do {
      _ = try segment.candidates(.leaf(equals("nobody"))) { _ in true }
      Issue.record("the damage was not met")
    } catch let error as TracestoreError {
      #expect(error.code == .corrupt && error.message.contains("textFilter"), "\(error)")
    }
    #expect(try segment.records(passing: equals("user-0-0")).count == 1)
    #expect(segment.verify(deep: true).damages.count == 1)
  }

  @Test func `a segment outside of the times that are asked for reads nothing`() throws {
    let fixture = try SegmentFixture(records(200), options: SegmentOptions(stripeRowCount: 40))
    let segment = try fixture.open()
    fixture.files.reset()
    for leaf in [SpanLeaf.start(0...999_999_999), .start(2_000_000_000...UInt64.max), .duration(500_001...UInt64.max)] {
      #expect(try segment.candidates(.all([.leaf(leaf), .leaf(equals("x"))])) { _ in true }.isEmpty)
    }
    #expect(try segment.candidates(.all([])) { $0.maximumStart > 2_000_000_000 }.isEmpty)
    #expect(fixture.files.snapshot().total().readCount == 0)
    #expect(try segment.candidates(.leaf(.start(1_000_000_000...1_000_000_000))) { _ in true }.count == 1)
  }

  @Test func `a damaged filter is named and keeps no other stripe from being ruled out`() throws {
    let fixture = try SegmentFixture(records(600), options: SegmentOptions(stripeRowCount: 40))
    let section = try #require(try fixture.open().sectionRanges.first { $0.name == "valueFilters" })
    var bytes = fixture.bytes
    bytes[Int(section.offset + section.byteCount / 2)] ^= 0x10
    let segment = try SegmentFixture.open(bytes: bytes)
    let leaf = equals("nobody")
    var damagedCount = 0
    for stripe in segment.stripes {
      do { #expect(try !stripe.mayMatch(leaf)) } catch let error as TracestoreError {
        damagedCount += 1
        #expect(error.code == .corrupt && error.message.contains("valueFilters"), "\(error)")
      }
      var mask = RowMask(count: stripe.rowCount, filled: true)
      try stripe.filter(&mask, by: leaf)
      #expect(mask.isEmpty)
    }
    #expect(damagedCount == 1)
    #expect(throws: TracestoreError.self) { try segment.candidates(.leaf(equals("user-0-0"))) { _ in true } }
    for record in records(600) {
      let foundCount = try segment.stripes.reduce(0) { count, stripe in
        var mask = RowMask(count: stripe.rowCount, filled: true)
        try stripe.filter(&mask, by: equals(record.span.attributes[0].value.text))
        return count + mask.setCount
      }
      #expect(foundCount == 1)
    }
  }

  @Test func `memory that was given back is read again by those who hold a stripe`() throws {
    let segment = try SegmentFixture(records(600), options: SegmentOptions(stripeRowCount: 40)).open()
    let stripes = segment.stripes
    segment.releaseMemory()
    for stripe in stripes { #expect(try !stripe.mayMatch(equals("nobody"))) }
    #expect(try stripes.filter { try $0.mayMatch(equals("user-0-0")) }.map(\.index) == [0])
  }
}

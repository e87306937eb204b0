import Testing
import TraceBytes
import TraceColumns
import TraceModel
import TraceSegment
import TraceSource

@Suite struct ReaderCatalogueTests {
  private func records(_ seed: UInt64) -> [PlacedSpan] {
    var generator = RecordGenerator(seed: seed)
    var records = generator.records(500, traceCount: 30)
    for index in records.indices where index % 60 == 9 { records[index].isPartial = true }
    return records
  }

  @Test func `services and operations are counted as the records are`() throws {
    let records = records(51)
    let segment = try SegmentFixture(records).open()
    var services: [String: Int] = [:]
    try segment.forEachService { services[$0, default: 0] += $1 }
    var expected: [String: Int] = [:]
    for record in records { expected[record.resource.serviceName, default: 0] += 1 }
    #expect(services == expected)
    for service in [nil, "service 1", "", "none"] as [String?] {
      var operations: [String: Int] = [:]
      try segment.forEachOperation(service: service) { operations["\($0) \($1.rawValue)", default: 0] += $2 }
      var expected: [String: Int] = [:]
      for record in records where service == nil || record.resource.serviceName == service {
        expected["\(record.span.name) \(record.span.kind.rawValue)", default: 0] += 1
      }
      #expect(operations == expected)
    }
  }

  private func attributes(_ record: PlacedSpan, _ level: ColumnLevel) -> [Attribute] {
    switch level {
    case .span: record.span.attributes
    case .event: record.span.events.flatMap(\.attributes)
    case .link: record.span.links.flatMap(\.attributes)
    case .resource: record.resource.attributes
    case .scope: record.scope.attributes
    }
  }

  private func keyCounts(_ records: [PlacedSpan]) -> [String: Int] {
    var counts: [String: Int] = [:]
    for record in records {
      for level in [ColumnLevel.span, .event, .link] {
        for attribute in attributes(record, level) {
          counts["\(level) \(attribute.key) \(AttributeType(of: attribute))", default: 0] += 1
        }
      }
    }
    return counts
  }

  private func name(_ count: AttributeKeyCount) -> String {
    "\(count.level) \(count.key) \(AttributeType(rawValue: count.type).map { "\($0)" } ?? "?")"
  }

  @Test func `keys are counted as the records are, in whole and in part`() throws {
    let records = records(52)
    let segment = try SegmentFixture(records).open()
    var counts: [String: Int] = [:]
    try segment.forEachAttributeKey { counts[name($0), default: 0] += $0.valueCount }
    #expect(counts == keyCounts(records))
    for stripe in segment.stripes {
      var mask = RowMask(count: stripe.rowCount)
      for row in stride(from: 0, to: stripe.rowCount, by: 3) { mask.set(row) }
      var counts: [String: Int] = [:]
      try stripe.forEachAttributeKey(in: mask) { counts[name($0), default: 0] += $0.valueCount }
      #expect(counts == keyCounts(try stripe.records(mask.rows).map { PlacedSpan($0) }))
    }
  }

  @Test func `resources and scopes are those of the records, in whole and in part`() throws {
    let segment = try SegmentFixture(records(54)).open()
    func envelopes(_ records: [SourceSpan]) -> Set<SpanEnvelope> {
      Set(records.flatMap { [SpanEnvelope.resource($0.resource), .scope($0.scope)] })
    }
    var whole: Set<SpanEnvelope> = []
    try segment.forEachEnvelope { whole.insert($0) }
    var expected: Set<SpanEnvelope> = []
    for stripe in segment.stripes {
      expected.formUnion(envelopes(try stripe.records(Array(0..<stripe.rowCount))))
      var mask = RowMask(count: stripe.rowCount)
      for row in stride(from: 1, to: stripe.rowCount, by: 5) { mask.set(row) }
      var part: Set<SpanEnvelope> = []
      try stripe.forEachEnvelope(in: mask) { part.insert($0) }
      #expect(part == envelopes(try stripe.records(mask.rows)))
    }
    #expect(whole == expected)
  }

  @Test func `values are counted once for every span, event and link, and for every distinct resource and scope`()
    throws
  {
    var records = records(53)
    // Resources that only partial records have are met there.
    for index in records.indices { records[index].isPartial = false }
    let segment = try SegmentFixture(records).open()
    for key in RecordGenerator.keys + ["missing"] {
      for level in ColumnLevel.allCases {
        var found: [AttributeValue: Int] = [:]
        let hasMore = try segment.forEachAttributeValue(key: key, level: level, limit: 100_000) {
          found[$0, default: 0] += $1
        }
        #expect(!hasMore)
        var expected: [AttributeValue: Int] = [:]
        switch level {
        case .resource:
          for resource in Set(records.map(\.resource)) {
            for attribute in resource.attributes where attribute.key == key {
              expected[attribute.value, default: 0] += 1
            }
          }
        case .scope:
          for scope in Set(records.map(\.scope)) {
            for attribute in scope.attributes where attribute.key == key { expected[attribute.value, default: 0] += 1 }
          }
        default:
          for record in records {
            for attribute in attributes(record, level) where attribute.key == key {
              expected[attribute.value, default: 0] += 1
            }
          }
        }
        #expect(found == expected, "\(level) \(key)")
      }
    }
    var count = 0
    let hasMore = try segment.forEachAttributeValue(key: "user.id", level: nil, limit: 3) { _, _ in count += 1 }
    #expect(hasMore && count == 3)
  }

  @Test func `every byte of the file is accounted for`() throws {
    let fixture = try SegmentFixture(records(54))
    let segment = try fixture.open()
    let sizes = try segment.partSizes()
    #expect(sizes.reduce(0) { $0 + $1.byteCount } == UInt64(fixture.bytes.count))
    #expect(Set(sizes.map(\.name)).count == sizes.count)
    #expect(sizes.contains { $0.name == "attribute:span:user.id:string" && $0.byteCount > 0 })
    #expect(sizes.contains { $0.name == "section:stripeIndex" && $0.byteCount > 0 })
    for stripe in try segment.spanStripes() {
      let description = try stripe.describe()
      #expect(description.chunks.allSatisfy { $0.damage == nil && !$0.lines.isEmpty })
    }
  }
}

import TraceBytes
import TraceColumns
import TraceFiles
import TraceModel
import TraceSegment
import TraceSource

/// A record with what it came under.
struct PlacedSpan: Hashable {
  var resource: Resource
  var scope: InstrumentationScope
  var span: SpanRecord
  var isPartial = false

  init(_ resource: Resource, _ scope: InstrumentationScope, _ span: SpanRecord, isPartial: Bool = false) {
    self.resource = resource
    self.scope = scope
    self.span = span
    self.isPartial = isPartial
  }

  init(_ source: SourceSpan) {
    self.init(source.resource, source.scope, source.span, isPartial: source.isPartial)
  }
}

/// Records that touch every column: all types, duplicate keys, odd times, unknown fields, many shapes.
struct RecordGenerator {
  var random: SeededRandom
  private let resources: [Resource]
  private let scopes: [InstrumentationScope]

  static let keys = ["http.route", "http.status_code", "flag", "ratio", "é", "user.id", "empty", "blob", ""]
  static let texts = ["", "GET /", "GET /cart", "é", "e\u{301}", "1", "true", "2.5", "[1]", "AQI=", "{}"]

  init(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    resources = (0..<5).map { index in
      var resource = Resource(schemaURL: index == 1 ? "https://example.com/schema" : "")
      if index != 4 { resource.attributes.append(Attribute("service.name", .string("service \(index % 3)"))) }
      resource.attributes += (0..<random.below(3)).map { _ in Self.attribute(&random) }
      if index == 2 { resource.unknownFields = [0xf8, 0x07, 0x01] }
      return resource
    }
    scopes = (0..<3).map { index in
      InstrumentationScope(
        name: index == 0 ? "" : "library \(index)", version: index == 2 ? "1.0" : "",
        attributes: (0..<random.below(3)).map { _ in Self.attribute(&random) })
    }
    self.random = random
  }

  static func value(_ random: inout SeededRandom) -> AttributeValue {
    switch random.below(12) {
    case 0, 1, 2: .string(random.pick(texts))
    case 3: .string("user-\(random.below(100_000))")
    case 4: .int(Int64(random.below(5)) - 1)
    case 5: .int(random.pick([.min, .max, 0, 1, 200]))
    case 6: .double(random.pick([0, -0.0, 2.5, 1, .nan, .infinity, 0.1, -3.25, 1e300]))
    case 7: .bool(random.chance(50))
    case 8: .bytes(random.pick([[], [1, 2], [255]]))
    case 9: .array(random.pick([[], [.int(1)], [.string("a"), .empty]]))
    case 10: .map(random.pick([[], [Attribute("k", .int(1))]]))
    default: random.chance(50) ? .empty : .absent
    }
  }

  static func attribute(_ random: inout SeededRandom) -> Attribute {
    let unknown: [UInt8] = random.chance(3) ? [0x98, 0x06, 0x07] : []
    return Attribute(random.pick(keys), value(&random), unknownFields: unknown)
  }

  private mutating func attributes(_ maximum: Int) -> [Attribute] {
    (0..<random.below(maximum + 1)).map { _ in Self.attribute(&random) }
  }

  mutating func record(traceCount: Int) -> PlacedSpan {
    let traceNumber = UInt64(random.below(traceCount))
    let base: UInt64 = 1_700_000_000_000_000_000 + traceNumber * 1_000_000_000
    var span = SpanRecord(
      traceID: TraceID(high: traceNumber & 3, low: traceNumber &* 0x9e37_79b9 &+ 1),
      spanID: SpanID(random.chance(5) ? 7 : random.next() | 1))
    span.name = random.pick(["GET /", "GET /cart", "query", "", "é"])
    span.kind = SpanKind(rawValue: random.pick([0, 1, 2, 3, 3, 3, 9, -4]))
    span.start = Timestamp(nanoseconds: base + UInt64(random.below(1_000_000)) * 1_000)
    span.end = Timestamp(nanoseconds: span.start.nanoseconds + UInt64(random.below(5_000)) * 1_000)
    switch random.below(40) {
    case 0: span.start = .zero
    case 1: span.end = Timestamp(nanoseconds: span.start.nanoseconds - 5)
    case 2: span.end = .maximum
    case 3: (span.start, span.end) = (.maximum, .zero)
    default: break
    }
    switch random.below(4) {
    case 0: span.parentSpanID = SpanID(random.next())
    case 1: span.parentSpanID = SpanID(7)
    case 2: span.parentSpanID = random.chance(10) ? SpanID(0) : nil
    default: break
    }
    span.attributes = attributes(5)
    if random.chance(30) {
      span.events = (0..<random.below(4)).map { index in
        SpanEvent(
          time: Timestamp(nanoseconds: span.start.nanoseconds &+ UInt64(index) &- 1),
          name: random.pick(["exception", "", "retry"]), attributes: attributes(3),
          droppedAttributeCount: UInt32(random.below(3)), unknownFields: random.chance(5) ? [0x98, 0x06, 0x01] : [])
      }
    }
    if random.chance(20) {
      span.links = (0..<random.below(3)).map { _ in
        SpanLink(
          traceID: random.chance(80) ? TraceID(high: 0, low: random.next()) : nil,
          spanID: random.chance(80) ? SpanID(random.next()) : nil, traceState: random.pick(["", "a=b"]),
          attributes: attributes(2), flags: UInt32(random.below(2)) * 257)
      }
    }
    if random.chance(70) {
      span.status = SpanStatus(
        code: SpanStatus.Code(rawValue: random.pick([0, 1, 2, 2, 7])), message: random.pick(["", "boom", "é"]))
    }
    span.traceState = random.pick(["", "", "vendor=1"])
    span.flags = random.pick([0, 1, 0x301])
    span.droppedAttributeCount = UInt32(random.below(20) == 0 ? 3 : 0)
    span.droppedEventCount = UInt32(random.below(20) == 0 ? 4 : 0)
    span.droppedLinkCount = UInt32(random.below(20) == 0 ? 5 : 0)
    if random.chance(3) { span.unknownFields = [0xa0, 0x06, 0x01] }
    return PlacedSpan(random.pick(resources), random.pick(scopes), span)
  }

  mutating func records(_ count: Int, traceCount: Int) -> [PlacedSpan] {
    (0..<count).map { _ in record(traceCount: traceCount) }
  }
}

/// A segment in a simulated file system whose reads are counted.
struct SegmentFixture {
  static let path = "segment-1"
  let files: CountingFileSystem
  let bytes: [UInt8]

  /// Writes the records; the ones that are partial go to the partial table.
  init(_ records: [PlacedSpan], options: SegmentOptions = SegmentOptions(stripeRowCount: 64)) throws {
    files = CountingFileSystem(SimulatedFileSystem())
    let builder = SpanTableBuilder()
    var rows: [UInt32] = []
    var partialRows: [UInt32] = []
    for (row, record) in records.enumerated() {
      builder.append(resource: record.resource, scope: record.scope, span: record.span)
      if record.isPartial { partialRows.append(UInt32(row)) } else { rows.append(UInt32(row)) }
    }
    let file = try files.open(Self.path, .create)
    _ = try SegmentWriter.write(
      builder.table.view(rowCount: records.count), rows: rows, partialRows: partialRows, options: options, to: file)
    file.close()
    bytes = try files.contents(ofFile: Self.path, maximumByteCount: 1 << 30)
    files.reset()
  }

  /// Of a stripe only its head is read at first: stripes of tests are short.
  func open(
    cache: BlockCache = BlockCache(maximumByteCount: 1 << 26, frontByteCount: 0), number: UInt64 = 1
  ) throws -> Segment {
    try Segment.open(file: files.open(Self.path, .read), number: number, path: Self.path, cache: cache)
  }

  /// A segment over other bytes than were written.
  static func open(bytes: [UInt8]) throws -> Segment {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let file = try files.open(path, .create)
    try bytes.withUnsafeBytes { try file.append($0) }
    let cache = BlockCache(maximumByteCount: 1 << 26, frontByteCount: 0)
    return try Segment.open(file: file, number: 1, path: path, cache: cache)
  }
}

extension Segment {
  /// Every record of the segment.
  func allRecords() throws -> [PlacedSpan] {
    var result: [PlacedSpan] = []
    for stripe in stripes { result += try stripe.records(Array(0..<stripe.rowCount)).map { PlacedSpan($0) } }
    return result
  }

  /// The records that pass a leaf, through masks and bounds.
  func records(passing leaf: SpanLeaf) throws -> [PlacedSpan] {
    var result: [PlacedSpan] = []
    for stripe in stripes where try stripe.mayMatch(leaf) {
      var mask = RowMask(count: stripe.rowCount, filled: true)
      try stripe.filter(&mask, by: leaf)
      result += try stripe.records(mask.rows).map { PlacedSpan($0) }
    }
    return result
  }
}

/// The records as a multiset.
func counted(_ records: [PlacedSpan]) -> [PlacedSpan: Int] {
  var counts: [PlacedSpan: Int] = [:]
  for record in records { counts[record, default: 0] += 1 }
  return counts
}

/// Leaves of every kind over the words that `RecordGenerator` uses, hits and misses.
func sampleLeaves() -> [SpanLeaf] {
  var leaves: [SpanLeaf] = []
  for service in ["service 0", "service 2", "", "none"] { leaves.append(.service(Array(service.utf8))) }
  for name in ["GET /", "é", "e\u{301}", "", "none"] { leaves.append(.name(Array(name.utf8))) }
  for kind: Int32 in [0, 3, 9, -4, 5] { leaves.append(.kind(kind)) }
  for code: Int32 in [0, 1, 2, 7, 3] { leaves.append(.statusCode(code)) }
  for message in ["", "boom", "none"] { leaves.append(.statusMessage(Array(message.utf8))) }
  for state in ["", "vendor=1", "x"] { leaves.append(.traceState(Array(state.utf8))) }
  for name in ["", "library 1", "x"] { leaves.append(.scopeName(Array(name.utf8))) }
  for version in ["", "1.0"] { leaves.append(.scopeVersion(Array(version.utf8))) }
  for event in ["exception", "", "x"] { leaves.append(.eventName(Array(event.utf8))) }
  let base: UInt64 = 1_700_000_000_000_000_000
  for range in [0...UInt64.max, 0...0, base...(base + 500_000_000), (base + 3_000_000_000)...UInt64.max, 1...2] {
    leaves.append(.start(range))
  }
  for range: ClosedRange<UInt64> in [
    0...0, 1...1_000_000, 2_000_000...4_000_000, 5_000_001...UInt64.max, 0...UInt64.max,
  ] {
    leaves.append(.duration(range))
  }
  let tests: [AttributeValue] =
    RecordGenerator.texts.map { .string($0) } + [
      .string("user-1"), .string("0"), .string("-0"), .string("NaN"), .string("[\"a\",null]"), .string("{\"k\":1}"),
      .string("9223372036854775807"), .string("false"), .int(1), .int(.min), .double(-0.0), .double(0), .double(2.5),
      .bool(true), .bytes([1, 2]), .array([.int(1)]), .map([]), .empty, .absent,
    ]
  for key in RecordGenerator.keys + ["missing", "service.name"] {
    for level in ColumnLevel.allCases {
      for test in tests { leaves.append(.attribute(level: level, key: Array(key.utf8), ValueTest(test))) }
    }
  }
  return leaves + valueLeaves()
}

/// Leaves that ask for more than equality.
private func valueLeaves() -> [SpanLeaf] {
  var leaves: [SpanLeaf] = [
    .kind([0, 3, 9]), .kind([]), .statusCode([1, 2, 7]), .statusCode([]), .parent(nil), .spanID(0),
    .traceID(TraceID(high: 7, low: 7)),
    .some(.event, .all([])), .some(.link, .all([])), .some(.event, .any([])), .some(.event, .not(.any([]))),
    .record(RecordTest { _, _, span in span.spanID.rawValue % 2 == 0 && span.events.count > 1 }),
  ]
  let long = TextTest.condition(TextCondition("long") { { $0.count > 6 } })
  let texts = [
    TextTest.all, .none, .notEmpty, long,
    .oneOf([Array("GET /".utf8), Array("service 0".utf8), [], Array("boom".utf8)]),
    .oneOf((["é", "GET /", "user-1", "vendor=1", "library 1"] + (0..<20).map { "text \($0)" }).map { Array($0.utf8) }),
  ]
  for text in SpanText.allCases { leaves += texts.map { .text(text, $0) } }
  let base: UInt64 = 1_700_000_000_000_000_000
  for range in [0...UInt64.max, 0...0, base...(base + 500_000_000), 1...2] { leaves.append(.end(range)) }

  var long2 = ValueTest(name: "long or large")
  long2.strings = long
  long2.bytes = .notEmpty
  long2.ints = WordRanges([NumberOrder.int(2)...UInt64.max, 0...NumberOrder.int(UInt64(bitPattern: -1))])
  long2.doubles = WordRanges([NumberOrder.double(Double(1).bitPattern)...NumberOrder.double(Double.infinity.bitPattern)]
  )
  long2.bools = [false]
  let tests = [
    ValueTest.present, ValueTest(name: "nothing"), long2, ValueTest(exactly: .string("1")), ValueTest(exactly: .int(1)),
  ]
  for key in RecordGenerator.keys + ["missing", "service.name"] {
    let key = Array(key.utf8)
    for test in tests {
      leaves += ColumnLevel.allCases.map { .attribute(level: $0, key: key, test) }
      for level in [ChildLevel.event, .link] {
        let attribute = ElementPredicate.leaf(.attribute(key: key, test))
        leaves.append(.some(level, attribute))
        leaves.append(.some(level, .not(attribute)))
        leaves.append(
          .some(level, .all([.not(attribute), .any([.leaf(.name(long)), .span(.leaf(.kind([0, 1, 2])))])])))
      }
    }
  }
  for test in texts {
    leaves += [
      .some(.event, .leaf(.name(test))), .some(.link, .leaf(.traceState(test))), .some(.link, .leaf(.name(test))),
    ]
  }
  leaves += [.some(.link, .leaf(.linkedTrace(nil))), .some(.link, .not(.leaf(.linkedSpan(nil))))]
  for range in [0...UInt64.max, 0...base, base...(base + 100_000_000)] {
    leaves.append(.some(.event, .leaf(.time(range))))
  }
  let farthest = Int128(UInt64.max)
  for range in [
    -farthest...farthest, 0...0, -5...1_000_000, -farthest...(-1), Int128(Int64.max) + 1...farthest,
    -farthest...Int128(Int64.min) - 1, -1_000_000_000...500_000_000,
  ] {
    leaves.append(.some(.event, .leaf(.timeSinceStart(range))))
  }
  return leaves
}

/// Leaves about the ids of records.
func identityLeaves(_ records: [PlacedSpan]) -> [SpanLeaf] {
  records.flatMap { record -> [SpanLeaf] in
    let links: [ElementLeaf] = record.span.links.flatMap { link -> [ElementLeaf] in
      [link.traceID.map { .linkedTrace($0) }, link.spanID.map { .linkedSpan($0.rawValue) }].compactMap(\.self)
    }
    return [
      .traceID(record.span.traceID), .spanID(record.span.spanID.rawValue), .parent(record.span.parentSpanID?.rawValue),
    ]
      + links.map { .some(.link, .leaf($0)) }
  }
}

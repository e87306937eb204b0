import TraceColumns
import TraceFiles
import TraceInspect
import TraceModel
import TraceSegment
import TraceSource

extension FuzzTarget {
  static let segmentPath = "/store/segment-0000000000000001.seg"
  /// A stripe may say that it has millions of equal rows; that is legal, and slow to read one by one.
  private static let maximumRowCount = 512

  /// A whole segment: all rows, all predicates, the catalogue, traces by id, a merge, verification.
  func segment(_ bytes: [UInt8]) throws {
    let files = try fileSystem([(Self.segmentPath, bytes)])
    let segment = try Segment.open(
      file: files.open(Self.segmentPath, .read), number: 1, path: Self.segmentPath,
      cache: BlockCache(maximumByteCount: 1 << 24))
    for stripe in segment.stripes { try attempt { try read(stripe, of: segment) } }
    for group in (try? segment.callGroups()) ?? [] where group.rowCount <= Self.maximumRowCount {
      try attempt { _ = try group.cells() }
    }
    try attempt {
      guard let partials = try segment.partialStripe() else { return }
      _ = try partials.byteCounts(Array(0..<min(partials.rowCount, Self.maximumRowCount))).reduce(0, +)
    }
    try attempt { try segment.forEachService { _, _ in } }
    try attempt { try segment.forEachOperation(service: nil) { _, _, _ in } }
    try attempt { try segment.forEachEnvelope { _ in } }
    var keys: [String] = []
    try attempt { try segment.forEachAttributeKey { if keys.count < 32 { keys.append($0.key) } } }
    for key in keys {
      try attempt { _ = try segment.forEachAttributeValue(key: key, level: nil, limit: 100) { _, _ in } }
    }
    if segment.stripes.allSatisfy({ $0.rowCount <= Self.maximumRowCount }) { try attempt { try merge(segment) } }
    _ = segment.verify(deep: true)
    try attempt { _ = try segment.partSizes() }
    for stripe in (try? segment.spanStripes()) ?? [] { try attempt { _ = try stripe.describe() } }
    try attempt { _ = try Inspector(fileSystem: files).explain(Self.segmentPath) }
  }

  private func read(_ stripe: any SpanStripe, of segment: Segment) throws {
    for leaf in Self.leaves {
      try attempt {
        guard try stripe.mayMatch(leaf) else { return }
        var mask = RowMask(count: stripe.rowCount, filled: true)
        try stripe.filter(&mask, by: leaf)
      }
    }
    let rows = Array(0..<min(stripe.rowCount, Self.maximumRowCount))
    let mask = RowMask(count: stripe.rowCount, filled: true)
    if stripe.rowCount <= Self.maximumRowCount {
      var traces: [TraceID] = []
      try attempt { try stripe.forEachMatch(mask) { traces.append($0.trace) } }
      for trace in traces.prefix(8) { try attempt { _ = try segment.rows(of: trace) } }
    }
    try attempt { try stripe.forEachCallRun(CallSelection(), in: 0..<stripe.rowCount, nil) { _ in } }
    try attempt { _ = try (stripe as? SegmentStripe)?.calls(isKept: true) }
    try attempt { _ = try stripe.spanIDs(rows) }
    try attempt { _ = try stripe.summaryRows(rows) }
    _ = try stripe.records(rows)
  }

  /// As a merge reads it: whole stripes, trace by trace, into a first table and once more into a second.
  private func merge(_ segment: Segment) throws {
    let transfer = try SegmentTransfer(segment, to: SpanTable())
    var fragments: [TraceFragment] = []
    try transfer.forEachFragment { if fragments.count < Self.maximumRowCount { fragments.append($0) } }
    for _ in 0..<2 {
      var weights: [Int] = []
      for fragment in fragments {
        try attempt {
          if let stripe = fragment.stripe {
            try transfer.append(ordinal: fragment.place, ofStripe: stripe, weights: &weights)
          } else if try transfer.unpackPartials(of: [fragment], maximumByteCount: 1 << 20) != nil {
            _ = transfer.spanIDs(ofPartials: fragment)
            for row in fragment.rows { _ = try transfer.partialRecord(at: row) }
          }
        }
      }
      transfer.begin(SpanTable())
    }
  }

  /// One part that is refused must not hide the others.
  private func attempt(_ body: () throws -> Void) throws {
    do { try body() } catch is TracestoreError {}
  }

  private static let leaves: [SpanLeaf] =
    [
      .service(Array("storefront".utf8)), .name(Array("GET".utf8)), .kind(3), .statusCode(2),
      .statusMessage(Array("boom".utf8)), .traceState(Array("a=b".utf8)), .scopeName(Array("shop.http".utf8)),
      .scopeVersion([]), .eventName(Array("exception".utf8)), .start(1...(.max - 1)), .duration(1...1_000_000),
    ]
    + [
      ("http.request.method", AttributeValue.string("GET")), ("http.response.status_code", .int(200)),
      ("a", .string("1")), ("twice", .string("true")), ("double", .double(0.5)), ("value.empty", .empty),
    ].flatMap { key, value in
      ColumnLevel.allCases.map { .attribute(level: $0, key: Array(key.utf8), ValueTest(value)) }
    }
}

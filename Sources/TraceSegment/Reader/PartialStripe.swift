import TraceBytes
package import TraceColumns
package import TraceModel
import TraceOTLP
package import TraceSource

/// The partial records of a segment as a stripe. They are stored whole: what stands beside them in columns is decided
/// there, everything else on materialised records.
package final class PartialStripe: SpanStripe {
  private let core: SegmentCore
  package let index: Int
  package let rowCount: Int
  package let bounds: StripeBounds

  init(core: SegmentCore, index: Int, rowCount: Int, bounds: StripeBounds) {
    self.core = core
    self.index = index
    self.rowCount = rowCount
    self.bounds = bounds
  }

  func table() throws -> PartialTable {
    guard let table = try core.partials(), table.count == rowCount else {
      throw core.place(.partialSpans).damage("it is not what it was")
    }
    return table
  }

  /// The rows of a trace, ascending.
  func rows(of trace: TraceID) throws -> [Int] { Array(try table().rows(of: trace)) }

  package var holdsFinals: Bool { false }
  package func partialRows(_ rows: [Int]) -> [Int] { rows }

  /// None: partial records are measured nowhere.
  package func forEachCallRun(
    _ selection: CallSelection, in rows: Range<Int>, _ mask: RowMask?, _ body: (CallRun) throws -> Void
  ) throws {}

  package func text(_ code: UInt32) throws -> [UInt8] { [] }

  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool {
    switch leaf {
    case .start(let range): bounds.minimumStart <= range.upperBound && bounds.maximumStart >= range.lowerBound
    case .duration(let range): bounds.minimumDuration <= range.upperBound && bounds.maximumDuration >= range.lowerBound
    default: rowCount > 0
    }
  }

  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    try check(mask)
    if mask.isEmpty { return }
    let (table, rows) = (try table(), mask.rows)
    var result = mask
    func keep<Values: Sequence>(_ values: Values, _ passes: (Values.Element) -> Bool) {
      for (row, value) in zip(rows, values) where !passes(value) { result.clear(row) }
    }
    /// - Parameter passing: by number; empty when none passes.
    func keep(_ numbers: [Int], passing: [Bool]) { keep(numbers) { passing.indices.contains($0) && passing[$0] } }
    switch leaf {
    case .start(let range): keep(try table.times(rows)) { range.contains($0.start) }
    case .end(let range): keep(try table.times(rows)) { range.contains($0.end) }
    case .duration(let range): keep(try table.times(rows)) { range.contains($0.end > $0.start ? $0.end - $0.start : 0) }
    case .traceID(let id): keep(try table.traces(rows)) { $0 == id }
    case .spanID(let id): keep(try table.spanIDs(rows)) { $0 == id }
    case .attribute(.resource, let key, let test):
      keep(try table.resources(rows), passing: try core.resources().passing(key, test))
    case .attribute(.scope, let key, let test):
      keep(try table.scopes(rows), passing: try core.scopes().passing(key, test))
    case .text(let text, let test) where text.level == .resource:
      keep(try table.resources(rows), passing: try core.resources().passing(text, test))
    case .text(let text, let test) where text.level == .scope:
      keep(try table.scopes(rows), passing: try core.scopes().passing(text, test))
    default:
      try forEachRecord(rows) { row, record in
        if !leaf.matches(resource: record.resource, scope: record.scope, span: record.span) { result.clear(row) }
      }
    }
    mask = result
  }

  package func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws {
    try check(mask)
    let (table, rows) = (try table(), mask.rows)
    let (traces, times) = (try table.traces(rows), try table.times(rows))
    for (place, row) in rows.enumerated() {
      let (start, end) = times[place]
      body(MatchedRow(row: row, start: start, duration: end > start ? end - start : 0, trace: traces[place]))
    }
  }

  package func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws {
    struct Entry: Hashable {
      var key: [UInt8]
      var level: ColumnLevel
      var type: UInt8
    }
    try check(mask)
    var counts: [Entry: Int] = [:]
    func count(_ attributes: [Attribute], _ level: ColumnLevel) {
      for attribute in attributes {
        let type = AttributeType(of: attribute).rawValue
        counts[Entry(key: Array(attribute.key.utf8), level: level, type: type), default: 0] += 1
      }
    }
    try forEachRecord(mask.rows) { _, record in
      count(record.span.attributes, .span)
      for event in record.span.events { count(event.attributes, .event) }
      for link in record.span.links { count(link.attributes, .link) }
    }
    // Given only now: what is damaged gives nothing.
    for (entry, count) in counts {
      let key = String(decoding: entry.key, as: UTF8.self)
      body(AttributeKeyCount(key: key, level: entry.level, type: entry.type, valueCount: count))
    }
  }

  package func forEachAttributeValue(
    key: [UInt8], _ levels: [ColumnLevel], in mask: RowMask, limit: Int, _ body: (AttributeValue, Int) -> Void
  ) throws -> Bool {
    try check(mask)
    var tally = ValueTally(limit: limit)
    try forEachRecord(mask.rows) { _, record in
      for level in levels where level != .resource && level != .scope { tally.add(record, key, level) }
    }
    for (value, count) in tally.values { body(value, count) }
    return tally.hasMore
  }

  package func forEachEnvelope(in mask: RowMask, _ body: (SpanEnvelope) -> Void) throws {
    try check(mask)
    let (table, rows) = (try table(), mask.rows)
    let (resources, scopes) = (try core.resources(), try core.scopes())
    let found =
      try Set(table.resources(rows)).map { try resources.envelope(at: $0) }
      + Set(table.scopes(rows)).map { try scopes.envelope(at: $0) }
    for envelope in found { body(envelope) }
  }

  /// Decodes no record.
  package func services(_ rows: [Int]) throws -> [(name: String, count: Int)] {
    for row in rows { try check(row) }
    var counts: [Int: Int] = [:]
    for resource in try table().resources(rows) { counts[resource, default: 0] += 1 }
    let resources = try core.resources()
    return try counts.map { (try resources.value(at: $0).serviceName, $1) }
  }

  package func operations(_ rows: [Int]) throws -> [OperationCount] {
    struct Entry: Hashable {
      var service: [UInt8]
      var name: [UInt8]
      var kind: Int32
    }
    var counts: [Entry: Int] = [:]
    try forEachRecord(rows) { _, record in
      let service = Array(record.resource.serviceName.utf8)
      let entry = Entry(service: service, name: Array(record.span.name.utf8), kind: record.span.kind.rawValue)
      counts[entry, default: 0] += 1
    }
    return counts.map { entry, count in
      OperationCount(
        service: String(decoding: entry.service, as: UTF8.self), name: String(decoding: entry.name, as: UTF8.self),
        kind: SpanKind(rawValue: entry.kind), count: count)
    }
  }

  package func spanIDs(_ rows: [Int]) throws -> [UInt64] {
    for row in rows { try check(row) }
    return try table().spanIDs(rows)
  }

  package func summaryRows(_ rows: [Int]) throws -> [SummaryRow] {
    try records(rows).map { record in
      SummaryRow(
        start: record.span.start.nanoseconds, end: record.span.end.nanoseconds, spanID: record.span.spanID.rawValue,
        parentSpanID: record.span.parentSpanID?.rawValue, statusCode: record.span.status?.code.rawValue ?? 0,
        isPartial: true, service: record.resource.serviceName, name: record.span.name)
    }
  }

  package func records(_ rows: [Int]) throws -> [SourceSpan] {
    var result: [SourceSpan] = []
    result.reserveCapacity(rows.count)
    try forEachRecord(rows) { result.append($1) }
    return result
  }

  /// Calls `body` with the records, one at a time in memory.
  func forEachRecord(_ rows: [Int], _ body: (Int, SourceSpan) throws -> Void) throws {
    for row in rows { try check(row) }
    let table = try table()
    let (resources, scopes) = (try core.resources(), try core.scopes())
    try core.cache.withScratch { scratch in
      try table.forEachRecord(rows, scratch) { row, resource, scope, bytes in
        try body(
          row,
          SourceSpan(
            resource: try resources.value(at: resource), scope: try scopes.value(at: scope),
            span: try OTLP.decodeSpan(bytes), isPartial: true))
      }
    }
  }

  private func check(_ mask: RowMask) throws {
    guard mask.count == rowCount else {
      throw TracestoreError(
        .invalidArgument, "a mask of \(mask.count) rows meets a stripe of \(rowCount)", path: core.path)
    }
  }

  private func check(_ row: Int) throws {
    guard row >= 0, row < rowCount else {
      throw TracestoreError(.invalidArgument, "row \(row) is asked of a stripe of \(rowCount) rows", path: core.path)
    }
  }
}

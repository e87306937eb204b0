import TraceBytes
package import TraceColumns
package import TraceModel
package import TraceSource

/// The partial records of a segment as a stripe: they are few, so that leaves are decided on materialised records.
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

  private func table() throws -> PartialTable {
    guard let table = try core.partials(), table.count == rowCount else {
      throw core.place(.partialSpans).damage("it is not what it was")
    }
    return table
  }

  /// The rows of a trace, ascending.
  func rows(of trace: TraceID) throws -> [Int] { Array(try table().rows(of: trace)) }

  package func partialRows(_ rows: [Int]) -> [Int] { rows }

  /// Calls `body` with the ids of every record.
  package func forEachID(_ body: (TraceID, UInt64) -> Void) throws {
    let table = try table()
    for row in 0..<rowCount { body(table.traceID(row), table.spanIDs[row]) }
  }

  package func mayMatch(_ leaf: SpanLeaf) throws -> Bool {
    switch leaf {
    case .start(let range): bounds.minimumStart <= range.upperBound && bounds.maximumStart >= range.lowerBound
    case .duration(let range): bounds.minimumDuration <= range.upperBound && bounds.maximumDuration >= range.lowerBound
    default: rowCount > 0
    }
  }

  package func filter(_ mask: inout RowMask, by leaf: SpanLeaf) throws {
    try check(mask)
    var result = mask
    try forEachRecord(mask.rows) { row, record in
      if !leaf.matches(resource: record.resource, scope: record.scope, span: record.span) { result.clear(row) }
    }
    mask = result
  }

  package func forEachMatch(_ mask: RowMask, _ body: (MatchedRow) -> Void) throws {
    try check(mask)
    let table = try table()
    mask.forEachSet { row in
      let (start, end) = (table.starts[row], table.ends[row])
      body(
        MatchedRow(row: row, start: start, duration: end > start ? end - start : 0, trace: table.traceID(row)))
    }
  }

  package func forEachAttributeKey(in mask: RowMask, _ body: (AttributeKeyCount) -> Void) throws {
    try check(mask)
    var records: [SourceSpan] = []
    try forEachRecord(mask.rows) { records.append($1) }
    func give(_ attributes: [Attribute], _ level: ColumnLevel) {
      for attribute in attributes {
        body(
          AttributeKeyCount(
            key: attribute.key, level: level, type: AttributeType(of: attribute).rawValue, valueCount: 1))
      }
    }
    for record in records {
      give(record.span.attributes, .span)
      for event in record.span.events { give(event.attributes, .event) }
      for link in record.span.links { give(link.attributes, .link) }
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
    try forEachRecord(mask.rows) {
      body(.resource($1.resource))
      body(.scope($1.scope))
    }
  }

  package func spanIDs(_ rows: [Int]) throws -> [UInt64] {
    let table = try table()
    return try rows.map { row in
      try check(row)
      return table.spanIDs[row]
    }
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

  private func forEachRecord(_ rows: [Int], _ body: (Int, SourceSpan) throws -> Void) throws {
    let table = try table()
    let (resources, scopes) = (try core.resources(), try core.scopes())
    try core.cache.withScratch { scratch in
      for row in rows {
        try check(row)
        try body(
          row,
          SourceSpan(
            resource: try resources.value(at: Int(clamping: table.resources[row])),
            scope: try scopes.value(at: Int(clamping: table.scopes[row])), span: try table.span(row, scratch),
            isPartial: true))
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

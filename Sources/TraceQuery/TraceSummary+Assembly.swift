import TraceBytes
import TraceMerge
package import TraceModel
package import TraceSource
package import TracestoreV2

extension FoundTrace {
  /// A trace with its bounds, which spans that are there twice do not change. Nil when the trace is nowhere.
  ///
  /// - Parameter row: one of its rows, if one is known.
  package static func assemble(
    _ trace: TraceID, around row: FoundRow? = nil, in snapshot: QuerySnapshot, damage: inout [String]
  ) -> FoundTrace? {
    // What is damaged is told by the rows.
    if let row, let whole = try? whole(trace, around: row, in: snapshot) { return whole }
    var report = DamageReport()
    defer { damage += report.messages.filter { !damage.contains($0) } }
    var found: FoundTrace?
    func include(start: UInt64, end: UInt64) {
      let (start, end) = (Timestamp(nanoseconds: start), Timestamp(nanoseconds: end))
      found = FoundTrace(
        traceID: trace, start: min(found?.start ?? start, start), end: max(found?.end ?? end, end))
    }
    let parts = TraceParts(trace, in: snapshot, for: .fields, around: row, &report)
    for located in parts.fragments {
      report.salvage(located) { fragment in
        if let bounds = try fragment.stripe.timeBounds(fragment.rows) {
          return include(start: bounds.minimumStart, end: bounds.maximumEnd)
        }
        for row in try fragment.stripe.summaryRows(fragment.rows) { include(start: row.start, end: row.end) }
      }
    }
    for row in parts.joined.map(SummaryRow.init) { include(start: row.start, end: row.end) }
    return found
  }
}

extension FoundTrace {
  /// A trace that stands whole in one place, which knows its bounds; nil where its rows have to be looked at.
  private static func whole(
    _ trace: TraceID, around row: FoundRow, in snapshot: QuerySnapshot
  ) throws -> FoundTrace? {
    guard let place = snapshot.recordSources.firstIndex(where: { $0.knowsBounds(around: row) }) else { return nil }
    // Of a trace that stands elsewhere too the stripe knows a part.
    for (other, source) in snapshot.recordSources.enumerated() where other != place {
      guard try source.rows(of: trace, for: .fields).isEmpty else { return nil }
    }
    return try snapshot.recordSources[place].timeBounds(of: trace, around: row).map {
      FoundTrace(
        traceID: trace, start: Timestamp(nanoseconds: $0.minimumStart), end: Timestamp(nanoseconds: $0.maximumEnd))
    }
  }
}

extension TraceSummary {
  /// Summarises a trace from its fragments without materialising its spans, except those that share an id with
  /// another span or have partial records. Nil when the trace is nowhere.
  ///
  /// - Parameter row: one of its rows, if one is known.
  package static func assemble(
    _ trace: TraceID, around row: FoundRow? = nil, in snapshot: QuerySnapshot, damage: inout [String]
  ) -> TraceSummary? {
    var report = DamageReport()
    defer { damage += report.messages.filter { !damage.contains($0) } }
    let parts = TraceParts(trace, in: snapshot, for: .fields, around: row, &report)
    var rows: [SummaryRow] = []
    for located in parts.fragments {
      report.salvage(located) { rows += try $0.stripe.summaryRows($0.rows) }
    }
    if hasRepeatedIDs(rows) {
      report.collect { rows = try distinctRows(parts.fragments) }
    }
    rows += parts.joined.map(SummaryRow.init)
    return rows.isEmpty ? nil : TraceSummary(trace, rows: rows)
  }

  private static func hasRepeatedIDs(_ rows: [SummaryRow]) -> Bool {
    var seen: Set<UInt64> = []
    seen.reserveCapacity(rows.count)
    return rows.contains { !seen.insert($0.spanID).inserted }
  }

  private static func distinctRows(_ fragments: [LocatedRows]) throws -> [SummaryRow] {
    var seen: Set<[UInt8]> = []
    var rows: [SummaryRow] = []
    for fragment in fragments {
      for record in try fragment.stripe.records(fragment.rows) {
        let bytes = ContentHash.canonicalBytes(resource: record.resource, scope: record.scope, span: record.span)
        guard seen.insert(bytes).inserted else { continue }
        rows.append(SummaryRow(record))
      }
    }
    return rows
  }

  private init(_ trace: TraceID, rows: [SummaryRow]) {
    self.init(traceID: trace, minimumStart: .maximum)
    let ids = Set(rows.map(\.spanID))
    var orphans: Set<UInt64> = []
    var root: SummaryRow?
    var counts: [ServiceSummary] = []
    var places: [[UInt8]: Int] = [:]
    var place = 0
    for row in rows {
      minimumStart = min(minimumStart, Timestamp(nanoseconds: row.start))
      maximumEnd = max(maximumEnd, Timestamp(nanoseconds: row.end))
      // Rows come by service mostly: the one before knows where to count.
      if counts.isEmpty || !counts[place].name.utf8.elementsEqual(row.service.utf8) {
        let key = Array(row.service.utf8)
        place = places[key] ?? counts.count
        if place == counts.count {
          places[key] = place
          counts.append(ServiceSummary(name: row.service))
        }
      }
      if row.isPartial {
        openSpanCount += 1
      } else {
        spanCount += 1
        counts[place].spanCount += 1
        if row.statusCode == SpanStatus.Code.error.rawValue {
          errorSpanCount += 1
          counts[place].errorSpanCount += 1
        }
      }
      if let parent = row.parentSpanID, parent != 0 {
        if !row.isPartial, !ids.contains(parent) { orphans.insert(row.spanID) }
      } else if root.map({ row.precedesAsRoot($0) }) ?? true {
        root = row
      }
    }
    rootServiceName = root?.service ?? ""
    rootOperationName = root?.name ?? ""
    orphanSpanCount = orphans.count
    services = places.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { counts[$0.value] }
  }
}

extension SummaryRow {
  /// An open span ends where its record was last observed, which may be an event.
  fileprivate init(_ record: SourceSpan) {
    let span = record.span
    self.init(
      start: span.start.nanoseconds,
      end: record.isPartial ? span.latestNanoseconds : span.end.nanoseconds,
      spanID: span.spanID.rawValue, parentSpanID: span.parentSpanID?.rawValue,
      statusCode: span.status?.code.rawValue ?? 0, isPartial: record.isPartial, service: record.resource.serviceName,
      name: span.name)
  }

  /// The root is the span without a parent that starts first; ties by span id, service and name.
  fileprivate func precedesAsRoot(_ other: SummaryRow) -> Bool {
    if start != other.start { return start < other.start }
    if spanID != other.spanID { return spanID < other.spanID }
    if !service.utf8.elementsEqual(other.service.utf8) {
      return service.utf8.lexicographicallyPrecedes(other.service.utf8)
    }
    return name.utf8.lexicographicallyPrecedes(other.name.utf8)
  }
}

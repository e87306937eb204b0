import TraceBytes
import TraceMerge
package import TraceModel
import TraceSource
package import TracestoreV2

extension TraceSummary {
  /// Summarises a trace from its fragments without materialising its spans, except those that share an id with
  /// another span or are open. Nil when the trace is nowhere.
  package static func assemble(
    _ trace: TraceID, in snapshot: QuerySnapshot, damage: inout [String]
  ) -> TraceSummary? {
    var report = DamageReport()
    defer { damage += report.messages.filter { !damage.contains($0) } }
    var rows: [SummaryRow] = []
    for source in snapshot.sources {
      for located in report.collect({ try source.rows(of: trace) }) ?? [] {
        report.salvage(located) { fragment in
          let own = try fragment.stripe.summaryRows(fragment.rows)
          rows += try own.contains(where: \.isPartial) ? Self.withObservedEnds(own, of: fragment) : own
        }
      }
    }
    guard !rows.isEmpty else { return nil }
    if hasRepeatedIDs(rows) {
      report.collect { rows = try distinctRows(of: trace, in: snapshot) }
    }
    return TraceSummary(trace, rows: rows)
  }

  private static func hasRepeatedIDs(_ rows: [SummaryRow]) -> Bool {
    var seen: Set<UInt64> = []
    seen.reserveCapacity(rows.count)
    return rows.contains { !seen.insert($0.spanID).inserted }
  }

  /// An open span ends where it was last observed, which may be an event.
  private static func withObservedEnds(_ rows: [SummaryRow], of fragment: LocatedRows) throws -> [SummaryRow] {
    var rows = rows
    for index in rows.indices where rows[index].isPartial {
      guard let record = try fragment.stripe.records([fragment.rows[index]]).first else { continue }
      rows[index].end = record.span.lastObservedNanoseconds
    }
    return rows
  }

  private static func distinctRows(of trace: TraceID, in snapshot: QuerySnapshot) throws -> [SummaryRow] {
    var seen: Set<[UInt8]> = []
    var rows: [SummaryRow] = []
    for source in snapshot.sources {
      for fragment in try source.rows(of: trace) {
        for record in try fragment.stripe.records(fragment.rows) {
          let bytes = ContentHash.canonicalBytes(resource: record.resource, scope: record.scope, span: record.span)
          guard seen.insert(bytes).inserted else { continue }
          rows.append(SummaryRow(record))
        }
      }
    }
    return rows
  }

  private init(_ trace: TraceID, rows: [SummaryRow]) {
    self.init(traceID: trace, minimumStart: .maximum)
    let ids = Set(rows.map(\.spanID))
    var orphans: Set<UInt64> = []
    var root: SummaryRow?
    var counts: [[UInt8]: ServiceSummary] = [:]
    for row in rows {
      minimumStart = min(minimumStart, Timestamp(nanoseconds: row.start))
      maximumEnd = max(maximumEnd, Timestamp(nanoseconds: row.end))
      let key = Array(row.service.utf8)
      var service = counts[key] ?? ServiceSummary(name: row.service)
      if row.isPartial {
        openSpanCount += 1
      } else {
        spanCount += 1
        service.spanCount += 1
        if row.statusCode == SpanStatus.Code.error.rawValue {
          errorSpanCount += 1
          service.errorSpanCount += 1
        }
      }
      counts[key] = service
      if let parent = row.parentSpanID, parent != 0 {
        if !row.isPartial, !ids.contains(parent) { orphans.insert(row.spanID) }
      } else if root.map({ row.precedesAsRoot($0) }) ?? true {
        root = row
      }
    }
    rootServiceName = root?.service ?? ""
    rootOperationName = root?.name ?? ""
    orphanSpanCount = orphans.count
    services = counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
  }
}

extension SummaryRow {
  fileprivate init(_ record: SourceSpan) {
    let span = record.span
    self.init(
      start: span.start.nanoseconds,
      end: record.isPartial ? span.lastObservedNanoseconds : span.end.nanoseconds,
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

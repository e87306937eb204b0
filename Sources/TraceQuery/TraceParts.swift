import TraceMerge
import TraceModel
import TraceSource

/// What all sources hold of one trace: rows that are spans as they stand, and the spans that several records make.
///
/// Nothing is materialised here but the records of span ids that have a partial record. A trace without any costs the
/// look-up of its rows.
struct TraceParts {
  /// Rows whose span id has no partial record.
  private(set) var fragments: [LocatedRows] = []
  /// What the other records come to, in no order that means anything.
  private(set) var joined: [SourceSpan] = []

  /// - Parameters:
  ///   - use: what the rows are wanted for.
  ///   - row: one of its rows, if one is known.
  ///   - isRaw: whether the records that contribute are wanted instead of what they come to.
  init(
    _ trace: TraceID, in snapshot: QuerySnapshot, for use: RowUse = .records, around row: FoundRow? = nil,
    isRaw: Bool = false, _ report: inout DamageReport
  ) {
    for source in snapshot.recordSources {
      if let row, let known = try? source.rows(of: trace, around: row) {
        fragments += known
        continue
      }
      for located in report.collect({ try source.rows(of: trace, for: use) }) ?? [] { fragments.append(located) }
    }
    var ids: Set<UInt64> = []
    for fragment in fragments {
      let rows = fragment.stripe.partialRows(fragment.rows)
      if rows.isEmpty { continue }
      report.salvage(LocatedRows(stripe: fragment.stripe, rows: rows)) {
        ids.formUnion(try $0.stripe.spanIDs($0.rows))
      }
    }
    if ids.isEmpty { return }
    var parts: [UInt64: [SpanPart]] = [:]
    fragments = fragments.compactMap { fragment in
      var kept: [Int] = []
      report.salvage(fragment) { fragment in
        let rows = zip(fragment.rows, try fragment.stripe.spanIDs(fragment.rows))
        let own = rows.filter { ids.contains($1) }.map(\.0)
        let records = try fragment.stripe.records(own)
        for record in records { parts[record.span.spanID.rawValue, default: []].append(SpanPart(record)) }
        kept += rows.filter { !ids.contains($1) }.map(\.0)
      }
      return kept.isEmpty ? nil : LocatedRows(stripe: fragment.stripe, rows: kept)
    }
    for id in ids.sorted() {
      let own = parts[id] ?? []
      joined +=
        isRaw ? SpanPart.contributing(own).map { SourceSpan(own[$0]) } : SpanView.views(of: own).map(SourceSpan.init)
    }
  }
}

extension SpanPart {
  init(_ record: SourceSpan) {
    self.init(resource: record.resource, scope: record.scope, span: record.span, isPartial: record.isPartial)
  }
}

extension SourceSpan {
  init(_ part: SpanPart) {
    self.init(resource: part.resource, scope: part.scope, span: part.span, isPartial: part.kind != .final)
  }

  init(_ view: SpanView) {
    self.init(
      resource: view.resource, scope: view.scope, span: view.span, isPartial: view.isOpen, isEnriched: view.isEnriched)
  }
}

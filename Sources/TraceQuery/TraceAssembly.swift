import TraceBytes
import TraceMerge
package import TraceModel
import TraceSource
package import TracestoreV2

/// The spans of one trace, chunk by chunk, from all its fragments.
///
/// Equal (resource, scope, span) triples come once; different spans under equal ids all come, and records of one span
/// come as what they say together. Memory is bounded by a chunk plus eight bytes a span, and by the records that share
/// their span id with another one.
package struct TraceAssembly {
  private let trace: TraceID
  private let options: ReadOptions
  private let nowNanoseconds: UInt64
  private let fragments: [LocatedRows]
  private var joined: ArraySlice<SourceSpan>
  private var fragmentIndex = 0
  private var rowOffset = 0
  /// Span ids that occur more than once: only these records are compared by content.
  private var repeatedIDs: Set<UInt64> = []
  private var seen: Set<[UInt8]> = []
  package private(set) var damage: [String]

  /// Rows of one chunk: a chunk of large spans still fits comfortably, and per-chunk costs vanish.
  private static let chunkRowCount = 1024

  package init(_ trace: TraceID, in snapshot: QuerySnapshot, options: ReadOptions, nowNanoseconds: UInt64) {
    self.trace = trace
    self.options = options
    self.nowNanoseconds = nowNanoseconds
    var report = DamageReport()
    let parts = TraceParts(trace, in: snapshot, isRaw: options.isRaw, &report)
    fragments = parts.fragments
    joined = parts.joined[...]
    var ids: [UInt64] = []
    for fragment in fragments {
      report.salvage(fragment) { ids += try $0.stripe.spanIDs($0.rows) }
    }
    ids.sort()
    for (id, next) in zip(ids, ids.dropFirst()) where id == next { repeatedIDs.insert(id) }
    damage = report.messages
  }

  /// Whether no chunk is left.
  package var isAtEnd: Bool { fragmentIndex == fragments.count && joined.isEmpty }

  /// The next chunk, or nil after the last.
  package mutating func next() -> TraceChunk? {
    var report = DamageReport()
    defer { damage += report.messages.filter { !damage.contains($0) } }
    while fragmentIndex < fragments.count {
      let fragment = fragments[fragmentIndex]
      let rows = Array(fragment.rows[rowOffset..<min(rowOffset + Self.chunkRowCount, fragment.rows.count)])
      rowOffset += rows.count
      if rowOffset == fragment.rows.count {
        fragmentIndex += 1
        rowOffset = 0
      }
      var builder = ChunkBuilder(trace: trace)
      report.salvage(LocatedRows(stripe: fragment.stripe, rows: rows)) { located in
        for record in try located.stripe.records(located.rows) where isNew(record) {
          builder.append(record, options, nowNanoseconds: nowNanoseconds)
        }
      }
      if !builder.isEmpty { return builder.chunk }
    }
    if joined.isEmpty { return nil }
    var builder = ChunkBuilder(trace: trace)
    for record in joined.prefix(Self.chunkRowCount) {
      builder.append(record, options, nowNanoseconds: nowNanoseconds)
    }
    joined = joined.dropFirst(Self.chunkRowCount)
    return builder.chunk
  }

  private mutating func isNew(_ record: SourceSpan) -> Bool {
    guard !repeatedIDs.isEmpty, repeatedIDs.contains(record.span.spanID.rawValue) else { return true }
    return seen.insert(
      ContentHash.canonicalBytes(resource: record.resource, scope: record.scope, span: record.span)
    ).inserted
  }

}

extension SourceSpan {
  func state(_ options: ReadOptions, nowNanoseconds: UInt64) -> SpanState {
    let isEnriched = isEnriched || isPartial && span.isEnrichment
    guard isPartial else { return SpanState(.final, isEnriched: isEnriched) }
    let isPastLease = span.isPastLease(options.leaseNanoseconds, nowNanoseconds: nowNanoseconds)
    return SpanState(isPastLease ? .abandoned : .open, isEnriched: isEnriched)
  }

  /// The span as a reader gets it.
  func visibleSpan(_ options: ReadOptions) -> SpanRecord {
    guard !options.isRaw, span.attributes.contains(where: { ControlKey.isHidden($0.key) }) else { return span }
    var span = span
    span.attributes.removeAll { ControlKey.isHidden($0.key) }
    return span
  }

  func found(_ options: ReadOptions, nowNanoseconds: UInt64) -> FoundSpan {
    FoundSpan(
      resource: resource, scope: scope, span: visibleSpan(options),
      state: state(options, nowNanoseconds: nowNanoseconds))
  }
}

extension SpanRecord {
  func isPastLease(_ leaseNanoseconds: UInt64, nowNanoseconds: UInt64) -> Bool {
    let (end, isEndless) = lastObservedNanoseconds.addingReportingOverflow(leaseNanoseconds)
    return !isEndless && end < nowNanoseconds
  }
}

/// Groups records under their resources and scopes as they come.
private struct ChunkBuilder {
  private let trace: TraceID
  private var groups: [ResourceSpans] = []
  private var states: [Int: SpanState] = [:]
  private var spanCount = 0

  init(trace: TraceID) { self.trace = trace }

  var isEmpty: Bool { spanCount == 0 }

  var chunk: TraceChunk { TraceChunk(traceID: trace, data: TraceData(resourceSpans: groups), states: states) }

  mutating func append(_ record: SourceSpan, _ options: ReadOptions, nowNanoseconds: UInt64) {
    var group = groups.count - 1
    if group < 0 || groups[group].resource != record.resource {
      groups.append(ResourceSpans(resource: record.resource))
      group += 1
    }
    var scope = groups[group].scopeSpans.count - 1
    if scope < 0 || groups[group].scopeSpans[scope].scope != record.scope {
      groups[group].scopeSpans.append(ScopeSpans(scope: record.scope))
      scope += 1
    }
    groups[group].scopeSpans[scope].spans.append(record.visibleSpan(options))
    let state = record.state(options, nowNanoseconds: nowNanoseconds)
    if state != .final { states[spanCount] = state }
    spanCount += 1
  }
}

import TraceBytes
import TraceMerge
package import TraceModel
import TraceSource
package import TracestoreV2

/// The spans of one trace, chunk by chunk, from all its fragments.
///
/// Equal (resource, scope, span) triples come once; different spans under equal ids all come, and records of one span
/// come as what they say together. Memory is bounded by a chunk plus eight bytes a span, and by the records that share
/// their span id with another one. A chunk ends at so many rows or bytes, whichever come first.
package struct TraceAssembly {
  private let trace: TraceID
  private let options: ReadOptions
  private let nowNanoseconds: UInt64
  private let fragments: [LocatedRows]
  private var joined: ArraySlice<SourceSpan>
  private var fragmentIndex = 0
  private var rowOffset = 0
  /// What a row is taken to need, for who knows how large the next ones are.
  package private(set) var rowByteCount: Int
  /// Span ids that occur more than once: only these records are compared by content.
  private var repeatedIDs: Set<UInt64> = []
  private var seen: Set<[UInt8]> = []
  package private(set) var damage: [String]
  /// About how many bytes the last chunk has.
  package private(set) var chunkByteCount = 0

  /// Rows of one chunk: per-chunk costs vanish.
  private static let chunkRowCount = 1024
  /// Bytes that a chunk may reach: spans of a usual size are never cut short by them.
  package static let maximumChunkByteCount = 4 << 20
  /// What a row is taken to need before any has been read: 64 rows come together then, and most traces have no more.
  package static let firstRowByteCount = maximumChunkByteCount / 64
  /// After small rows at most so many times as many are read as before.
  private static let growthFactor = 4

  /// - Parameter rowByteCount: what a row is taken to need at first.
  package init(
    _ trace: TraceID, in snapshot: QuerySnapshot, options: ReadOptions, nowNanoseconds: UInt64,
    rowByteCount: Int = TraceAssembly.firstRowByteCount
  ) {
    self.rowByteCount = rowByteCount
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
      if let chunk = nextOfFragment(&report) { return chunk }
    }
    if joined.isEmpty { return nil }
    var builder = ChunkBuilder(trace: trace)
    while builder.rowCount < Self.chunkRowCount, builder.byteCount < Self.maximumChunkByteCount,
      let record = joined.popFirst()
    {
      builder.append(record, options, nowNanoseconds: nowNanoseconds)
    }
    return take(builder)
  }

  /// A chunk of the fragment, or its end when it has nothing new.
  private mutating func nextOfFragment(_ report: inout DamageReport) -> TraceChunk? {
    let fragment = fragments[fragmentIndex]
    var builder = ChunkBuilder(trace: trace)
    let end = min(rowOffset + Self.chunkRowCount, fragment.rows.count)
    while rowOffset < end {
      let fittingCount = (Self.maximumChunkByteCount - builder.byteCount) / rowByteCount
      if fittingCount < 1, !builder.isEmpty { break }
      let rows = Array(fragment.rows[rowOffset..<min(rowOffset + max(1, fittingCount), end)])
      rowOffset += rows.count
      let (rowCount, byteCount) = (builder.rowCount, builder.byteCount)
      report.salvage(LocatedRows(stripe: fragment.stripe, rows: rows)) { located in
        for record in try located.stripe.records(located.rows) where isNew(record) {
          builder.append(record, options, nowNanoseconds: nowNanoseconds)
        }
      }
      if builder.rowCount > rowCount {
        let found = (builder.byteCount - byteCount) / (builder.rowCount - rowCount)
        rowByteCount = max(found, rowByteCount / Self.growthFactor, 1)
      }
    }
    if rowOffset == fragment.rows.count {
      fragmentIndex += 1
      rowOffset = 0
    }
    return builder.isEmpty ? nil : take(builder)
  }

  private mutating func take(_ builder: ChunkBuilder) -> TraceChunk {
    chunkByteCount = builder.byteCount
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
  private(set) var rowCount = 0
  /// About so many; resources and scopes count where they stand.
  private(set) var byteCount = 0

  init(trace: TraceID) { self.trace = trace }

  var isEmpty: Bool { rowCount == 0 }

  var chunk: TraceChunk { TraceChunk(traceID: trace, data: TraceData(resourceSpans: groups), states: states) }

  mutating func append(_ record: SourceSpan, _ options: ReadOptions, nowNanoseconds: UInt64) {
    var group = groups.count - 1
    if group < 0 || groups[group].resource != record.resource {
      groups.append(ResourceSpans(resource: record.resource))
      byteCount += record.resource.attributes.byteCount
      group += 1
    }
    var scope = groups[group].scopeSpans.count - 1
    if scope < 0 || groups[group].scopeSpans[scope].scope != record.scope {
      groups[group].scopeSpans.append(ScopeSpans(scope: record.scope))
      byteCount += record.scope.attributes.byteCount
      scope += 1
    }
    groups[group].scopeSpans[scope].spans.append(record.visibleSpan(options))
    let state = record.state(options, nowNanoseconds: nowNanoseconds)
    if state != .final { states[rowCount] = state }
    rowCount += 1
    byteCount += record.span.byteCount
  }
}

extension SpanRecord {
  /// About how many bytes of memory it takes, or of OTLP.
  fileprivate var byteCount: Int {
    var count = 64 + name.utf8.count + traceState.utf8.count + (status?.message.utf8.count ?? 0) + unknownFields.count
    count += attributes.byteCount
    for event in events { count += 16 + event.name.utf8.count + event.attributes.byteCount }
    for link in links { count += 32 + link.traceState.utf8.count + link.attributes.byteCount }
    return count
  }
}

extension [Attribute] {
  fileprivate var byteCount: Int { reduce(0) { $0 + $1.key.utf8.count + $1.value.byteCount } }
}

extension AttributeValue {
  fileprivate var byteCount: Int {
    switch self {
    case .string(let text): text.utf8.count
    case .bytes(let bytes), .opaque(let bytes): bytes.count
    case .array(let values): values.reduce(8) { $0 + $1.byteCount }
    case .map(let attributes): 8 + attributes.byteCount
    default: 8
    }
  }
}

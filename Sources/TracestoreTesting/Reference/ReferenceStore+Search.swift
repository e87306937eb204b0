import Synchronization
import TraceFilter
import TraceModel
public import TracestoreV2

extension ReferenceStore: TraceReader {
  public func getTraces(
    _ parameters: [GetTraceParameters], options: ReadOptions
  ) async throws -> ResultStream<TraceChunk> {
    let records = options.isRaw ? rawRecords : views
    return ResultStream(parameters.compactMap { chunk($0.traceID, of: records, options) })
  }

  public func findTraces(_ query: TraceQuery) async throws -> ResultStream<TraceChunk> {
    let page = try page(of: query)
    let records = query.options.isRaw ? rawRecords : page.records
    return ResultStream(
      page.traceIDs.compactMap { chunk($0, of: records, query.options) }, summary: page.summary)
  }

  public func findTraceIDs(_ query: TraceQuery) async throws -> ResultStream<FoundTrace> {
    let page = try page(of: query)
    let traces = summaries(of: page, query.options).map {
      FoundTrace(traceID: $0.traceID, start: $0.minimumStart, end: $0.maximumEnd)
    }
    return ResultStream(traces, summary: page.summary)
  }

  public func findTraceSummaries(_ query: TraceQuery) async throws -> ResultStream<TraceSummary> {
    let page = try page(of: query)
    return ResultStream(summaries(of: page, query.options), summary: page.summary)
  }

  public func findSpans(_ query: TraceQuery) async throws -> ResultStream<FoundSpan> {
    guard query.order == .newest || query.order == .slowest else {
      throw TracestoreError.unsupported("spans in the order \"\(query.order.rawValue)\"")
    }
    let records = views
    let isMatch = try condition(of: query)
    let cursor = try query.pageToken.map { try PageCursor(token: $0, query, listing: .spans, storeID: storeID) }
    var ranked = records.filter(isMatch)
      .map { (cursor: PageCursor(query.rank(of: $0.span), $0.span.traceID, $0.span.spanID, $0.key.hash64), record: $0) }
      .filter { candidate in cursor.map { $0 < candidate.cursor } ?? true }
    ranked.sort { $0.cursor < $1.cursor }
    let shown = ranked.prefix(query.limit)
    let isTruncated = ranked.count > shown.count
    let continuation = isTruncated ? shown.last?.cursor.token(query, listing: .spans, storeID: storeID) : nil
    return ResultStream(
      shown.map { found($0.record, query.options) },
      summary: ResultSummary(isTruncated: isTruncated, continuation: continuation))
  }

  public func searchCapabilities() async throws -> SearchCapabilities {
    SearchCapabilities(
      isServiceNameOptional: true, isSameSpanConjunction: true, filter: .complete, isPaginated: true,
      hasSpanSearch: true, hasTraceSummaries: true, hasPartialSpans: readsZeroEndAsOpen, hasWholeModel: true,
      hasAttributeDiscovery: true, orders: [.newest, .slowest, .traceID])
  }
}

extension ReferenceStore {
  struct Page {
    var traceIDs: [TraceID]
    var records: [Record]
    var summary: ResultSummary
  }

  /// Whether one span satisfies every condition of a query but its filter.
  static func matches(_ query: TraceQuery, _ record: Record) -> Bool {
    let span = record.span
    func isText(_ text: String, _ condition: String) -> Bool {
      condition.isEmpty || text.utf8.elementsEqual(condition.utf8)
    }
    guard isText(record.resource.serviceName, query.serviceName), isText(span.name, query.operationName) else {
      return false
    }
    if let kind = query.spanKind, span.kind != kind { return false }
    if let code = query.statusCode, (span.status?.code ?? .unset) != code { return false }
    if let minimum = query.startMinimum, span.start < minimum { return false }
    if let maximum = query.startMaximum, span.start > maximum { return false }
    if let minimum = query.durationMinimumNanoseconds, span.durationNanoseconds < minimum { return false }
    if let maximum = query.durationMaximumNanoseconds, span.durationNanoseconds > maximum { return false }
    return query.attributes.allSatisfy { AttributeCondition.matches($0, record.resource, record.scope, span) }
  }

  /// Checks a query, and gives what decides whether a span satisfies it.
  func condition(of query: TraceQuery) throws -> (Record) -> Bool {
    try query.validate()
    guard [.newest, .slowest, .traceID].contains(query.order) else {
      throw TracestoreError.unsupported("the order \"\(query.order.rawValue)\"")
    }
    guard let filter = query.filter else { return { Self.matches(query, $0) } }
    let patterns = ReferencePatterns()
    let finalized = try filter.finalized(checkingPatterns: patterns.add)
    let meaning = FilterMeaning(matchesPattern: patterns.occurs)
    return { record in
      Self.matches(query, record) && meaning.holds(finalized, record.resource, record.scope, record.span)
    }
  }

  /// A trace ranks by its best matching span, so what lies below the cursor has no matching span above it: a trace
  /// that gained a better match since the page before is left out rather than repeated.
  func page(of query: TraceQuery) throws -> Page {
    let isMatch = try condition(of: query)
    let cursor = try query.pageToken.map { try PageCursor(token: $0, query, listing: .traces, storeID: storeID) }
    let records = views
    var ranks: [TraceID: UInt64] = [:]
    for record in records where isMatch(record) {
      ranks[record.span.traceID] = max(ranks[record.span.traceID] ?? 0, query.rank(of: record.span))
    }
    let ranked = ranks.map { PageCursor($0.value, $0.key) }.sorted()
      .filter { candidate in cursor.map { $0 < candidate } ?? true }
    let shown = ranked.prefix(query.limit)
    let isTruncated = ranked.count > shown.count
    let continuation = isTruncated ? shown.last?.token(query, listing: .traces, storeID: storeID) : nil
    return Page(
      traceIDs: shown.map(\.traceID), records: records,
      summary: ResultSummary(isTruncated: isTruncated, continuation: continuation))
  }

  func chunk(_ traceID: TraceID, of records: [Record], _ options: ReadOptions) -> TraceChunk? {
    let own = records.filter { $0.span.traceID == traceID }
    guard !own.isEmpty else { return nil }
    var chunk = TraceChunk(traceID: traceID, data: TraceData())
    for (spanIndex, record) in own.enumerated() {
      let found = found(record, options)
      chunk.data.resourceSpans.append(
        ResourceSpans(
          resource: found.resource, scopeSpans: [ScopeSpans(scope: found.scope, spans: [found.span])]))
      let state = found.state
      if state != .final { chunk.states[spanIndex] = state }
    }
    return chunk
  }

  func summaries(of page: Page, _ options: ReadOptions) -> [TraceSummary] {
    page.traceIDs.map { traceID in
      TraceSummary(
        traceID: traceID, spans: page.records.filter { $0.span.traceID == traceID }.map { found($0, options) })
    }
  }
}

extension TraceQuery {
  /// What a matching span is ordered by, descending; ties by trace id.
  func rank(of span: SpanRecord) -> UInt64 {
    switch order {
    case .slowest: span.durationNanoseconds
    case .traceID: 0
    default: span.start.nanoseconds
    }
  }
}

public import TraceModel
public import TracestoreV2

extension TraceSummary {
  /// Summarises all spans of one trace. This is the definition that native summaries are tested against.
  ///
  /// - Root: among the spans without a parent id (none, or all zero) the one that starts first; ties by span id, then
  ///   by service name, then by span name, each ascending by bytes.
  /// - Orphans: final spans whose parent id is the id of no span here, open ones included; several of them that share
  ///   their id count once.
  /// - The end of a span that is not final is the latest time in its record.
  public init(traceID: TraceID, spans: some Sequence<FoundSpan>) {
    self.init(traceID: traceID)
    var ids: Set<SpanID> = []
    var orphans: Set<SpanID> = []
    var root: FoundSpan?
    var isFirst = true
    var counts: [[UInt8]: ServiceSummary] = [:]
    for found in spans { ids.insert(found.span.spanID) }
    for found in spans {
      let span = found.span
      let isFinal = found.state.phase == .final
      let serviceName = found.resource.serviceName
      minimumStart = isFirst ? span.start : min(minimumStart, span.start)
      maximumEnd = max(maximumEnd, isFinal ? span.end : span.lastObserved)
      isFirst = false
      var service = counts[Array(serviceName.utf8)] ?? ServiceSummary(name: serviceName)
      if isFinal {
        spanCount += 1
        service.spanCount += 1
        if span.isError {
          errorSpanCount += 1
          service.errorSpanCount += 1
        }
      } else {
        openSpanCount += 1
      }
      counts[Array(serviceName.utf8)] = service
      if let parent = span.parentSpanID, !parent.isZero {
        if isFinal, !ids.contains(parent) { orphans.insert(span.spanID) }
      } else if let current = root {
        if found.precedesAsRoot(current) { root = found }
      } else {
        root = found
      }
    }
    rootServiceName = root?.resource.serviceName ?? ""
    rootOperationName = root?.span.name ?? ""
    orphanSpanCount = orphans.count
    services = counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
  }

  /// Summarises the chunks of one trace.
  public init(traceID: TraceID, chunks: some Sequence<TraceChunk>) {
    self.init(traceID: traceID, spans: chunks.flatMap(\.foundSpans))
  }
}

extension TraceChunk {
  /// The spans of the chunk with their context and state.
  public var foundSpans: [FoundSpan] {
    var spans: [FoundSpan] = []
    data.forEachSpan { resource, scope, span in
      spans.append(FoundSpan(resource: resource, scope: scope, span: span, state: state(at: spans.count)))
    }
    return spans
  }
}

extension SpanRecord {
  /// The latest time in the record: start, end and events.
  public var lastObserved: Timestamp { events.reduce(max(start, end)) { max($0, $1.time) } }
}

extension FoundSpan {
  fileprivate func precedesAsRoot(_ other: FoundSpan) -> Bool {
    if span.start != other.span.start { return span.start < other.span.start }
    if span.spanID != other.span.spanID { return span.spanID < other.span.spanID }
    let names = (Array(resource.serviceName.utf8), Array(other.resource.serviceName.utf8))
    if names.0 != names.1 { return names.0.lexicographicallyPrecedes(names.1) }
    return span.name.utf8.lexicographicallyPrecedes(other.span.name.utf8)
  }
}

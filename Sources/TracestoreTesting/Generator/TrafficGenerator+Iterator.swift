public import TraceModel

extension TrafficGenerator {
  /// Makes the requests one by one. A copy shares its position with the original.
  public struct Iterator: IteratorProtocol {
    private let stream: TrafficStream

    init(_ generator: TrafficGenerator) { stream = TrafficStream(generator) }

    public mutating func next() -> TraceData? { stream.nextRequest() }

    /// How many traces have been begun; once `next()` has returned nil, how many there are.
    public var traceCount: Int { stream.traceCount }
  }
}

/// Merges the chunks by end time and cuts the result into requests.
///
/// Traces of a chunk reach beyond its slice, so several chunks can be active; a span is due once no chunk that is still
/// to be made can hold an earlier end.
final class TrafficStream {
  private struct Cursor {
    let chunk: TrafficChunk
    var position: Int
    var end: Int64 { chunk.spans[Int(chunk.order[position])].end }
  }

  private struct Due {
    let cursor: Int
    let span: Int
  }

  private let source: any TrafficSource
  private let plan: TrafficPlan
  private let until: UInt64
  private let requestSpanCount: Int
  private let spanCount: Int
  /// The start of the window in nanoseconds since 1970, a multiple of 1,000: microsecond clocks stay what they are.
  private let origin: UInt64
  /// Made while looking for the last end; kept only when it is one.
  private var madeAhead: TrafficChunk?
  private var active: [Cursor] = []
  private var nextChunk = 0
  private var emittedCount = 0
  private(set) var traceCount = 0

  init(_ generator: TrafficGenerator) {
    plan = TrafficPlan(
      spanCount: generator.spanCount, seed: generator.seed,
      windowNanoseconds: Int64(generator.shape.windowNanoseconds))
    switch generator.shape {
    case .uniform: source = UniformTraffic(plan: plan)
    case .realistic: source = RealisticTraffic(plan: plan, operationFactor: generator.operationFactor)
    }
    until = generator.until.nanoseconds
    requestSpanCount = generator.requestSpanCount
    spanCount = generator.spanCount
    var lastEnd: Int64 = 0
    for index in plan.chunkCount - plan.lateChunkCount..<plan.chunkCount {
      let chunk = source.chunk(at: index)
      lastEnd = max(lastEnd, chunk.lastEnd)
      if plan.lateChunkCount == 1 { madeAhead = chunk }
    }
    let exact = until - UInt64(lastEnd)
    origin = exact - exact % 1000
  }

  func nextRequest() -> TraceData? {
    guard emittedCount < spanCount else { return nil }
    // Chunks that end here are dropped only after the request is built: `due` points at them.
    active.removeAll { $0.position == $0.chunk.order.count }
    var due: [Due] = []
    due.reserveCapacity(min(requestSpanCount, spanCount - emittedCount))
    while due.count < requestSpanCount, let cursor = earliestCursor() {
      due.append(Due(cursor: cursor, span: Int(active[cursor].chunk.order[active[cursor].position])))
      active[cursor].position += 1
    }
    return request(due)
  }

  /// The active chunk with the earliest pending end, making further chunks while they could hold an earlier one.
  private func earliestCursor() -> Int? {
    while true {
      var best: Int?
      for index in active.indices where active[index].position < active[index].chunk.order.count {
        if let current = best, active[current].end <= active[index].end { continue }
        best = index
      }
      guard nextChunk < plan.chunkCount else { return best }
      if let best, active[best].end <= source.start(ofChunk: nextChunk) { return best }
      let chunk: TrafficChunk
      if let made = madeAhead, made.index == nextChunk {
        chunk = made
        madeAhead = nil
      } else {
        chunk = source.chunk(at: nextChunk)
      }
      traceCount += chunk.traceCount
      active.append(Cursor(chunk: chunk, position: 0))
      nextChunk += 1
    }
  }

  /// Groups spans by resource, then scope; inside a group they stay in order of end time.
  private func request(_ due: [Due]) -> TraceData {
    var keys: [UInt64] = []
    keys.reserveCapacity(due.count)
    for position in due.indices {
      let span = active[due[position].cursor].chunk.spans[due[position].span]
      keys.append(UInt64(span.resource) << 44 | UInt64(span.scope) << 36 | UInt64(position))
    }
    keys.sort()
    var groups: [ResourceSpans] = []
    var first = 0
    while first < keys.count {
      let resource = keys[first] >> 44
      var scoped: [ScopeSpans] = []
      while first < keys.count, keys[first] >> 44 == resource {
        let group = keys[first] >> 36
        var last = first
        while last < keys.count, keys[last] >> 36 == group { last += 1 }
        var records: [SpanRecord] = []
        records.reserveCapacity(last - first)
        for key in keys[first..<last] {
          let position = Int(key & (1 << 36 - 1))
          records.append(record(due[position], isLast: emittedCount + position + 1 == spanCount))
        }
        scoped.append(ScopeSpans(scope: source.scopes[Int(group & 0xFF)], spans: records))
        first = last
      }
      groups.append(ResourceSpans(resource: source.resources[Int(resource)], scopeSpans: scoped))
    }
    emittedCount += due.count
    return TraceData(resourceSpans: groups)
  }

  private func record(_ due: Due, isLast: Bool) -> SpanRecord {
    var record = source.record(due.span, of: active[due.cursor].chunk, origin: origin)
    // The origin is rounded to microseconds; the last span takes up what is left.
    if isLast { record.end = Timestamp(nanoseconds: until) }
    return record
  }
}

public import TraceModel

/// Random traces for differential tests, small in vocabulary so that spans collide: shared names and values, equal
/// starts, ids shared by several spans, missing parents, spans that are their own parents, values of many types under
/// one key, all five attribute levels, texts that are canonically equivalent and yet different.
///
/// - Parameters:
///   - seed: The same seed gives the same traces.
///   - count: How many batches, each of one trace or of a part of one.
///   - openSpanShare: One span in this many is partial: a snapshot without an end, or an enrichment; 0 for none.
/// - Returns: Batches in an order in which the parts of a trace may stand far apart; some batches repeat earlier spans.
public func randomTraces(seed: UInt64, count: Int, openSpanShare: Int = 0) -> [TraceData] {
  var maker = RandomTraceMaker(seed: seed, openSpanShare: openSpanShare)
  return (0..<max(0, count)).map { _ in maker.batch() }
}

struct RandomTraceMaker {
  static let services = ["cart", "checkout", "front", "caf\u{e9}", "cafe\u{301}", ""]
  static let operations = ["GET /", "POST /cart", "query", "publish", "", "caf\u{e9}", "cafe\u{301}"]
  static let keys = ["http.status_code", "user", "region", "retry", "error", "note"]
  static let texts = ["200", "200.0", "true", "eu", "us", "", "caf\u{e9}", "cafe\u{301}", "0.5", "null", "1e3"]
  /// 2026-01-01T00:00:00Z.
  static let epoch: UInt64 = 1_767_225_600_000_000_000

  var random: SeededRandom
  var openSpanShare: Int
  private var earlier: [TraceData] = []
  private var traceIDs: [TraceID] = []
  private var sequence: Int64 = 0

  init(seed: UInt64, openSpanShare: Int) {
    random = SeededRandom(seed: seed)
    self.openSpanShare = openSpanShare
  }

  mutating func batch() -> TraceData {
    if !earlier.isEmpty, random.isOneIn(10) { return random.pick(earlier) }
    let traceID: TraceID
    if !traceIDs.isEmpty, random.isOneIn(4) {
      traceID = random.pick(traceIDs)
    } else {
      // Ids that differ only in one half, or only in their last bits.
      traceID = TraceID(high: UInt64(random.below(3)), low: UInt64(random.below(1 << 20)) + 1)
      traceIDs.append(traceID)
    }
    var batch = TraceData()
    for _ in 0...random.below(3) {
      var group = ResourceSpans(resource: resource())
      for _ in 0...random.below(2) {
        var scoped = ScopeSpans(scope: scope())
        for _ in 0..<random.below(5) { scoped.spans.append(span(traceID)) }
        group.scopeSpans.append(scoped)
      }
      batch.resourceSpans.append(group)
    }
    earlier.append(batch)
    return batch
  }

  mutating func resource() -> Resource {
    var resource = Resource(attributes: attributes(maximumCount: 2))
    let service = random.pick(Self.services)
    if !service.isEmpty || random.isOneIn(2) {
      resource.attributes.insert(Attribute("service.name", .string(service)), at: 0)
    }
    if random.isOneIn(4) { resource.schemaURL = "https://example.org/schema/1" }
    return resource
  }

  mutating func scope() -> InstrumentationScope {
    var scope = InstrumentationScope(attributes: attributes(maximumCount: 1))
    if random.isOneIn(2) { scope.name = random.pick(["library", "agent"]) }
    if random.isOneIn(3) { scope.version = random.pick(["1.0", "1.1"]) }
    return scope
  }

  mutating func span(_ traceID: TraceID) -> SpanRecord {
    // Few ids and few instants, so that ties and shared ids happen.
    let start = Self.epoch + UInt64(random.below(50)) * 1_000_000_000 + UInt64(random.below(2))
    var span = SpanRecord(
      traceID: traceID, spanID: SpanID(UInt64(random.below(40)) + 1), name: random.pick(Self.operations),
      kind: SpanKind(rawValue: Int32(random.below(7))), start: Timestamp(nanoseconds: start),
      end: Timestamp(nanoseconds: start + UInt64(random.below(5)) * 1_000), attributes: attributes(maximumCount: 3))
    if !random.isOneIn(3) { span.parentSpanID = SpanID(UInt64(random.below(60))) }
    if random.isOneIn(20) { span.end = Timestamp(nanoseconds: start - 1_000) }
    if openSpanShare > 0, random.isOneIn(openSpanShare) { makePartial(&span) }
    if random.isOneIn(2) {
      span.status = SpanStatus(code: SpanStatus.Code(rawValue: Int32(random.below(4))))
      if random.isOneIn(2) { span.status?.message = random.pick(["timeout", "refused"]) }
    }
    if random.isOneIn(5) { span.traceState = "vendor=\(random.below(2))" }
    if random.isOneIn(4) { span.flags = UInt32(random.below(1024)) }
    for _ in 0..<random.below(3) {
      span.events.append(
        SpanEvent(
          time: Timestamp(nanoseconds: start + UInt64(random.below(1_000))),
          name: random.pick(["exception", "log", ""]),
          attributes: attributes(maximumCount: 2)))
    }
    if random.isOneIn(3) {
      span.links.append(
        SpanLink(
          traceID: TraceID(high: 9, low: UInt64(random.below(3))), spanID: SpanID(UInt64(random.below(3))),
          attributes: attributes(maximumCount: 2)))
    }
    return span
  }

  /// Makes the span a snapshot or an enrichment. No two have the same sequence, so that their order is known.
  private mutating func makePartial(_ span: inout SpanRecord) {
    sequence += 1
    span.attributes.append(Attribute("tracestore.sequence", .int(random.isOneIn(2) ? sequence : -sequence)))
    if random.isOneIn(3) {
      span.attributes.append(Attribute("tracestore.removed", .array([.string(random.pick(Self.keys))])))
    }
    if random.isOneIn(4) {
      let time = Self.epoch + UInt64(random.below(90)) * 1_000_000_000
      span.attributes.append(Attribute("tracestore.observed", .int(Int64(time))))
    }
    guard random.isOneIn(3) else {
      span.end = .zero
      return
    }
    span.attributes.append(Attribute("tracestore.partial", true))
    if random.isOneIn(4) {
      span.attributes.append(Attribute("tracestore.role.service", .string(random.pick(Self.services))))
    }
    if random.isOneIn(4) {
      span.attributes.append(Attribute("tracestore.role.kind", random.pick(["server", "Client", .int(1)])))
    }
  }

  mutating func attributes(maximumCount: Int) -> [Attribute] {
    (0..<random.below(maximumCount + 1)).map { _ in Attribute(random.pick(Self.keys), value(depth: 0)) }
  }

  mutating func value(depth: Int) -> AttributeValue {
    switch random.below(depth < 2 ? 12 : 9) {
    case 0...3: .string(random.pick(Self.texts))
    case 4: .bool(random.isOneIn(2))
    case 5: .int(random.pick([0, 1, 200, -1, .max, .min, 9_007_199_254_740_993]))
    case 6: .double(random.pick([0, -0.0, 0.5, 200, 1_000, 1e21, 1e-7, .infinity, .nan, 9_007_199_254_740_992]))
    case 7: .bytes([UInt8](repeating: 255, count: random.below(4)))
    // An array on the wire can hold empty values, not absent ones.
    case 8: depth > 0 || random.isOneIn(2) ? .empty : .absent
    case 9, 10: .array((0..<random.below(3)).map { _ in value(depth: depth + 1) })
    default: .map((0..<random.below(3)).map { _ in Attribute(random.pick(Self.keys), value(depth: depth + 1)) })
    }
  }
}

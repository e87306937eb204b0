public import TraceModel
public import TracestoreV2

/// A random query without a filter whose conditions are taken from spans that exist, so that most queries match
/// something; sometimes a condition is moved just past its bound or replaced by one that nothing matches.
///
/// - Parameters:
///   - seed: The same seed and batches give the same query.
///   - data: The batches that were written.
public func randomQuery(seed: UInt64, from data: [TraceData]) -> TraceQuery {
  var random = SeededRandom(seed: seed)
  var spans: [FoundSpan] = []
  for batch in data {
    batch.forEachSpan { spans.append(FoundSpan(resource: $0, scope: $1, span: $2)) }
  }
  var query = TraceQuery(limit: random.pick([1, 2, 3, 10, 100, 1_000]))
  query.order = random.pick([.newest, .newest, .slowest, .traceID])
  guard !spans.isEmpty else { return query }
  let sample = random.pick(spans)
  let span = sample.span
  if random.isOneIn(3) { query.serviceName = sample.resource.serviceName }
  if random.isOneIn(4) { query.operationName = span.name }
  if random.isOneIn(6) { query.spanKind = span.kind }
  if random.isOneIn(6) { query.statusCode = span.status?.code ?? .unset }
  if random.isOneIn(3) { query.startMinimum = Timestamp(nanoseconds: nudged(span.start.nanoseconds, &random)) }
  if random.isOneIn(3) { query.startMaximum = Timestamp(nanoseconds: nudged(span.start.nanoseconds, &random)) }
  if random.isOneIn(4) { query.durationMinimumNanoseconds = nudged(span.durationNanoseconds, &random) }
  if random.isOneIn(4) { query.durationMaximumNanoseconds = nudged(span.durationNanoseconds, &random) }
  var candidates = sample.resource.attributes + sample.scope.attributes + span.attributes
  candidates += span.events.flatMap(\.attributes) + span.links.flatMap(\.attributes)
  for _ in 0..<random.pick([0, 0, 1, 1, 2]) {
    if !candidates.isEmpty, !random.isOneIn(5) {
      let attribute = random.pick(candidates)
      // Mostly as text, as public APIs ask.
      let isTyped = random.isOneIn(4)
      let value =
        isTyped ? attribute.value : AttributeText.text(of: attribute.value).map { .string($0) } ?? attribute.value
      query.attributes.append(Attribute(attribute.key, value))
    } else {
      query.attributes.append(random.pick(fieldConditions))
    }
  }
  return query
}

private let fieldConditions: [Attribute] = [
  Attribute("error", "true"), Attribute("error", "F"), Attribute("error", "yes"), Attribute("error", true),
  Attribute("span.status", "OK"), Attribute("span.status", "other"), Attribute("span.kind", "Server"),
  Attribute("span.kind", "unspecified"), Attribute("scope.name", "library"), Attribute("otel.scope.version", "1.1"),
  Attribute("otel.status_code", "ERROR"), Attribute("otel.status_description", "timeout"),
  Attribute("w3c.tracestate", "vendor=1"), Attribute("resource.region", "eu"),
  Attribute("resource.service.name", "cart"),
  Attribute("region", "nowhere"), Attribute("user", "0"), Attribute("retry", "1"), Attribute("note", "1000"),
]

private func nudged(_ value: UInt64, _ random: inout SeededRandom) -> UInt64 {
  switch random.below(4) {
  case 0: value &+ 1
  case 1: value > 0 ? value - 1 : 0
  default: value
  }
}

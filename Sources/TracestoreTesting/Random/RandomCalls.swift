public import TraceModel

/// `randomTraces` with what makes calls: parents that are there, shared ids, chains of inner spans, links from consumers
/// to producers of any trace, attributes that name peers. The same seed gives the same traces.
public func randomCalls(seed: UInt64, count: Int) -> [TraceData] {
  var random = SeededRandom(seed: seed ^ 0x6361_6c6c)
  let batches = randomTraces(seed: seed, count: count, openSpanShare: seed % 3 == 0 ? 8 : 0)
  var known: [(trace: TraceID, span: SpanID)] = []
  var changed: [TraceData] = []
  // Repeated batches stay equal to the first.
  var answers: [TraceData: TraceData] = [:]
  for batch in batches {
    if let answer = answers[batch] {
      changed.append(answer)
      continue
    }
    var result = batch
    for group in result.resourceSpans.indices {
      for scoped in result.resourceSpans[group].scopeSpans.indices {
        for index in result.resourceSpans[group].scopeSpans[scoped].spans.indices {
          let span = result.resourceSpans[group].scopeSpans[scoped].spans[index]
          result.resourceSpans[group].scopeSpans[scoped].spans[index] = called(span, known, &random)
          known.append((span.traceID, SpanID(span.spanID.rawValue % 12 + 1)))
        }
      }
    }
    answers[batch] = result
    changed.append(result)
  }
  return changed
}

private func called(
  _ span: SpanRecord, _ known: [(trace: TraceID, span: SpanID)], _ random: inout SeededRandom
) -> SpanRecord {
  var span = span
  span.spanID = SpanID(span.spanID.rawValue % 12 + 1)
  if random.isOneIn(3) {
    span.parentSpanID = nil
  } else if !random.isOneIn(6) {
    span.parentSpanID = SpanID(UInt64(random.below(13)))
  }
  for key in ["peer.service", "db.system.name", "db.system", "messaging.system", "server.address", "net.peer.name"]
  where random.isOneIn(8) {
    let value = random.pick([
      AttributeValue.string("cart"), .string("mysql"), .string("caf\u{e9}"), .string(""), .int(3),
    ])
    span.attributes.append(Attribute(key, value))
    if random.isOneIn(6) { span.attributes.append(Attribute(key, .string("again"))) }
  }
  if span.kind == .consumer, !known.isEmpty {
    for _ in 0..<random.below(3) {
      let target = random.pick(known)
      span.links.append(SpanLink(traceID: target.trace, spanID: target.span))
      if random.isOneIn(4), let last = span.links.last { span.links.append(last) }
    }
  }
  return span
}

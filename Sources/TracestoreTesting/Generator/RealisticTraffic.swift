import TraceModel

/// The realistic shape: traces follow templates of the seed's world; this file makes their skeletons.
struct RealisticTraffic: TrafficSource {
  let world: RealisticWorld
  let plan: TrafficPlan
  let identities: TrafficIdentities
  let attributes: RealisticAttributes

  var resources: [Resource] { world.resources }
  var scopes: [InstrumentationScope] { world.scopes }

  init(plan: TrafficPlan, operationFactor: Int) {
    self.plan = plan
    world = RealisticWorld(seed: plan.seed, operationFactor: operationFactor)
    identities = TrafficIdentities(seed: plan.seed)
    attributes = RealisticAttributes(world: world, seed: plan.seed)
  }

  func start(ofChunk index: Int) -> Int64 { plan.sliceStart(ofChunk: index) }

  func chunk(at index: Int) -> TrafficChunk {
    var random = TrafficRandom(seed: plan.seed, purpose: 4, index: index)
    let range = plan.spanRange(ofChunk: index)
    var builder = RealisticChunkBuilder(world: world, spanCount: range.count)
    // One large trace in the middle of every chunk that is not small itself.
    var largeCount = range.count >= 50_000 ? random.integer(in: 3000..<6000) : 0
    while builder.spans.count < range.count {
      if largeCount > 0, builder.spans.count >= range.count / 2 {
        builder.appendTrace(world.reconciliation(spanCount: largeCount, &random), &random)
        largeCount = 0
      } else {
        builder.appendTrace(world.templates[random.weightedIndex(world.templateWeights)], &random)
      }
    }
    builder.placeInTime(plan.sliceStart(ofChunk: index)..<plan.sliceStart(ofChunk: index + 1), &random)
    return TrafficChunk(
      index: index, firstSpan: range.lowerBound, spans: builder.spans, facts: builder.facts,
      traceCount: builder.facts.count)
  }

  func record(_ index: Int, of chunk: TrafficChunk, origin: UInt64) -> SpanRecord {
    let span = chunk.spans[index]
    let operation = world.operations[Int(span.operation)]
    let spanID = identities.spanID(index, of: chunk)
    // The span's own stream: its content does not depend on which spans were made before it.
    var random = TrafficRandom(state: spanID.rawValue ^ attributes.salt)
    let failure = (Int(span.operation) * 7 + random.below(2)) % RealisticVocabulary.failures.count
    let hasMessage = random.chance(0.8)
    let status: SpanStatus
    if span.isError {
      status = SpanStatus(
        code: .error, message: hasMessage ? RealisticVocabulary.failures[failure].statusMessage : "")
    } else if operation.operationClass == .httpServer, random.chance(0.1) {
      status = SpanStatus(code: .ok)
    } else {
      status = SpanStatus()
    }
    return SpanRecord(
      traceID: identities.traceID(Int(span.trace), of: chunk), spanID: spanID,
      traceState: span.trace % 50 == 0 ? RealisticVocabulary.traceState : "",
      parentSpanID: span.parent >= 0 ? identities.spanID(Int(span.parent), of: chunk) : nil,
      name: operation.name, kind: operation.operationClass.kind,
      start: Timestamp(nanoseconds: origin &+ UInt64(span.start)),
      end: Timestamp(nanoseconds: origin &+ UInt64(span.end)),
      attributes: attributes.ofSpan(span, of: chunk, operation, failure: failure, world, &random),
      events: attributes.events(of: span, failure: failure, origin: origin, &random),
      links: links(operation, chunk, &random), status: status, flags: TrafficText.sampledFlags)
  }

  /// Consumers always point at some other span of the same slice, other spans rarely.
  private func links(
    _ operation: RealisticOperation, _ chunk: TrafficChunk, _ random: inout TrafficRandom
  ) -> [SpanLink] {
    let isLinked = random.chance(0.045)
    guard isLinked || operation.operationClass == .consumer else { return [] }
    let target = random.below(chunk.spans.count)
    return [
      SpanLink(
        traceID: identities.traceID(Int(chunk.spans[target].trace), of: chunk),
        spanID: identities.spanID(target, of: chunk), attributes: attributes.ofLink(&random))
    ]
  }
}

/// Collects the skeletons of a chunk's traces.
struct RealisticChunkBuilder {
  private(set) var spans: [TrafficSpan] = []
  private(set) var facts: [TraceFacts] = []
  private let world: RealisticWorld
  private let spanCount: Int
  // Working values of the trace at hand, one a kept span.
  private var durations: [Double] = []
  private var gaps: [Double] = []
  private var delays: [Double] = []
  private var starts: [Double] = []
  // Which span a template node has become, or −1.
  private var kept: [Int32] = []

  init(world: RealisticWorld, spanCount: Int) {
    self.world = world
    self.spanCount = spanCount
    spans.reserveCapacity(spanCount)
  }

  /// Follows a template; in all but the smallest, each node and what hangs below it is left out once in twenty times.
  /// Ends early when the chunk is full: what is left of a trace is a tree, because parents stand before children.
  mutating func appendTrace(_ nodes: [TemplateNode], _ random: inout TrafficRandom) {
    let first = spans.count
    let trace = Int32(facts.count)
    let placement = random.next()
    facts.append(Self.drawFacts(placement, &random))
    durations.removeAll(keepingCapacity: true)
    gaps.removeAll(keepingCapacity: true)
    delays.removeAll(keepingCapacity: true)
    kept.removeAll(keepingCapacity: true)
    for node in nodes {
      let parent = node.parent < 0 ? -1 : kept[Int(node.parent)]
      let isDropped = node.level > 0 && (parent < 0 || (nodes.count >= 8 && random.chance(0.05)))
      guard !isDropped else {
        kept.append(-1)
        continue
      }
      guard spans.count < spanCount else { break }
      kept.append(Int32(spans.count))
      let operation = world.operations[Int(node.operation)]
      let (a, b) = random.normalPair()
      let own = PortableMath.exp(operation.mu + operation.sigma * a)
      durations.append(own)
      gaps.append(60_000 * PortableMath.exp(0.8 * b))
      delays.append(own * random.uniform(0.05, 0.6) * 0.9)
      spans.append(
        TrafficSpan(
          start: 0, end: 0, trace: trace, parent: parent, operation: node.operation,
          resource: Int32(world.instance(of: operation.service, placement: placement)),
          scope: operation.operationClass.scope, level: UInt8(clamping: node.level),
          isError: random.chance(0.01)))
    }
    settleTimes(from: first)
    spreadErrors(from: first, &random)
  }

  private static func drawFacts(_ placement: UInt64, _ random: inout TrafficRandom) -> TraceFacts {
    let user = min(random.zipf(1.2), 20_000) * 7919 % 20_011
    return TraceFacts(
      placement: placement, user: user, entity: random.integer(in: 1..<2_000_000),
      userAgent: random.below(RealisticVocabulary.userAgents.count),
      address: (user * 31 + random.below(2)) % RealisticAttributes.clientAddressCount)
  }

  /// Children run one after the other inside their parent, with gaps between them. Times count from the trace's start.
  private mutating func settleTimes(from first: Int) {
    let count = spans.count - first
    var index = count - 1
    while index > 0 {
      durations[Int(spans[first + index].parent) - first] += durations[index] + gaps[index]
      index -= 1
    }
    starts.removeAll(keepingCapacity: true)
    let bound = Double(TrafficPlan.maximumTraceNanoseconds)
    for index in 0..<count {
      var start = 0.0
      if index > 0 {
        let parent = Int(spans[first + index].parent) - first
        start = starts[parent] + delays[parent] + gaps[index]
        // From here on the delay is where the parent's next child may begin.
        delays[parent] += durations[index] + gaps[index]
      }
      starts.append(start)
      spans[first + index].start = Int64(min(start, bound - 1_000_000))
      spans[first + index].end = Int64(min(durations[index], bound - min(start, bound - 1_000_000)))
    }
  }

  /// An error fails the caller too, three times out of five.
  private mutating func spreadErrors(from first: Int, _ random: inout TrafficRandom) {
    var index = spans.count - 1
    while index > first {
      if spans[index].isError, random.chance(0.6) { spans[Int(spans[index].parent)].isError = true }
      index -= 1
    }
  }

  /// Spreads the traces over the slice and reads every service's clock: Java and Node count microseconds.
  mutating func placeInTime(_ slice: Range<Int64>, _ random: inout TrafficRandom) {
    let begins = facts.map { _ in slice.lowerBound + Int64(random.below(slice.count)) }.sorted()
    for index in spans.indices {
      let language = world.services[world.operations[Int(spans[index].operation)].service].language
      let step = RealisticVocabulary.languages[language].clockNanoseconds
      let start = begins[Int(spans[index].trace)] + spans[index].start
      let duration = max(spans[index].end, 1000)
      spans[index].start = start - start % step
      spans[index].end = spans[index].start + duration - duration % step
    }
  }
}

import TraceModel
import TracestoreV2

extension ConformanceKit {
  /// Instants of these checks lie in 1970: long gone by any clock, so that only the lease decides who is abandoned.
  private static let begin: UInt64 = 1_000_000_000

  static let partialChecks: [ConformanceCheck] = [
    ConformanceCheck("an open span is there at once, and grows with its updates into one span") { session in
      guard try await session.capabilities().hasPartialSpans else { return }
      try await session.write(update(1, [Attribute("rows", 1), Attribute("file", "a.csv")], event: "opened"))
      try await session.expectShows([open([Attribute("rows", 1), Attribute("file", "a.csv")], events: ["opened"])])
      // An update that comes late changes nothing that a later one has said.
      try await session.write(
        update(3, [Attribute("rows", 5)], event: "half"), update(2, [Attribute("rows", 3), Attribute("step", 2)]))
      let attributes = [Attribute("rows", 5), Attribute("step", 2), Attribute("file", "a.csv")]
      try await session.expectShows([open(attributes, events: ["opened", "half"])])
      let observed = Timestamp(nanoseconds: begin + UInt64("opened".utf8.count))
      try expectEqual(try await session.shown().map(\.span.end), [observed], "the end as it was observed last")
      try await session.expectFindsSpan(
        [Attribute("rows", "5"), Attribute("file", "a.csv"), Attribute("step", "2")], 1)
      try await session.expectFindsSpan([Attribute("rows", "1")], 0)
    },
    ConformanceCheck("an attribute that an update removes is gone") { session in
      guard try await session.capabilities().hasPartialSpans else { return }
      let removed = Attribute("tracestore.removed", .array(["file"]))
      try await session.write(
        update(1, [Attribute("rows", 1), Attribute("file", "a.csv")]), update(2, [Attribute("rows", 2), removed]))
      try await session.expectShows([open([Attribute("rows", 2)])])
      try await session.expectFindsSpan([Attribute("file", "a.csv")], 0)
    },
    ConformanceCheck("an open span is abandoned when its lease has run out") { session in
      guard try await session.capabilities().hasPartialSpans else { return }
      try await session.write(update(1, []))
      for (lease, state) in [(0, SpanState.abandoned), (UInt64.max, .open)] as [(UInt64, SpanState)] {
        try expectEqual(try await session.shown(leaseNanoseconds: lease).map(\.state), [state], "lease \(lease)")
      }
    },
    ConformanceCheck("a final ends its open span, and its own words count") { session in
      guard try await session.capabilities().hasPartialSpans else { return }
      try await session.write(
        update(9, [Attribute("rows", 5), Attribute("file", "a.csv")], event: "opened"),
        final([Attribute("rows", 9)]))
      var ended = open([Attribute("rows", 9), Attribute("file", "a.csv")], events: ["opened"])
      ended.span.end = Timestamp(nanoseconds: begin + 90)
      ended.state = .final
      try await session.expectShows([ended])
      try await session.expectFindsSpan([Attribute("rows", "9"), Attribute("file", "a.csv")], 1)
      try await session.expectFindsSpan([Attribute("rows", "5")], 0)
    },
    ConformanceCheck("an enrichment from any source adds to the span, and stands for itself where there is none") {
      session in
      guard try await session.capabilities().hasPartialSpans else { return }
      try await session.write(enrichment([Attribute("verdict", "good"), Attribute("rows", 1)]))
      try expectEqual(
        try await session.shown().map(\.state), [SpanState(.open, isEnriched: true)], "an enrichment alone")
      try await session.write(final([Attribute("rows", 9)]))
      var enriched = open([Attribute("rows", 9), Attribute("verdict", "good")])
      enriched.span.end = Timestamp(nanoseconds: begin + 90)
      enriched.state = SpanState(.final, isEnriched: true)
      try await session.expectShows([enriched])
      try await session.expectFindsSpan([Attribute("rows", "9"), Attribute("verdict", "good")], 1)
      try expectEqual(try await session.reader().getServices(), ["batch"], "services")
    },
    ConformanceCheck("summaries count finals, and what is open apart") { session in
      let capabilities = try await session.capabilities()
      guard capabilities.hasPartialSpans, capabilities.hasTraceSummaries else { return }
      try await session.write(update(1, []), update(2, [], span: 2), update(3, [], span: 2), final([]))
      let query = TraceQuery(serviceName: "batch")
      let summaries = try await session.reader().findTraceSummaries(query).collect().elements
      try expectEqual(summaries.map(\.spanCount), [1], "spans")
      try expectEqual(summaries.map(\.openSpanCount), [1], "open spans")
    },
    ConformanceCheck("records of spans say the same in any order, and sent again") { session in
      guard try await session.capabilities().hasPartialSpans else { return }
      for seed in UInt64(41)...43 {
        let data = randomTraces(seed: seed, count: 30, openSpanShare: 2)
        let reference = ConformanceSession(store: ReferenceStore())
        let earlier = (UInt64(41)..<seed).flatMap { randomTraces(seed: $0, count: 30, openSpanShare: 2) }
        try await reference.write(earlier + data)
        var random = SeededRandom(seed: seed)
        var shuffled = data.flatMap(\.singles)
        random.shuffle(&shuffled)
        try await session.write(shuffled)
        try await expectEqualViews(session, reference, "seed \(seed), in another order")
        try await session.write(data)
        try await expectEqualViews(session, reference, "seed \(seed), sent again")
      }
    },
    ConformanceCheck("raw records make the same spans in another store") { session in
      guard try await session.capabilities().hasPartialSpans else { return }
      let data = randomTraces(seed: 44, count: 40, openSpanShare: 2)
      try await session.write(data)
      let ids = data.traceIDs
      let copy = ConformanceSession(store: ReferenceStore())
      let raw = try await session.reader().getTraces(
        ids.map { GetTraceParameters($0) }, options: ReadOptions(isRaw: true))
      try await copy.write(try await raw.collect().elements.map(\.data))
      try expectEqual(
        counts(try await session.shown(ids)), counts(try await copy.shown(ids)), "seed 44: the spans of raw records")
    },
  ]

  // MARK: One span of a batch job

  private static func record(_ span: UInt64, _ attributes: [Attribute], event: String?) -> SpanRecord {
    SpanRecord(
      traceID: Fixture.id(1), spanID: SpanID(span), name: "import", kind: .internal,
      start: Timestamp(nanoseconds: begin), attributes: attributes,
      events: event.map { [SpanEvent(time: Timestamp(nanoseconds: begin + UInt64($0.utf8.count)), name: $0)] } ?? [])
  }

  private static func update(
    _ sequence: Int64, _ attributes: [Attribute], event: String? = nil, span: UInt64 = 1
  ) -> TraceData {
    Fixture.batch("batch", record(span, attributes + [Attribute("tracestore.sequence", .int(sequence))], event: event))
  }

  private static func final(_ attributes: [Attribute]) -> TraceData {
    var span = record(1, attributes, event: nil)
    span.end = Timestamp(nanoseconds: begin + 90)
    return Fixture.batch("batch", span)
  }

  private static func enrichment(_ attributes: [Attribute]) -> TraceData {
    Fixture.batch("judge", record(1, attributes + [Attribute("tracestore.partial", true)], event: nil))
  }

  /// The span as it has to be shown while it is open, but for its end.
  private static func open(_ attributes: [Attribute], events: [String] = []) -> FoundSpan {
    var span = record(1, attributes, event: nil)
    span.events = events.flatMap { record(1, [], event: $0).events }
    span.events.sort { $0.time < $1.time }
    return FoundSpan(
      resource: Fixture.resource("batch"), scope: InstrumentationScope(), span: span, state: .open)
  }

  // MARK: Comparing

  /// The spans and the records that contribute to them are those of the definition.
  private static func expectEqualViews(
    _ session: ConformanceSession, _ reference: ConformanceSession, _ label: String
  ) async throws {
    let found = try await reference.find(TraceQuery(limit: 1_000_000)).traces.map(\.traceID)
    for isRaw in [false, true] {
      try expectEqual(
        counts(try await session.shown(found, isRaw: isRaw)), counts(try await reference.shown(found, isRaw: isRaw)),
        "\(label)\(isRaw ? ", raw" : "")")
    }
  }

  private static func counts(_ spans: [FoundSpan]) -> [ShownSpan: Int] {
    spans.reduce(into: [:]) { $0[ShownSpan($1), default: 0] += 1 }
  }
}

/// What of a span is compared.
private struct ShownSpan: Hashable {
  var key: ContentKey
  var state: SpanState

  init(_ found: FoundSpan) {
    key = ContentKey(found.resource, found.scope, found.span)
    state = found.state
  }
}

extension ConformanceSession {
  /// The spans of traces as readers see them.
  fileprivate func shown(
    _ traceIDs: [TraceID] = [Fixture.id(1)], isRaw: Bool = false, leaseNanoseconds: UInt64 = .max
  ) async throws -> [FoundSpan] {
    let options = ReadOptions(isRaw: isRaw, leaseNanoseconds: leaseNanoseconds)
    return try await reader().getTraces(traceIDs.map { GetTraceParameters($0) }, options: options).collect().elements
      .flatMap(\.foundSpans)
  }

  /// The order of attributes that several records have is not content, nor is the end of an open span: it is zero where
  /// one record is all there is, else the last observation.
  fileprivate func expectShows(_ expected: [FoundSpan]) async throws {
    func sorted(_ spans: [FoundSpan]) -> [FoundSpan] {
      spans.map { found in
        var found = found
        found.span.attributes.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        if found.state.phase != .final { found.span.end = .zero }
        return found
      }
    }
    try expectEqual(sorted(try await shown()), sorted(expected), "spans")
    guard try await capabilities().hasSpanSearch else { return }
    let query = TraceQuery(options: ReadOptions(leaseNanoseconds: .max))
    let found = try await reader().findSpans(query).collect().elements
    try expectEqual(sorted(found), sorted(expected), "spans that a search finds")
  }

  /// So many traces have a span that satisfies all conditions.
  fileprivate func expectFindsSpan(_ attributes: [Attribute], _ count: Int) async throws {
    let query = TraceQuery(serviceName: "batch", attributes: attributes)
    try expectEqual(try await find(query).traces.count, count, "traces with \(attributes)")
  }
}

extension TraceData {
  /// Each span as a batch of its own.
  fileprivate var singles: [TraceData] {
    var singles: [TraceData] = []
    forEachSpan { singles.append(Fixture.batch($0, [$2], scope: $1)) }
    return singles
  }
}

extension [TraceData] {
  fileprivate var traceIDs: [TraceID] {
    var ids: Set<TraceID> = []
    for data in self { data.forEachSpan { ids.insert($2.traceID) } }
    return ids.sorted()
  }
}

import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let pagingChecks: [ConformanceCheck] = [
    ConformanceCheck("a walk over pages meets every trace once, for every page size and order") { session in
      let capabilities = try await session.capabilities()
      guard capabilities.isPaginated else { return }
      let data = randomTraces(seed: 21, count: 80)
      try await session.write(data)
      for order in capabilities.orders {
        let whole = try await session.find(TraceQuery(limit: 10_000, order: order)).traces.map(\.traceID)
        try expect(!whole.isEmpty, "no traces were found")
        for limit in [1, 2, 7, whole.count, whole.count + 1] {
          let walked = try await walk(session, TraceQuery(limit: limit, order: order))
          try expectEqual(walked, whole, "order \(order.rawValue), page size \(limit)")
        }
      }
    },
    ConformanceCheck("a walk never repeats a trace and never loses an unchanged one while spans arrive") { session in
      guard try await session.capabilities().isPaginated else { return }
      // Trace n starts n seconds after noon.
      let old = (1...30).map {
        Fixture.batch("paged", Fixture.span(UInt64($0), 1, start: Fixture.time(Int64($0) * 1_000_000_000)))
      }
      try await session.write(old)
      var arrival: UInt64 = 100
      let walked = try await walk(session, TraceQuery(serviceName: "paged", limit: 4)) {
        arrival += 1
        try await session.write(
          // Newer than everything.
          Fixture.batch("paged", Fixture.span(arrival, 1, start: Fixture.time(Int64(arrival) * 1_000_000_000))),
          // Trace 3 gains a match above the cursor; trace 20, walked already, gains one below it.
          Fixture.batch(
            "paged", Fixture.span(3, arrival, start: Fixture.time(Int64(arrival) * 1_000_000_000)),
            Fixture.span(20, arrival, start: Fixture.time(Int64(arrival)))))
      }
      try expectEqual(Set(walked).count, walked.count, "distinct traces in \(walked)")
      let unchanged = (1...30).filter { $0 != 3 }.map { Fixture.id(UInt64($0)) }
      try expectEqual(walked.filter { $0 <= Fixture.id(30) }, unchanged.reversed(), "unchanged traces, newest first")
    },
    ConformanceCheck("a walk by trace id loses no trace and repeats none while spans arrive") { session in
      let capabilities = try await session.capabilities()
      guard capabilities.isPaginated, capabilities.orders.contains(.traceID) else { return }
      try await session.write(
        (1...30).map { Fixture.batch("walked", Fixture.span(UInt64($0) * 10, 1, start: Fixture.time(Int64($0)))) })
      var arrival: Int64 = 1_000
      let walked = try await walk(session, TraceQuery(serviceName: "walked", limit: 4, order: .traceID)) {
        arrival += 1
        // Traces walked and not yet walked gain newer spans; a new trace comes before the walk and one behind it.
        try await session.write(
          (1...30).map {
            Fixture.batch("walked", Fixture.span($0 * 10, UInt64(arrival), start: Fixture.time(arrival)))
          })
        try await session.write(Fixture.batch("walked", Fixture.span(1), Fixture.span(1_000)))
      }
      try expectEqual(
        walked, (1...30).map { Fixture.id(UInt64($0) * 10) } + [Fixture.id(1_000)], "every trace once, by id")
    },
    ConformanceCheck("a malformed, changed or foreign page token is refused") { session in
      guard try await session.capabilities().isPaginated else { return }
      try await session.write((1...5).map { Fixture.batch("token", Fixture.span(UInt64($0))) })
      let query = TraceQuery(serviceName: "token", limit: 2)
      guard let token = try await session.find(query).summary.continuation else {
        throw ConformanceFailure(message: "a truncated answer has no continuation")
      }
      func expectRefusal(_ label: String, _ change: (inout TraceQuery) -> Void) async throws {
        var changed = query
        changed.pageToken = token
        change(&changed)
        let refused = changed
        try await session.expectError(.invalidArgument, label) {
          _ = try await session.reader().findTraceIDs(refused).collect()
        }
      }
      try await expectRefusal("an empty token") { $0.pageToken = "" }
      try await expectRefusal("a garbled token") { $0.pageToken = "no token" }
      try await expectRefusal("a shortened token") { $0.pageToken = String(token.dropLast(token.count / 2)) }
      try await expectRefusal("a token of another service") { $0.serviceName = "other" }
      try await expectRefusal("a token of another window") { $0.startMinimum = Fixture.noon }
      try await expectRefusal("a token of other attributes") { $0.attributes = [Attribute("a", "b")] }
      // The limit and the kind of answer may change.
      var larger = query
      larger.pageToken = token
      larger.limit = 100
      try expectEqual(
        try await session.reader().findTraceIDs(larger).collect().elements.map(\.traceID),
        (3...5).map { Fixture.id($0) }, "the rest with another limit")
    },
    ConformanceCheck("span search returns matching spans in order, paged") { session in
      let capabilities = try await session.capabilities()
      guard capabilities.hasSpanSearch else { return }
      let data = randomTraces(seed: 31, count: 40)
      try await session.write(data)
      var expected: [FoundSpan] = []
      var seen: Set<ContentKey> = []
      for batch in data {
        batch.forEachSpan { resource, scope, span in
          guard span.kind == .server, seen.insert(ContentKey(resource, scope, span)).inserted else { return }
          expected.append(FoundSpan(resource: resource, scope: scope, span: span))
        }
      }
      var query = TraceQuery(spanKind: .server, limit: 3)
      var spans: [FoundSpan] = []
      repeat {
        let page = try await session.reader().findSpans(query).collect()
        try expect(page.elements.count <= 3, "a page is longer than its limit")
        spans += page.elements
        query.pageToken = page.summary.continuation
        try expectEqual(page.summary.isTruncated, query.pageToken != nil, "truncation beside continuation")
      } while query.pageToken != nil && spans.count <= expected.count
      try expectEqual(spans.count, expected.count, "spans of seed 31")
      let keys = Set(spans.map { ContentKey($0.resource, $0.scope, $0.span) })
      try expect(
        keys == Set(expected.map { ContentKey($0.resource, $0.scope, $0.span) }), "seed 31: other spans were found")
      for (left, right) in zip(spans, spans.dropFirst()) {
        let (a, b) = (left.span, right.span)
        let isOrdered =
          a.start != b.start
          ? a.start > b.start : a.traceID != b.traceID ? a.traceID < b.traceID : a.spanID <= b.spanID
        try expect(isOrdered, "seed 31: \(a.traceID)/\(a.spanID) stands before \(b.traceID)/\(b.spanID)")
      }
    },
  ]

  /// Follows the continuations of a search to its end.
  private static func walk(
    _ session: ConformanceSession, _ query: TraceQuery, between: () async throws -> Void = {}
  ) async throws -> [TraceID] {
    var query = query
    var walked: [TraceID] = []
    // A walk that repeats itself ends here at once, so that one without an end is found.
    while Set(walked).count == walked.count {
      let page = try await session.reader().findTraceIDs(query).collect()
      try expect(page.elements.count <= query.limit, "a page is longer than its limit")
      walked += page.elements.map(\.traceID)
      try expectEqual(page.summary.isTruncated, page.summary.continuation != nil, "truncation beside continuation")
      guard let token = page.summary.continuation else { return walked }
      try expectEqual(page.elements.count, query.limit, "traces on a truncated page")
      query.pageToken = token
      try await between()
    }
    throw ConformanceFailure(message: "a walk repeats a trace: \(walked.suffix(8))")
  }
}

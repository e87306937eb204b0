import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let writeChecks: [ConformanceCheck] = [
    ConformanceCheck("a batch that is written again changes no answer") { session in
      try await session.write(Fixture.example)
      let query = Fixture.query("example-service-1")
      let before = try await session.reader().findTraces(query).collect()
      try await session.write(Fixture.example, Fixture.example)
      // The same spans, otherwise grouped.
      try await session.write(Fixture.example.changed { _, _, _ in })
      let after = try await session.reader().findTraces(query).collect()
      try expectEqual(after.elements.reduce(0) { $0 + $1.data.spanCount }, 5, "spans")
      try expect(
        ContentKey.set(of: before.elements.map(\.data)) == ContentKey.set(of: after.elements.map(\.data)), "content")
      try expectEqual(try await session.reader().getServices().count, 3, "services")
    },
    ConformanceCheck("an empty batch succeeds without effect") { session in
      let hollow = TraceData(resourceSpans: [
        ResourceSpans(resource: Fixture.resource("hollow"), scopeSpans: [ScopeSpans()])
      ])
      let receipts = try await session.write(TraceData(), hollow)
      try expectEqual(receipts, [WriteReceipt(), WriteReceipt()], "receipts")
      try expectEqual(try await session.reader().getServices(), [], "services")
      try expectEqual(try await session.find(TraceQuery(serviceName: "hollow")).traces.count, 0, "traces")
      guard try await session.capabilities().isServiceNameOptional else { return }
      try expectEqual(try await session.find(TraceQuery()).traces.count, 0, "traces of any service")
    },
    ConformanceCheck("spans with an all-zero id are refused alone and named") { session in
      let good = Fixture.span(1, 1)
      let other = Fixture.span(1, 2)
      let data = TraceData(resourceSpans: [
        Fixture.batch("zero", Fixture.span(0, 1), good).resourceSpans[0],
        Fixture.batch("zero", Fixture.span(1, 0), other, Fixture.span(0, 0)).resourceSpans[0],
      ])
      let receipts = try await session.write(data)
      try expectEqual(receipts.map(\.acceptedSpanCount), [2], "accepted")
      try expectEqual(receipts[0].refused.map(\.spanIndex), [0, 2, 4], "places of refused spans")
      try expect(receipts[0].refused.allSatisfy { !$0.reason.isEmpty }, "a refusal has no reason")
      try await session.expectFinds(Fixture.query("zero"), [Fixture.batch("zero", good, other)])
      try expectEqual(try await session.get(TraceID(high: 0, low: 0)).count, 0, "traces of the zero id")
    },
    ConformanceCheck("ids, names, times and simple attributes come back from every store") { session in
      let simple = Fixture.samples + [Attribute("blob", .bytes([0, 255])), Attribute("caf\u{e9}", "cafe\u{301}")]
      let data = Fixture.batch(
        Fixture.resource("simple", simple),
        [
          Fixture.span(
            1, 1, name: "caf\u{e9}", attributes: simple, events: [Fixture.event(simple, name: "done")], kind: .server,
            status: SpanStatus(code: .error, message: "timeout")),
          Fixture.span(1, 2, parent: 1, durationNanoseconds: 0, kind: .consumer),
        ], scope: InstrumentationScope(name: "library", version: "1.2"))
      try await session.write(data)
      try expectEqual(try await session.get(Fixture.id(1)).map(\.keys), [ContentKey.set(of: [data])], "content")
    },
    ConformanceCheck("what is written comes back equal in every field") { session in
      guard try await session.capabilities().hasWholeModel else { return }
      let data = Fixture.kitchenSink
      try await session.write(data, Fixture.example)
      let id = try data.onlyTraceID
      let found = try await session.get(id)
      try expectEqual(found.map(\.traceID), [id], "traces")
      let (actual, expected) = (found[0].keys, ContentKey.set(of: [data]))
      try expect(
        actual == expected, "\(expected.subtracting(actual).count) of \(expected.count) spans came back changed")
    },
    ConformanceCheck("random traces come back equal, each once") { session in
      guard try await session.capabilities().hasWholeModel else { return }
      for seed in UInt64(1)...3 {
        let data = randomTraces(seed: seed, count: 60)
        try await session.write(data)
        var ids: Set<TraceID> = []
        for batch in data { batch.forEachSpan { ids.insert($2.traceID) } }
        let found = try await session.joined(
          session.reader().getTraces(ids.sorted().map { GetTraceParameters($0) }).collect().elements)
        try expectEqual(found.map(\.traceID), ids.sorted(), "seed \(seed): traces")
        // Earlier seeds may have written into the same traces.
        let earlier = (UInt64(1)...seed).flatMap { randomTraces(seed: $0, count: 60) }
        let all = ContentKey.set(of: earlier.map { $0.only(ids) })
        let actual = found.reduce(into: Set<ContentKey>()) { $0.formUnion($1.keys) }
        try expect(actual == all, "seed \(seed): \(actual.symmetricDifference(all).count) of \(all.count) spans differ")
        try expectEqual(found.reduce(0) { $0 + $1.spanCount }, all.count, "seed \(seed): spans")
      }
    },
    ConformanceCheck("a long text comes back whole and is found") { session in
      let text = String(repeating: "long ", count: 1 << 18)
      let data = Fixture.batch("long", Fixture.span(1, attributes: [Attribute("text", .string(text))]))
      try await session.write(data, Fixture.batch("long", Fixture.span(2, attributes: [Attribute("text", "long ")])))
      try await session.expectFinds(Fixture.query("long", [Attribute("text", .string(text))]), [data])
    },
  ]
}

extension TraceData {
  /// The spans of some traces.
  func only(_ ids: Set<TraceID>) -> TraceData {
    var copy = TraceData()
    forEachSpan { resource, scope, span in
      guard ids.contains(span.traceID) else { return }
      copy.resourceSpans.append(
        ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(scope: scope, spans: [span])]))
    }
    return copy
  }
}

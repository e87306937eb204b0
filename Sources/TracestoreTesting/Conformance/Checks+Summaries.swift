import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let summaryChecks: [ConformanceCheck] = [
    ConformanceCheck("a summary counts the whole trace, not only the matching spans") { session in
      guard try await session.capabilities().hasTraceSummaries else { return }
      try await session.write(Fixture.example)
      let summaries = try await session.reader().findTraceSummaries(Fixture.query("example-service-2")).collect()
      let expected = TraceSummary(
        traceID: Fixture.id(0x11), rootServiceName: "example-service-1", rootOperationName: "example-operation-1",
        minimumStart: Fixture.noon, maximumEnd: Fixture.time(1_000), spanCount: 5,
        services: [
          ServiceSummary(name: "example-service-1", spanCount: 3),
          ServiceSummary(name: "example-service-2", spanCount: 1),
          ServiceSummary(name: "example-service-3", spanCount: 1),
        ])
      try expectEqual(summaries.elements, [expected], "summaries")
    },
    ConformanceCheck("orphans, self-parents, zero parents and shared ids are told apart in summaries") { session in
      guard try await session.capabilities().hasTraceSummaries else { return }
      let error = SpanStatus(code: .error)
      try await session.write(
        Fixture.batch(
          "forest", Fixture.span(1, 1, parent: 1), Fixture.span(1, 2, parent: 99, status: error),
          // The same id again, an orphan too: one orphan.
          Fixture.span(1, 2, name: "again", parent: 98), Fixture.span(1, 3, parent: 2),
          Fixture.span(1, 4, name: "late root", start: Fixture.time(20)),
          Fixture.span(1, 5, name: "root", parent: 0, start: Fixture.time(10))),
        Fixture.batch(Resource(), [Fixture.span(1, 6, parent: 97)]),
        Fixture.batch("rootless", Fixture.span(2, 1, parent: 2), Fixture.span(2, 2, parent: 1)))
      var summaries = try await session.reader().findTraceSummaries(TraceQuery()).collect().elements
      summaries.sort { $0.traceID < $1.traceID }
      let expected = [
        TraceSummary(
          traceID: Fixture.id(1), rootServiceName: "forest", rootOperationName: "root", minimumStart: Fixture.noon,
          maximumEnd: Fixture.time(1_020), spanCount: 7, errorSpanCount: 1, orphanSpanCount: 2,
          services: [
            ServiceSummary(name: "", spanCount: 1), ServiceSummary(name: "forest", spanCount: 6, errorSpanCount: 1),
          ]),
        TraceSummary(
          traceID: Fixture.id(2), minimumStart: Fixture.noon, maximumEnd: Fixture.time(1_000), spanCount: 2,
          services: [ServiceSummary(name: "rootless", spanCount: 2)]),
      ]
      try expectEqual(summaries, expected, "summaries")
    },
    ConformanceCheck("summaries of random forests equal those computed from the spans") { session in
      guard try await session.capabilities().hasTraceSummaries else { return }
      let data = randomTraces(seed: 11, count: 120)
      try await session.write(data)
      let query = TraceQuery(limit: 10_000)
      let summaries = try await session.reader().findTraceSummaries(query).collect().elements
      let expected = try await session.find(query).traces.map {
        TraceSummary(traceID: $0.traceID, chunks: $0.chunks)
      }
      try expect(!expected.isEmpty, "no traces were found")
      try expectEqual(summaries.map(\.traceID), expected.map(\.traceID), "traces of seed 11")
      for (summary, other) in zip(summaries, expected) {
        try expectEqual(summary, other, "seed 11, trace \(other.traceID)")
      }
    },
  ]
}

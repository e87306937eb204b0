import TraceModel
import TracestoreV2

extension ConformanceKit {
  /// What Jaeger's own integration battery asks of every backend, each fixture beside all the others and with decoys.
  static let batteryChecks: [ConformanceCheck] =
    [
      ConformanceCheck("services are listed once, in order") { session in
        try await session.write(Fixture.example, Fixture.example)
        let services = try await session.reader().getServices()
        try expectEqual(services, ["example-service-1", "example-service-2", "example-service-3"], "services")
      },
      ConformanceCheck("operations are listed with their kinds, of the asked service only") { session in
        try await session.write(Fixture.example)
        let expected: ResultList = [
          Operation(name: "example-operation-1"), Operation(name: "example-operation-3", spanKind: .server),
          Operation(name: "example-operation-4", spanKind: .client),
        ]
        let reader = try await session.reader()
        let all = try await reader.getOperations(OperationQuery(serviceName: "example-service-1"))
        try expectEqual(all, expected, "operations")
        let servers = try await reader.getOperations(
          OperationQuery(serviceName: "example-service-1", spanKind: .server))
        try expectEqual(servers, [expected[1]], "server operations")
        let none = try await reader.getOperations(OperationQuery(serviceName: "no-such-service"))
        try expectEqual(none, [], "operations of an unknown service")
      },
      ConformanceCheck("a trace of three resources comes back as one trace") { session in
        try await session.write(Fixture.example)
        let found = try await session.get(Fixture.id(0x11))
        try expectEqual(found.map(\.traceID), [Fixture.id(0x11)], "traces")
        try expectEqual(found[0].keys, ContentKey.set(of: [Fixture.example]), "content")
        try expectEqual(found[0].spanCount, 5, "spans")
      },
      ConformanceCheck("an unknown trace id finds nothing and is no error") { session in
        try await session.write(Fixture.example)
        try expectEqual(try await session.get(Fixture.id(1)).count, 0, "traces")
        let mixed = try await session.get(Fixture.id(1), Fixture.id(0x11), Fixture.id(2))
        try expectEqual(mixed.map(\.traceID), [Fixture.id(0x11)], "traces among unknown ids")
      },
      ConformanceCheck("a trace of 10,008 spans over hours comes back whole") { session in
        try await largeTrace(session, spanCount: 10_008)
      },
      ConformanceCheck("a trace of 100,000 spans comes back whole", isSlow: true) { session in
        try await largeTrace(session, spanCount: 100_000)
      },
      ConformanceCheck("different spans under one span id are all kept") { session in
        let spans = (0..<200).map { index in
          // Every twentieth borrows the id of the first, with other times.
          Fixture.span(
            0x21, index % 20 == 0 ? 1 : UInt64(index) + 1, start: Fixture.time(Int64(index)), durationNanoseconds: 10)
        }
        let data = Fixture.batch(Fixture.resource("duplicates"), spans)
        try await session.write(data)
        let found = try await session.get(Fixture.id(0x21))
        try expectEqual(found.map(\.spanCount), [200], "spans")
        try expectEqual(found[0].keys, ContentKey.set(of: [data]), "content")
      },
      ConformanceCheck("a search without a service name finds all services, or is refused") { session in
        guard try await session.capabilities().isServiceNameOptional else {
          return try await session.expectError(.invalidArgument, "a search without a service name") {
            _ = try await session.reader().findTraces(Fixture.query()).collect()
          }
        }
        let mark = [Attribute("cross.service", "yes")]
        let a = Fixture.batch("cross-service-a", Fixture.span(0x31, attributes: mark))
        let b = Fixture.batch("cross-service-b", Fixture.span(0x32, attributes: mark))
        try await session.write(a, b, Fixture.batch("cross-service-a", Fixture.span(0x33)))
        try await session.expectFinds(Fixture.query("", mark), [a, b])
      },
    ]
    + SearchFixture.all.map { fixture in
      ConformanceCheck("search: \(fixture.name)") { session in
        guard try await session.capabilities().hasWholeModel || !fixture.needsWholeModel else { return }
        let decoys = SearchFixture.all.flatMap(\.decoys)
        try await session.write(SearchFixture.all.flatMap(\.traces) + decoys)
        try await session.expectFinds(fixture.query, fixture.traces)
        // Public APIs only know texts.
        var asText = fixture.query
        asText.attributes = asText.attributes.map {
          Attribute($0.key, .string(AttributeText.text(of: $0.value) ?? ""))
        }
        try await session.expectFinds(asText, fixture.traces, "the query with all values as text")
      }
    }

  private static func largeTrace(_ session: ConformanceSession, spanCount: Int) async throws {
    var batches: [TraceData] = []
    for first in stride(from: 0, to: spanCount, by: 2_000) {
      let spans = (first..<min(first + 2_000, spanCount)).map { index in
        Fixture.span(
          0x41, UInt64(index) + 1, parent: index == 0 ? nil : 1,
          start: Fixture.time(Int64(index + 1) * 1_000_000_000))
      }
      batches.append(Fixture.batch(Fixture.resource("large"), spans))
    }
    batches.append(Fixture.batch("large", Fixture.span(0x42)))
    try await session.write(batches)
    let found = try await session.get(Fixture.id(0x41))
    try expectEqual(found.map(\.traceID), [Fixture.id(0x41)], "traces")
    try expectEqual(found[0].spanCount, spanCount, "spans")
    try expect(found[0].keys == ContentKey.set(of: batches.dropLast()), "the large trace came back changed")
    // A window that holds only the last span finds the whole trace.
    let last = Fixture.time(Int64(spanCount) * 1_000_000_000)
    let query = TraceQuery(serviceName: "large", startMinimum: last, startMaximum: last)
    let searched = try await session.find(query)
    try expectEqual(searched.traces.map(\.spanCount), [spanCount], "spans of the searched trace")
  }
}

import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let sideStoreChecks: [ConformanceCheck] = [
    ConformanceCheck("written dependency links come back in their window and add up") { session in
      guard let writer = try await offered({ try await session.store.createDependencyWriter() }) else { return }
      let first = [
        DependencyLink(parent: "hello", child: "world", callCount: 1),
        DependencyLink(parent: "world", child: "hello", callCount: 3),
      ]
      try await writer.writeDependencies(first, at: Fixture.noon)
      try await writer.writeDependencies([first[1]], at: Fixture.time(10))
      try await writer.writeDependencies([first[0]], at: Fixture.time(20))
      let reader = try await session.store.createDependencyReader()
      func counts(_ start: Int64, _ end: Int64) async throws -> [String] {
        try await reader.getDependencies(DependencyQuery(start: Fixture.time(start), end: Fixture.time(end)))
          .map { "\($0.parent)-\($0.child) \($0.callCount) \($0.source)" }
      }
      try expectEqual(try await counts(0, 10), ["hello-world 1 ", "world-hello 3 "], "the first snapshot")
      try expectEqual(try await counts(0, 11), ["hello-world 1 ", "world-hello 6 "], "two snapshots")
      try expectEqual(try await counts(1, 20), ["world-hello 3 "], "between the ends")
      try expectEqual(try await counts(21, 30), [], "after all")
    },
    ConformanceCheck("throughput comes back and the last probabilities win") { session in
      guard let store = try await offered({ try await session.store.createSamplingStore() }) else { return }
      try expectEqual(try await store.getLatestProbabilities(), [], "probabilities of a new store")
      let entries = [
        SamplingThroughput(serviceName: "a", operationName: "x", count: 1, probabilities: ["0.1"]),
        SamplingThroughput(serviceName: "b", operationName: "y", count: 2),
      ]
      try await store.insertThroughput(entries)
      try expectEqual(try await store.getThroughput(after: .zero, through: .maximum), entries, "throughput")
      try expectEqual(
        try await store.getThroughput(after: .zero, through: Timestamp(nanoseconds: 1)), [], "throughput of 1970")
      for (index, value) in [0.5, 0.1].enumerated() {
        let rates = [SamplingRate(serviceName: "srv\(index)", operationName: "op", value: value)]
        try await store.insertProbabilitiesAndQPS(hostname: "host", probabilities: rates, queriesPerSecond: rates)
      }
      try expectEqual(
        try await store.getLatestProbabilities(),
        [SamplingRate(serviceName: "srv1", operationName: "op", value: 0.1)], "latest probabilities")
    },
    ConformanceCheck("a purge removes everything, the catalogue included") { session in
      try await session.write(Fixture.example)
      guard try await offered({ try await session.store.purge() }) != nil else { return }
      let reader = try await session.reader()
      try expectEqual(try await reader.getServices(), [], "services")
      try expectEqual(
        try await reader.getOperations(OperationQuery(serviceName: "example-service-1")), [], "operations")
      let query = TraceQuery(serviceName: "example-service-1")
      try expectEqual(try await session.find(query).traces.count, 0, "traces")
      try await session.write(Fixture.example)
      try expectEqual(try await session.find(query).traces.map(\.spanCount), [5], "spans after writing again")
    },
  ]

  /// What a store has, or nil when it says `unsupported`.
  private static func offered<Part: Sendable>(_ make: () async throws -> Part) async throws -> Part? {
    do {
      return try await make()
    } catch let error as TracestoreError where error.code == .unsupported {
      return nil
    }
  }
}

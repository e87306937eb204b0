import Testing
import TracestoreTesting
import TracestoreV1
import TracestoreV2

/// One contract: a v1 store that v2 speaks to keeps of it what it declares.
@Suite struct `The contract over v1` {
  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `a v1 store seen through v2 keeps the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(makeStore: { V1Factory() })
  }
}

/// v2 over v1 over v2: both directions of the translation stand on each other.
private struct V1Factory: TracestoreFactory {
  private let store = ReferenceStore()

  func createTraceReader() async throws -> any TraceReader { V2TraceReader(V1SpanReader(store)) }
  func createTraceWriter() async throws -> any TraceWriter { V2TraceWriter(V1SpanWriter(store)) }
  func purge() async throws { try await store.purge() }
}

import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// The machine stops at every single call of the file layer while a span is open: what was acknowledged of it is there.
@Suite struct PartialCrashTests {
  private static let options = StoreOptions(
    sealSpanCount: 60, stripeSpanCount: 16, isCompactionAutomatic: false, clock: { 100 })
  private static let trace = TraceID(high: 7, low: 7)
  private static let stepCount = 8

  /// Step 0 opens the span, the last one ends it; one is an enrichment. Each leaves a mark of its own.
  private static func step(_ number: Int) -> TraceData {
    let isLast = number == stepCount - 1
    var attributes = [Attribute("step \(number)", true), Attribute("last", .int(Int64(number)))]
    if !isLast { attributes.append(Attribute("tracestore.sequence", .int(Int64(number)))) }
    if number == 3 { attributes.append(Attribute("tracestore.partial", true)) }
    return TraceData(resourceSpans: [
      ResourceSpans(scopeSpans: [
        ScopeSpans(spans: [
          SpanRecord(
            traceID: trace, spanID: SpanID(7), name: "long", kind: .internal, start: Timestamp(nanoseconds: 10),
            end: Timestamp(nanoseconds: isLast ? 90 : 0), attributes: attributes)
        ])
      ])
    ])
  }

  private static func run(in files: SimulatedFileSystem) async -> Set<Int> {
    var acknowledged: Set<Int> = []
    for half in 0..<2 {
      guard let store = try? await TraceStore.open(in: files, at: "store", options: options) else { continue }
      for number in half * stepCount / 2..<(half + 1) * stepCount / 2 {
        if (try? await store.writeTraces(step(number))) != nil { acknowledged.insert(number) }
        // Sent again, as exporters do.
        if number % 3 == 1 { _ = try? await store.writeTraces(step(number)) }
        if number % 2 == 1 { try? await store.seal() }
        if number == 5 { _ = try? await store.compact(.all) }
      }
      try? await store.close()
    }
    return acknowledged
  }

  @Test(arguments: CrashPolicy.allCases)
  func `whatever call a crash follows, no acknowledged word on an open span is lost, and it is one span`(
    _ policy: CrashPolicy
  ) async throws {
    var callCount = 0
    while true {
      let files = SimulatedFileSystem()
      files.halt(afterOperations: callCount)
      let acknowledged = await Self.run(in: files)
      let clone = files.crashClone(keeping: policy, seed: UInt64(callCount))
      try await Self.check(clone, acknowledged, "policy \(policy), call \(callCount)")
      if !files.isHalted { break }
      callCount += 1
    }
    #expect(callCount > 40, "the workload makes fewer calls than expected, so it tests little")
  }

  private static func check(_ files: SimulatedFileSystem, _ acknowledged: Set<Int>, _ place: String) async throws {
    let store = try await TraceStore.open(in: files, at: "store", options: options)
    let read = try await store.getTraces([trace]).collect().elements.flatMap(\.foundSpans)
    let found = try await store.findSpans(TraceQuery()).collect().elements
    #expect(read == found, "\(place): a search and a read see different spans")
    #expect(read.count <= 1, "\(place): one span is there as \(read.count)")
    let keys = Set(read.flatMap(\.span.attributes).map(\.key))
    for number in acknowledged { #expect(keys.contains("step \(number)"), "\(place): step \(number) is lost") }
    if acknowledged.contains(stepCount - 1) { #expect(read.map(\.state.phase) == [.final], "\(place)") }
    try await store.close()
  }
}

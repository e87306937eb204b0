import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// The service graph against the definition over all records.
@Suite struct ServiceGraphTests {
  private static func compare(
    _ store: TraceStore, _ reference: ReferenceStore, _ query: DependencyQuery, _ place: Comment
  ) async throws {
    let ours = try await store.serviceGraph(query)
    let theirs = reference.serviceGraph(query)
    #expect(ours.links.count == theirs.links.count, place)
    for (left, right) in zip(ours.links, theirs.links) where !left.isNear(right) {
      Issue.record("\(place): \(left) is not \(right)")
    }
    #expect(ours.unpaired == theirs.unpaired, place)
    #expect(ours.summary == ResultSummary(), place)
  }

  private static func windows(_ random: inout SeededRandom) -> [DependencyQuery] {
    let epoch: UInt64 = 1_767_225_600_000_000_000
    let first = epoch + random.next() % 50 * 1_000_000_000
    let last = first + random.next() % 20 * 1_000_000_000 + random.next() % 2
    return [
      DependencyQuery(), DependencyQuery(includesSelfCalls: true),
      DependencyQuery(start: Timestamp(nanoseconds: first), end: Timestamp(nanoseconds: last)),
      DependencyQuery(start: Timestamp(nanoseconds: last), end: .maximum),
      DependencyQuery(start: Timestamp(nanoseconds: first), end: Timestamp(nanoseconds: first)),
    ]
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `random histories have the graph of the definition, in memory, in segments, merged and reopened`(
    _ seed: UInt64
  ) async throws {
    var random = SeededRandom(seed: seed)
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let options = StoreOptions(
      sealSpanCount: 100 + Int(random.next() % 200), stripeSpanCount: 16 + Int(random.next() % 60),
      isCompactionAutomatic: false, mergedSegmentSpanCount: 64 + Int(random.next() % 300))
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    let reference = ReferenceStore()
    let traces = randomCalls(seed: seed, count: 45)
    for (index, batch) in traces.enumerated() {
      _ = try await reference.writeTraces(batch)
      _ = try await store.writeTraces(batch)
      if random.next() % 8 == 0 { _ = try await store.writeTraces(traces[Int(random.next() % UInt64(index + 1))]) }
      if random.next() % 12 == 0 { try await store.seal() }
      if random.next() % 20 == 0 { try await store.compact(random.next() % 2 == 0 ? .all : .due) }
      if random.next() % 20 == 0 {
        try await store.close()
        store = try await TraceStore.open(in: files, at: "store", options: options)
      }
      if index % 15 == 14 {
        for (number, query) in Self.windows(&random).enumerated() {
          try await Self.compare(store, reference, query, "seed \(seed), batch \(index), window \(number)")
        }
      }
    }
    let whole = reference.serviceGraph(DependencyQuery())
    #expect(Set(whole.links.map(\.connection)).count >= 2 && !whole.unpaired.isEmpty, "seed \(seed) tests little")
    let reader = try await TraceStore.open(in: files, at: "store", options: options, isReadOnly: true)
    try await Self.compare(reader, reference, DependencyQuery(), "seed \(seed), a reader")
    try await reader.close()
    try await store.close()
  }
}

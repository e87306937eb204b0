import Testing
import TraceEngine
import TraceFiles
import TraceModel
import TraceSegment
import TracestoreTesting
import TracestoreV2

/// Lists of names over a store of which a section is damaged: the rest is listed, and what is missing is named.
@Suite struct CatalogueDamageTests {
  /// A closed store of two segments, and where the sections of the first one stand. The second one has one span.
  private struct Damaged {
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let path: String
    let bytes: [UInt8]
    let sections: [(name: String, offset: UInt64, byteCount: UInt64)]

    init() async throws {
      let store = try await TraceStore.open(in: files, at: "store", options: StoreOptions())
      for batch in TrafficGenerator(shape: .realistic, spanCount: 400, seed: 5) {
        _ = try await store.writeTraces(batch)
      }
      try await store.seal()
      let span = SpanRecord(
        traceID: TraceID(high: 1, low: 1), spanID: SpanID(1), name: "work", kind: .client,
        start: Timestamp(nanoseconds: 1), end: Timestamp(nanoseconds: 2), attributes: [Attribute("only.here", "yes")])
      let resource = Resource(attributes: [Attribute("service.name", "whole")])
      _ = try await store.writeTraces(
        TraceData(resourceSpans: [ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(spans: [span])])]))
      try await store.seal()
      try await store.close()
      path = joinedPath(
        "store", try #require(try files.contents(ofDirectory: "store").sorted().first { $0.hasSuffix(".seg") }))
      let file = try files.open(path, .read)
      bytes = try file.bytes(at: 0, byteCount: Int(file.byteCount()))
      sections = try Segment.open(
        file: file, number: 1, path: path, cache: BlockCache(maximumByteCount: 1 << 20)
      ).sectionRanges
    }

    func open(flipping offset: UInt64?) async throws -> TraceStore {
      var damaged = bytes
      if let offset { damaged[Int(offset)] ^= 0x10 }
      try files.overwrite(path, with: damaged)
      return try await TraceStore.open(in: files, at: "store", options: StoreOptions(), isReadOnly: true)
    }
  }

  private struct Lists {
    var services: ResultList<String>
    var operations: ResultList<TracestoreV2.Operation>
    var keys: ResultList<AttributeKeyInfo>
    var keysOfService: ResultList<AttributeKeyInfo>
    var values: ResultList<AttributeValueInfo>

    init(_ store: TraceStore) async throws {
      services = try await store.getServices()
      operations = try await store.getOperations(OperationQuery(serviceName: "whole"))
      keys = try await store.getAttributeKeys(AttributeKeyQuery())
      keysOfService = try await store.getAttributeKeys(AttributeKeyQuery(serviceName: "whole"))
      let found = try await store.getAttributeValues(AttributeValueQuery(key: "only.here")).collect()
      values = ResultList(found.elements, summary: found.summary)
    }

    var summaries: [ResultSummary] {
      [services.summary, operations.summary, keys.summary, keysOfService.summary, values.summary]
    }
  }

  @Test func `whatever section is damaged, what the other segment has is listed, and what is missing is named`()
    async throws
  {
    let damaged = try await Damaged()
    let whole = try await damaged.open(flipping: nil)
    let expected = try await Lists(whole)
    try await whole.close()
    #expect(expected.summaries.allSatisfy(\.damage.isEmpty) && expected.services.count > 5)
    var incompleteCount = 0
    for section in damaged.sections where section.byteCount > 0 {
      let store = try await damaged.open(flipping: section.offset + section.byteCount / 2)
      let lists = try await Lists(store)
      try await store.close()
      for summary in lists.summaries {
        #expect(
          summary.damage.allSatisfy { $0.contains(damaged.path) && $0.contains(section.name) }, "\(summary.damage)")
      }
      #expect(lists.services.contains("whole"), "\(section.name)")
      #expect(lists.operations.elements == expected.operations.elements, "\(section.name)")
      #expect(lists.keys.contains { $0.key == "only.here" }, "\(section.name)")
      #expect(lists.keysOfService.elements == expected.keysOfService.elements, "\(section.name)")
      #expect(lists.values.elements == expected.values.elements, "\(section.name)")
      if lists.services.count < expected.services.count { incompleteCount += 1 }
      if lists.keys.count < expected.keys.count { incompleteCount += 1 }
      #expect(lists.services == expected.services || !lists.services.summary.damage.isEmpty, "\(section.name)")
      #expect(lists.keys == expected.keys || !lists.keys.summary.damage.isEmpty, "\(section.name)")
    }
    // The services themselves and the keys themselves, at least.
    #expect(incompleteCount >= 2)
  }

  @Test func `a list over a damaged log says so`() async throws {
    let store = try await FollowedStore()
    for batch in TrafficGenerator(shape: .uniform, spanCount: 200, seed: 6, requestSpanCount: 20) {
      _ = try await store.writer.writeTraces(batch)
    }
    try await store.writer.close()
    let path = try store.damageLog()
    let reader = try await TraceStore.open(in: store.files, at: "store", isReadOnly: true)
    let services = try await reader.getServices()
    #expect(!services.isEmpty && services.summary.damage.count == 1, "\(services.summary.damage)")
    #expect(services.summary.damage.first?.contains(path) == true, "\(services.summary.damage)")
    try await reader.close()
  }
}

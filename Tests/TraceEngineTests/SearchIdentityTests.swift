import Testing
import TraceEngine
import TracestoreTesting

/// Swift calls two spellings of a text equal, and prints two NaNs alike: searches must tell them apart, in memory and in
/// segments, also when an answer for the other one is remembered.
@Suite struct SearchIdentityTests {
  private static let pairs: [(AttributeValue, AttributeValue)] = [
    (.string("caf\u{e9}"), .string("cafe\u{301}")),
    (.array([.string("caf\u{e9}")]), .array([.string("cafe\u{301}")])),
    (.map([Attribute("caf\u{e9}", 1)]), .map([Attribute("cafe\u{301}", 1)])),
    (.double(.nan), .double(Double(nan: 7, signaling: false))),
    (.double(0), .double(-0.0)),
    (.bytes([1]), .bytes([1, 0])),
  ]

  @Test(arguments: [false, true]) func `alike is not equal`(_ isSealed: Bool) async throws {
    let store = try await TraceStore.inMemory()
    for (number, pair) in Self.pairs.enumerated() {
      let key = "key\(number)"
      let span = SpanRecord(
        traceID: TraceID(high: 1, low: UInt64(number + 1)), spanID: SpanID(1), start: Timestamp(nanoseconds: 1),
        end: Timestamp(nanoseconds: 2))
      _ = try await store.writeTraces(
        TraceData(resourceSpans: [
          ResourceSpans(
            resource: Resource(attributes: [Attribute(key, pair.1)]),
            scopeSpans: [
              ScopeSpans(scope: InstrumentationScope(attributes: [Attribute("scope." + key, pair.1)]), spans: [span])
            ])
        ]))
    }
    if isSealed { try await store.seal() }
    for (number, pair) in Self.pairs.enumerated() {
      for key in ["key\(number)", "scope.key\(number)"] {
        // The wrong one first, so that its answer is the one that is remembered.
        for (value, expected) in [(pair.0, 0), (pair.1, 1), (pair.0, 0)] {
          let found = try await store.findTraceIDs(TraceQuery(attributes: [Attribute(key, value)])).collect()
          #expect(found.elements.count == expected, "\(key) \(value)")
        }
      }
    }
    try await store.close()
  }

  @Test(arguments: [false, true]) func `a number beyond all doubles is not infinity`(_ isSealed: Bool) async throws {
    let store = try await TraceStore.inMemory()
    let span = SpanRecord(
      traceID: TraceID(high: 1, low: 1), spanID: SpanID(1), start: Timestamp(nanoseconds: 1),
      end: Timestamp(nanoseconds: 2), attributes: [Attribute("x", .double(.infinity))])
    _ = try await store.writeTraces(
      TraceData(resourceSpans: [ResourceSpans(resource: Resource(), scopeSpans: [ScopeSpans(spans: [span])])]))
    if isSealed { try await store.seal() }
    for (text, count) in [("1e400", 0), ("Infinity", 1), ("1e308", 0)] {
      let query = TraceQuery(attributes: [Attribute("x", .string(text))])
      #expect(try await store.findTraceIDs(query).collect().elements.count == count, "\(text)")
      #expect(AttributeCondition.matches(.string(text), stored: .double(.infinity)) == (count == 1), "\(text)")
    }
    try await store.close()
  }

  @Test(arguments: [false, true]) func `values that have one text are listed in one order`(_ isSealed: Bool)
    async throws
  {
    let store = try await TraceStore.inMemory()
    let reference = ReferenceStore()
    let values: [AttributeValue] = [
      "1", 1, .double(1), "true", true, "", .empty, .bytes([]), .bytes([1]), "AQ==", "[]", .array([]), "{}", .map([]),
      "NaN", .double(.nan), .double(Double(nan: 7, signaling: false)), .array([.empty]),
    ]
    let spans = values.enumerated().map { number, value in
      SpanRecord(
        traceID: TraceID(high: 1, low: 1), spanID: SpanID(UInt64(number + 1)), start: Timestamp(nanoseconds: 1),
        end: Timestamp(nanoseconds: 2), attributes: [Attribute("k", value)])
    }
    let data = TraceData(resourceSpans: [
      ResourceSpans(resource: Resource(), scopeSpans: [ScopeSpans(spans: spans)])
    ])
    _ = try await store.writeTraces(data)
    _ = try await reference.writeTraces(data)
    if isSealed { try await store.seal() }
    let query = AttributeValueQuery(key: "k", limit: 100)
    let types = try await store.getAttributeValues(query).collect().elements.map {
      $0.value.text + " " + AttributeType(of: $0.value).rawValue
    }
    let expected = try await reference.getAttributeValues(query).collect().elements.map {
      $0.value.text + " " + AttributeType(of: $0.value).rawValue
    }
    #expect(types == expected)
    try await store.close()
  }
}

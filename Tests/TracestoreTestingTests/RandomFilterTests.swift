import Testing
import TraceFilter
import TraceModel
import TracestoreTesting
import TracestoreV2

@Suite struct RandomFilterTests {
  @Test func `random filters keep every rule and do not nest deeper than asked`() throws {
    for depth in [1, 2, 4, 20, 1_000] {
      for seed in UInt64(0)..<500 {
        let filter = randomFilter(seed: seed, maximumDepth: depth)
        #expect(throws: Never.self, "seed \(seed), depth \(depth): \(filter.text)") {
          try filter.finalized(checkingPatterns: { _ = try Regex($0) })
        }
        #expect(callDepth(filter) <= max(1, min(depth, 20)))
        #expect(randomFilter(seed: seed, maximumDepth: depth) == filter)
      }
    }
  }

  @Test func `random filters speak of everything there is`() {
    var operations: Set<FilterOperator> = []
    var levels: Set<AttributeLevel> = []
    var fields: Set<FilterField> = []
    var constants: Set<String> = []
    func visit(_ node: FilterExpression) {
      switch node {
      case .attribute(let reference): levels.insert(reference.level)
      case .field(let reference): if let field = FilterField(reference) { fields.insert(field) }
      case .nested: break
      case .untyped: constants.insert("untyped")
      case .string: constants.insert("string")
      case .int: constants.insert("int")
      case .double: constants.insert("double")
      case .bool: constants.insert("bool")
      case .duration: constants.insert("duration")
      case .timestamp: constants.insert("timestamp")
      case .list(let list): constants.insert("list of \(list.type.rawValue)")
      case .call(let call):
        operations.insert(call.operation)
        call.arguments.forEach(visit)
      }
    }
    for seed in UInt64(0)..<2_000 {
      let filter = randomFilter(seed: seed)
      visit(filter)
      if let resolved = try? filter.finalized(checkingPatterns: { _ in }) { visit(resolved) }
    }
    #expect(operations == Set(FilterOperator.all))
    #expect(levels == Set(AttributeLevel.all + [.unqualified]))
    #expect(fields == Set(FilterField.all))
    #expect(
      constants == [
        "untyped", "string", "int", "double", "bool", "duration", "timestamp", "list of ", "list of string",
        "list of int",
        "list of double", "list of bool",
      ])
  }

  @Test func `random filters tell spans apart`() throws {
    var spans: [FoundSpan] = []
    for batch in randomTraces(seed: 9, count: 30) {
      batch.forEachSpan { spans.append(FoundSpan(resource: $0, scope: $1, span: $2)) }
    }
    var (none, all, part) = (0, 0, 0)
    for seed in UInt64(0)..<600 {
      let filter = randomFilter(seed: seed)
      let count = try spans.filter {
        try FilterMeaningTests.holds(filter, $0.span, $0.resource, $0.scope)
      }.count
      if count == 0 { none += 1 } else if count == spans.count { all += 1 } else { part += 1 }
    }
    #expect(part > 250, "none \(none), all \(all), part \(part)")
  }

  private func callDepth(_ node: FilterExpression) -> Int {
    guard case .call(let call) = node else { return 0 }
    return 1 + (call.arguments.map(callDepth).max() ?? 0)
  }
}

@Suite struct ReferenceStoreFilterTests {
  private func store() async throws -> ReferenceStore {
    let store = ReferenceStore()
    for batch in randomTraces(seed: 4, count: 60) { _ = try await store.writeTraces(batch) }
    return store
  }

  @Test func `a filter and the flat conditions that it says find the same spans`() async throws {
    let store = try await store()
    for (text, flat) in [
      ("resource.service = \"cart\"", TraceQuery(serviceName: "cart")),
      ("span.name = \"GET /\" && span.kind = server", TraceQuery(operationName: "GET /", spanKind: .server)),
      (
        "span.duration >= 1us && span.duration <= 2µs && span.status = error",
        TraceQuery(statusCode: .error, durationMinimumNanoseconds: 1_000, durationMaximumNanoseconds: 2_000)
      ),
    ] {
      var query = flat
      query.limit = 10_000
      let expected = try await store.findSpans(query).collect().elements
      #expect(!expected.isEmpty)
      let filtered = TraceQuery(filter: try FilterExpression(text: text), limit: 10_000)
      #expect(try await store.findSpans(filtered).collect().elements == expected, "\(text)")
      #expect(try await store.findSpans(query.convertedToFilter()).collect().elements == expected, "\(text)")
    }
  }

  @Test func `times and pages go with a filter, and tokens know it`() async throws {
    let store = try await store()
    var query = TraceQuery(
      startMinimum: Timestamp(nanoseconds: 1_767_225_610_000_000_000), filter: try FilterExpression(text: ".user != 1"),
      limit: 1)
    let first = try await store.findTraceIDs(query).collect()
    #expect(first.elements.count == 1)
    query.pageToken = first.summary.continuation
    #expect(query.pageToken != nil)
    #expect(try await store.findTraceIDs(query).collect().elements.first?.traceID != first.elements.first?.traceID)
    query.filter = try FilterExpression(text: ".user != 2")
    await #expect(throws: TracestoreError.self) { try await store.findTraceIDs(query).collect() }
  }

  @Test func `an invalid filter is refused, and so is one beside flat conditions`() async throws {
    let store = ReferenceStore()
    for query in [
      TraceQuery(filter: .call(.equal, .field(.span, "durtion"), .untyped("1s"))),
      TraceQuery(filter: .call(.regex, .attribute("a"), .untyped("("))),
      TraceQuery(serviceName: "a", filter: .call(.exists, .attribute("a"))),
    ] {
      await #expect(throws: TracestoreError.self) { try await store.findSpans(query).collect() }
    }
  }

  @Test func `a reference store declares every filter`() async throws {
    #expect(try await ReferenceStore().searchCapabilities().filter == .complete)
  }
}

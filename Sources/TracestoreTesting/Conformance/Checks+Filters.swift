import TraceFilter
import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let filterChecks: [ConformanceCheck] = [
    ConformanceCheck("every declared filter finds what its definition says, in every order") { session in
      let capabilities = try await session.capabilities()
      guard let declared = capabilities.filter else { return }
      let data = randomTraces(seed: 31, count: 60)
      try await session.write(data)
      let reference = ReferenceStore()
      for batch in data { _ = try await reference.writeTraces(batch) }
      let reader = try await session.reader()
      for seed in 0..<40 as Range<UInt64> {
        let filter = randomFilter(seed: seed)
        guard declared.refusal(of: filter) == nil, let order = capabilities.orders[wrapping: Int(seed)] else {
          continue
        }
        let query = TraceQuery(filter: filter, limit: 1 + Int(seed % 50), order: order)
        let label = "seed \(seed), \(filter.text), \(order.rawValue)"
        let found = try await reader.findTraceIDs(query).collect()
        let expected = try await reference.findTraceIDs(query).collect()
        try expectEqual(found.elements.map(\.traceID), expected.elements.map(\.traceID), label)
        try expectEqual(found.summary.isTruncated, expected.summary.isTruncated, "\(label): truncated")
      }
    },
    ConformanceCheck("a filter, its negation and the window partition the spans") { session in
      let capabilities = try await session.capabilities()
      guard let declared = capabilities.filter, capabilities.hasSpanSearch, capabilities.orders.contains(.newest) else {
        return
      }
      let data = randomTraces(seed: 32, count: 30)
      try await session.write(data)
      var starts: [Timestamp] = []
      for batch in data { batch.forEachSpan { starts.append($2.start) } }
      let middle = starts.sorted()[starts.count / 2]
      let reader = try await session.reader()
      func spans(_ query: TraceQuery) async throws -> [ContentKey] {
        var query = query
        query.limit = 1_000_000
        return try await reader.findSpans(query).collect().elements
          .map { ContentKey($0.resource, $0.scope, $0.span) }.sorted()
      }
      let all = try await spans(TraceQuery())
      for seed in 500..<508 as Range<UInt64> {
        let filter = randomFilter(seed: seed, maximumDepth: 3)
        guard declared.refusal(of: .call(.not, filter)) == nil else { continue }
        let passing = try await spans(TraceQuery(filter: filter))
        let others = try await spans(TraceQuery(filter: .call(.not, filter)))
        try expectEqual((passing + others).sorted(), all, "seed \(seed), \(filter.text): it and its negation")
        let early = try await spans(TraceQuery(startMaximum: middle, filter: filter))
        let late = try await spans(
          TraceQuery(startMinimum: Timestamp(nanoseconds: middle.nanoseconds + 1), filter: filter))
        try expectEqual((early + late).sorted(), passing, "seed \(seed), \(filter.text): before and after an instant")
      }
    },
    ConformanceCheck("what a filter may not say is refused, and nothing is approximated") { session in
      guard let declared = try await session.capabilities().filter else { return }
      let reader = try await session.reader()
      let key = FilterExpression.attribute("k", .span)
      let malformed: [FilterExpression] = [
        key, .call(.and, .call(.exists, key)), .call(.equal, key), .call(.exists, .untyped("k")),
        .call(.equal, .field(.span, "durtion"), .untyped("1s")),
        .call(.greater, .field(.span, "duration"), .untyped("soon")),
        .call(.greater, .field(.span, "kind"), .untyped("server")), .call(.regex, key, .untyped("(")),
        .call(.in, key, .list(FilterList(["a"]))), .call(FilterOperator(rawValue: "matches"), key, .untyped("a")),
        (0..<30).reduce(FilterExpression.call(.exists, key)) { inner, _ in .call(.not, inner) },
      ]
      for filter in malformed {
        try await session.expectError(.invalidArgument, "\(filter)") {
          _ = try await reader.findTraceIDs(TraceQuery(filter: filter)).collect()
        }
      }
      for operation in FilterOperator.all where !declared.operators.contains(operation) {
        guard let filter = someFilter(naming: operation) else { continue }
        try await session.expectError(.unsupported, "undeclared \(operation.rawValue)") {
          _ = try await reader.findTraceIDs(TraceQuery(filter: filter)).collect()
        }
      }
    },
    ConformanceCheck("spans come in order, page by page, each once") { session in
      let capabilities = try await session.capabilities()
      guard capabilities.hasSpanSearch, capabilities.isPaginated else { return }
      let data = randomTraces(seed: 33, count: 12)
      try await session.write(data)
      let reference = ReferenceStore()
      for batch in data { _ = try await reference.writeTraces(batch) }
      let reader = try await session.reader()
      for order in [TraceOrder.newest, .slowest] where capabilities.orders.contains(order) {
        for limit in [1, 7, 10_000] {
          var places: [String] = []
          var keys: [ContentKey] = []
          var query = TraceQuery(limit: limit, order: order)
          repeat {
            let (spans, summary) = try await reader.findSpans(query).collect()
            try expect(spans.count <= limit, "a page of \(spans.count) spans where \(limit) is the limit")
            places += spans.map { "\($0.span.traceID.hex) \($0.span.spanID.hex)" }
            keys += spans.map { ContentKey($0.resource, $0.scope, $0.span) }
            query.pageToken = summary.continuation
          } while query.pageToken != nil
          query.limit = 1_000_000
          let expected = try await reference.findSpans(query).collect().elements
          let label = "\(order.rawValue), pages of \(limit)"
          // Spans that share rank and ids may come in any order.
          try expectEqual(places, expected.map { "\($0.span.traceID.hex) \($0.span.spanID.hex)" }, label)
          try expectEqual(
            keys.sorted(), expected.map { ContentKey($0.resource, $0.scope, $0.span) }.sorted(), "\(label): content")
        }
      }
    },
  ]

  /// A filter whose tree has the operator.
  private static func someFilter(naming operation: FilterOperator) -> FilterExpression? {
    (0..<500 as Range<UInt64>).lazy.map { randomFilter(seed: $0) }.first { $0.names(operation) }
  }
}

extension FilterExpression {
  fileprivate func names(_ operation: FilterOperator) -> Bool {
    guard case .call(let call) = self else { return false }
    return call.operation == operation || call.arguments.contains { $0.names(operation) }
  }
}

extension Array {
  /// The elements again and again; nil when there are none.
  fileprivate subscript(wrapping index: Int) -> Element? { isEmpty ? nil : self[index % count] }
}

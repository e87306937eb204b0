import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let discoveryChecks: [ConformanceCheck] = [
    ConformanceCheck("attribute keys are listed with level, type and exact count") { session in
      guard try await session.capabilities().hasAttributeDiscovery else { return }
      let data = TraceData(resourceSpans: [
        ResourceSpans(
          resource: Fixture.resource("keys", [Attribute("k", "r")]),
          scopeSpans: [
            ScopeSpans(
              scope: InstrumentationScope(attributes: [Attribute("k", 1)]),
              spans: [
                Fixture.span(
                  1, 1, attributes: [Attribute("k", "a"), Attribute("k", 2), Attribute("z", .empty)],
                  events: [Fixture.event([Attribute("k", true)]), Fixture.event([Attribute("k", false)])]),
                Fixture.span(
                  1, 2, attributes: [Attribute("k", "b")], links: [SpanLink(attributes: [Attribute("k", 0.5)])]),
              ])
          ])
      ])
      try await session.write(data)
      let expected: ResultList = [
        AttributeKeyInfo(key: "k", level: .event, type: .bool, count: 2),
        AttributeKeyInfo(key: "k", level: .link, type: .double, count: 1),
        AttributeKeyInfo(key: "k", level: .resource, type: .string, count: 1),
        AttributeKeyInfo(key: "k", level: .scope, type: .int, count: 1),
        AttributeKeyInfo(key: "k", level: .span, type: .int, count: 1),
        AttributeKeyInfo(key: "k", level: .span, type: .string, count: 2),
        AttributeKeyInfo(key: "service.name", level: .resource, type: .string, count: 1),
        AttributeKeyInfo(key: "z", level: .span, type: .empty, count: 1),
      ]
      let reader = try await session.reader()
      try expectEqual(try await reader.getAttributeKeys(AttributeKeyQuery()), expected, "keys")
      let events = try await reader.getAttributeKeys(AttributeKeyQuery(level: .event))
      try expectEqual(events, [expected[0]], "keys of events")
    },
    ConformanceCheck("what differs in the spelling of a letter is listed as two, what is equal once") { session in
      guard try await session.capabilities().hasAttributeDiscovery else { return }
      let spellings = ["caf\u{e9}", "cafe\u{301}"]
      for (index, text) in (spellings + spellings).enumerated() {
        try await session.write(
          Fixture.batch(
            Fixture.resource("spelled", [Attribute("place", .string(text)), Attribute(text, 1)]),
            [Fixture.span(1, UInt64(index) + 1)],
            scope: InstrumentationScope(name: text, attributes: [Attribute("k", true)])))
      }
      let reader = try await session.reader()
      let expected: ResultList = [
        AttributeKeyInfo(key: spellings[1], level: .resource, type: .int, count: 1),
        AttributeKeyInfo(key: spellings[0], level: .resource, type: .int, count: 1),
        AttributeKeyInfo(key: "k", level: .scope, type: .bool, count: 2),
        AttributeKeyInfo(key: "place", level: .resource, type: .string, count: 2),
        AttributeKeyInfo(key: "service.name", level: .resource, type: .string, count: 2),
      ]
      try expectEqual(try await reader.getAttributeKeys(AttributeKeyQuery()), expected, "keys")
      try expectEqual(
        try await reader.getAttributeKeys(AttributeKeyQuery(serviceName: "spelled")), expected, "keys of the service")
      for service in ["", "spelled"] {
        let query = AttributeValueQuery(key: "place", serviceName: service)
        try expectEqual(
          try await reader.getAttributeValues(query).collect().elements,
          [
            AttributeValueInfo(value: .string(spellings[1]), count: 1),
            AttributeValueInfo(value: .string(spellings[0]), count: 1),
          ],
          "values of \"\(service)\"")
      }
    },
    ConformanceCheck("attribute values are listed most frequent first, by prefix and limit") { session in
      guard try await session.capabilities().hasAttributeDiscovery else { return }
      let values: [AttributeValue] = ["ab", "ab", "ab", "a", "a", "b", 12, 12, 1, "caf\u{e9}", "cafe\u{301}"]
      let spans = values.enumerated().map {
        Fixture.span(1, UInt64($0.offset) + 1, attributes: [Attribute("k", $0.element)])
      }
      try await session.write(Fixture.batch(Fixture.resource("values"), spans))
      func list(_ query: AttributeValueQuery) async throws -> [AttributeValueInfo] {
        let reader = try await session.reader()
        let stream = try await reader.getAttributeValues(query)
        let page = try await stream.collect()
        return page.elements
      }
      let all = try await list(AttributeValueQuery(key: "k"))
      let expected: [AttributeValueInfo] = [
        AttributeValueInfo(value: "ab", count: 3), AttributeValueInfo(value: 12, count: 2),
        AttributeValueInfo(value: "a", count: 2), AttributeValueInfo(value: 1, count: 1),
        AttributeValueInfo(value: "b", count: 1), AttributeValueInfo(value: "cafe\u{301}", count: 1),
        AttributeValueInfo(value: "caf\u{e9}", count: 1),
      ]
      try expectEqual(all, expected, "values")
      try expectEqual(try await list(AttributeValueQuery(key: "k", limit: 2)), Array(expected.prefix(2)), "two values")
      try expectEqual(
        try await list(AttributeValueQuery(key: "k", prefix: "a")), [expected[0], expected[2]], "prefix a")
      try expectEqual(try await list(AttributeValueQuery(key: "no such key")), [], "values of an unknown key")
      try expectEqual(
        try await list(AttributeValueQuery(key: "k", serviceName: "other")), [], "values of another service")
    },
    ConformanceCheck("declared capabilities are served") { session in
      try await session.write(Fixture.example)
      let capabilities = try await session.capabilities()
      let reader = try await session.reader()
      for order in capabilities.orders {
        let found = try await reader.findTraceIDs(TraceQuery(serviceName: "example-service-1", order: order)).collect()
        try expectEqual(found.elements.map(\.traceID), [Fixture.id(0x11)], "order \(order.rawValue)")
      }
      if !capabilities.hasSpanSearch {
        try await session.expectError(.unsupported, "span search") { _ = try await reader.findSpans(TraceQuery()) }
      }
      if !capabilities.hasTraceSummaries {
        try await session.expectError(.unsupported, "summaries") {
          _ = try await reader.findTraceSummaries(TraceQuery())
        }
      }
      if !capabilities.hasAttributeDiscovery {
        try await session.expectError(.unsupported, "attribute keys") {
          _ = try await reader.getAttributeKeys(AttributeKeyQuery())
        }
      }
    },
  ]
}

import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let conditionChecks: [ConformanceCheck] = [
    ConformanceCheck("a text condition matches stored values of every type by text, number and truth value") {
      session in
      guard try await session.capabilities().hasWholeModel else { return }
      let stored: [AttributeValue] = [
        "200", 200, .double(200), true, "true", false, "t", .bytes([1, 2, 3]), "AQID", .array([1, "a"]), "[1,\"a\"]",
        .map([Attribute("a", 1)]), .double(1e21), .double(0.5), .double(.nan), "", .empty, "caf\u{e9}", "cafe\u{301}",
        .int(.max), .int(9_007_199_254_740_993), .double(9_007_199_254_740_992),
      ]
      let traces = stored.enumerated().map {
        Fixture.batch("types", Fixture.span(UInt64($0.offset) + 1, attributes: [Attribute("k", $0.element)]))
      }
      try await session.write(traces)
      let texts = [
        "200", "200.0", "2e2", "+200", " 200", "0x1p3", "true", "T", "1", "0", "t", "AQID", "[1,\"a\"]", "{\"a\":1}",
        "1e+21",
        "1e21", "0.5", ".5", "NaN", "nan", "", "caf\u{e9}", "cafe\u{301}", "9223372036854775807",
        "9007199254740993", "9007199254740992", "no such value",
      ]
      for condition in texts.map({ AttributeValue.string($0) }) + stored {
        // A key without a value can't be asked for by type in every store.
        if case .string = condition {} else if AttributeType(of: condition) == .empty { continue }
        let expected = zip(stored, traces).filter { AttributeCondition.matches(condition, stored: $0.0) }.map(\.1)
        try await session.expectFinds(
          Fixture.query("types", [Attribute("k", condition)]), expected, "condition \(condition)")
      }
    },
    ConformanceCheck("keys that mean a field are decided by the field") { session in
      guard try await session.capabilities().hasWholeModel else { return }
      let scopes = [InstrumentationScope(), InstrumentationScope(name: "library", version: "1.1")]
      let statuses: [SpanStatus?] = [
        nil, SpanStatus(), SpanStatus(code: .ok), SpanStatus(code: .error, message: "timeout"),
      ]
      var traces: [TraceData] = []
      for (index, kind) in [SpanKind.unspecified, .internal, .server, .client, .producer, .consumer].enumerated() {
        var span = Fixture.span(UInt64(index) + 1, kind: kind, status: statuses[index % 4])
        if index == 2 { span.attributes = [Attribute("error", "true"), Attribute("span.kind", "client")] }
        if index == 3 { span.traceState = "vendor=1" }
        if index == 4 {
          span.attributes = [Attribute("resource.region", "us"), Attribute("otel.status_code", "ERROR")]
        }
        let resource = Fixture.resource("fields", index == 5 ? [Attribute("region", "us")] : [])
        traces.append(Fixture.batch(resource, [span], scope: scopes[index % 2]))
      }
      try await session.write(traces)
      let conditions: [Attribute] = [
        Attribute("error", "true"), Attribute("error", "0"), Attribute("error", true), Attribute("error", "maybe"),
        Attribute("span.status", "Error"), Attribute("span.status", "unset"), Attribute("span.status", "none"),
        Attribute("span.kind", "CLIENT"), Attribute("span.kind", "unspecified"), Attribute("span.kind", "other"),
        Attribute("scope.name", "library"), Attribute("scope.name", ""), Attribute("scope.version", "1.1"),
        Attribute("otel.scope.name", "library"), Attribute("otel.scope.version", "1.0"),
        Attribute("otel.status_code", "error"), Attribute("otel.status_code", "OK"),
        Attribute("otel.status_description", "timeout"), Attribute("w3c.tracestate", "vendor=1"),
        Attribute("resource.region", "us"), Attribute("resource.service.name", "fields"),
        Attribute("service.name", "fields"),
      ]
      for condition in conditions {
        try await session.expectFinds(
          Fixture.query("fields", [condition]), traces.filter { $0.hasSpan(matching: condition) }, "\(condition.key)")
      }
    },
    ConformanceCheck("all conditions hold on one span, not somewhere in the trace") { session in
      guard try await session.capabilities().isSameSpanConjunction else { return }
      let split = Fixture.batch(
        "conjunction", Fixture.span(1, 1, name: "a", attributes: [Attribute("x", 1)]),
        Fixture.span(1, 2, name: "b", attributes: [Attribute("y", 2)]))
      let whole = Fixture.batch(
        "conjunction", Fixture.span(2, 1, name: "a", attributes: [Attribute("x", 1), Attribute("y", 2)]))
      try await session.write(split, whole)
      let both = [Attribute("x", "1"), Attribute("y", "2")]
      try await session.expectFinds(Fixture.query("conjunction", both), [whole])
      try await session.expectFinds(
        Fixture.query("conjunction", operation: "b", [Attribute("x", "1")]), [], "operation of another span")
      try await session.expectFinds(Fixture.query("other", both), [], "another service")
    },
    ConformanceCheck("every occurrence of a repeated key counts") { session in
      let data = Fixture.batch("repeated", Fixture.span(1, attributes: [Attribute("k", "a"), Attribute("k", 7)]))
      try await session.write(data)
      for text in ["a", "7"] {
        try await session.expectFinds(Fixture.query("repeated", [Attribute("k", .string(text))]), [data], text)
      }
      try await session.expectFinds(Fixture.query("repeated", [Attribute("k", "a7")]), [], "a7")
    },
    ConformanceCheck("random queries find what their definition says") { session in
      let reference = ConformanceSession(store: ReferenceStore())
      let data = randomTraces(seed: 1, count: 80)
      try await session.write(data)
      try await reference.write(data)
      let orders = try await session.capabilities().orders
      for seed in UInt64(0)..<150 {
        let query = randomQuery(seed: seed, from: data)
        guard orders.contains(query.order) else { continue }
        let (actual, expected) = (try await session.find(query), try await reference.find(query))
        let label = "traces of seed 1, query of seed \(seed)"
        try expectEqual(actual.traces.map(\.traceID), expected.traces.map(\.traceID), label)
        try expect(actual.traces.map(\.keys) == expected.traces.map(\.keys), "\(label): content differs")
        try expectEqual(actual.summary.isTruncated, expected.summary.isTruncated, "\(label): truncation")
      }
    },
  ]
}

extension TraceData {
  fileprivate func hasSpan(matching condition: Attribute) -> Bool {
    var isFound = false
    forEachSpan { if AttributeCondition.matches(condition, $0, $1, $2) { isFound = true } }
    return isFound
  }
}

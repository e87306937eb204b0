import Testing
import TraceModel
import TracestoreV2

@testable import TraceFilter

@Suite struct FilterConversionTests {
  static let service = FilterExpression.call(.equal, .field(.resource, "service"), .string("cart"))

  @Test func `flat conditions become a filter`() throws {
    #expect(try TraceQuery().convertedToFilter() == TraceQuery())
    #expect(try TraceQuery(serviceName: "cart").convertedToFilter() == TraceQuery(filter: Self.service))
    let flat = TraceQuery(
      serviceName: "cart", operationName: "GET", attributes: [Attribute("a", "x"), Attribute("b", 5)],
      spanKind: .server, statusCode: .error, startMinimum: Timestamp(nanoseconds: 1),
      startMaximum: Timestamp(nanoseconds: 2), durationMinimumNanoseconds: 3, durationMaximumNanoseconds: .max,
      limit: 7, order: .slowest, pageToken: "t")
    let converted = try flat.convertedToFilter()
    #expect(
      converted.filter?.text
        == "resource.service = string(\"cart\") && span.name = string(\"GET\") && .a = \"x\" && .b = 5 "
        + "&& span.duration >= duration(3ns) && span.duration <= duration(2562047h47m16.854775807s) "
        + "&& span.kind = string(\"server\") && span.status = string(\"error\")")
    #expect(!converted.hasFlatConditions)
    var rest = converted
    rest.filter = nil
    #expect(
      rest
        == TraceQuery(
          startMinimum: Timestamp(nanoseconds: 1), startMaximum: Timestamp(nanoseconds: 2), limit: 7, order: .slowest,
          pageToken: "t"))
    #expect(try converted.convertedToFilter() == converted)
    let filter = try #require(converted.filter)
    #expect(try finalized(filter) == filter)
    #expect(throws: TracestoreError.self) { try TraceQuery(spanKind: SpanKind(rawValue: 6)).convertedToFilter() }
    #expect(throws: TracestoreError.self) {
      try TraceQuery(statusCode: SpanStatus.Code(rawValue: -1)).convertedToFilter()
    }
  }

  @Test func `a filter becomes flat conditions`() throws {
    let filter = try finalized(
      FilterExpression(
        text: """
          resource.service = "cart" && (span.name = string("GET") && (.a = 1 && span.b.c = string("x")))
          && resource.d = "" && event["e"] = "y" && span.duration >= 1s && 2s >= span.duration
          && span.kind = client && span.status = ok
          """))
    let query = TraceQuery(startMinimum: Timestamp(nanoseconds: 1), filter: filter, limit: 3)
    #expect(
      try query.convertedToFlatConditions()
        == TraceQuery(
          serviceName: "cart", operationName: "GET",
          attributes: [Attribute("a", "1"), Attribute("b.c", "x"), Attribute("d", ""), Attribute("e", "y")],
          spanKind: .client, statusCode: .ok, startMinimum: Timestamp(nanoseconds: 1),
          durationMinimumNanoseconds: 1_000_000_000, durationMaximumNanoseconds: 2_000_000_000, limit: 3))
    #expect(try TraceQuery(serviceName: "a").convertedToFlatConditions() == TraceQuery(serviceName: "a"))
  }

  @Test(arguments: [
    (".a = 1 || .b = 1", "filter:", "`or`"), ("!.a = 1", "filter:", "`not`"), (".a != 1", "filter:", "`ne`"),
    (".c = 1 && .a > 1", "filter.args[1]:", "`gt`"), (".a < 1", "filter:", "`lt`"), (".a >= 1", "filter:", "`gte`"),
    (".a =~ \"x\"", "filter:", "`regex`"), ("exists(.a)", "filter:", "`exists`"), (".a in (1)", "filter:", "`in`"),
    (".a not in (1)", "filter:", "`not_in`"), ("some(event, .a = 1)", "filter:", "`some`"),
    ("scope.a = 1", "filter:", "scope"), ("link.a = 1", "filter:", "link"), (".a = int(1)", "filter:", "text"),
    (".a = double(1)", "filter:", "text"), (".a = bool(true)", "filter:", "text"), (".a = .b", "filter:", "text"),
    ("span.name = .b", "filter:", "text"), ("1 = 1", "filter:", "does not begin"),
    ("span.traceID = \"a\"", "filter:", "span.traceID"), ("scope.name = \"a\"", "filter:", "scope.name"),
    ("span.name > \"a\"", "filter:", "`gt`"), ("span.duration > 1s", "filter:", "`gt`"),
    ("span.duration = 1s", "filter:", "`eq`"), ("span.duration >= -1s", "filter:", "negative"),
    (".a = 1 && span.a = 2", "filter.args[1]:", "second condition on \"a\""),
    ("span.name = \"a\" && (.a = 1 && span.name = \"b\")", "filter.args[1].args[1]:", "second"),
    ("resource.service = \"a\" && resource.service = \"a\"", "filter.args[1]:", "second"),
    ("span.duration >= 1s && span.duration >= 2s", "filter.args[1]:", "second"),
    ("span.kind = ok || .a = 1", "filter:", "`or`"), ("resource.service = \"\"", "filter:", "empty"),
    ("span.duration >= span.duration", "filter:", "anything but a duration"),
  ])
  func `what flat conditions can't say is refused`(_ text: String, _ path: String, _ word: String) throws {
    let parsed = try FilterExpression(text: text)
    let filter = (try? finalized(parsed)) ?? parsed
    do {
      let flat = try TraceQuery(filter: filter).convertedToFlatConditions()
      Issue.record("\(text) became \(flat)")
    } catch let error as TracestoreError {
      #expect(error.code == .unsupported)
      #expect(error.message.hasPrefix(path + " "), "\(text): \(error)")
      #expect(error.message.contains(word), "\(text): \(error)")
    }
  }

  @Test func `an unresolved bound is invalid, and so is a filter beside flat conditions`() throws {
    let unresolved = TraceQuery(filter: .call(.greaterOrEqual, duration, .untyped("1s")))
    for query in [unresolved, TraceQuery(serviceName: "a", filter: Self.service)] {
      do {
        _ = try query.convertedToFlatConditions()
        Issue.record("accepted")
      } catch {
        #expect((error as? TracestoreError)?.code == .invalidArgument)
      }
    }
  }
}

@Suite struct FilterCapabilityTests {
  @Test func `the first operator or level that is not served is named`() throws {
    let capabilities = FilterCapabilities(levels: [.span, .event], operators: [.and, .equal, .exists, .some])
    for served in [
      ".a = 1", "span.name = \"a\" && exists(event.b)", "some(event, .a = 1)", "1 = 1", "span.name = event.name",
    ] {
      #expect(capabilities.refusal(of: try FilterExpression(text: served)) == nil, "\(served)")
    }
    for (refused, path, name) in [
      (".a = 1 || .a = 2", "filter:", "`or`"),
      ("exists(.a) && exists(resource.b)", "filter.args[1].args[0]:", "resource"),
      ("some(link, .a = 1)", "filter.args[0]:", "link"), ("1 = resource.service", "filter.args[1]:", "resource"),
      (".a = 1 && some(event, .a != 1)", "filter.args[1].args[1]:", "`ne`"),
    ] {
      let refusal = capabilities.refusal(of: try FilterExpression(text: refused))
      #expect(refusal?.code == .unsupported)
      #expect(refusal?.message.hasPrefix(path + " ") == true, "\(refused): \(refusal?.message ?? "accepted")")
      #expect(refusal?.message.contains(name) == true, "\(refused): \(refusal?.message ?? "accepted")")
    }
    #expect(FilterCapabilities().refusal(of: anyCall) != nil)
    #expect(FilterCapabilities(operators: [.exists]).refusal(of: anyCall) == nil)
  }

  @Test func `complete capabilities serve everything that is valid`() {
    for operation in FilterOperator.all {
      #expect(FilterCapabilities.complete.refusal(of: FilterRulesTests.example(operation)) == nil)
    }
    #expect(FilterCapabilities.complete.refusal(of: nested(20)) == nil)
    #expect(FilterCapabilities.complete.refusal(of: nested(300))?.code == .invalidArgument)
  }
}

import Testing
import TraceModel
import TraceSource
import TracestoreTesting
import TracestoreV2

@testable import TraceFilter

/// What a filter is compiled to, decided on single spans, against the definition.
@Suite struct FilterCompilerTests {
  private struct Subject {
    var resource: Resource
    var scope: InstrumentationScope
    var span: SpanRecord
  }

  private static let subjects: [Subject] = randomTraces(seed: 7, count: 8).flatMap { data in
    var subjects: [Subject] = []
    data.forEachSpan { subjects.append(Subject(resource: $0, scope: $1, span: $2)) }
    return subjects
  }

  private let meaning = FilterMeaning { pattern, text in (try? TextPattern(pattern).matches(text)) ?? false }

  private func compare(_ filter: FilterExpression, _ resolved: FilterExpression) throws {
    let predicate = try filter.predicate()
    for subject in Self.subjects {
      let expected = meaning.holds(resolved, subject.resource, subject.scope, subject.span)
      let isFound = predicate.matches(resource: subject.resource, scope: subject.scope, span: subject.span)
      #expect(isFound == expected, "\(filter.text) on \(subject.span)")
      if isFound != expected { return }
    }
  }

  /// The filter in itself, negated, and inside `some` where it speaks of events or links.
  private func compareEverywhere(_ filter: FilterExpression, _ level: AttributeLevel) throws {
    var filters = [filter, .call(.not, filter)]
    for bound in [AttributeLevel.event, .link] {
      filters.append(.call(.some, .nested(NestedReference(bound)), filter))
      filters.append(.call(.some, .nested(NestedReference(bound)), .call(.not, filter)))
    }
    for filter in filters {
      guard let resolved = try? filter.finalized(checkingPatterns: { _ = try TextPattern($0) }) else { continue }
      try compare(filter, resolved)
    }
  }

  @Test(arguments: FilterField.all)
  func `every operator beside every field means what its definition says`(_ field: FilterField) throws {
    let reference = FilterExpression.field(field.level, field.name)
    let constants =
      Self.subjects.prefix(2).flatMap {
        [$0.span.traceID.hex, $0.span.spanID.hex, $0.span.name, $0.span.start.rfc3339]
      }
      + ["server", "error", "unset", "1us", "-1ns", "0", "2s", "1970-01-01T00:00:00Z", "", "GET /", "1.0", "a"]
    var filters: [FilterExpression] = [.call(.exists, reference)]
    for constant in constants {
      for operation in FilterOperator.all where operation.isComparison {
        filters.append(.call(operation, reference, .untyped(constant)))
        filters.append(.call(operation, .untyped(constant), reference))
      }
      filters.append(.call(.in, reference, .list(FilterList([constant, constants[0]]))))
      filters.append(.call(.notIn, reference, .list(FilterList([constant]))))
    }
    for pattern in ["", "a", "[0-9a-f]{3}", "serv", "7"] {
      filters.append(.call(.regex, reference, .untyped(pattern)))
    }
    for other in FilterField.all { filters.append(.call(.less, reference, .field(other.level, other.name))) }
    for filter in filters { try compareEverywhere(filter, field.level) }
  }

  @Test(arguments: AttributeLevel.all + [.unqualified])
  func `every operator beside attributes means what its definition says`(_ level: AttributeLevel) throws {
    var values: [String: [AttributeValue]] = [:]
    func add(_ attributes: [Attribute]) {
      for attribute in attributes { values[attribute.key, default: []].append(attribute.value) }
    }
    for subject in Self.subjects {
      add(subject.resource.attributes + subject.scope.attributes + subject.span.attributes)
      for event in subject.span.events { add(event.attributes) }
      for link in subject.span.links { add(link.attributes) }
    }
    for key in values.keys.sorted() + ["missing"] {
      let reference = FilterExpression.attribute(key, level)
      var filters: [FilterExpression] = [.call(.exists, reference)]
      var constants: [FilterExpression] = ["", "1", "2.5", "NaN", "Infinity", "true", "x"].map { .untyped($0) }
      for value in values[key, default: []].prefix(4) {
        constants.append(.untyped(value.text))
        switch value {
        case .string(let text): constants.append(.string(text))
        case .int(let value): constants += [.int(value), .double(Double(value) + 0.5)]
        case .double(let value): constants += [.double(value), .int(Int64(exactly: value.rounded()) ?? 0)]
        case .bool(let value): constants.append(.bool(value))
        default: break
        }
      }
      for constant in constants {
        for operation in FilterOperator.all where operation.isComparison {
          filters.append(.call(operation, reference, constant))
        }
      }
      for type in [FilterScalarType.string, .int, .double, .bool] {
        for texts in [["1", "0"], ["a", "x"], ["2.5"], ["true"]] {
          filters.append(.call(.in, reference, .list(FilterList(texts, type: type))))
          filters.append(.call(.notIn, reference, .list(FilterList(texts, type: type))))
        }
      }
      for pattern in ["", "1", "[a-z]", "tr"] {
        filters.append(.call(.regex, reference, .untyped(pattern)))
        filters.append(.call(.regex, reference, .string(pattern)))
      }
      for other in values.keys.sorted().prefix(4) {
        filters.append(.call(.equal, reference, .attribute(other, .span)))
        filters.append(.call(.greater, reference, .attribute(other, .event)))
      }
      for filter in filters { try compareEverywhere(filter, level) }
    }
  }

  /// Constants beside one another are compared before any span is seen, inside a `some` that records decide as well.
  @Test(arguments: [
    "1 = 1", "1 != 1", "1 = \"1.0\"", "double(0) = double(-0.0)", "double(\"NaN\") = double(\"NaN\")",
    "int(5) < double(\"+Inf\")", "int(9007199254740993) = double(9007199254740992)", "int(5) = \"5\"",
    "bool(true) = bool(true)", "string(\"a\") < \"b\"", "duration(1s) < \"1m\"",
  ])
  func `two constants compare alike wherever they stand`(_ text: String) throws {
    let constants = try FilterExpression(text: text)
    let pair = try FilterExpression(text: "event.a = event.a || !(event.a = event.a)")
    let bound = FilterExpression.call(.some, .nested(NestedReference(.event)), .call(.and, pair, constants))
    for filter in [constants, bound, .call(.not, bound)] {
      try compare(filter, try filter.finalized(checkingPatterns: { _ in }))
    }
  }

  /// Instants are up to 2^64 − 1 nanoseconds apart, constants say no more than 2^63.
  @Test func `events further from their span than a constant says are compared exactly`() throws {
    let limit = UInt64(Int64.max)
    let pairs: [(start: UInt64, time: UInt64)] = [
      (0, .max), (.max, 1), (1, limit), (1, limit + 1), (1, limit + 2), (limit, 1), (limit + 1, 1), (limit + 2, 1),
      (limit + 3, 1), (5, 5), (5, 6),
    ]
    for constant in [Int64.min, .min + 1, -1, 0, 1, .max - 1, .max] {
      for operation in FilterOperator.all where operation.isComparison {
        let filter = FilterExpression.call(
          operation, .field(.event, "timeSinceStart"), .duration(nanoseconds: constant))
        for negated in [filter, .call(.not, filter), .call(.some, .nested(NestedReference(.event)), filter)] {
          let predicate = try negated.predicate()
          let resolved = try negated.finalized(checkingPatterns: { _ in })
          for pair in pairs {
            let span = SpanRecord(
              traceID: TraceID(high: 0, low: 1), spanID: SpanID(1), start: Timestamp(nanoseconds: pair.start),
              end: .maximum, events: [SpanEvent(time: Timestamp(nanoseconds: pair.time))])
            let expected = meaning.holds(resolved, Resource(), InstrumentationScope(), span)
            let isFound = predicate.matches(resource: Resource(), scope: InstrumentationScope(), span: span)
            #expect(isFound == expected, "\(negated.text), an event at \(pair.time) of a start at \(pair.start)")
          }
        }
      }
    }
  }

  @Test func `a value of an unknown kind has no text that a pattern could read`() throws {
    let span = SpanRecord(
      traceID: TraceID(high: 0, low: 1), spanID: SpanID(1), attributes: [Attribute("k", .opaque([8, 1]))])
    for (text, holds) in [(#"span.k =~ "x*""#, false), (#"exists(span.k)"#, true)] {
      let predicate = try FilterExpression(text: text).predicate()
      #expect(predicate.matches(resource: Resource(), scope: InstrumentationScope(), span: span) == holds, "\(text)")
    }
  }

  @Test func `a filter has so many patterns and no more, equal ones counted once`() throws {
    func filter(_ count: Int) -> FilterExpression {
      let parts = (0..<count).flatMap { number in
        [0, 1].map { _ in FilterExpression.call(.regex, .attribute("k", .span), .untyped("a\(number)")) }
      }
      return .call(FilterCall(.or, parts))
    }
    _ = try filter(FilterExpression.maximumPatternCount).predicate()
    #expect {
      try filter(FilterExpression.maximumPatternCount + 1).predicate()
    } throws: { ($0 as? TracestoreError)?.code == .limitExceeded }
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `random filters mean what their definition says`(_ seed: UInt64) throws {
    for number in 0..<100 as Range<UInt64> {
      let filter = randomFilter(seed: seed &* 10_000 &+ number)
      try compare(filter, try filter.finalized(checkingPatterns: { _ = try TextPattern($0) }))
    }
  }
}

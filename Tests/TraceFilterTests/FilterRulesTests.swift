import Testing
import TraceModel
import TracestoreV2

@testable import TraceFilter

@Suite struct FilterRulesTests {
  struct Case: Sendable, CustomStringConvertible {
    var rule: String
    var accepted: [FilterExpression]
    /// With the path that the message names, and a word of it.
    var refused: [(filter: FilterExpression, path: String, word: String)]
    var description: String { rule }
  }

  static let cases: [Case] = [
    Case(
      rule: "V1: a filter is there, and its root is a call",
      accepted: [anyCall],
      refused: [
        (.attribute("a"), "filter:", "attribute"), (.untyped("a"), "filter:", "constant"),
        (.list(FilterList(["a"])), "filter:", "list"), (events, "filter:", "collection"),
        (duration, "filter:", "field"),
      ]),
    Case(
      rule: "V2: the operator is known",
      accepted: FilterOperator.all.map { example($0) },
      refused: [
        (.call(FilterOperator(rawValue: "matches"), .attribute("a"), .untyped("b")), "filter:", "`matches` is unknown"),
        (.call(FilterOperator(rawValue: ""), anyCall), "filter:", "is unknown"),
        (.call(.not, .call(FilterOperator(rawValue: "EQ"))), "filter.args[0]:", "`EQ`"),
      ]),
    Case(
      rule: "V3: operators have their arguments",
      accepted: [.call(.and, anyCall, anyCall, anyCall), .call(.or, anyCall, anyCall)],
      refused: [
        (.call(.and, anyCall), "filter:", "1 of at least 2"), (.call(.or), "filter:", "0 of at least 2"),
        (.call(.not, anyCall, anyCall), "filter:", "takes 1 argument, not 2"),
        (.call(.equal, .attribute("a")), "filter:", "takes 2 arguments, not 1"),
        (.call(.less, .attribute("a"), .untyped("a"), .untyped("a")), "filter:", "not 3"),
        (.call(.exists, .attribute("a"), .attribute("b")), "filter:", "takes 1 argument"),
        (.call(.regex, .attribute("a")), "filter:", "takes 2"), (.call(.in, .attribute("a")), "filter:", "takes 2"),
        (.call(.notIn), "filter:", "not 0"), (.call(.some, events), "filter:", "takes 2"),
      ]),
    Case(
      rule: "V4: and, or, not join calls",
      accepted: [.call(.not, .call(.and, anyCall, anyCall))],
      refused: [
        (.call(.and, anyCall, .attribute("a")), "filter.args[1]:", "an attribute"),
        (.call(.or, .untyped("true"), anyCall), "filter.args[0]:", "a constant"),
        (.call(.not, .list(FilterList(["a"]))), "filter.args[0]:", "a list"),
        (.call(.not, .call(.or, anyCall, duration)), "filter.args[0].args[1]:", "a field"),
      ]),
    Case(
      rule: "V5: levels are known, and empty only for attributes",
      accepted: AttributeLevel.all.map { .call(.exists, .attribute("a", $0)) } + [.call(.exists, .attribute("a"))],
      refused: [
        (.call(.exists, .field(.unqualified, "name")), "filter.args[0]:", "no level"),
        (.call(.exists, .field(AttributeLevel(rawValue: "nonesuch"), "name")), "filter.args[0]:", "nonesuch"),
        (.call(.equal, .untyped("1"), .attribute("a", AttributeLevel(rawValue: "Span"))), "filter.args[1]:", "Span"),
      ]),
    Case(
      rule: "V6: attributes have keys, fields are of the vocabulary",
      accepted: FilterField.all.map { .call(.exists, .field($0.level, $0.name)) },
      refused: [
        (.call(.exists, .attribute("", .span)), "filter.args[0]:", "no key"),
        (.call(.exists, .field(.span, "")), "filter.args[0]:", "no name"),
        (.call(.exists, .field(.span, "durtion")), "filter.args[0]:", "was span.duration meant"),
        (.call(.exists, .field(.span, "http.route")), "filter.args[0]:", "attribute reference"),
        (.call(.exists, .field(.resource, "name")), "filter.args[0]:", "service"),
        (.call(.exists, .field(.event, "traceID")), "filter.args[0]:", "no field"),
      ]),
    Case(
      rule: "V7: a collection stands only in some",
      accepted: [.call(.some, events, anyCall)],
      refused: [
        (.call(.equal, events, .untyped("a")), "filter.args[0]:", "`some`"),
        (.call(.equal, .attribute("a"), links), "filter.args[1]:", "`some`"),
        (.call(.exists, events), "filter.args[0]:", "`some`"),
        (.call(.in, events, .list(FilterList(["a"], type: .string))), "filter.args[0]:", "`some`"),
        (.call(.regex, events, .untyped("a")), "filter.args[0]:", "`some`"),
        (.call(.some, events, events), "filter.args[1]:", "a collection"),
      ]),
    Case(
      rule: "V8: some goes over events or links, once",
      accepted: [
        .call(.some, events, .call(.some, links, anyCall)),
        .call(.and, .call(.some, events, anyCall), .call(.some, events, anyCall)),
        .call(.some, links, .call(.not, .call(.some, events, anyCall))),
      ],
      refused: [
        (.call(.some, .nested(NestedReference(.span)), anyCall), "filter.args[0]:", "span"),
        (.call(.some, .nested(NestedReference(.unqualified)), anyCall), "filter.args[0]:", "levels event and link"),
        (.call(.some, .attribute("a", .event), anyCall), "filter.args[0]:", "an attribute"),
        (.call(.some, events, .attribute("a")), "filter.args[1]:", "a condition"),
        (.call(.some, events, .call(.some, events, anyCall)), "filter.args[1]:", "inside another"),
        (
          .call(.some, links, .call(.and, anyCall, .call(.some, events, .call(.some, links, anyCall)))),
          "filter.args[1].args[1].args[1]:", "inside another"
        ),
      ]),
    Case(
      rule: "V9: in needs a reference and a typed list",
      accepted: [
        .call(.in, .field(.span, "name"), .list(FilterList(["a"]))),
        .call(.in, .field(.span, "name"), .list(FilterList(["a"], type: .string))),
        .call(.notIn, .attribute("a"), .list(FilterList(["1"], type: .int))),
      ],
      refused: [
        (.call(.in, .attribute("a"), .list(FilterList([], type: .string))), "filter.args[1]:", "empty"),
        (.call(.in, .attribute("a"), .untyped("a")), "filter.args[1]:", "needs a list"),
        (.call(.in, .untyped("a"), .list(FilterList(["a"], type: .string))), "filter.args[0]:", "a constant"),
        (.call(.equal, .attribute("a"), .list(FilterList(["a"], type: .string))), "filter.args[1]:", "no list"),
        (.call(.notIn, .attribute("a"), .list(FilterList(["a"]))), "filter.args[1]:", "needs a type"),
        (
          .call(.in, duration, .list(FilterList(["a"], type: FilterScalarType(rawValue: "bytes")))),
          "filter.args[1]:", "\"bytes\""
        ),
      ]),
    Case(
      rule: "V10: regex reads text",
      accepted: [
        .call(.regex, .attribute("a"), .untyped("x")), .call(.regex, .field(.span, "kind"), .string("x")),
        .call(.regex, .field(.span, "status"), .untyped("x")), .call(.regex, .field(.link, "traceID"), .untyped("x")),
      ],
      refused: [
        (.call(.regex, duration, .untyped("x")), "filter.args[0]:", "a duration"),
        (.call(.regex, .field(.event, "time"), .untyped("x")), "filter.args[0]:", "an instant"),
        (.call(.regex, .attribute("a"), .int(1)), "filter.args[1]:", "text"),
        (.call(.regex, .attribute("a"), .attribute("b")), "filter.args[1]:", "text"),
        (.call(.regex, .attribute("a"), .list(FilterList(["a"]))), "filter.args[1]:", "text"),
        (.call(.regex, .untyped("a"), .untyped("b")), "filter.args[0]:", "a constant"),
      ]),
    Case(
      rule: "V12: comparisons stay in one domain",
      accepted: [
        .call(.equal, .int(1), .double(1)), .call(.equal, .untyped("a"), .untyped("b")),
        .call(.equal, duration, .duration(nanoseconds: 1)), .call(.less, duration, .field(.event, "timeSinceStart")),
        .call(.equal, .field(.span, "name"), .attribute("a")), .call(.notEqual, duration, .attribute("a")),
        .call(.equal, .field(.span, "kind"), .string("server")), .call(.greater, .attribute("a"), .attribute("b")),
        .call(.equal, .field(.span, "kind"), .field(.span, "name")),
      ],
      refused: [
        (.call(.equal, duration, .field(.span, "name")), "filter:", "a duration with text"),
        (.call(.greater, .int(1), duration), "filter:", "a number with a duration"),
        (.call(.equal, .bool(true), .field(.span, "name")), "filter:", "a truth value with text"),
        (.call(.equal, .field(.span, "startTime"), duration), "filter:", "an instant with a duration"),
        (.call(.equal, .string("2s"), duration), "filter:", "text with a duration"),
        (.call(.not, .call(.equal, .timestamp(.zero), .string("a"))), "filter.args[0]:", "an instant with text"),
      ]),
    Case(
      rule: "V13: attributes hold no durations and no instants",
      accepted: [.call(.equal, .duration(nanoseconds: 1), .duration(nanoseconds: 2))],
      refused: [
        (.call(.equal, .attribute("a"), .duration(nanoseconds: 1)), "filter.args[1]:", "no durations"),
        (.call(.less, .timestamp(.zero), .attribute("a", .span)), "filter.args[0]:", "no instants"),
      ]),
    Case(
      rule: "V14: truth values, kinds and statuses have no order",
      accepted: [
        .call(.greater, .attribute("a"), .untyped("true")), .call(.less, .field(.span, "name"), .string("a")),
      ],
      refused: [
        (.call(.greater, .field(.span, "kind"), .untyped("server")), "filter.args[0]:", "span.kind has no order"),
        (.call(.lessOrEqual, .untyped("ok"), .field(.span, "status")), "filter.args[1]:", "no order"),
        (.call(.greaterOrEqual, .attribute("a"), .bool(true)), "filter.args[1]:", "no order"),
      ]),
    Case(
      rule: "V15: a call is no operand",
      accepted: [],
      refused: [
        (.call(.equal, anyCall, .bool(true)), "filter.args[0]:", "a call"),
        (.call(.less, .attribute("a"), anyCall), "filter.args[1]:", "a call"),
        (.call(.exists, anyCall), "filter.args[0]:", "a call"),
        (.call(.regex, .attribute("a"), anyCall), "filter.args[1]:", "a call"),
      ]),
    Case(
      rule: "Calls nest at most 20 deep",
      accepted: [nested(20)],
      refused: [
        (nested(21), "filter" + String(repeating: ".args[0]", count: 20) + ":", "deeper than 20"),
        (nested(300), "filter" + String(repeating: ".args[0]", count: 20) + ":", "deeper than 20"),
      ]),
  ]

  static func example(_ operation: FilterOperator) -> FilterExpression {
    switch operation {
    case .and, .or: .call(operation, anyCall, anyCall)
    case .not: .call(.not, anyCall)
    case .exists: anyCall
    case .in, .notIn: .call(operation, .attribute("a"), .list(FilterList(["a"], type: .string)))
    case .some: .call(.some, events, anyCall)
    default: .call(operation, .attribute("a"), .untyped("b"))
    }
  }

  @Test(arguments: cases) func `what keeps the rule is accepted`(_ test: Case) {
    for filter in test.accepted { #expect(refusal(of: filter) == nil, "\(filter.text)") }
  }

  @Test(arguments: cases) func `what breaks the rule is refused by the path of its node`(_ test: Case) {
    for (filter, path, word) in test.refused {
      guard let refusal = refusal(of: filter) else {
        Issue.record("accepted: \(filter.text)")
        continue
      }
      #expect(refusal.code == .invalidArgument)
      #expect(refusal.message.hasPrefix(path + " "), "\(refusal.message) should begin with \(path)")
      #expect(refusal.message.contains(word), "\(refusal.message) should contain \(word)")
    }
  }

  @Test func `V11: the grammar of patterns is asked for, once for each pattern`() throws {
    let filter = FilterExpression.call(
      .and, .call(.regex, .attribute("a"), .untyped("^x")), .call(.regex, .attribute("a"), .string("y")))
    var asked: [String] = []
    #expect(refusal(of: filter) { asked.append($0) } == nil)
    #expect(asked == ["^x", "y"])
    let refused = refusal(of: filter) {
      if $0 == "y" { throw TracestoreError(.invalidArgument, "no y", offset: 3) }
    }
    #expect(refused?.message == "filter.args[1].args[1]: no y")
    #expect(refused?.offset == 3)
    struct Other: Error {}
    #expect(refusal(of: filter) { _ in throw Other() }?.message.hasPrefix("filter.args[0].args[1]: ") == true)
  }
}

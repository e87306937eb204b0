import Testing
import TraceFilter
import TraceModel
import TracestoreTesting
import TracestoreV2

@Suite struct FilterMeaningTests {
  static let resource = Resource(
    attributes: [Attribute("service.name", "cart"), Attribute("region", "eu"), Attribute("both", "resource")],
    schemaURL: "https://r")
  static let scope = InstrumentationScope(
    name: "library", version: "1.0", attributes: [Attribute("only.scope", 1)], schemaURL: "https://s")
  static let span = SpanRecord(
    traceID: TraceID(high: 0, low: 0xAB), spanID: SpanID(0xCD), traceState: "vendor=1", parentSpanID: SpanID(0xBA),
    name: "GET /", kind: .server, start: Timestamp(nanoseconds: 1_000_000_000),
    end: Timestamp(nanoseconds: 3_000_000_000),
    attributes: [
      Attribute("text", "200"), Attribute("int", 200), Attribute("double", 200.0), Attribute("half", 0.5),
      Attribute("flag", true), Attribute("empty", ""), Attribute("nothing", .empty), Attribute("absent", .absent),
      Attribute("opaque", .opaque([1])), Attribute("bytes", .bytes([1])), Attribute("array", .array([1, "a"])),
      Attribute("big", .int(9_007_199_254_740_993)), Attribute("bigDouble", 9_007_199_254_740_992.0),
      Attribute("nan", .double(.nan)), Attribute("zero", .double(-0.0)), Attribute("nfc", "caf\u{e9}"),
      Attribute("both", "span"), Attribute("twice", "a"), Attribute("twice", "b"), Attribute("error", "yes"),
      Attribute("nine", "9"), Attribute("state", "vendor=1"), Attribute("infinite", .double(.infinity)),
    ],
    events: [
      SpanEvent(
        time: Timestamp(nanoseconds: 1_500_000_000), name: "exception",
        attributes: [Attribute("type", "IO"), Attribute("only.event", 1)]),
      SpanEvent(
        time: Timestamp(nanoseconds: 500_000_000), name: "log", attributes: [Attribute("type", "timeout")]),
      SpanEvent(name: "", attributes: [Attribute("untimed", true)]),
    ],
    links: [
      SpanLink(traceID: TraceID(high: 9, low: 1), attributes: [Attribute("type", "IO"), Attribute("only.link", 1)]),
      SpanLink(spanID: SpanID(0xEF), traceState: "vendor=2"),
    ],
    status: SpanStatus(code: .error, message: "timeout"))
  /// A span that has nothing that may be missing: a parent of zeros is none.
  static let bare = SpanRecord(
    traceID: TraceID(high: 0, low: 1), spanID: SpanID(1), parentSpanID: SpanID(0), start: Timestamp(nanoseconds: 5))

  static let rows: [(topic: String, holds: [String], fails: [String])] = [
    (
      "a missing reference makes every leaf false",
      ["!(.no = 1)", "!(.no != 1)", "!(.no not in (1))", "!exists(.no)"],
      [
        ".no = 1", ".no != 1", ".no > 1", ".no < 1", ".no >= 1", ".no <= 1", ".no =~ \"\"", "exists(.no)", ".no in (1)",
        ".no not in (1)", ".no = \"\"", ".no = .no", ".no != .text", ".text != .no", "1 != .no",
        "some(event, .no != 1)",
      ]
    ),
    (
      "not turns truth around, and, or join it",
      ["!(.text = 1)", "!!(.text = 200)", ".text = 200 && .int = 200", ".text = 1 || .int = 200"],
      ["!(.text = 200)", ".text = 200 && .int = 1 && .half = 0.5", ".text = 1 || .int = 1"]
    ),
    (
      "unqualified is the span or its resource, and nothing else",
      [".region = \"eu\"", ".text = 200", ".both = \"span\"", ".both = \"resource\"", "!exists(.only.scope)"],
      [
        "exists(.only.scope)", "exists(.only.event)", "exists(.only.link)", "span.region = \"eu\"",
        "resource.text = 200",
      ]
    ),
    (
      "each level is its own",
      [
        "scope.only.scope = 1", "event.only.event = 1", "link.only.link = 1", "resource.both = \"resource\"",
        "span.both = \"span\"",
      ],
      ["span.only.event = 1", "event.only.link = 1", "scope.region = \"eu\"", "link.only.event = 1"]
    ),
    (
      "with several values any is enough for the positive, none may be for the negative",
      [
        ".twice = \"a\"", ".twice = \"b\"", ".twice > \"a\"", ".twice in (\"b\", \"c\")", ".twice != \"c\"",
        ".twice not in (\"c\")", "event.type = \"IO\"", "event.type = \"timeout\"", "event.type != \"x\"",
        "event.name =~ \"log\"",
      ],
      [
        ".twice != \"a\"", ".twice != \"b\"", ".both != \"span\"", ".both != \"resource\"", ".twice not in (\"b\")",
        "event.type != \"IO\"", "event.name not in (\"log\", \"x\")", "event.name != \"log\"",
      ]
    ),
    (
      "ne and not_in are not the negation of eq and in",
      ["!(.no = 1)", "!(.no in (1))", ".text != 1"], [".no != 1", ".no not in (1)"]
    ),
    (
      "a key that is there is present, whatever its value",
      [
        "exists(.empty)", "exists(.nothing)", "exists(.absent)", "exists(.opaque)", ".empty = \"\"", ".nothing = \"\"",
        ".absent = \"\"", ".opaque != \"\"", ".opaque != \"x\"", ".nothing != \"x\"",
      ],
      [".opaque = \"\"", ".empty != \"\"", ".nothing != \"\""]
    ),
    (
      "attribute keys are not fields",
      [".error = \"yes\"", "span.error != true"], ["exists(.span.kind)", ".error = true", "exists(.otel.status_code)"]
    ),
    (
      "an untyped constant matches whatever was stored",
      [
        ".text = 200", ".int = 200", ".double = 200", ".int = \"200.0\"", ".int = 2e2", ".double = 200.0",
        ".flag = true",
        ".flag = \"T\"", ".flag = 1", ".half = 0.5", ".bytes = \"AQ==\"", ".array = \"[1,\\\"a\\\"]\"",
        ".nan = \"NaN\"",
        ".zero = 0", ".big = 9007199254740993", ".infinite = \"Infinity\"",
      ],
      [
        ".text = \"200.0\"", ".int = 201", ".big = 9007199254740992", ".flag = false", ".nfc = \"cafe\\u0301\"",
        ".bytes = \"AQ\"",
      ]
    ),
    (
      "a typed constant matches only what was stored with its type",
      [
        ".text = string(\"200\")", ".int = int(200)", ".double = double(200)", ".flag = bool(true)",
        ".nan = double(\"NaN\")",
        ".zero = double(-0)", ".int != string(\"200\")", ".text != int(200)", ".int > int(199)", ".text in (\"200\")",
        ".int in (200)", ".int in (7, 200)", ".double in double(200)", ".flag in (true)", ".flag in bool(T)",
        ".zero in double(\"-0\")",
      ],
      [
        ".int = string(\"200\")", ".text = int(200)", ".double = int(200)", ".int = double(200)",
        ".flag = string(\"true\")",
        ".zero = double(0)", ".double > int(199)", ".int > double(199)", ".text > int(1)", ".int in (\"200\")",
        ".text in (200)", ".int in (200.5, 200)", ".double in (200)", ".flag in (\"true\")", ".int > string(\"1\")",
      ]
    ),
    (
      "numbers are ordered as numbers, texts as bytes",
      [
        ".int > 30", ".int > 199.5", ".double > 199", ".double >= 200", ".half < 1", ".half > -1", ".int < 2e3",
        ".text > \"1000\"", ".nine > \"10\"", ".nine > 10", ".text < 30", ".nfc > \"cafez\"", ".infinite > 1e300",
        ".zero >= 0", ".zero <= double(0)", "30 < .int",
      ],
      [
        ".int < 30", ".int > 200", ".int < 200", ".text > 30", ".flag > 0", ".flag >= true", ".bytes > \"A\"",
        ".array > \"[\"", ".nan > 0", ".nan <= 0", ".nan >= \"NaN\"", ".int > \"abc\"", ".int > \"\"",
        ".nothing >= \"\"",
        ".nan >= double(\"NaN\")", "30 > .int",
      ]
    ),
    (
      "integers and doubles are compared exactly",
      [
        ".big > 9007199254740992", ".big > .bigDouble", ".bigDouble < .big", ".big != .bigDouble", ".int = .double",
        ".double = .int", ".bigDouble < 9007199254740993", ".big < .infinite", ".zero < .half",
        "9007199254740993 > double(9007199254740992)", "int(9223372036854775807) < double(9223372036854775808)",
        "int(-9223372036854775808) = double(-9223372036854775808)", "int(0) > double(-0.5)",
      ],
      [
        ".big = .bigDouble", ".big <= .bigDouble", ".nan = .nan", ".nan > .int", ".bigDouble >= 9007199254740993",
        "int(0) < double(-0.5)", "int(-9223372036854775808) < double(-1e300)",
      ]
    ),
    (
      "patterns occur somewhere, with the case as it is",
      [
        ".text =~ \"0\"", ".text =~ \"2.0\"", "span.name =~ \"ET\"", "span.kind =~ \"erv\"",
        "span.status =~ \"err|ok\"",
        ".int =~ \"20\"", ".flag =~ \"tr\"", ".text =~ string(\"20\")", "event.name =~ \"exc\"", ".empty =~ \"\"",
        "link.traceID =~ \"09\"", ".nfc =~ \"f\\u00e9\"",
      ],
      [
        ".text =~ \"3\"", "span.name =~ \"get\"", ".int =~ string(\"20\")", ".flag =~ string(\"tr\")",
        ".opaque =~ \"\"",
        ".nfc =~ \"e\\u0301\"", "span.statusMessage =~ \"T\"",
      ]
    ),
    (
      "some binds one element",
      [
        "some(event, event.name = \"exception\" && event.type = \"IO\")",
        "event.name = \"exception\" && event.type = \"timeout\"",
        "some(event, event.name = \"log\" && link.type = \"IO\" && span.kind = server)",
        "some(event, some(link, event.type = link.type))", "some(link, some(event, event.type = \"timeout\"))",
        "some(event, event.name != \"log\")", "!some(event, !(event.name != \"nothing\" || exists(event.untimed)))",
        "some(event, !exists(event.time))", "some(event, .text = 200)",
      ],
      [
        "some(event, event.name = \"exception\" && event.type = \"timeout\")",
        "some(link, exists(link.traceID) && exists(link.spanID))", "some(event, event.name = \"no\")",
        "some(event, event.type = \"IO\" && exists(event.untimed))",
      ]
    ),
    (
      "fields have their values",
      [
        "span.traceID = \"000000000000000000000000000000ab\"", "span.spanID = \"00000000000000cd\"",
        "span.parentSpanID = \"00000000000000ba\"", "span.traceState = \"vendor=1\"", "span.name = \"GET /\"",
        "span.statusMessage = \"timeout\"", "span.kind = server", "span.status = error", "span.status != ok",
        "span.startTime = 1970-01-01T00:00:01Z", "span.endTime > 1970-01-01T00:00:02.999999999Z",
        "span.duration = 2s", "span.duration in (1s, 2000ms)", "span.duration > -1s", "resource.service = \"cart\"",
        "resource.schemaURL =~ \"r\"", "scope.name = \"library\"", "scope.version = 1.0",
        "scope.schemaURL = \"https://s\"",
        "event.name in (\"x\", \"log\")", "event.time = 1970-01-01T00:00:00.5Z", "event.timeSinceStart = 500ms",
        "event.timeSinceStart = -500ms", "event.timeSinceStart < 0s",
        "link.traceID = \"00000000000000090000000000000001\"",
        "link.spanID = \"00000000000000ef\"", "link.traceState = \"vendor=2\"", "span.kind in (client, server)",
        "span.kind not in (client)", "span.startTime in (1970-01-01T01:00:01+01:00)",
      ],
      [
        "span.traceID = \"AB\"", "span.traceID = \"000000000000000000000000000000AB\"", "span.duration > 2s",
        "span.duration != 2s", "event.timeSinceStart < -1s", "span.kind = client", "span.duration not in (2s)",
        "scope.version = 1",
      ]
    ),
    (
      "two references compare by value",
      [
        ".text = .text", "span.traceState = .state", "span.startTime < span.endTime", "event.time > span.startTime",
        "span.duration > event.timeSinceStart", ".int != .text", ".twice = .twice", ".flag = .flag", ".int > .half",
        "span.duration != .int", "span.name != .text", ".array != .array", ".nan != .nan",
      ],
      [
        ".int = .text", "span.startTime > span.endTime", "span.duration = .int", ".array = .array", ".twice != .twice",
        ".flag > .half", ".nothing = .nothing",
      ]
    ),
    (
      "two constants compare",
      [
        "1 = 1.0", "\"a\" = \"a\"", "2 < 10", "\"b\" > \"a10\"", "int(1) < double(1.5)", "1s = duration(1000ms)",
        "int(5) = 5", "5 = int(5)", "5 >= int(4)", "string(\"b\") > \"a\"", "bool(true) = true",
      ],
      ["1 = 2", "\"a\" > \"b\"", "int(1) = double(1.5)", "5 < int(4)", "\"x\" = duration(1s)", "1 != 1.0"]
    ),
  ]

  static func holds(_ filter: FilterExpression, _ span: SpanRecord, _ resource: Resource, _ scope: InstrumentationScope)
    throws -> Bool
  {
    let finalized = try filter.finalized(checkingPatterns: { _ in })
    let meaning = FilterMeaning { pattern, text in
      guard let regex = try? Regex(pattern) else { return false }
      return (try? regex.matchingSemantics(.unicodeScalar).firstMatch(in: text)) != nil
    }
    return meaning.holds(finalized, resource, scope, span)
  }

  @Test(arguments: 0..<rows.count) func `a filter means what the table says`(_ index: Int) throws {
    let row = Self.rows[index]
    for text in row.holds {
      #expect(
        try Self.holds(FilterExpression(text: text), Self.span, Self.resource, Self.scope), "\(row.topic): \(text)")
    }
    for text in row.fails {
      #expect(
        try !Self.holds(FilterExpression(text: text), Self.span, Self.resource, Self.scope), "\(row.topic): \(text)")
    }
  }

  @Test func `what a bare span has, and what it has not`() throws {
    let present = [
      "span.traceID", "span.spanID", "span.kind", "span.status", "span.startTime", "span.duration",
    ]
    for field in FilterField.all {
      let filter = FilterExpression.call(.exists, .field(field.level, field.name))
      #expect(
        try Self.holds(filter, Self.bare, Resource(), InstrumentationScope()) == present.contains(field.description),
        "\(field)")
      // The full span has everything.
      #expect(try Self.holds(filter, Self.span, Self.resource, Self.scope), "\(field)")
    }
    for text in [
      "span.kind = unspecified", "span.status = unset", "span.duration = 0s", "!some(event, exists(span.kind))",
      "!some(link, !(.no = 1))",
    ] {
      let filter = try FilterExpression(text: text)
      #expect(try Self.holds(filter, Self.bare, Resource(), InstrumentationScope()), "\(text)")
    }
  }

  @Test func `values at the edges of their types`() throws {
    var span = Self.bare
    span.end = .maximum
    span.kind = SpanKind(rawValue: 9)
    span.status = SpanStatus(code: SpanStatus.Code(rawValue: -3))
    span.events = [SpanEvent(time: .maximum)]
    let resource = Resource(attributes: [Attribute("service.name", 5)])
    for text in [
      "span.duration > duration(2562047h47m16.854775807s)", "event.timeSinceStart > duration(2562047h47m16.854775807s)",
      "event.timeSinceStart = span.duration", "span.endTime = 2554-07-21T23:34:33.709551615Z", "span.kind != server",
      "span.kind =~ \"9\"", "span.status not in (ok, error, unset)", "!exists(resource.service)", ".service.name = 5",
    ] {
      #expect(try Self.holds(FilterExpression(text: text), span, resource, InstrumentationScope()), "\(text)")
    }
    span.end = Timestamp(nanoseconds: 1)
    #expect(
      try Self.holds(FilterExpression(text: "span.duration = 0s"), span, resource, InstrumentationScope()),
      "an end before the start")
  }
}

import Testing
import TraceModel
import TracestoreV2

@testable import TraceFilter

@Suite struct FilterTextTests {
  static func equal(_ key: String, _ text: String, _ level: AttributeLevel = .unqualified) -> FilterExpression {
    .call(.equal, .attribute(key, level), .untyped(text))
  }

  /// A text, the tree that it means, and how that tree is printed when otherwise.
  static let readings: [(text: String, tree: FilterExpression, printed: String?)] = [
    (
      "span.duration > 2s && resource.service = \"cart\" || some(event, event.name = \"exception\")",
      .call(
        .or,
        .call(
          .and, .call(.greater, duration, .untyped("2s")),
          .call(.equal, .field(.resource, "service"), .untyped("cart"))),
        .call(.some, events, .call(.equal, .field(.event, "name"), .untyped("exception")))), nil
    ),
    // Joining.
    (
      "exists(.a)&&exists(.b)&&exists(.c)",
      .call(
        .and, .call(.exists, .attribute("a")), .call(.exists, .attribute("b")), .call(.exists, .attribute("c"))),
      "exists(.a) && exists(.b) && exists(.c)"
    ),
    (
      "(exists(.a) && exists(.b)) && exists(.c)",
      .call(
        .and, .call(.and, .call(.exists, .attribute("a")), .call(.exists, .attribute("b"))),
        .call(.exists, .attribute("c"))), nil
    ),
    (
      "exists(.a) || exists(.b) && exists(.c) || exists(.d)",
      .call(
        .or, .call(.exists, .attribute("a")),
        .call(.and, .call(.exists, .attribute("b")), .call(.exists, .attribute("c"))),
        .call(.exists, .attribute("d"))), nil
    ),
    (
      "(exists(.a) || exists(.b)) && !(exists(.c) || exists(.d))",
      .call(
        .and, .call(.or, .call(.exists, .attribute("a")), .call(.exists, .attribute("b"))),
        .call(.not, .call(.or, .call(.exists, .attribute("c")), .call(.exists, .attribute("d"))))), nil
    ),
    ("!!exists(.a)", .call(.not, .call(.not, .call(.exists, .attribute("a")))), nil),
    ("!.a = 1", .call(.not, equal("a", "1")), "!(.a = 1)"),
    ("((.a = 1))", equal("a", "1"), ".a = 1"),
    (
      "!some(link, link.traceID = \"01\")",
      .call(.not, .call(.some, links, .call(.equal, .field(.link, "traceID"), .untyped("01")))), nil
    ),
    // Operators.
    (".a != 1", .call(.notEqual, .attribute("a"), .untyped("1")), nil),
    (".a < 1", .call(.less, .attribute("a"), .untyped("1")), nil),
    (".a <= 1", .call(.lessOrEqual, .attribute("a"), .untyped("1")), nil),
    (".a >= 1", .call(.greaterOrEqual, .attribute("a"), .untyped("1")), nil),
    ("1 > .a", .call(.greater, .untyped("1"), .attribute("a")), nil),
    (".a =~ \"x.*\"", .call(.regex, .attribute("a"), .untyped("x.*")), nil),
    (".a =~ 200", .call(.regex, .attribute("a"), .untyped("200")), ".a =~ \"200\""),
    (".a =~ string(\"x\")", .call(.regex, .attribute("a"), .string("x")), nil),
    // References.
    ("span.http.route = \"/\"", equal("http.route", "/", .span), nil),
    ("resource.k8s.pod.name = \"p\"", equal("k8s.pod.name", "p", .resource), nil),
    ("span[\"name\"] = \"n\"", equal("name", "n", .span), nil),
    ("span [ \"any \\\"key\\\"\" ] = 1", equal("any \"key\"", "1", .span), "span[\"any \\\"key\\\"\"] = 1"),
    ("span[\"durtion\"] = 1", equal("durtion", "1", .span), nil),
    ("span[\"http.route\"] = 1", equal("http.route", "1", .span), "span.http.route = 1"),
    ("[\"a b\"] = 1", equal("a b", "1"), nil), ("[\"a\"] = 1", equal("a", "1"), ".a = 1"),
    (".span.name = 1", equal("span.name", "1"), nil), (".durtion = 1", equal("durtion", "1"), nil),
    (".a-b/c_d.5 = 1", equal("a-b/c_d.5", "1"), nil), ("[\"größe\"] = 1", equal("größe", "1"), nil),
    ("[\"a..b\"] = 1", equal("a..b", "1"), nil), ("scope.x.y = 1", equal("x.y", "1", .scope), nil),
    ("event.exception.type = \"E\"", equal("exception.type", "E", .event), nil),
    ("span.name = .peer", .call(.equal, .field(.span, "name"), .attribute("peer")), nil),
    // Constants.
    (".a = \"\"", equal("a", ""), nil), (".a = \"200\"", equal("a", "200"), ".a = 200"),
    (".a = -1.5e-3", equal("a", "-1.5e-3"), nil), (".a = true", equal("a", "true"), nil),
    (".a = server", equal("a", "server"), ".a = \"server\""),
    (".a = \"tab\\t\\u00e9\\n\\\"\\\\\"", equal("a", "tab\té\n\"\\"), ".a = \"tab\\té\\n\\\"\\\\\""),
    ("span.kind = server", .call(.equal, .field(.span, "kind"), .untyped("server")), nil),
    ("\"ok\" != span.status", .call(.notEqual, .untyped("ok"), .field(.span, "status")), "ok != span.status"),
    ("span.name = server", .call(.equal, .field(.span, "name"), .untyped("server")), "span.name = \"server\""),
    ("span.duration >= 1h30m", .call(.greaterOrEqual, duration, .untyped("1h30m")), nil),
    ("span.duration >= 50µs", .call(.greaterOrEqual, duration, .untyped("50µs")), nil),
    (
      "span.startTime < 2026-01-07T10:00:00.5+01:00",
      .call(.less, .field(.span, "startTime"), .untyped("2026-01-07T10:00:00.5+01:00")), nil
    ),
    (".a = string(\"200\")", .call(.equal, .attribute("a"), .string("200")), nil),
    (".a = string(200)", .call(.equal, .attribute("a"), .string("200")), ".a = string(\"200\")"),
    (".a = int(5)", .call(.equal, .attribute("a"), .int(5)), nil),
    (".a = int(\"+5\")", .call(.equal, .attribute("a"), .int(5)), ".a = int(5)"),
    (".a = double(2.5)", .call(.equal, .attribute("a"), .double(2.5)), nil),
    (".a = double(-0)", .call(.equal, .attribute("a"), .double(-0.0)), nil),
    (".a = double(inf)", .call(.equal, .attribute("a"), .double(.infinity)), ".a = double(\"+Inf\")"),
    (".a = double(\"NaN\")", .call(.equal, .attribute("a"), .double(.nan)), nil),
    (
      ".a = double(\"nan:7ff8000000000005\")",
      .call(.equal, .attribute("a"), .double(Double(bitPattern: 0x7ff8_0000_0000_0005))), nil
    ),
    (".a = bool(T)", .call(.equal, .attribute("a"), .bool(true)), ".a = bool(true)"),
    ("span.duration > duration(2m0s)", .call(.greater, duration, .duration(nanoseconds: 120_000_000_000)), nil),
    (
      "span.endTime > timestamp(1970-01-01T00:00:01Z)",
      .call(.greater, .field(.span, "endTime"), .timestamp(Timestamp(nanoseconds: 1_000_000_000))), nil
    ),
    ("1 = \"a\"", .call(.equal, .untyped("1"), .untyped("a")), nil),
    // Lists.
    (".a in (\"x\", \"y\")", .call(.in, .attribute("a"), .list(FilterList(["x", "y"], type: .string))), nil),
    (".a not in (1, -2)", .call(.notIn, .attribute("a"), .list(FilterList(["1", "-2"], type: .int))), nil),
    (".a in (1, 2.5)", .call(.in, .attribute("a"), .list(FilterList(["1", "2.5"], type: .double))), nil),
    (".a in double(1, 2)", .call(.in, .attribute("a"), .list(FilterList(["1", "2"], type: .double))), nil),
    (".a in double(1, \"inf\")", .call(.in, .attribute("a"), .list(FilterList(["1", "inf"], type: .double))), nil),
    (
      ".a in (true,false)", .call(.in, .attribute("a"), .list(FilterList(["true", "false"], type: .bool))),
      ".a in (true, false)"
    ),
    (
      ".a in bool(true, T)", .call(.in, .attribute("a"), .list(FilterList(["true", "T"], type: .bool))),
      ".a in bool(true, \"T\")"
    ),
    (".a in string(1)", .call(.in, .attribute("a"), .list(FilterList(["1"], type: .string))), ".a in (\"1\")"),
    (
      "span.kind in (server, client)",
      .call(.in, .field(.span, "kind"), .list(FilterList(["server", "client"]))), nil
    ),
    (
      "span.name in (\"a\", 1)", .call(.in, .field(.span, "name"), .list(FilterList(["a", "1"]))),
      "span.name in (\"a\", \"1\")"
    ),
    ("span.name in string(\"a\")", .call(.in, .field(.span, "name"), .list(FilterList(["a"], type: .string))), nil),
    ("span.duration not in (1s, 2m)", .call(.notIn, duration, .list(FilterList(["1s", "2m"]))), nil),
    // White space.
    ("\n\t.a\r\n=\n1 ", equal("a", "1"), ".a = 1"),
  ]

  @Test(arguments: 0..<readings.count) func `a text is read and printed`(_ index: Int) throws {
    let (text, tree, printed) = Self.readings[index]
    let read = try FilterExpression(text: text)
    #expect(read == tree, "\(text) was read as \(read.text)")
    #expect(tree.text == printed ?? text)
    #expect(try FilterExpression(text: tree.text) == tree)
  }

  /// A text that is refused, the offset, and words of the message.
  static let refusals: [(text: String, offset: Int, words: [String])] = [
    ("", 0, ["empty"]), ("  ", 2, ["empty"]),
    ("span.durtion > 2s", 0, ["span.duration", "span[\"durtion\"]"]),
    ("exists(span.traceid)", 7, ["span.traceID", "span[\"traceid\"]"]),
    ("resource.servce = \"a\"", 0, ["resource.service"]), ("event.tim = 1", 0, ["event.time"]),
    ("duration > 2s", 0, ["`span.duration`", "`.duration`"]),
    ("http.route = 1", 0, ["`span.http.route`", "`.http.route`"]),
    ("foo = 1", 0, ["`.foo`", "\"foo\""]), (".a = foo", 5, ["\"foo\""]), (".a = Server", 5, ["Server"]),
    ("span = 1", 0, ["`span.duration`", "span[\"key\"]"]), ("span[key] = 1", 5, ["double quotes"]),
    ("span[\"\"] = 1", 5, ["no key"]), ("span[\"a\" = 1", 9, ["`]`"]),
    (".a", 2, ["exists"]), (".a && .b = 1", 3, ["exists"]), (".a 1", 3, ["comparison"]), (".a = ", 5, ["constant"]),
    (".a == 1", 3, ["`=`"]), (".a !~ \"x\"", 3, ["`!(… =~ …)`"]), (".a <> 1", 3, ["`!=`"]),
    (".a = 'x'", 5, ["double quotes"]), (".a = 1 & .b = 2", 7, ["`&&`"]), (".a = 1 | .b = 2", 7, ["`||`"]),
    (".a = 1 and .b = 2", 7, ["`&&`"]), (".a = 1 or .b = 2", 7, ["`||`"]), ("not .a = 1", 0, ["`!`"]),
    (".a = 1 .b = 2", 7, ["`&&`"]), ("(.a = 1", 7, ["`)`", "byte 0"]), (".a = 1)", 6, ["closes none"]),
    (".a = \"x", 5, ["ends inside"]), (".a = \"x\\q\"", 7, ["escape"]), (".a = 2x", 5, ["2x", "double quotes"]),
    (".a = 1..2", 5, ["1..2"]), ("span. = 1", 0, ["dotted name"]), (". = 1", 0, ["dotted name"]),
    ("größe = 1", 2, ["brackets"]), (".größe = 1", 3, ["brackets"]), (".a = #", 5, ["means nothing"]),
    (".a in 1", 6, ["`(`"]), (".a in ()", 7, ["constant"]), (".a in (1, \"x\")", 6, ["string("]),
    (".a in (1s)", 6, ["no evident type"]), (".a in int(x)", 10, ["no int"]), (".a in float(1)", 6, ["`float`"]),
    (".a in (1", 8, ["`)`"]), (".a not 1", 7, ["`in`"]), ("1 in (1)", 0, ["attribute or a field"]),
    ("1 =~ \"x\"", 0, ["attribute or a field"]), (".a =~ .b", 6, ["pattern"]), (".a =~ int(1)", 6, ["pattern"]),
    ("exists(1)", 7, ["attribute or a field"]), ("exists .a", 7, ["`(`"]), ("exists(.a", 9, ["`)`"]),
    ("some(span, .a = 1)", 5, ["`event` or `link`"]), ("some(event .a = 1)", 11, ["`,`"]),
    (".a = int(x)", 9, ["no int"]), (".a = int(1", 10, ["`)`"]), (".a = duration(2)", 14, ["no duration"]),
    (".a = 1 &&", 9, ["constant"]), ("!", 1, ["constant"]), ("()", 1, ["constant"]),
  ]

  @Test(arguments: 0..<refusals.count) func `what is wrong is shown where it is`(_ index: Int) {
    let (text, offset, words) = Self.refusals[index]
    do {
      let tree = try FilterExpression(text: text)
      Issue.record("\(text) was read as \(tree.text)")
    } catch {
      #expect(error.offset == offset, "\(text): \(error)")
      for word in words { #expect(error.message.contains(word), "\(text): \(error) should contain \(word)") }
    }
  }

  @Test func `names a slip away from a field are refused, others are attributes`() throws {
    for refused in [
      "span.names", "span.nmae", "span.Kind", "span.durtoin", "span.duraton", "span.spanid", "span.parentspanid",
      "event.tim", "scope.schemaUrl", "link.tracestate", "span.statuses", "resource.servic",
    ] {
      #expect(throws: FilterTextError.self, "\(refused)") { try FilterExpression(text: refused + " = 1") }
    }
    for (text, key, level) in [
      ("event.type", "type", .event), ("span.id", "id", .span), ("span.named1", "named1", .span),
      ("link.duration", "duration", .link), ("span.durtion.x", "durtion.x", .span),
      ("resource.host", "host", .resource),
    ] as [(String, String, AttributeLevel)] {
      #expect(try FilterExpression(text: text + " = 1") == Self.equal(key, "1", level))
    }
  }

  @Test func `the place is drawn below its line`() {
    #expect(FilterTextError("m", at: 5).rendered(in: "span.durtion > 2s") == "span.durtion > 2s\n     ^")
    #expect(FilterTextError("m", at: 6).rendered(in: ".a=\"é\"") == ".a=\"é\"\n     ^")
    #expect(FilterTextError("m", at: 7).rendered(in: ".a = 1\n&& x\n|| y") == "&& x\n^")
    #expect(FilterTextError("m", at: 6).rendered(in: ".a = 1\n&& x") == ".a = 1\n      ^")
    #expect(FilterTextError("m", at: 2).rendered(in: "\t.\u{1b}[1ma") == " . [1ma\n  ^")
    #expect(FilterTextError("m", at: 99).rendered(in: "ab") == "ab\n  ^")
    #expect(FilterTextError("m", at: -1).rendered(in: "ab") == "ab\n^")
    #expect(FilterTextError("m", at: 0).rendered(in: "") == "\n^")
    let long = String(repeating: "a", count: 500)
    let lines = FilterTextError("m", at: 250).rendered(in: long).split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0] == "…" + String(repeating: "a", count: 120) + "…")
    #expect(lines[1] == String(repeating: " ", count: 61) + "^")
  }

  @Test func `an error of the text becomes one of a store`() {
    let error = TracestoreError(FilterTextError("Write `=`.", at: 3))
    #expect(error.code == .invalidArgument)
    #expect(error.offset == 3)
    #expect(error.description == "The filter is not understood: Write `=`. [at byte 3]")
  }

  @Test func `texts have a limit, and nesting has one`() throws {
    let longest = ".a = \"" + String(repeating: "x", count: FilterExpression.maximumTextByteCount - 7) + "\""
    _ = try FilterExpression(text: longest)
    #expect(throws: FilterTextError.self) { try FilterExpression(text: longest + " ") }
    let inner = ".a = 1"
    func repeated(_ open: String, _ count: Int, _ close: String = "") -> String {
      String(repeating: open, count: count) + inner + String(repeating: close, count: count)
    }
    _ = try FilterExpression(text: repeated("!", 19))
    _ = try FilterExpression(text: repeated("(", 50, ")"))
    _ = try FilterExpression(text: repeated("(.b = 1 && ", 19, ")"))
    for bomb in [
      repeated("!", 20), repeated("!", 200_000), repeated("(", 100_000), repeated("(", 61, ")"),
      repeated("(.b = 1 && ", 20, ")"), repeated("some(event, ", 20_000), repeated("!(", 20, ")"),
      repeated("(.b = 1 || .c = 1 && ", 10, ")") + " && " + repeated("!(.b = 1 || .c = 1 && ", 10, ")"),
    ] {
      #expect(throws: FilterTextError.self, "\(bomb.prefix(40))") { try FilterExpression(text: bomb) }
    }
  }
}

import Testing
import TraceModel
import TracestoreV2

@testable import TraceFilter

@Suite struct FilterJSONTests {
  static let forms: [(json: String, tree: FilterExpression)] = [
    (
      #"{"op":"eq","args":[{"attr":{"key":"k","level":"span"}},{"scalar":{"value":"5","type":"int"}}]}"#,
      .call(.equal, .attribute("k", .span), .int(5))
    ),
    (
      #"{"op":"eq","args":[{"attr":{"key":"k"}},{"scalar":{"value":"v"}}]}"#,
      .call(.equal, .attribute("k"), .untyped("v"))
    ),
    (
      #"{"op":"gt","args":[{"field":{"name":"duration","level":"span"}},{"scalar":{"value":"2s"}}]}"#,
      .call(.greater, duration, .untyped("2s"))
    ),
    (
      #"{"op":"some","args":[{"nested":{"level":"event"}},{"call":{"op":"exists","args":[{"attr":{"key":"a"}}]}}]}"#,
      .call(.some, events, anyCall)
    ),
    (
      #"{"op":"in","args":[{"attr":{"key":"a"}},{"list":{"values":["1","+2"],"type":"int"}}]}"#,
      .call(.in, .attribute("a"), .list(FilterList(["1", "+2"], type: .int)))
    ),
    (
      #"{"op":"ne","args":[{"scalar":{"value":"2.5","type":"double"}},{"scalar":{"value":"true","type":"bool"}}]}"#,
      .call(.notEqual, .double(2.5), .bool(true))
    ),
    (
      #"{"op":"eq","args":[{"attr":{"key":"a"}},{"scalar":{"value":"x","type":"string"}}]}"#,
      .call(.equal, .attribute("a"), .string("x"))
    ),
    // What validation refuses is read.
    (#"{"op":"matches"}"#, .call(FilterOperator(rawValue: "matches"))), (#"{}"#, .call(FilterOperator(rawValue: ""))),
    (
      #"{"op":"in","args":[{"attr":{"key":"a","level":"x"}},{"list":{"values":["y"],"type":"z"}}]}"#,
      .call(
        .in, .attribute("a", AttributeLevel(rawValue: "x")),
        .list(FilterList(["y"], type: FilterScalarType(rawValue: "z"))))
    ),
    (
      #"{"op":"eq","args":[{"attr":{}},{"scalar":{}},{"list":{}},{"nested":{}},{"field":{}}]}"#,
      .call(
        .equal, .attribute(""), .untyped(""), .list(FilterList([])), .nested(NestedReference(.unqualified)),
        .field(.unqualified, ""))
    ),
  ]

  @Test(arguments: 0..<forms.count) func `the JSON form is read and written`(_ index: Int) throws {
    let (json, tree) = Self.forms[index]
    let read = try FilterExpression(json: json)
    #expect(read == tree, "\(json) was read as \(read.text)")
    // An absent operator is the empty one, which proto3 leaves out.
    #expect(tree.json == json)
  }

  @Test func `order of members, white space, nulls and escapes do not matter`() throws {
    let tree = FilterExpression.call(.equal, .attribute("é", .span), .untyped("\n"))
    for json in [
      #" { "args" : [ {"attr":{"level":"span","key":"\u00e9"}} , {"scalar":{"type":"","value":"\n"}} ] , "op":"eq" } "#,
      #"{"op":"eq","args":[{"attr":{"key":"é","level":"span"},"field":null},{"scalar":{"value":"\u000a","type":null}}]}"#,
    ] {
      #expect(try FilterExpression(json: json) == tree)
    }
    #expect(try FilterExpression(json: #"{"op":"and","args":null}"#) == .call(.and))
  }

  static let refusals: [(json: String, words: [String])] = [
    ("", ["JSON"]), ("[]", ["JSON"]), ("null", ["JSON"]), (#"{"op":"eq""#, ["JSON"]), (#"{"op":"eq"} x"#, ["JSON"]),
    (#"{"op":1}"#, ["JSON"]), (#"{"op":"eq","args":{}}"#, ["JSON"]),
    (#"{"op":"eq","args":[{}]}"#, ["filter.args[0]: ", "no term"]),
    (#"{"op":"eq","args":[{"call":null}]}"#, ["filter.args[0]: ", "no term"]),
    (#"{"op":"eq","args":[null]}"#, ["JSON"]),
    (#"{"op":"eq","args":[{"attr":{"key":"a"},"field":{"name":"b"}}]}"#, ["filter.args[0]: ", "two terms"]),
    (#"{"op":"eq","args":[{"attr":{"key":"a"}},{"scalar":{"value":"x","type":"int"}}]}"#, ["filter.args[1]: ", "int"]),
    (#"{"op":"eq","args":[{"scalar":{"value":"1e400","type":"double"}}]}"#, ["filter.args[0]: ", "1e400"]),
    (#"{"op":"eq","args":[{"scalar":{"value":"yes","type":"bool"}}]}"#, ["filter.args[0]: ", "yes"]),
    (#"{"op":"eq","args":[{"scalar":{"value":"2s","type":"duration"}}]}"#, ["filter.args[0]: ", "\"duration\""]),
    (#"{"op":"eq","args":[{"scalar":{"value":5}}]}"#, ["JSON"]),
    (#"{"op":"eq","more":1}"#, ["filter: ", "\"more\""]), (#"{"op":"eq","op":"eq"}"#, ["filter: ", "twice"]),
    (#"{"op":"not","args":[{"call":{"arg":[]}}]}"#, ["filter.args[0]: ", "\"arg\""]),
    (#"{"op":"eq","args":[{"attribute":{"key":"a"}}]}"#, ["filter.args[0]: ", "\"attribute\""]),
    (#"{"op":"eq","args":[{"attr":{"key":"a","name":"b"}}]}"#, ["filter.args[0]: ", "\"name\""]),
    (#"{"op":"eq","args":[{"list":{"value":[]}}]}"#, ["filter.args[0]: ", "\"value\""]),
    (#"{"op":"eq","args":[{"nested":{"level":"a","key":"b"}}]}"#, ["filter.args[0]: ", "\"key\""]),
  ]

  @Test(arguments: 0..<refusals.count) func `what no tree can hold is refused`(_ index: Int) {
    let (json, words) = Self.refusals[index]
    do {
      let tree = try FilterExpression(json: json)
      Issue.record("\(json) was read as \(tree.text)")
    } catch let error as TracestoreError {
      #expect(error.code == .invalidArgument)
      for word in words { #expect(error.message.contains(word), "\(json): \(error) should contain \(word)") }
    } catch {
      Issue.record("\(json): \(error)")
    }
  }

  @Test func `JSON errors have their offset`() {
    do {
      _ = try FilterExpression(json: #"{"op":"eq",}"#)
      Issue.record("accepted")
    } catch {
      #expect((error as? TracestoreError)?.offset == 11)
    }
  }

  @Test func `JSON has a limit, and nesting has one`() throws {
    func call(_ depth: Int) -> String {
      String(repeating: #"{"op":"not","args":[{"call":"#, count: depth - 1)
        + #"{"op":"exists","args":[{"attr":{"key":"a"}}]}"#
        + String(repeating: "}]}", count: depth - 1)
    }
    #expect(try FilterExpression(json: call(20)) == nested(20))
    for bomb in [
      call(21), call(25), call(20_000), String(repeating: #"{"op":"not","args":[{"call":"#, count: 30_000),
      String(repeating: "[", count: 1_000_000), #"{"op":"eq","args":"# + String(repeating: "[", count: 1_000_000),
      #"{"op":"eq","args":[{"attr":"# + String(repeating: #"{"key":"#, count: 100_000),
    ] {
      #expect(throws: TracestoreError.self, "\(bomb.prefix(60))") { try FilterExpression(json: bomb) }
    }
    let spaces = String(repeating: " ", count: FilterExpression.maximumJSONByteCount - call(1).utf8.count)
    _ = try FilterExpression(json: call(1) + spaces)
    #expect(throws: TracestoreError.self) { try FilterExpression(json: call(1) + spaces + " ") }
  }

  @Test func `durations and instants are written as untyped text`() throws {
    let tree = FilterExpression.call(
      .and, .call(.greater, duration, .duration(nanoseconds: 5_400_000_000_000)),
      .call(.less, .field(.span, "endTime"), .timestamp(Timestamp(nanoseconds: 1_500_000_000))))
    #expect(tree.json.contains(#"{"scalar":{"value":"1h30m0s"}}"#))
    #expect(tree.json.contains(#"{"scalar":{"value":"1970-01-01T00:00:01.5Z"}}"#))
    #expect(try finalized(FilterExpression(json: tree.json)) == tree)
  }
}

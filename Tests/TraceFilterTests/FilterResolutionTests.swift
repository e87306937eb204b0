import Testing
import TraceModel
import TracestoreTesting
import TracestoreV2

@testable import TraceFilter

@Suite struct FilterResolutionTests {
  static let rows: [(from: FilterExpression, to: FilterExpression)] = [
    // A constant beside a field has the field's type.
    (.call(.greater, duration, .untyped("2s")), .call(.greater, duration, .duration(nanoseconds: 2_000_000_000))),
    (
      .call(.equal, .field(.event, "timeSinceStart"), .untyped("-1.5ms")),
      .call(.equal, .field(.event, "timeSinceStart"), .duration(nanoseconds: -1_500_000))
    ),
    (
      .call(.lessOrEqual, .field(.span, "startTime"), .untyped("1970-01-01T01:00:01+01:00")),
      .call(.lessOrEqual, .field(.span, "startTime"), .timestamp(Timestamp(nanoseconds: 1_000_000_000)))
    ),
    (
      .call(.equal, .field(.span, "name"), .untyped("200")), .call(.equal, .field(.span, "name"), .string("200"))
    ),
    (
      .call(.equal, .field(.span, "kind"), .untyped("server")),
      .call(.equal, .field(.span, "kind"), .string("server"))
    ),
    (
      .call(.notEqual, .field(.span, "status"), .untyped("unset")),
      .call(.notEqual, .field(.span, "status"), .string("unset"))
    ),
    (
      .call(.equal, .field(.span, "status"), .string("ok")), .call(.equal, .field(.span, "status"), .string("ok"))
    ),
    // Beside an attribute a constant keeps its type.
    (.call(.greater, .attribute("a"), .untyped("2s")), .call(.greater, .attribute("a"), .untyped("2s"))),
    (.call(.greater, .attribute("a"), .int(2)), .call(.greater, .attribute("a"), .int(2))),
    // References are left alone, patterns too.
    (
      .call(.less, duration, .field(.event, "timeSinceStart")), .call(.less, duration, .field(.event, "timeSinceStart"))
    ),
    (.call(.equal, .attribute("a"), duration), .call(.equal, .attribute("a"), duration)),
    (.call(.regex, .field(.span, "kind"), .untyped("er")), .call(.regex, .field(.span, "kind"), .untyped("er"))),
    // A constant in front changes places.
    (.call(.equal, .untyped("a"), .attribute("k")), .call(.equal, .attribute("k"), .untyped("a"))),
    (.call(.notEqual, .int(1), .attribute("k")), .call(.notEqual, .attribute("k"), .int(1))),
    (.call(.greater, .untyped("1s"), duration), .call(.less, duration, .duration(nanoseconds: 1_000_000_000))),
    (.call(.less, .int(1), .attribute("k")), .call(.greater, .attribute("k"), .int(1))),
    (.call(.greaterOrEqual, .int(1), .attribute("k")), .call(.lessOrEqual, .attribute("k"), .int(1))),
    (.call(.lessOrEqual, .int(1), .attribute("k")), .call(.greaterOrEqual, .attribute("k"), .int(1))),
    // Two constants stay.
    (.call(.less, .untyped("1"), .int(2)), .call(.less, .untyped("1"), .int(2))),
    // Everything happens at any depth.
    (
      .call(.not, .call(.some, events, .call(.or, anyCall, .call(.less, .untyped("1s"), duration)))),
      .call(
        .not,
        .call(.some, events, .call(.or, anyCall, .call(.greater, duration, .duration(nanoseconds: 1_000_000_000)))))
    ),
  ]

  @Test(arguments: 0..<rows.count) func `constants are resolved against fields`(_ index: Int) throws {
    let (from, to) = Self.rows[index]
    #expect(try finalized(from) == to, "\(from.text)")
    #expect(try finalized(to) == to, "\(to.text)")
  }

  @Test func `what is no constant of the field is refused, by the place where it was written`() {
    let cases: [(FilterExpression, String, [String])] = [
      (.call(.greater, duration, .untyped("2")), "filter.args[1]:", ["span.duration", "\"2\""]),
      (.call(.greater, .untyped("2x"), duration), "filter.args[0]:", ["span.duration", "\"2x\""]),
      (.call(.equal, .field(.event, "time"), .untyped("1700000000")), "filter.args[1]:", ["event.time", "1700000000"]),
      (.call(.equal, .field(.span, "endTime"), .untyped("1969-12-31T23:59:59Z")), "filter.args[1]:", ["1970"]),
      (
        .call(.equal, .field(.span, "kind"), .untyped("Server")), "filter.args[1]:",
        ["span.kind", "\"Server\"", "unspecified, internal, server, client, producer, consumer"]
      ),
      (.call(.equal, .field(.span, "status"), .string("Error")), "filter.args[1]:", ["unset, ok, error"]),
      (
        .call(.not, .call(.in, duration, .list(FilterList(["1s", "b"])))), "filter.args[0].args[1].values[1]:",
        ["\"b\""]
      ),
      (
        .call(.in, .field(.span, "kind"), .list(FilterList(["server", "b"], type: .string))),
        "filter.args[1].values[1]:", []
      ),
      (.call(.in, .field(.span, "name"), .list(FilterList(["1"], type: .int))), "filter.args[1]:", ["text", "int"]),
      (.call(.in, duration, .list(FilterList(["1s"], type: .string))), "filter.args[1]:", ["a duration"]),
      (.call(.in, .attribute("a"), .list(FilterList(["1", "x"], type: .int))), "filter.args[1].values[1]:", ["\"x\""]),
      (.call(.in, .attribute("a"), .list(FilterList(["yes"], type: .bool))), "filter.args[1].values[0]:", ["bool"]),
      (
        .call(.notIn, .attribute("a"), .list(FilterList(["1_0"], type: .double))), "filter.args[1].values[0]:",
        ["double"]
      ),
    ]
    for (filter, path, words) in cases {
      let message = refusal(of: filter)?.message ?? "accepted"
      #expect(message.hasPrefix(path + " "), "\(filter.text): \(message)")
      for word in words { #expect(message.contains(word), "\(message) should contain \(word)") }
    }
  }

  @Test func `lists keep their texts`() throws {
    for filter: FilterExpression in [
      .call(.in, .attribute("a"), .list(FilterList(["+1", "1", "-0"], type: .int))),
      .call(.in, .attribute("a"), .list(FilterList(["0x1p4", "inf", "1e3"], type: .double))),
      .call(.notIn, .attribute("a"), .list(FilterList(["T", "false"], type: .bool))),
      .call(.in, duration, .list(FilterList(["60s", "1m"]))),
      .call(.in, .field(.span, "endTime"), .list(FilterList(["2026-01-01T00:00:00.100Z"]))),
      .call(.in, .field(.span, "status"), .list(FilterList(["ok", "ok"], type: .string))),
    ] {
      #expect(try finalized(filter) == filter, "\(filter.text)")
    }
  }

  @Test(arguments: UInt64(0)..<400) func `a finalized filter stays as it is`(_ seed: UInt64) throws {
    let filter = randomFilter(seed: seed, maximumDepth: Int(seed % 20) + 1)
    let once = try finalized(filter)
    #expect(try finalized(once) == once, "seed \(seed): \(filter.text)")
  }
}

import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let boundChecks: [ConformanceCheck] = [
    ConformanceCheck("both bounds of the time window are inclusive to the nanosecond") { session in
      let traces = (-2...2).map { offset in
        Fixture.batch("bounds", Fixture.span(UInt64(offset + 10), start: Fixture.time(Int64(offset))))
      }
      try await session.write(traces)
      for lower in -2...2 {
        for upper in -2...2 {
          let query = TraceQuery(
            serviceName: "bounds", startMinimum: Fixture.time(Int64(lower)), startMaximum: Fixture.time(Int64(upper)))
          let expected = lower <= upper ? Array(traces[(lower + 2)...(upper + 2)]) : []
          try await session.expectFinds(query, expected, "window \(lower)...\(upper)")
        }
      }
    },
    ConformanceCheck("both bounds of the duration are inclusive to the nanosecond") { session in
      let traces = (0...3).map { duration in
        Fixture.batch("bounds", Fixture.span(UInt64(duration + 10), durationNanoseconds: UInt64(duration)))
      }
      try await session.write(traces)
      // Jaeger's first model takes an upper bound of zero for none.
      let least = try await session.capabilities().hasWholeModel ? 0 : 1
      for lower in 0...3 {
        for upper in least...3 {
          var query = Fixture.query("bounds")
          query.durationMinimumNanoseconds = UInt64(lower)
          query.durationMaximumNanoseconds = UInt64(upper)
          try await session.expectFinds(
            query, lower <= upper ? Array(traces[lower...upper]) : [], "durations \(lower)...\(upper)")
        }
      }
    },
    ConformanceCheck("absent bounds are unbounded, from 1970 to the greatest instant") { session in
      let first = Fixture.batch("edge", Fixture.span(1, start: Timestamp(nanoseconds: 1), durationNanoseconds: 1))
      let last = Fixture.batch("edge", Fixture.span(2, start: Timestamp(nanoseconds: .max - 1), durationNanoseconds: 1))
      try await session.write(first, last)
      try await session.expectFinds(TraceQuery(serviceName: "edge"), [last, first])
      let upper = TraceQuery(
        serviceName: "edge", startMinimum: Timestamp(nanoseconds: .max - 1), startMaximum: .maximum)
      try await session.expectFinds(upper, [last], "the last instants")
    },
    ConformanceCheck("a limit of n returns exactly the n newest traces, whole") { session in
      guard try await session.capabilities().orders.contains(.newest) else { return }
      var random = SeededRandom(seed: 7)
      // Two spans each, of which only the later matches; pairs of traces tie.
      var traces = (1...20).map { (number: UInt64) -> TraceData in
        let hit = Fixture.span(number, 1, name: "hit", start: Fixture.time(Int64(number - 1) / 2))
        let miss = Fixture.span(number, 2, name: "miss", start: Fixture.time(1_000 - Int64(number)))
        return Fixture.batch("limited", hit, miss)
      }
      let newestFirst = (1...20).map { (number: UInt64) in Fixture.id(number) }.sorted {
        let (left, right) = (($0.low - 1) / 2, ($1.low - 1) / 2)
        return left != right ? left > right : $0 < $1
      }
      random.shuffle(&traces)
      try await session.write(traces)
      for limit in [1, 2, 3, 10, 19, 20, 21] {
        var query = Fixture.query("limited", operation: "hit")
        query.limit = limit
        let found = try await session.find(query)
        try expectEqual(found.traces.map(\.traceID), Array(newestFirst.prefix(limit)), "limit \(limit)")
        try expect(found.traces.allSatisfy { $0.spanCount == 2 }, "limit \(limit): a trace is incomplete")
        try expectEqual(found.summary.isTruncated, limit < 20, "limit \(limit): truncation")
      }
    },
    ConformanceCheck("slowest first ranks by the longest matching span") { session in
      guard try await session.capabilities().orders.contains(.slowest) else { return }
      try await session.write(
        Fixture.batch(
          "slow", Fixture.span(1, 1, name: "hit", durationNanoseconds: 5),
          Fixture.span(1, 2, name: "miss", durationNanoseconds: 500)),
        Fixture.batch(
          "slow", Fixture.span(2, 1, name: "hit", start: Fixture.time(-9), durationNanoseconds: 50),
          Fixture.span(2, 2, name: "hit", durationNanoseconds: 1)),
        Fixture.batch("slow", Fixture.span(3, 1, name: "hit", durationNanoseconds: 5)))
      var query = Fixture.query("slow", operation: "hit")
      query.order = .slowest
      try expectEqual(
        try await session.find(query).traces.map(\.traceID), [2, 1, 3].map { Fixture.id($0) }, "slowest first")
    },
    ConformanceCheck("a limit below one is refused") { session in
      try await session.write(Fixture.example)
      for limit in [0, -1, Int.min] {
        try await session.expectError(.invalidArgument, "limit \(limit)") {
          _ = try await session.reader().findTraces(TraceQuery(limit: limit)).collect()
        }
      }
    },
    ConformanceCheck("a filter that is not declared is refused, never approximated") { session in
      let filter = FilterExpression.call(.equal, .field(.resource, "service"), .string("example-service-1"))
      try await session.write(Fixture.example)
      try await session.expectError(.invalidArgument, "filter beside a service") {
        _ = try await session.reader().findTraces(TraceQuery(serviceName: "a", filter: filter)).collect()
      }
      guard try await session.capabilities().filter == nil else { return }
      try await session.expectError(.unsupported, "filter") {
        _ = try await session.reader().findTraces(TraceQuery(filter: filter)).collect()
      }
    },
  ]
}

import TraceModel
import TracestoreV2

extension ConformanceKit {
  static let readChecks: [ConformanceCheck] = [
    ConformanceCheck("time hints never cut a trace") { session in
      let data = Fixture.batch(
        "hints", Fixture.span(1, 1, start: Fixture.time(-Int64(Fixture.hour))), Fixture.span(1, 2),
        Fixture.span(1, 3, start: Fixture.time(Int64(Fixture.hour))))
      try await session.write(data)
      let hints = [nil, Timestamp.zero, Fixture.noon, Fixture.time(-Int64(Fixture.hour))]
      for start in hints {
        for end in hints {
          let parameters = GetTraceParameters(Fixture.id(1), start: start, end: end)
          let found = try await session.joined(session.reader().getTraces([parameters]).collect().elements)
          try expectEqual(found.map(\.spanCount), [3], "spans with hints \(String(describing: (start, end)))")
        }
      }
    },
    ConformanceCheck("traces come in the order of the request, repeated ids again") { session in
      try await session.write((1...4).map { Fixture.batch("order", Fixture.span($0)) })
      let ids = [3, 1, 9, 4, 1].map { Fixture.id($0) }
      let chunks = try await session.reader().getTraces(ids).collect().elements
      try expectEqual(chunks.map(\.traceID), [3, 1, 4, 1].map { Fixture.id($0) }, "trace ids")
    },
    ConformanceCheck("returned values belong to the caller") { session in
      guard try await session.capabilities().hasWholeModel else { return }
      var data = Fixture.kitchenSink
      let id = try data.onlyTraceID
      let keys = ContentKey.set(of: [data])
      try await session.write(data)
      data.resourceSpans[0].scopeSpans[0].spans[0].attributes.removeAll()
      var chunks = try await session.reader().getTraces([id]).collect().elements
      for index in chunks.indices {
        chunks[index].data = chunks[index].data.changed { resource, _, span in
          resource.attributes.removeAll()
          span.name = "changed"
        }
      }
      try expect(try await session.get(id).map(\.keys) == [keys], "a change of a returned value reached the store")
    },
    ConformanceCheck("a stream may be left before its end and the store goes on") { session in
      try await session.write((1...50).map { Fixture.batch("early", Fixture.span($0)) })
      for _ in 0..<50 {
        let stream = try await session.reader().findTraces(Fixture.query("early"))
        var iterator = stream.makeAsyncIterator()
        try expect(try await iterator.next() != nil, "the first trace is missing")
        stream.cancel()
        try expect(try await iterator.next() == nil, "a stream that was given up goes on")
        _ = try await session.reader().findTraces(Fixture.query("early"))
      }
      try expectEqual(try await session.find(Fixture.query("early")).traces.count, 50, "traces afterwards")
    },
    ConformanceCheck("the extent of a found trace covers all its spans") { session in
      try await session.write(
        Fixture.batch(
          "extent", Fixture.span(1, 1, name: "hit"),
          Fixture.span(1, 2, start: Fixture.time(-5_000), durationNanoseconds: 1_000_000),
          Fixture.span(1, 3, start: Fixture.time(9_000), durationNanoseconds: 0)))
      let found = try await session.reader().findTraceIDs(Fixture.query("extent", operation: "hit")).collect().elements
      try expectEqual(found.map(\.traceID), [Fixture.id(1)], "traces")
      try expect(
        found.allSatisfy { $0.start ?? Fixture.time(-5_000) == Fixture.time(-5_000) }, "start is not the earliest")
      try expect(found.allSatisfy { $0.end ?? Fixture.time(995_000) == Fixture.time(995_000) }, "end is not the latest")
    },
    ConformanceCheck("a span without an end is shown as open") { session in
      var span = Fixture.span(1)
      span.end = .zero
      try await session.write(Fixture.batch("open", span))
      let options = ReadOptions(leaseNanoseconds: .max)
      let chunks = try await session.reader().getTraces([GetTraceParameters(Fixture.id(1))], options: options).collect()
      let states = chunks.elements.flatMap(\.foundSpans).map(\.state)
      // A store may read an end of zero as an ordinary value.
      try expect(states == [.open] || states == [.final], "states are \(states)")
    },
  ]
}

import Testing
import TraceModel

@Suite struct EqualityTests {
  private let composed = "caf\u{e9}"
  private let decomposed = "cafe\u{301}"

  @Test func `doubles are equal by their bits`() {
    #expect(AttributeValue.double(.nan) == .double(.nan))
    #expect(AttributeValue.double(.nan) != .double(Double(nan: 1, signaling: false)))
    #expect(AttributeValue.double(0) != .double(-0.0))
    #expect(Set<AttributeValue>([.double(.nan), .double(.nan), .double(0), .double(-0.0)]).count == 3)
  }

  @Test func `values of different types are never equal`() {
    let values: [AttributeValue] = [
      .absent, .empty, .string(""), .bool(false), .int(0), .double(0), .bytes([]), .array([]), .map([]), .opaque([]),
    ]
    for (index, left) in values.enumerated() {
      for (other, right) in values.enumerated() { #expect((left == right) == (index == other)) }
    }
    #expect(Set(values).count == values.count)
  }

  @Test func `spellings that Swift calls equal are different content, wherever text stands`() {
    #expect(composed == decomposed)
    func differs<Value: Hashable>(_ make: (String) -> Value, _ comment: Comment) {
      #expect(make(composed) != make(decomposed), comment)
      #expect(make(composed) == make(composed), comment)
      #expect(Set([make(composed), make(decomposed), make(composed)]).count == 2, comment)
    }
    let trace = TraceID(high: 1, low: 2)
    differs({ AttributeValue.string($0) }, "a value")
    differs({ AttributeValue.array([.string($0)]) }, "an array")
    differs({ Attribute($0, 1) }, "a key")
    differs({ AttributeValue.map([Attribute($0, 1)]) }, "a map")
    differs({ SpanStatus(message: $0) }, "a status message")
    differs({ SpanEvent(name: $0) }, "an event")
    differs({ SpanLink(traceState: $0) }, "a link")
    differs({ SpanRecord(traceID: trace, spanID: SpanID(1), name: $0) }, "a span's name")
    differs({ SpanRecord(traceID: trace, spanID: SpanID(1), traceState: $0) }, "a span's trace state")
    differs({ Resource(schemaURL: $0) }, "a resource")
    differs({ InstrumentationScope(name: $0) }, "a scope's name")
    differs({ InstrumentationScope(version: $0) }, "a scope's version")
    differs({ InstrumentationScope(schemaURL: $0) }, "a scope's schema")
  }

  @Test func `every field of a record counts`() {
    let plain = SpanRecord(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3))
    let changes: [(inout SpanRecord) -> Void] = [
      { $0.traceID.low = 9 }, { $0.spanID = SpanID(9) }, { $0.traceState = "a" }, { $0.parentSpanID = SpanID(0) },
      { $0.name = "a" }, { $0.kind = .server }, { $0.start = Timestamp(nanoseconds: 1) },
      { $0.end = Timestamp(nanoseconds: 1) }, { $0.attributes = [Attribute("a", 1)] }, { $0.droppedAttributeCount = 1 },
      { $0.events = [SpanEvent()] }, { $0.droppedEventCount = 1 }, { $0.links = [SpanLink()] },
      { $0.droppedLinkCount = 1 }, { $0.status = SpanStatus() }, { $0.flags = 1 }, { $0.unknownFields = [1] },
      { $0.events = [SpanEvent(droppedAttributeCount: 1)] }, { $0.events = [SpanEvent(unknownFields: [1])] },
      { $0.events = [SpanEvent(time: Timestamp(nanoseconds: 1))] }, { $0.links = [SpanLink(flags: 1)] },
      { $0.events = [SpanEvent(attributes: [Attribute("a", 1)])] }, { $0.links = [SpanLink(spanID: SpanID(0))] },
      { $0.links = [SpanLink(traceID: TraceID(high: 0, low: 0))] }, { $0.links = [SpanLink(unknownFields: [1])] },
      { $0.links = [SpanLink(droppedAttributeCount: 1)] }, { $0.links = [SpanLink(attributes: [Attribute("a", 1)])] },
      { $0.status = SpanStatus(code: .error) }, { $0.status = SpanStatus(unknownFields: [1]) },
      { $0.attributes = [Attribute("a", 1, unknownFields: [1])] }, { $0.attributes = [Attribute("a", 1.0)] },
    ]
    let changed = changes.map { change in
      var record = plain
      change(&record)
      return record
    }
    for (index, left) in changed.enumerated() {
      #expect(left != plain, "change \(index)")
      for (other, right) in changed.enumerated() { #expect((left == right) == (index == other), "\(index), \(other)") }
    }
  }

  @Test func `order and duplicates of attributes are content`() {
    let (a, b) = (Attribute("a", 1), Attribute("b", 2))
    #expect(Resource(attributes: [a, b]) != Resource(attributes: [b, a]))
    #expect(Resource(attributes: [a]) != Resource(attributes: [a, a]))
  }
}

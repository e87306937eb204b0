import Synchronization
import Testing
import TraceModel
import TraceRecorder
import TracestoreV2

private let shop = Resource(attributes: [Attribute("service.name", "shop")])

@Suite struct LiveSpanTests {
  let writer = HeldWriter()
  let hand = Hand()

  @Test func `a span is written when it begins, when it is asked for, and when it ends`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try await recorder.beginSpan("pay", kind: .server, resource: shop)
    #expect(writer.snapshots.map(\.name) == ["pay"])
    hand.move(by: 5)
    span.addEvent("card read", attributes: [Attribute("try", 1)])
    span.setAttribute("order", 7)
    try await span.snapshot()
    hand.move(by: 5)
    try await span.end()
    #expect(writer.snapshots.map(\.sequence) == [1, 2])
    #expect(writer.snapshots.map(\.observed) == [1_000_000_000, 1_000_000_005])
    #expect(writer.snapshots.last?.events.map(\.name) == ["card read"])
    let final = try #require(writer.finals.first)
    #expect(final.end.nanoseconds == 1_000_000_010 && writer.finals.count == 1)
    // A final is an ordinary span: no control keys.
    #expect(final.attributes == [Attribute("order", 7)])
    #expect(recorder.statistics.openSpanCount == 0)
  }

  @Test func `after the end changes are ignored, and ending twice writes once`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try await recorder.beginSpan("pay", resource: shop)
    try await span.end()
    let count = writer.records.count
    span.setAttribute("late", true)
    span.addEvent("late")
    span.setName("late")
    hand.move(by: 1_000)
    try await span.end()
    try await span.snapshot()
    span.finish()
    try await recorder.flush()
    #expect(writer.records.count == count)
    #expect(span.record.attributes.isEmpty && span.record.name == "pay" && !span.isOpen)
  }

  @Test func `an attribute that is removed stays removed in every later snapshot, and ahead of the final`() async throws
  {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try await recorder.beginSpan("pay", resource: shop, attributes: [Attribute("draft", true)])
    span.setAttribute("unseen", 1)
    span.removeAttribute("draft")
    try await span.end()
    #expect(writer.snapshots.last?.attributes.value(of: "tracestore.removed") == .array(["draft"]))
    #expect(writer.records.last?.end != .zero && writer.records.last?.attributes == [Attribute("unseen", 1)])
    let other = try await recorder.beginSpan("pay", resource: shop, attributes: [Attribute("draft", true)])
    other.removeAttribute("draft")
    other.setAttribute("draft", false)
    try await other.snapshot()
    #expect(writer.snapshots.last?.attributes.value(of: "tracestore.removed") == nil)
  }

  @Test func `replacing all attributes removes what a snapshot has shown, and is no news when nothing changes`()
    async throws
  {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try recorder.startSpan(
      SpanRecord(traceID: TraceID(high: 0, low: 1), spanID: SpanID(1), attributes: [Attribute("unseen", 1)]),
      resource: shop)
    span.setAttributes([Attribute("a", 1), Attribute("b", 2)])
    #expect(span.attributes == [Attribute("a", 1), Attribute("b", 2)])
    try await recorder.flush()
    #expect(writer.snapshots.last?.attributes.value(of: "unseen") == nil)
    #expect(writer.snapshots.last?.attributes.value(of: "tracestore.removed") == nil)
    span.setAttributes([Attribute("a", 1), Attribute("b", 2)])
    try await recorder.flush()
    #expect(writer.snapshots.count == 1)
    span.setAttributes([Attribute("b", 3), Attribute("c", 4)])
    try await recorder.flush()
    #expect(writer.snapshots.count == 2 && span.attributes == [Attribute("b", 3), Attribute("c", 4)])
    #expect(writer.snapshots.last?.attributes.value(of: "tracestore.removed") == .array(["a"]))
  }

  @Test func `attributes are told apart by the bytes of their keys, and of equal ones the last counts`() throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try recorder.startSpan(
      SpanRecord(traceID: TraceID(high: 0, low: 1), spanID: SpanID(1)), resource: shop)
    span.setAttribute("caf\u{e9}", 1)
    span.setAttribute("cafe\u{301}", 2)
    #expect(span.attributes == [Attribute("caf\u{e9}", 1), Attribute("cafe\u{301}", 2)])
    span.setAttributes([Attribute("cafe\u{301}", 3), Attribute("x", 4), Attribute("x", 5)])
    #expect(span.attributes == [Attribute("cafe\u{301}", 3), Attribute("x", 5)])
    span.removeAttribute("caf\u{e9}")
    #expect(span.attributes.count == 2)
  }

  @Test func `a status only rises`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try await recorder.beginSpan("pay", resource: shop)
    span.setStatus(.error, message: "first")
    span.setStatus(.unset)
    #expect(span.record.status == SpanStatus(code: .error, message: "first"))
    span.setStatus(.ok)
    span.setStatus(.error, message: "late")
    #expect(span.record.status == SpanStatus(code: .ok))
  }

  @Test func `a span that is dropped stays open with its last state, and is forgotten`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    do {
      let span = try await recorder.beginSpan("pay", resource: shop)
      span.addEvent("last words")
    }
    writer.fail(TracestoreError(.diskFull, "full"))
    await #expect(throws: TracestoreError.self) { try await recorder.flush() }
    writer.fail(nil)
    try await recorder.flush()
    #expect(writer.snapshots.last?.events.map(\.name) == ["last words"] && writer.finals.isEmpty)
    #expect(recorder.statistics.openSpanCount == 0)
  }

  @Test func `what is over the limit is counted as dropped, and ids of zeros are refused`() async throws {
    var options = hand.options()
    options.maximumElementCount = 2
    options.maximumOpenSpanCount = 1
    let recorder = SpanRecorder(writer: writer, options: options)
    let span = try await recorder.beginSpan("pay", resource: shop)
    for index in 0..<5 {
      span.addEvent("\(index)")
      span.setAttribute("\(index)", 1)
      span.addLink(SpanLink(spanID: SpanID(UInt64(index))))
    }
    let record = span.record
    #expect(record.events.count == 2 && record.droppedEventCount == 3)
    #expect(record.attributes.count == 2 && record.droppedAttributeCount == 3)
    #expect(record.links.count == 2 && record.droppedLinkCount == 3)
    await #expect(throws: TracestoreError.self) { _ = try await recorder.beginSpan("two", resource: shop) }
    try await span.end()
    await #expect(throws: TracestoreError.self) {
      _ = try await recorder.beginSpan("zero", resource: shop, spanID: SpanID(0))
    }
  }

  @Test func `an attribute that was removed stays so when there is no room to set it again`() async throws {
    let recorder = SpanRecorder(writer: writer, options: hand.options())
    let span = try await recorder.beginSpan("pay", resource: shop, attributes: [Attribute("gone", 1)])
    span.removeAttribute("gone")
    for number in 0..<1000 { span.setAttribute("key \(number)", .int(Int64(number))) }
    span.setAttribute("gone", 2)
    try await span.snapshot()
    let snapshot = try #require(writer.snapshots.last)
    #expect(snapshot.attributes.value(of: "tracestore.removed") == .array([.string("gone")]))
    #expect(snapshot.attributes.value(of: "gone") == nil)
  }
}

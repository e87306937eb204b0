import Testing
import TraceAnalysis
import TraceModel
import TracestoreV2

@Suite struct LiveFiguresTests {
  private static let minute = LiveFigures.minuteNanoseconds

  private static func found(
    _ service: String, minute: UInt64, id: UInt64 = 1, parent: UInt64? = nil, _ kind: SpanKind = .server,
    duration: UInt64 = 10_000_000, isError: Bool = false, trace: UInt64 = 1
  ) -> FoundSpan {
    FoundSpan(
      resource: Resource(attributes: [Attribute("service.name", .string(service))]), scope: InstrumentationScope(),
      span: SpanRecord(
        traceID: TraceID(high: 1, low: trace), spanID: SpanID(id), parentSpanID: parent.map { SpanID($0) }, name: "op",
        kind: kind, start: Timestamp(nanoseconds: minute * Self.minute + 5),
        end: Timestamp(nanoseconds: minute * Self.minute + 5 + duration),
        status: isError ? SpanStatus(code: .error) : nil))
  }

  @Test func `spans count once where they enter a service, in the minute they started in`() {
    var live = LiveFigures(minuteCount: 3)
    live.advance(to: Timestamp(nanoseconds: 100 * Self.minute))
    live.add(Self.found("a", minute: 100))
    live.add(Self.found("a", minute: 100, isError: true))
    live.add(Self.found("a", minute: 100, parent: 9, .client))
    live.add(Self.found("b", minute: 99, .internal))
    live.add(Self.found("a", minute: 97))
    live.add(Self.found("a", minute: 500))
    #expect(live.ignoredSpanCount == 2)
    let cells = live.cells(ofMinute: 100)
    #expect(cells.map(\.service) == ["a"])
    #expect(cells.map(\.cell.callCount) == [2] && cells.map(\.cell.errorCount) == [1])
    #expect(live.cells(ofMinute: 99).map(\.service) == ["b"])
    live.advance(to: Timestamp(nanoseconds: 102 * Self.minute))
    #expect(live.minutes == [100])
  }

  @Test func `services beyond the limit are counted together`() {
    var live = LiveFigures(maximumServiceCount: 2)
    live.advance(to: Timestamp(nanoseconds: 100 * Self.minute))
    for index in 0..<10 { live.add(Self.found("s\(index)", minute: 100)) }
    let cells = live.cells(ofMinute: 100)
    #expect(cells.count == 3 && cells.map(\.cell.callCount).reduce(0, +) == 10)
    #expect(cells.contains { $0.service == LiveFigures.otherServices && $0.cell.callCount == 8 })
  }

  @Test func `completed traces make a graph`() {
    var live = LiveFigures()
    live.advance(to: Timestamp(nanoseconds: 100 * Self.minute))
    for index in 1...3 as ClosedRange<UInt64> {
      live.add(trace: [
        Self.found("front", minute: 100, id: 1, .server, trace: index),
        Self.found("front", minute: 100, id: 2, parent: 1, .client, trace: index),
        Self.found("cart", minute: 100, id: 3, parent: 2, .server, isError: index == 1, trace: index),
      ])
    }
    #expect(live.links.map(\.parent) == ["front"] && live.links.map(\.child) == ["cart"])
    #expect(live.links.map(\.callCount) == [3] && live.links.map(\.errorCount) == [1])
    live.advance(to: Timestamp(nanoseconds: 200 * Self.minute))
    #expect(live.links.isEmpty)
  }

  @Test func `what is far from the minutes before is marked, steady and young services are not`() {
    var live = LiveFigures()
    live.advance(to: Timestamp(nanoseconds: 110 * Self.minute))
    for minute in 100...110 as ClosedRange<UInt64> {
      for index in 0..<(20 + minute % 3) {
        live.add(Self.found("slow", minute: minute, duration: minute == 110 ? 90_000_000 : 10_000_000 + index))
        live.add(Self.found("steady", minute: minute, isError: index == 0 && minute % 2 == 0))
        if minute == 110 { live.add(Self.found("young", minute: minute)) }
      }
      if minute == 110 { for _ in 0..<100 { live.add(Self.found("busy", minute: minute)) } }
      live.add(Self.found("busy", minute: minute))
    }
    let marks = live.marks(inMinute: 110)
    #expect(marks.map { "\($0.service) \($0.figure.rawValue)" } == ["busy calls", "slow percentile95"])
    #expect(marks.allSatisfy { $0.score > 5 })
    #expect(live.marks(inMinute: 103).isEmpty)
  }
}

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

  @Test func `figures stay inside their bytes, whatever is forgotten is counted`() {
    var live = LiveFigures(minuteCount: 60, maximumServiceCount: 50, maximumByteCount: 1 << 18)
    live.advance(to: Timestamp(nanoseconds: 159 * Self.minute))
    var count: UInt64 = 0
    for minute in 100...159 as ClosedRange<UInt64> {
      for index in 0..<2000 as Range<UInt64> {
        // Durations of all magnitudes, and names that nobody has twice.
        let name = index % 2 == 0 ? "s\(index % 40)" : "\(minute)-\(index)"
        live.add(Self.found(name, minute: minute, duration: 1 << (index % 40) + index * index))
        count += 1
      }
      #expect(live.byteCount <= 1 << 18 + 1 << 16)
    }
    #expect(live.losses.forgottenMinuteCount > 0 && live.minutes.last == 159)
    #expect(UInt64(live.minutes.count) + live.losses.forgottenMinuteCount == 60)
    for minute in live.minutes {
      #expect(live.cells(ofMinute: minute).map(\.cell.callCount).reduce(0, +) == 2000)
      #expect(live.cells(ofMinute: minute).count <= 51)
    }
    // A minute that was forgotten stays so.
    live.add(Self.found("late", minute: 100))
    #expect(live.ignoredSpanCount == 1 && live.minutes.first != 100)
    #expect(live.spanCount == count + 1)
  }

  @Test func `names beyond the room are counted together, and forgotten with their minutes`() {
    var live = LiveFigures(minuteCount: 2, maximumServiceCount: 4, maximumByteCount: 1 << 16)
    for minute in 100..<200 as Range<UInt64> {
      live.advance(to: Timestamp(nanoseconds: minute * Self.minute))
      for index in 0..<20 {
        live.add(Self.found("\(minute) \(index)", minute: minute))
      }
      let cells = live.cells(ofMinute: minute)
      #expect(cells.map(\.cell.callCount).reduce(0, +) == 20 && cells.count == 5)
      let named = cells.map(\.service).filter { $0 != LiveFigures.otherServices }
      #expect(named.allSatisfy { $0.hasPrefix("\(minute) ") })
    }
    live.add(Self.found(String(repeating: "long", count: 1 << 16), minute: 199))
    #expect(live.cells(ofMinute: 199).first { $0.service == LiveFigures.otherServices }?.cell.callCount == 17)
    #expect(live.byteCount <= 1 << 16)
  }

  @Test func `bytes are those of what is held, however many minutes have gone`() {
    func figures(from first: UInt64) -> LiveFigures {
      var live = LiveFigures(minuteCount: 3)
      for minute in first..<1_100 {
        live.advance(to: Timestamp(nanoseconds: minute * Self.minute))
        live.add(Self.found("cart", minute: minute))
      }
      return live
    }
    #expect(figures(from: 100).byteCount == figures(from: 1_097).byteCount)
  }

  @Test func `names that were too many have room when others have gone with their minutes`() {
    // Room for 64 names, of which 61 are alive.
    var live = LiveFigures(minuteCount: 15, maximumServiceCount: 4)
    for minute in 100..<200 as Range<UInt64> {
      live.advance(to: Timestamp(nanoseconds: minute * Self.minute))
      for index in 0..<4 { live.add(Self.found("\(minute) \(index)", minute: minute)) }
      let services = live.cells(ofMinute: minute).map(\.service)
      #expect(services == (0..<4).map { "\(minute) \($0)" })
    }
  }

  @Test func `edges beyond the limit are left out, and their calls counted`() {
    var live = LiveFigures(maximumServiceCount: 3)
    live.advance(to: Timestamp(nanoseconds: 100 * Self.minute))
    for index in 1...5 as ClosedRange<UInt64> {
      live.add(trace: [
        Self.found("front", minute: 100, id: 2, parent: 0, .client, trace: index),
        Self.found("s\(index)", minute: 100, id: 3, parent: 2, .server, trace: index),
      ])
    }
    #expect(live.links.map(\.child) == ["s1", "s2", "s3"])
    #expect(live.losses.ignoredCallCount == 2)
  }

  @Test func `halves of calls without the other half are shown`() {
    var live = LiveFigures()
    live.advance(to: Timestamp(nanoseconds: 100 * Self.minute))
    live.add(trace: [Self.found("cart", minute: 100, id: 3, parent: 2, .server)])
    live.add(trace: [Self.found("front", minute: 100, id: 2, .client)])
    live.add(trace: [Self.found("front", minute: 100, id: 2, .client)])
    #expect(live.links.isEmpty)
    #expect(live.unpaired.map(\.service) == ["cart", "front"])
    #expect(live.unpaired.map(\.calleeCount) == [1, 0] && live.unpaired.map(\.callerCount) == [0, 2])
  }
}

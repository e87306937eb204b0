import Testing
import TraceAnalysis
import TraceModel
import TracestoreV2

/// Critical path and self time against an interpretation that asks every nanosecond.
@Suite struct TraceTimesTests {
  private static func span(
    _ id: UInt64, parent: UInt64? = nil, _ start: UInt64, _ end: UInt64, _ kind: SpanKind = .internal
  ) -> FoundSpan {
    FoundSpan(
      resource: Resource(attributes: [Attribute("service.name", .string("s\(id)"))]), scope: InstrumentationScope(),
      span: SpanRecord(
        traceID: TraceID(high: 1, low: 2), spanID: SpanID(id), parentSpanID: parent.map { SpanID($0) }, name: "op\(id)",
        kind: kind, start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: end)))
  }

  /// Critical nanoseconds by span id.
  private static func critical(_ times: TraceTimes) -> [UInt64: UInt64] {
    var result: [UInt64: UInt64] = [:]
    for (index, found) in times.forest.spans.enumerated() where times.criticalNanoseconds[index] > 0 {
      result[found.span.spanID.rawValue, default: 0] += times.criticalNanoseconds[index]
    }
    return result
  }

  private static func times(_ spans: [FoundSpan]) -> TraceTimes { TraceTimes(TraceForest(spans)) }

  @Test func `the last child to end is to blame, then the one that had ended before it began`() {
    let times = Self.times([
      Self.span(1, 0, 100), Self.span(2, parent: 1, 10, 40), Self.span(3, parent: 1, 20, 60),
      Self.span(4, parent: 1, 70, 90), Self.span(5, parent: 4, 72, 80),
    ])
    #expect(Self.critical(times) == [1: 40, 3: 40, 4: 12, 5: 8])
    #expect(times.path.map(\.nanoseconds).reduce(0, +) == 100)
    #expect(times.path.map(\.start) == times.path.map(\.start).sorted())
    #expect(times.selfNanoseconds == [30, 30, 40, 12, 8])
  }

  @Test func `children that outlive their parent, skewed clocks, orphans and consumers cut time off and add none`() {
    let times = Self.times([
      Self.span(1, 100, 200), Self.span(2, parent: 1, 150, 300), Self.span(3, parent: 2, 180, 250),
      Self.span(4, parent: 1, 20, 60), Self.span(5, parent: 99, 400, 410),
      Self.span(6, parent: 1, 120, 500, .consumer),
    ])
    #expect(Self.critical(times) == [1: 50, 2: 30, 3: 20, 5: 10, 6: 380])
    #expect(times.totalNanoseconds == 100 + 10 + 380)
  }

  @Test func `a circle has a root, and a span that is its own parent is one`() {
    let times = Self.times([
      Self.span(1, parent: 2, 0, 50), Self.span(2, parent: 1, 10, 30), Self.span(3, parent: 3, 60, 70),
    ])
    #expect(times.forest.roots.count == 2)
    #expect(Self.critical(times) == [1: 30, 2: 20, 3: 10])
  }

  @Test(.timeLimit(.minutes(1))) func `many spans that share an id find their parents in time`() {
    let count = 60_000 as UInt64
    let kinds: [SpanKind] = [.internal, .client, .server]
    let spans = (0..<count).map { index in
      var found = Self.span(1 + index % 2, parent: 2 - index % 2, index, index + 10, kinds[Int(index % 3)])
      found.span.name = "op"
      return found
    }
    let forest = TraceForest(spans)
    #expect(forest.parents.count == spans.count)
    // The first client half of each id stands behind the servers that share it.
    let halves = [1, 4]
    for index in forest.spans.indices where forest.spans[index].span.kind == .server {
      #expect(forest.parents[index] == halves[(index % 2 == 1) ? 0 : 1])
    }
  }

  @Test func `spans as long as time itself have their times`() {
    let most = UInt64.max
    let middle = UInt64(1) << 62
    let times = Self.times([Self.span(1, 1, most), Self.span(2, parent: 1, middle, most - 5), Self.span(3, 5, most)])
    #expect(times.selfNanoseconds == [middle + 4, most - 5, most - 5 - middle])
    #expect(times.totalNanoseconds == .max)
  }

  @Test func `long chains need no deep stack`() {
    let spans = (0..<20_000 as Range<UInt64>).map { Self.span($0 + 1, parent: $0 == 0 ? nil : $0, $0, 100_000 - $0) }
    let times = Self.times(spans)
    #expect(times.criticalNanoseconds.reduce(0, +) == 100_000)
  }

  @Test(arguments: 1...300 as ClosedRange<UInt64>)
  func `random traces have the times of the plain interpretation`(_ seed: UInt64) {
    var random = SplitMix(state: seed)
    let count = 1 + Int(random.next() % 9)
    let spans = (0..<count).map { _ in
      let start = random.next() % 30
      let kinds: [SpanKind] = [.internal, .server, .client, .consumer, .producer]
      return Self.span(
        random.next() % 8 + 1, parent: random.next() % 4 == 0 ? nil : random.next() % 9, start,
        start + random.next() % 25, kinds[Int(random.next() % 5)])
    }
    let times = Self.times(spans)
    let naive = NaiveTimes(times.forest)
    #expect(times.criticalNanoseconds == naive.critical, "seed \(seed)")
    #expect(times.selfNanoseconds == naive.own, "seed \(seed)")
    #expect(times.criticalNanoseconds.reduce(0, +) == times.totalNanoseconds, "seed \(seed)")
    #expect(times.path.map(\.nanoseconds).reduce(0, +) == times.totalNanoseconds, "seed \(seed)")
  }
}

/// One question a nanosecond.
private struct NaiveTimes {
  var critical: [UInt64]
  var own: [UInt64]
  private let forest: TraceForest

  init(_ forest: TraceForest) {
    self.forest = forest
    critical = forest.spans.map { _ in 0 }
    own = critical
    for index in forest.spans.indices {
      for instant in range(index) where isSeen(index, instant) {
        if !awaited(index).contains(where: { isSeen($0, instant) }) { own[index] += 1 }
      }
    }
    for root in forest.spans.indices where forest.parents[root] == nil || isConsumer(root) {
      // Who is to blame, from the root down; a span leaves the list when time passes its start.
      var blamed = [root]
      for instant in range(root).reversed() {
        while blamed.count > 1, let last = blamed.last, !isSeen(last, instant) { blamed.removeLast() }
        // A child that has just ended, as the parent sees it.
        while let child = awaited(blamed[blamed.count - 1])
          .filter({ isSeen($0, instant) && !isSeen($0, instant + 1, below: blamed[blamed.count - 1]) })
          .max(by: { isLess($0, $1) })
        {
          blamed.append(child)
        }
        critical[blamed[blamed.count - 1]] += 1
      }
    }
  }

  private func isConsumer(_ index: Int) -> Bool { forest.spans[index].span.kind == .consumer }
  private func awaited(_ index: Int) -> [Int] { forest.children[index].filter { !isConsumer($0) } }
  private func range(_ index: Int) -> Range<UInt64> {
    let span = forest.spans[index].span
    return span.start.nanoseconds..<max(span.start.nanoseconds, span.end.nanoseconds)
  }

  private func isSeen(_ index: Int, _ instant: UInt64) -> Bool {
    guard range(index).contains(instant) else { return false }
    guard !isConsumer(index), let parent = forest.parents[index] else { return true }
    return isSeen(parent, instant)
  }

  /// Whether a child is seen at an instant that its parent is to answer for.
  private func isSeen(_ index: Int, _ instant: UInt64, below parent: Int) -> Bool { isSeen(index, instant) }

  /// Of children that end together the one that starts first, then the smaller index.
  private func isLess(_ left: Int, _ right: Int) -> Bool {
    func start(_ index: Int) -> UInt64 { range(index).first { isSeen(index, $0) } ?? .max }
    return start(left) != start(right) ? start(left) > start(right) : left > right
  }
}

struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

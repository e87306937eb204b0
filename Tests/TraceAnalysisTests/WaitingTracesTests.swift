import Testing
import TraceGraph
import TraceModel

/// Traces that wait, against the plainest words that say which go when.
@Suite struct WaitingTracesTests {
  /// A list of all traces, the one of which something came last at the end, and the places of a ring.
  private struct NaiveTraces {
    var maximumSpanCount: Int
    var traces: [(id: TraceID, spans: [CallSpan], last: UInt64)] = []
    /// The trace that has each place, for as long as it waits.
    var ring: [Int: TraceID] = [:]
    var count = 0
    var earlyCount: UInt64 = 0
    var taken: [[UInt64]] = []

    mutating func add(_ arrived: StreamedSpan, at now: UInt64) {
      let place = count % maximumSpanCount
      if let id = ring[place] {
        earlyCount += 1
        take { $0 == id }
      }
      ring[place] = arrived.trace
      count += 1
      var trace = (id: arrived.trace, spans: [CallSpan](), last: now)
      if let known = traces.firstIndex(where: { $0.id == arrived.trace }) { trace = traces.remove(at: known) }
      trace.spans.append(arrived.span)
      trace.last = now
      traces.append(trace)
    }

    mutating func takeQuiet(_ quiet: UInt64, at now: UInt64) {
      while let first = traces.first, now < first.last || now - first.last >= quiet { take { $0 == first.id } }
    }

    mutating func take(_ isTaken: (TraceID) -> Bool) {
      for trace in traces where isTaken(trace.id) { taken.append(Set(trace.spans.map(Self.key)).sorted()) }
      traces.removeAll { isTaken($0.id) }
      ring = ring.filter { !isTaken($0.value) }
    }

    static func key(_ span: CallSpan) -> UInt64 { span.spanID << 8 | span.start }
  }

  private static func span(_ trace: UInt64, _ id: UInt64, start: UInt64 = 1) -> StreamedSpan {
    StreamedSpan(
      trace: TraceID(high: trace % 3, low: trace),
      span: CallSpan(
        spanID: id, parentID: 0, start: start, duration: 1, service: UInt32(id % 3), role: .server, isError: false))
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func `random spans are handed over as the plain list says, repeats once`(_ seed: UInt64) {
    var random = Random(state: seed)
    let maximum = [1, 7, 300, 3000][Int(seed % 4)]
    var waiting = WaitingTraces(maximumSpanCount: maximum)
    var naive = NaiveTraces(maximumSpanCount: maximum)
    var taken: [[UInt64]] = []
    func take(_ spans: UnsafeBufferPointer<CallSpan>) {
      let keys = spans.map(NaiveTraces.key)
      #expect(Set(keys).count == keys.count, "seed \(seed): a repeat")
      taken.append(keys.sorted())
    }
    var now: UInt64 = 100
    for _ in 0..<400 {
      now += random.next() % 50
      let traceCount = 1 + random.next() % (seed % 2 == 0 ? 20 : 4000)
      let arrived = (0..<random.next() % 40).map { _ in
        Self.span(random.next() % traceCount, random.next() % 9, start: random.next() % 2)
      }
      arrived.withUnsafeBufferPointer { waiting.add($0, at: now, take) }
      for span in arrived { naive.add(span, at: now) }
      if random.next() % 8 == 0 {
        waiting.takeQuiet(200, at: now, take)
        naive.takeQuiet(200, at: now)
      }
      #expect(waiting.spanCount == naive.traces.reduce(0) { $0 + $1.spans.count }, "seed \(seed)")
      guard taken == naive.taken else {
        Issue.record("seed \(seed): others were handed over")
        return
      }
    }
    waiting.takeQuiet(0, at: now, take)
    naive.takeQuiet(0, at: now)
    #expect(taken == naive.taken && waiting.earlyCount == naive.earlyCount, "seed \(seed)")
    #expect(waiting.spanCount == 0 && !taken.isEmpty, "seed \(seed)")
  }

  @Test func `memory is bounded by the spans that may wait`() {
    var waiting = WaitingTraces(maximumSpanCount: 4096)
    var count = 0
    for index in 0..<200_000 as Range<UInt64> {
      let arrived = [Self.span(index, 1)]
      arrived.withUnsafeBufferPointer { waiting.add($0, at: index) { count += $0.count } }
    }
    #expect(count == 200_000 - 4096 && waiting.earlyCount == 200_000 - 4096)
    // Arrays and tables grow by doubling.
    #expect(waiting.byteCount <= 2 * 4096 * (56 + 64 + 16))
  }

  @Test(arguments: [2, 30, 257, 1500])
  func `repeats in a trace of any size are handed over once`(_ count: UInt64) {
    var waiting = WaitingTraces(maximumSpanCount: 1 << 13)
    let once = (0..<count).map { Self.span(7, $0 / 2 &* 0x9e37_79b9_7f4a_7c15, start: $0 & 1) }
    for arrived in [once, once.reversed(), once] { arrived.withUnsafeBufferPointer { waiting.add($0, at: 1) { _ in } } }
    var keys: [[UInt64]] = []
    waiting.takeAll { keys.append($0.map { $0.spanID &* 2 &+ $0.start }) }
    #expect(keys.count == 1 && keys[0].count == once.count && Set(keys[0]).count == once.count)
    #expect(waiting.spanCount == 0)
  }

  @Test func `a clock that is set back holds up nobody`() {
    var waiting = WaitingTraces(maximumSpanCount: 16)
    for (trace, now) in [(1, 1_000_000), (2, 10)] as [(UInt64, UInt64)] {
      [Self.span(trace, 1)].withUnsafeBufferPointer { waiting.add($0, at: now) { _ in } }
    }
    var count = 0
    waiting.takeQuiet(5, at: 12) { count += $0.count }
    #expect(count == 1)
    waiting.takeQuiet(5, at: 15) { count += $0.count }
    #expect(count == 2)
  }

  @Test func `a trace of more spans than may wait is handed over in parts`() {
    var waiting = WaitingTraces(maximumSpanCount: 100)
    let arrived = (0..<1000 as Range<UInt64>).map { Self.span(7, $0) }
    var sizes: [Int] = []
    arrived.withUnsafeBufferPointer { waiting.add($0, at: 1) { sizes.append($0.count) } }
    waiting.takeAll { sizes.append($0.count) }
    #expect(sizes == [Int](repeating: 100, count: 10))
  }
}

/// SplitMix64.
private struct Random {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

import Testing
import TraceModel
import TracestoreTesting

@Suite("Every shape of traffic")
struct GeneratorTests {
  static let awkwardCounts = [1, 9, 10, 511, 513, 10_007]

  @Test("The same parameters give the same two thousand spans, on every machine")
  func goldenDigests() {
    let uniform = TrafficGenerator(shape: .uniform, spanCount: 2000, seed: 42)
    #expect(TrafficDigest.of(uniform) == 1_987_877_110_200_749_025)
    #expect(TrafficDigest.of(uniform) == TrafficDigest.of(uniform))
    let realistic = TrafficGenerator(shape: .realistic, spanCount: 2000, seed: 42)
    #expect(TrafficDigest.of(realistic) == 2_960_101_450_645_491_661)
    #expect(TrafficDigest.of(realistic) == TrafficDigest.of(realistic))
  }

  @Test("Another seed gives other spans", arguments: TrafficGenerator.Shape.allCases)
  func seedsDiffer(shape: TrafficGenerator.Shape) {
    let digests = (0..<4).map { TrafficDigest.of(TrafficGenerator(shape: shape, spanCount: 100, seed: $0)) }
    #expect(Set(digests).count == digests.count)
  }

  @Test("No spans are no requests", arguments: TrafficGenerator.Shape.allCases)
  func nothing(shape: TrafficGenerator.Shape) {
    var iterator = TrafficGenerator(shape: shape, spanCount: 0).makeIterator()
    #expect(iterator.next() == nil)
    #expect(iterator.traceCount == 0)
  }

  @Test(
    "Counts are exact, ids unique, parents present, requests full and in order of end time",
    arguments: TrafficGenerator.Shape.allCases, awkwardCounts)
  func structure(shape: TrafficGenerator.Shape, count: Int) {
    let generator = TrafficGenerator(shape: shape, spanCount: count, seed: 7)
    var spansByTrace: [TraceID: [SpanRecord]] = [:]
    var spanIDs: Set<SpanID> = []
    var requestCounts: [Int] = []
    var lastEnd = Timestamp.zero
    var iterator = generator.makeIterator()
    while let request = iterator.next() {
      requestCounts.append(request.spanCount)
      var ends: [Timestamp] = []
      request.forEachSpan { _, _, span in
        spansByTrace[span.traceID, default: []].append(span)
        spanIDs.insert(span.spanID)
        ends.append(span.end)
      }
      ends.sort()
      #expect(ends.first.map { $0 >= lastEnd } == true)
      lastEnd = ends.last ?? lastEnd
      #expect(Set(request.resourceSpans.map(\.resource)).count == request.resourceSpans.count)
      for group in request.resourceSpans {
        #expect(Set(group.scopeSpans.map(\.scope)).count == group.scopeSpans.count)
        for scoped in group.scopeSpans { #expect(scoped.spans.map(\.end) == scoped.spans.map(\.end).sorted()) }
      }
    }
    #expect(requestCounts.reduce(0, +) == count)
    #expect(requestCounts.dropLast().allSatisfy { $0 == generator.requestSpanCount })
    #expect(requestCounts.count == (count + generator.requestSpanCount - 1) / generator.requestSpanCount)
    #expect(spanIDs.count == count)
    #expect(iterator.traceCount == spansByTrace.count)
    #expect(lastEnd == generator.until)
    for (traceID, spans) in spansByTrace {
      let ids = Set(spans.map(\.spanID))
      #expect(!traceID.isZero)
      #expect(spans.filter { $0.parentSpanID == nil }.count == 1)
      #expect(spans.allSatisfy { !$0.spanID.isZero && $0.start < $0.end })
      #expect(spans.allSatisfy { span in span.parentSpanID.map { ids.contains($0) } ?? true })
    }
  }

  @Test("How requests are cut does not change any span", arguments: TrafficGenerator.Shape.allCases)
  func cuttingChangesNoSpan(shape: TrafficGenerator.Shape) {
    func spans(_ requestSpanCount: Int) -> [SpanRecord] {
      let generator = TrafficGenerator(shape: shape, spanCount: 700, seed: 3, requestSpanCount: requestSpanCount)
      return generator.flatMap { $0.resourceSpans.flatMap { $0.scopeSpans.flatMap(\.spans) } }
        .sorted { $0.spanID < $1.spanID }
    }
    #expect(spans(512) == spans(1))
    #expect(spans(512) == spans(1000))
  }

  @Test("The last span ends to the nanosecond where it is told to", arguments: TrafficGenerator.Shape.allCases)
  func endsExactly(shape: TrafficGenerator.Shape) {
    for offset: UInt64 in [0, 1, 999, 123_456_789] {
      let until = Timestamp(nanoseconds: shape.minimumUntil.nanoseconds + offset)
      let generator = TrafficGenerator(shape: shape, spanCount: 300, seed: offset, until: until)
      #expect(TrafficStatistics(generator).lastEnd == until, "offset \(offset)")
    }
  }

  @Test("Traffic fills its window whatever the span count", arguments: TrafficGenerator.Shape.allCases)
  func fillsTheWindow(shape: TrafficGenerator.Shape) {
    for count in [2000, 20_000] {
      let statistics = TrafficStatistics(TrafficGenerator(shape: shape, spanCount: count, seed: 11))
      let length = statistics.lastEnd.nanoseconds - statistics.firstStart.nanoseconds
      #expect(length > shape.windowNanoseconds / 10 * 9)
      #expect(length < shape.windowNanoseconds / 10 * 11)
    }
  }

  @Test("Several chunks make one stream in order of end time", arguments: TrafficGenerator.Shape.allCases)
  func manyChunks(shape: TrafficGenerator.Shape) {
    let count = 160_003
    var total = 0
    var lastEnd = Timestamp.zero
    var spanIDs: Set<SpanID> = []
    for request in TrafficGenerator(shape: shape, spanCount: count, seed: 5, requestSpanCount: 4096) {
      var first = Timestamp.maximum
      var last = Timestamp.zero
      request.forEachSpan { _, _, span in
        first = min(first, span.end)
        last = max(last, span.end)
        spanIDs.insert(span.spanID)
      }
      #expect(first >= lastEnd)
      lastEnd = last
      total += request.spanCount
    }
    #expect(total == count)
    #expect(spanIDs.count == count)
    #expect(lastEnd == shape.defaultUntil)
  }
}

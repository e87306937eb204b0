import Testing
import TraceAnalysis
import TraceModel
import TracestoreV2

@Suite struct ComparisonTests {
  private static func profile(_ count: Int, durations: (Int) -> UInt64, errorShare: Int = 0, extra: String? = nil)
    -> TraceProfile
  {
    var profile = TraceProfile()
    for index in 0..<count {
      func found(_ name: String, _ id: UInt64, _ parent: UInt64?, _ duration: UInt64) -> FoundSpan {
        FoundSpan(
          resource: Resource(attributes: [Attribute("service.name", .string("shop"))]), scope: InstrumentationScope(),
          span: SpanRecord(
            traceID: TraceID(high: 1, low: UInt64(index) + 1), spanID: SpanID(id),
            parentSpanID: parent.map { SpanID($0) }, name: name, kind: .server, start: Timestamp(nanoseconds: 1_000),
            end: Timestamp(nanoseconds: 1_000 + duration),
            status: errorShare > 0 && index % errorShare == 0 ? SpanStatus(code: .error) : nil))
      }
      var spans = [found("GET /", 1, nil, durations(index))]
      if let extra { spans.append(found(extra, 2, 1, durations(index) / 2)) }
      profile.add(spans)
    }
    return profile
  }

  @Test func `equal sets show nothing, slower ones are clear when the samples are large enough`() throws {
    let fast = Self.profile(400) { 1_000 + UInt64($0 % 100) }
    let slow = Self.profile(400) { 2_000 + UInt64($0 % 100) }
    let same = try #require(ProfileComparison(before: fast, after: fast).rows.first)
    #expect(!same.median.isClear && !same.percentile95.isClear && !same.errorRate.isClear)
    let changed = try #require(ProfileComparison(before: fast, after: slow).rows.first)
    #expect(changed.median.isClear && changed.percentile95.isClear)
    #expect(changed.selfPerTrace.after - changed.selfPerTrace.before == 1_000)
    let few = Self.profile(4) { 2_000 + UInt64($0) }
    let unsure = try #require(ProfileComparison(before: fast, after: few).rows.first)
    #expect(unsure.median.after == nil && !unsure.median.isClear)
    #expect(unsure.after?.durations == [2_000, 2_001, 2_002, 2_003])
  }

  @Test func `more errors are clear or not by the size of the samples`() throws {
    let good = Self.profile(300, durations: { _ in 10 })
    let bad = Self.profile(300, durations: { _ in 10 }, errorShare: 10)
    #expect(try #require(ProfileComparison(before: good, after: bad).rows.first).errorRate.isClear)
    let few = Self.profile(10, durations: { _ in 10 }, errorShare: 10)
    #expect(try !#require(ProfileComparison(before: good, after: few).rows.first).errorRate.isClear)
  }

  @Test func `operations and edges appear and vanish, and what is rare is not called gone`() {
    let plain = Self.profile(50) { _ in 100 }
    let more = Self.profile(50, durations: { _ in 100 }, extra: "SELECT")
    let comparison = ProfileComparison(before: plain, after: more)
    #expect(comparison.rows.map(\.presence).contains(.appeared))
    #expect(comparison.edges.map(\.presence) == [.appeared])
    #expect(ProfileComparison(before: more, after: plain).edges.map(\.presence) == [.vanished])
    let one = Self.profile(1) { _ in 100 }
    #expect(ProfileComparison(before: more, after: one).edges.map(\.presence) == [.rare])
    #expect(ProfileComparison(before: more, after: TraceProfile()).edges.map(\.presence) == [.rare])
  }

  @Test func `ranges of quantiles and shares are those of the formulas`() throws {
    let values = (1...100).map { UInt64($0) }
    let median = try #require(Interval.quantile(0.5, of: values))
    // Ranks 50 ± 9.8.
    #expect(median.value == 50 && median.low == 40 && median.high == 61)
    #expect(Interval.quantile(0.5, of: Array(values.prefix(4))) == nil)
    #expect(Interval.quantile(0.95, of: Array(values.prefix(50))) == nil)
    let share = try #require(Interval.share(0, of: 20))
    #expect(share.value == 0 && share.low == 0 && abs(share.high - 0.2) < 0.001)
    #expect(Interval.share(0, of: 0) == nil)
  }

  @Test func `the critical times of a profile add up to the durations of the roots`() {
    let profile = Self.profile(20, durations: { UInt64($0) * 10 }, extra: "SELECT")
    #expect(profile.operations.map(\.figures.criticalNanoseconds).reduce(0, +) == profile.totalNanoseconds)
    #expect(profile.totalNanoseconds == 1_900)
  }
}

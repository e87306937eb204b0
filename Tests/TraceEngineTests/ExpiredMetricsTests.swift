import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// Spans that have expired are counted once, by the hour; those that live are counted where they live.
@Suite struct ExpiredMetricsTests {
  typealias Clock = RetentionTests.TestClock
  static let hour = RetentionTests.hour

  /// All calls by operation and hour.
  static func query(quantile: Double? = nil) -> MetricsQuery {
    MetricsQuery(
      serviceNames: [], groups: [.operation], spanKinds: [], end: .maximum, lookbackNanoseconds: .max,
      stepNanoseconds: hour, ratePerNanoseconds: hour, quantile: quantile)
  }

  /// A point of a series of expired or of living spans.
  struct Place: Hashable {
    var isExpired: Bool
    var service: String
    var operation: String
    var hour: UInt64
  }

  /// Texts are told apart by their bytes.
  static func places(_ family: MetricFamily) -> [(place: Place, value: Double)] {
    family.metrics.flatMap { metric in
      let names = metric.labels.prefix(2).map { $0.value.utf8.map { String($0, radix: 16) }.joined() }
      return metric.points.map {
        (
          Place(
            isExpired: metric.labels.last == MetricsQuery.expiredLabel, service: names[0], operation: names[1],
            hour: $0.time.nanoseconds / hour), $0.value
        )
      }
    }
  }

  /// Calls by place; the hour is the one they start in.
  static func calls(_ store: TraceStore) async throws -> [Place: Int] {
    let family = try await store.getCallRates(query())
    #expect(family.summary.damage.isEmpty)
    return Dictionary(
      uniqueKeysWithValues: places(family).map {
        var place = $0.place
        place.hour -= 1
        return (place, Int(($0.value * 3600).rounded()))
      })
  }

  static func count(_ calls: [Place: Int], isExpired: Bool) -> Int {
    calls.reduce(0) { $0 + ($1.key.isExpired == isExpired ? $1.value : 0) }
  }

  static func key(_ resource: Resource, _ span: SpanRecord, isExpired: Bool) -> Place {
    func hex(_ text: String) -> String { text.utf8.map { String($0, radix: 16) }.joined() }
    return Place(
      isExpired: isExpired, service: hex(resource.serviceName), operation: hex(span.name),
      hour: span.start.nanoseconds / hour)
  }

  @Test func `figures of what has gone are those it had, by the hour`() async throws {
    let clock = Clock()
    let files = SimulatedFileSystem()
    let options = RetentionTests.options(clock)
    var store = try await TraceStore.open(in: files, at: "store", options: options)
    try await RetentionTests.write(0..<4, to: store, clock)
    let before = try await Self.calls(store)
    let errors = try await store.getErrorRates(Self.query())
    let exact = try await store.getLatencies(Self.query(quantile: 0.5))
    try await store.retain(RetentionPolicy(maximumAgeNanoseconds: 2 * Self.hour))
    for _ in 0..<2 {
      let after = try await Self.calls(store)
      #expect(Self.count(after, isExpired: true) == 40 && Self.count(after, isExpired: false) == 40)
      let together = Dictionary(
        uniqueKeysWithValues: after.map {
          var place = $0.key
          place.isExpired = false
          return (place, $0.value)
        })
      #expect(together == before)
      let family = try await store.getErrorRates(Self.query())
      #expect(family.expiredRows == .hourly && family.errorBound == 0)
      #expect(
        Self.places(family).map(\.value).sorted() == Self.places(errors).map(\.value).sorted(), "error rates are exact")
      let estimate = try await store.getLatencies(Self.query(quantile: 0.5))
      #expect(estimate.errorBound == 1.0 / 64 && estimate.expiredRows == .hourly)
      let middles = Dictionary(
        uniqueKeysWithValues: Self.places(exact).map { ("\($0.place.operation) \($0.place.hour)", $0.value) })
      for (place, value) in Self.places(estimate) {
        let middle = try #require(middles["\(place.operation) \(place.hour)"])
        #expect(abs(value - middle) <= (place.isExpired ? middle / 64 : 0))
      }
      for quantile in [0, 1.0] {
        let edges = try await store.getLatencies(Self.query(quantile: quantile))
        let expired = Self.places(edges).filter(\.place.isExpired).map(\.value)
        // The shortest and the longest of each operation are known exactly.
        #expect(expired.sorted() == (quantile == 0 ? [1, 1, 2, 2, 3, 3] : [18, 18, 19, 19, 20, 20]).map { $0 / 1000 })
      }
      try await store.close()
      store = try await TraceStore.open(in: files, at: "store", options: options)
    }
    #expect(try await store.statistics().metricsSegmentCount == 1)
    try await store.close()
  }

  @Test func `points of expired spans cover whole hours of the window, whatever the step`() async throws {
    let clock = Clock()
    let store = try await TraceStore.inMemory(options: RetentionTests.options(clock))
    try await RetentionTests.write(0..<6, to: store, clock)
    clock.set(hours: 100)
    try await store.retain(RetentionPolicy(maximumAgeNanoseconds: Self.hour))
    func expired(_ change: (inout MetricsQuery) -> Void) async throws -> [(hour: Double, calls: Double)] {
      var query = MetricsQuery(
        serviceNames: ["shop"], end: Timestamp(nanoseconds: RetentionTests.epoch + 6 * Self.hour),
        lookbackNanoseconds: 6 * Self.hour)
      change(&query)
      return try await store.getCallRates(query).metrics.flatMap(\.points).map {
        (
          Double($0.time.nanoseconds - RetentionTests.epoch) / Double(Self.hour),
          $0.value * Double((query.ratePerNanoseconds + Self.hour - 1) / Self.hour) * 3600
        )
      }
    }
    // The defaults: a step of a minute and a rate window of ten.
    var found = try await expired { _ in }
    #expect(found.map(\.hour) == [1, 2, 3, 4, 5] && found.allSatisfy { abs($0.calls - 20) < 1e-9 })
    // The end is cut off: the last whole hour before it counts.
    found = try await expired { $0.end = Timestamp(nanoseconds: RetentionTests.epoch + 4 * Self.hour - 1) }
    #expect(found.map(\.hour) == [1, 2, 3])
    found = try await expired { ($0.stepNanoseconds, $0.ratePerNanoseconds) = (90 * 60_000_000_000, Self.hour + 1) }
    #expect(found.map(\.hour) == [2, 4] && found.allSatisfy { abs($0.calls - 40) < 1e-9 })
    let latencies = try await store.getLatencies(
      MetricsQuery(
        serviceNames: ["shop"], end: Timestamp(nanoseconds: RetentionTests.epoch + 5 * Self.hour + 1),
        lookbackNanoseconds: 4 * Self.hour, stepNanoseconds: 1, quantile: 1))
    // One nanosecond of hour 1 is missing.
    #expect(
      latencies.metrics.flatMap(\.points).map { ($0.time.nanoseconds - RetentionTests.epoch) / Self.hour } == [2, 3, 4])
    #expect(latencies.metrics.map(\.labels) == [[MetricLabel("service_name", "shop"), MetricsQuery.expiredLabel]])
    try await store.close()
  }

  @Test func `what hourly figures cannot answer is said to be left out`() async throws {
    let clock = Clock()
    let store = try await TraceStore.inMemory(options: RetentionTests.options(clock))
    try await RetentionTests.write(0..<3, to: store, clock)
    #expect(try await store.getCallRates(Self.query()).expiredRows == .none)
    try await store.retain(RetentionPolicy(maximumAgeNanoseconds: Self.hour))
    var query = Self.query()
    query.groups = [.operation, .attribute(AttributeReference("region"))]
    #expect(try await store.getCallRates(query).expiredRows == .leftOut)
    query = Self.query()
    query.filter = try FilterExpression(text: "span.duration > 2us")
    #expect(try await store.getCallRates(query).expiredRows == .leftOut)
    query.lookbackNanoseconds = 1
    #expect(try await store.getCallRates(query).expiredRows == .none, "its window reaches no hour of expired spans")
    let half = MetricsQuery(
      serviceNames: ["shop"], end: Timestamp(nanoseconds: RetentionTests.epoch + Self.hour * 5 / 6),
      lookbackNanoseconds: Self.hour / 2, quantile: 0.5)
    #expect(try await store.getLatencies(half).expiredRows == .leftOut, "its window holds no whole hour")
    #expect(try await store.getCallRates(half).expiredRows == .leftOut, "its window has no point of whole hours")
    var late = half
    late.end = Timestamp(nanoseconds: RetentionTests.epoch + Self.hour * 11 / 6)
    #expect(try await store.getErrorRates(late).expiredRows == .leftOut)
    late.end = Timestamp(nanoseconds: RetentionTests.epoch + Self.hour * 100)
    #expect(try await store.getErrorRates(late).expiredRows == .none)
    query = Self.query()
    query.spanKinds = [.client]
    #expect(try await store.getCallRates(query).metrics.isEmpty)
    query = Self.query()
    query.maximumSeriesCount = 1
    let family = try await store.getCallRates(query)
    #expect(family.summary.isTruncated)
    #expect(family.metrics.filter { $0.labels.last == MetricsQuery.expiredLabel }.count == 2)
    #expect(family.metrics.last?.labels[1].value == MetricsQuery.overflowLabel)
    try await store.close()
  }

  @Test func `metrics segments are merged when they are many, and go when their own age is over`() async throws {
    let clock = Clock()
    let files = SimulatedFileSystem()
    let store = try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
    var policy = RetentionPolicy(maximumAgeNanoseconds: Self.hour)
    for hour in 0..<20 as Range<UInt64> {
      try await RetentionTests.write(hour..<(hour + 1), to: store, clock)
      try await store.retain(policy)
      #expect(try await Self.count(Self.calls(store), isExpired: true) == Int(hour) * 20)
    }
    let count = try await store.statistics().metricsSegmentCount
    #expect(count < 8)
    #expect(try files.contents(ofDirectory: "store").count { $0.hasPrefix("metrics-") } == count)
    // An age that is set later: no hour outstays it by more than a quarter, whatever file it has got into.
    policy.maximumMetricsAgeNanoseconds = 8 * Self.hour
    for hour in 20..<40 as Range<UInt64> {
      try await RetentionTests.write(hour..<(hour + 1), to: store, clock)
      try await store.retain(policy)
      let kept = try await Self.calls(store).keys.filter(\.isExpired).map {
        $0.hour - RetentionTests.epoch / Self.hour
      }
      #expect(Set(kept).isSuperset(of: (hour - 7)..<hour) && (kept.min() ?? 0) >= hour - 10, "after hour \(hour)")
    }
    clock.set(hours: 47)
    #expect(try store.retentionPlan(policy).metricsSegmentCount > 0)
    let report = try await store.retain(policy)
    #expect(report.metricsSegmentCount > 0 && report.metricsSegmentByteCount > 0)
    // None in the first place.
    policy.maximumMetricsAgeNanoseconds = 0
    clock.set(hours: 50)
    try await store.retain(policy)
    #expect(try await store.statistics().metricsSegmentCount == 0)
    #expect(try await Self.calls(store).isEmpty)
    try await store.close()
  }

  @Test func `a copy that stays is not counted with what goes, in memory or in a segment, and counts once later`()
    async throws
  {
    let clock = Clock()
    let store = try await TraceStore.inMemory(options: RetentionTests.options(clock))
    try await RetentionTests.write(0..<2, to: store, clock)
    // In memory when the first goes, then in a segment beside a younger hour.
    _ = try await store.writeTraces(RetentionTests.batch(0))
    let policy = RetentionPolicy(maximumAgeNanoseconds: Self.hour)
    try await store.retain(policy)
    var calls = try await Self.calls(store)
    #expect(Self.count(calls, isExpired: true) == 0 && Self.count(calls, isExpired: false) == 40)
    clock.set(hours: 4)
    _ = try await store.writeTraces(RetentionTests.batch(4))
    try await store.seal()
    try await store.retain(policy)
    calls = try await Self.calls(store)
    #expect(Self.count(calls, isExpired: true) == 20 && Self.count(calls, isExpired: false) == 40)
    // Sent again after it has gone it is new: it lives, and the figures of the past stay.
    _ = try await store.writeTraces(RetentionTests.batch(1))
    calls = try await Self.calls(store)
    #expect(Self.count(calls, isExpired: true) == 20 && Self.count(calls, isExpired: false) == 60)
    clock.set(hours: 10)
    try await store.seal()
    try await store.retain(policy)
    calls = try await Self.calls(store)
    #expect(Self.count(calls, isExpired: true) == 80 && Self.count(calls, isExpired: false) == 0)
    try await store.close()
  }

  @Test func `a damaged metrics segment is named, and the others answer`() async throws {
    let clock = Clock()
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    var store = try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
    let policy = RetentionPolicy(maximumAgeNanoseconds: Self.hour)
    for hour in 0..<3 as Range<UInt64> {
      try await RetentionTests.write(hour..<(hour + 1), to: store, clock)
      try await store.retain(policy)
    }
    try await store.close()
    let name = try #require(try files.contents(ofDirectory: "store").sorted().first { $0.hasPrefix("metrics-") })
    let path = joinedPath("store", name)
    var bytes = try files.contents(ofFile: path, maximumByteCount: 1 << 20)
    bytes[40] ^= 1
    try files.overwrite(path, with: bytes)
    store = try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
    let family = try await store.getCallRates(Self.query())
    #expect(family.summary.damage.count == 1 && family.summary.damage[0].contains(name))
    #expect(Self.places(family).contains { $0.place.isExpired })
    try await store.close()
  }

  private final class Passes: Sendable {
    let areOver = Mutex(false)
  }

  @Test func `while segments go, every answer counts every call once`() async throws {
    let clock = Clock()
    let files = SimulatedFileSystem(isDurabilityTracked: false)
    let store = try await TraceStore.open(in: files, at: "store", options: RetentionTests.options(clock))
    let reader = try await TraceStore.open(
      in: files, at: "store", options: RetentionTests.options(clock), isReadOnly: true)
    try await RetentionTests.write(0..<30, to: store, clock)
    try await reader.refresh()
    let passes = Passes()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for hour in 1...29 as ClosedRange<UInt64> {
          try await store.retain(RetentionPolicy(maximumAgeNanoseconds: (30 - hour) * Self.hour))
          if hour % 7 == 0 { try await store.compact(.all) }
        }
        passes.areOver.withLock { $0 = true }
      }
      group.addTask {
        while !passes.areOver.withLock({ $0 }) {
          let calls = try await Self.calls(store)
          #expect(calls.values.reduce(0, +) == 600)
        }
      }
      group.addTask {
        while !passes.areOver.withLock({ $0 }) {
          let calls = try await Self.calls(reader)
          #expect(calls.values.reduce(0, +) == 600)
          try await reader.refresh()
        }
      }
      try await group.waitForAll()
    }
    #expect(try await Self.count(Self.calls(store), isExpired: true) > 500)
    try await reader.close()
    try await store.close()
  }
}

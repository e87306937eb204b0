import BenchmarkSupport
import Foundation
import TraceEngine
import TraceOTLP

/// The page of a busy platform: an hour of calls of 20 services with 50 operations each, by operation and minute.
enum CellLoad {
  private static let serviceCount = 20
  private static let operationCount = 50
  private static let hour: UInt64 = 3_600_000_000_000
  private static let start: UInt64 = 1_768_089_600_000_000_000

  /// Writes the calls into a new store, and merges it.
  static func write(_ spanCount: Int, to path: String) async throws {
    try await withTraceStore(at: path) { store in
      try await write(spanCount, to: store)
      try await store.seal()
      try await store.compact(.all)
    }
  }

  /// Prints what the page takes: of a store that is opened anew each time, and asked again and again.
  ///
  /// - Parameter part: only questions whose text holds it; nil for all.
  static func measure(_ path: String, only part: String?) async throws {
    func query(_ stepNanoseconds: UInt64) -> MetricsQuery {
      MetricsQuery(
        serviceNames: [], groups: [.operation], end: Timestamp(nanoseconds: start + hour), lookbackNanoseconds: hour,
        stepNanoseconds: stepNanoseconds, quantile: 0.95)
    }
    var first: [Double] = []
    for _ in 0..<5 {
      try await withTraceStore(at: path) { store in
        let elapsed = try await ContinuousClock().measure { _ = try await store.getLatencies(query(60_000_000_000)) }
        first.append(elapsed.seconds * 1_000)
      }
    }
    print(String(format: "%9.3f ms for the first question about a store that was opened", first.sorted()[2]))
    try await withTraceStore(at: path) { store in
      func points(_ family: MetricFamily) -> Int { family.metrics.reduce(0) { $0 + $1.points.count } }
      var table = TimeTable()
      for (text, step) in [("by operation and minute", 60_000_000_000), ("by operation, one point", hour)] {
        table.add("latencies", text) { points(try await store.getLatencies(query(step))) }
      }
      var byService = query(60_000_000_000)
      byService.groups = []
      byService.serviceNames = try await store.getServices().elements
      table.add("latencies", "by service and minute") { [byService] in
        points(try await store.getLatencies(byService))
      }
      table.add("rates", "of calls, by operation") { points(try await store.getCallRates(query(60_000_000_000))) }
      table.keep(part)
      try await table.measure()
      table.print("points", "question")
    }
  }

  /// Traces of ten calls, in the order of their time.
  private static func write(_ spanCount: Int, to store: TraceStore) async throws {
    let requestSpanCount = 500
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, first) in stride(from: 0, to: spanCount, by: requestSpanCount).enumerated() {
        if index >= 64 { try await group.next() }
        group.addTask {
          let numbers = first..<min(spanCount, first + requestSpanCount)
          _ = try await store.writeEncoded(OTLP.encode(request(numbers, of: spanCount)), encoding: .protobuf)
        }
      }
      try await group.waitForAll()
    }
  }

  private static func request(_ numbers: Range<Int>, of spanCount: Int) -> TraceData {
    var spans = [[SpanRecord]](repeating: [], count: serviceCount)
    for number in numbers {
      let random = mixed(UInt64(number))
      let begin = start + UInt64(Double(hour) * Double(number) / Double(spanCount))
      // From 0.1 to 8.5 ms, each octave above the first half as frequent as the one below.
      let octave = min(UInt64((random >> 52 | 1 << 12).trailingZeroBitCount), 12)
      let duration: UInt64 = 100_000 + (random >> 32 & 0x7ff) << octave
      spans[Int(random % UInt64(serviceCount))].append(
        SpanRecord(
          traceID: TraceID(high: mixed(~UInt64(number / 10)), low: UInt64(number / 10) + 1),
          spanID: SpanID(UInt64(number) + 1),
          name: "operation \(random / UInt64(serviceCount) % UInt64(operationCount))",
          kind: .server, start: Timestamp(nanoseconds: begin), end: Timestamp(nanoseconds: begin + duration)))
    }
    return TraceData(
      resourceSpans: spans.enumerated().filter { !$0.element.isEmpty }.map { service, spans in
        ResourceSpans(
          resource: Resource(attributes: [Attribute("service.name", .string("service \(service)"))]),
          scopeSpans: [ScopeSpans(spans: spans)])
      })
  }

  /// SplitMix64.
  private static func mixed(_ seed: UInt64) -> UInt64 {
    var value = seed &+ 0x9e37_79b9_7f4a_7c15
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}

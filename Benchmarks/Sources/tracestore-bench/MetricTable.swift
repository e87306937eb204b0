import BenchmarkSupport
import TraceEngine

/// The time that a monitoring page takes: latencies, rates and the service graph of all that a store holds.
enum MetricTable {
  /// - Parameter part: only questions whose text holds it; nil for all.
  static func measure(_ store: TraceStore, only part: String?) async throws -> TimeTable {
    let segments = try await store.statistics().segments
    guard let first = segments.map(\.minimumStart.nanoseconds).min(),
      let last = segments.map(\.maximumStart.nanoseconds).max()
    else { return TimeTable() }
    let services = try await store.getServices().elements
    let minute: UInt64 = 60_000_000_000
    let end = Timestamp(nanoseconds: (last / minute + 1) * minute)
    func query(
      _ names: [String] = [], _ groups: [MetricsGroup] = [], kinds: [SpanKind] = [], isExact: Bool = false,
      filter: FilterExpression? = nil
    ) -> MetricsQuery {
      MetricsQuery(
        serviceNames: names, groups: groups, filter: filter, spanKinds: kinds, end: end,
        lookbackNanoseconds: end.nanoseconds - first / minute * minute, quantile: 0.95, isExact: isExact)
    }
    func points(_ family: MetricFamily) -> Int { family.metrics.reduce(0) { $0 + $1.points.count } }
    let slow = try FilterExpression(text: "span.duration > 100ms")
    var table = TimeTable()
    for (text, query) in [
      ("of servers, by operation", query(services, [.operation], kinds: [.server])),
      ("of servers, by operation, exact", query(services, [.operation], kinds: [.server], isExact: true)),
      ("by operation", query(services, [.operation])),
      ("by operation, exact", query(services, [.operation], isExact: true)),
      ("by service", query(services)),
      ("of \(services[0]), by operation", query([services[0]], [.operation])),
      ("by operation, span.duration > 100ms", query(services, [.operation], filter: slow)),
      ("by http.route", query(services, [.attribute(AttributeReference("http.route"))])),
    ] {
      table.add("latencies", text) { points(try await store.getLatencies(query)) }
    }
    let byOperation = query(services, [.operation])
    table.add("rates", "of calls, by operation") { points(try await store.getCallRates(byOperation)) }
    table.add("rates", "of errors, by operation") { points(try await store.getErrorRates(byOperation)) }
    table.add("graph", "all") { try await store.serviceGraph(DependencyQuery()).links.count }
    let quarter = (last - first) / 4
    let window = DependencyQuery(
      start: Timestamp(nanoseconds: first + quarter), end: Timestamp(nanoseconds: last - quarter))
    table.add("graph", "a window that cuts stripes") { try await store.serviceGraph(window).links.count }
    table.keep(part)
    try await table.measure()
    return table
  }
}

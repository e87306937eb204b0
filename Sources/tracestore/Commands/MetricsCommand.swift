import ArgumentParser
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

struct MetricsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "Show latencies, call rates and error rates, computed from the spans.",
    discussion: """
      Points stand at multiples of the step. A latency covers the spans that start in the step, a rate those that start \
      in the rate window before the point. Every distinct span counts once. Spans that have expired are series of their \
      own, by the hour.
      """)

  enum Measure: String, ExpressibleByArgument, CaseIterable {
    case latency, calls, errors
  }

  @OptionGroup var location: StoreLocation
  @Argument(help: "latency in milliseconds, calls per second, or the share of calls with an error.")
  var measure: Measure
  @Option(help: ArgumentHelp("A service; repeatable. Without it, all services.", valueName: "service"))
  var service: [String] = []
  @Flag(help: "One series for each operation.") var byOperation = false
  @Option(
    help: ArgumentHelp(
      "One series for each value of an attribute of the span or its resource; repeatable.", valueName: "key"))
  var group: [String] = []
  @Option(help: "Only this span kind; repeatable. Default: server.") var kind: [SpanKindArgument] = []
  @Flag(help: "All span kinds.") var allKinds = false
  @Option(
    help: ArgumentHelp(
      "Only spans with this, such as 'span.duration > 2s', or @FILE with its JSON form.", valueName: "filter"))
  var filter: String?
  @Option(help: "The quantile of latencies, 0 to 1.") var quantile = 0.95
  @Flag(help: "Exact quantiles; otherwise a point of 256 spans or more is within 1.6 %.") var exact = false
  @Option(help: ArgumentHelp("The end of the window, exclusive. Default: now.", valueName: "time"))
  var end: TimeArgument?
  @Option(help: ArgumentHelp("The length of the window. Default: 1h.", valueName: "duration"))
  var lookback: DurationArgument?
  @Option(help: ArgumentHelp("The distance of two points. Default: 1m.", valueName: "duration"))
  var step: DurationArgument?
  @Option(help: ArgumentHelp("The window behind each point of a rate. Default: 10m.", valueName: "duration"))
  var ratePer: DurationArgument?
  @Option(
    help: ArgumentHelp(
      "The slowest spans of each point, up to \(MetricsQuery.maximumExemplarCount).", valueName: "count"))
  var exemplars = 0
  @Option(help: ArgumentHelp("At most this many series; the rest is one series.", valueName: "count"))
  var maxSeries = 10_000
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if allKinds, !kind.isEmpty { throw ValidationError("--all-kinds and --kind exclude each other") }
    guard exemplars <= MetricsQuery.maximumExemplarCount else {
      throw ValidationError(
        "--exemplars is \(exemplars); it must lie between 0 and \(MetricsQuery.maximumExemplarCount)")
    }
    do { try query(of: [""], end: .zero).validate() } catch let error as TracestoreError {
      throw ValidationError(error.message)
    }
  }

  private func query(of services: [String], end: Timestamp) throws -> MetricsQuery {
    var groups: [MetricsGroup] = byOperation ? [.operation] : []
    groups += group.map { .attribute(AttributeReference($0)) }
    return MetricsQuery(
      serviceNames: services, groups: groups, filter: try filter.map { try SearchFlags.parsed($0) },
      spanKinds: allKinds ? [] : kind.isEmpty ? [.server] : kind.map(\.kind), end: end,
      lookbackNanoseconds: lookback?.nanoseconds ?? 3_600_000_000_000,
      stepNanoseconds: step?.nanoseconds ?? 60_000_000_000,
      ratePerNanoseconds: ratePer?.nanoseconds ?? 600_000_000_000, quantile: quantile, isExact: exact,
      maximumSeriesCount: maxSeries, exemplarCount: exemplars)
  }

  func run() async throws {
    let end = self.end?.time ?? Timestamp(nanoseconds: SystemClock.nowNanoseconds())
    let (query, family) = try await withReader(location) { store in
      let query = try await self.query(of: services(of: store), end: end)
      return try await (query, self.family(query, of: store))
    }
    if output.json {
      StandardOutput.shared.writeLine(family.json.text)
    } else {
      MetricsReport(family: family, measure: measure, query: query).print()
    }
    try reportDamage(family.summary)
  }

  /// Those that are named, or all: spans without a service are one without a name.
  private func services(of store: TraceStore) async throws -> [String] {
    if !service.isEmpty || byOperation || !group.isEmpty { return service }
    return [""] + Array(try await store.getServices())
  }

  private func family(_ query: MetricsQuery, of store: TraceStore) async throws -> MetricFamily {
    switch measure {
    case .latency: try await store.getLatencies(query)
    case .calls: try await store.getCallRates(query)
    case .errors: try await store.getErrorRates(query)
    }
  }
}

extension MetricFamily {
  /// Jaeger's JSON of a `MetricFamily`, with the bound of its error.
  fileprivate var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("name", .string(name)), ("type", .string("GAUGE")), ("help", .string(help)),
      ("metrics", .array(metrics.map(\.json))), ("errorBound", .double(errorBound)),
      ("expiredRows", .string(expiredRows.rawValue)),
    ]
    if summary.isTruncated { members.append(("truncated", .bool(true))) }
    return .object(members)
  }
}

extension Metric {
  fileprivate var json: JSONValue {
    .object([
      ("labels", .array(labels.map { .object([("name", .string($0.name)), ("value", .string($0.value))]) })),
      ("metricPoints", .array(points.map(\.json))),
    ])
  }
}

extension MetricPoint {
  fileprivate var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("gaugeValue", .object([("doubleValue", .double(value))])), ("timestamp", .string(time.rfc3339)),
    ]
    if !exemplars.isEmpty {
      members.append(
        (
          "exemplars",
          .array(
            exemplars.map {
              .object([
                ("traceID", .string($0.traceID.hex)), ("spanID", .string($0.spanID.hex)),
                ("durationNanoseconds", .number($0.durationNanoseconds)),
              ])
            })
        ))
    }
    return .object(members)
  }
}

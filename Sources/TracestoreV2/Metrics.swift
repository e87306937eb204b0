public import TraceModel

/// Reads rates, errors and durations computed from spans.
///
/// Every requirement has a default that throws `unsupported`.
public protocol MetricsReader: Sendable {
  /// A latency quantile in milliseconds, as `service_latencies` or `service_operation_latencies`.
  ///
  /// - Throws: `invalidArgument` without `query.quantile`, and for what `MetricsQuery.validate()` refuses.
  func getLatencies(_ query: MetricsQuery) async throws -> MetricFamily

  /// Calls per second, as `service_call_rate` or `service_operation_call_rate`.
  func getCallRates(_ query: MetricsQuery) async throws -> MetricFamily

  /// The share of calls with status error, 0 to 1, as `service_error_rate` or `service_operation_error_rate`.
  func getErrorRates(_ query: MetricsQuery) async throws -> MetricFamily

  /// The smallest step that is answered, in nanoseconds.
  func getMinimumStepNanoseconds() async throws -> UInt64
}

extension MetricsReader {
  public func getLatencies(_ query: MetricsQuery) async throws -> MetricFamily {
    throw TracestoreError.unsupported("latencies")
  }

  public func getCallRates(_ query: MetricsQuery) async throws -> MetricFamily {
    throw TracestoreError.unsupported("call rates")
  }

  public func getErrorRates(_ query: MetricsQuery) async throws -> MetricFamily {
    throw TracestoreError.unsupported("error rates")
  }

  public func getMinimumStepNanoseconds() async throws -> UInt64 {
    throw TracestoreError.unsupported("metrics")
  }
}

/// What to measure. Windows are [start, end) with start = end − look-back, saturating; points stand at multiples of
/// the step since 1970.
public struct MetricsQuery: Hashable, Sendable {
  /// The services to measure; at least one, unless groups say more.
  public var serviceNames: [String]
  /// By what to split beyond the service. Empty: one series a service.
  public var groups: [MetricsGroup]
  /// Only spans that satisfy this.
  public var filter: FilterExpression?
  /// Only spans of these kinds; empty means all.
  public var spanKinds: [SpanKind]
  /// The exclusive end of the window.
  public var end: Timestamp
  public var lookbackNanoseconds: UInt64
  /// The distance of two points. At least 1.
  public var stepNanoseconds: UInt64
  /// The window behind each point that call rates are averaged over. At least 1.
  public var ratePerNanoseconds: UInt64
  /// 0 to 1; needed for latencies.
  public var quantile: Double?
  /// True for exact quantiles at the price of reading more; false allows the stated bound.
  public var isExact: Bool
  /// At most this many series; the rest is added up in one series whose groups say `overflowLabel`. At least 1.
  public var maximumSeriesCount: Int
  /// At most this many example traces a point; more than `maximumExemplarCount` gives as many as that. At least 0.
  public var exemplarCount: Int

  /// How many example traces a point has at most.
  public static let maximumExemplarCount = 3

  /// The value of every group label of the series that holds what exceeded `maximumSeriesCount`.
  public static let overflowLabel = "tracestore.overflow"

  /// The last label of a series that is made of spans that have expired and of which the store keeps figures by the hour.
  public static let expiredLabel = MetricLabel("tracestore.rows", "expired, hourly")

  public init(
    serviceNames: [String], groups: [MetricsGroup] = [], filter: FilterExpression? = nil,
    spanKinds: [SpanKind] = [.server], end: Timestamp, lookbackNanoseconds: UInt64 = 3_600_000_000_000,
    stepNanoseconds: UInt64 = 60_000_000_000, ratePerNanoseconds: UInt64 = 600_000_000_000, quantile: Double? = nil,
    isExact: Bool = false, maximumSeriesCount: Int = 10_000, exemplarCount: Int = 0
  ) {
    self.serviceNames = serviceNames
    self.groups = groups
    self.filter = filter
    self.spanKinds = spanKinds
    self.end = end
    self.lookbackNanoseconds = lookbackNanoseconds
    self.stepNanoseconds = stepNanoseconds
    self.ratePerNanoseconds = ratePerNanoseconds
    self.quantile = quantile
    self.isExact = isExact
    self.maximumSeriesCount = maximumSeriesCount
    self.exemplarCount = exemplarCount
  }

  /// Checks the bounds that every store enforces alike.
  ///
  /// - Throws: `invalidArgument`, naming the field.
  public func validate() throws {
    func check(_ isFine: Bool, _ message: @autoclosure () -> String) throws {
      guard isFine else { throw TracestoreError(.invalidArgument, message()) }
    }
    try check(!serviceNames.isEmpty || !groups.isEmpty, "A metrics query names no service; name at least one.")
    try check(stepNanoseconds > 0, "The step is 0; it must be at least 1 ns.")
    try check(ratePerNanoseconds > 0, "The rate window is 0; it must be at least 1 ns.")
    try check(maximumSeriesCount > 0, "The series limit is \(maximumSeriesCount); it must be at least 1.")
    try check(exemplarCount >= 0, "The exemplar count is \(exemplarCount); it must not be negative.")
    if let quantile {
      try check(quantile >= 0 && quantile <= 1, "The quantile is \(quantile); it must lie between 0 and 1.")
    }
  }
}

/// By what to split series.
public enum MetricsGroup: Hashable, Sendable {
  /// By span name, as the label `operation`.
  case operation
  /// By the text of an attribute, as a label of its key. Spans without it have the empty label.
  case attribute(AttributeReference)
}

/// Series of one measure: Jaeger's `MetricFamily` of gauges, with what can be said about its accuracy.
public struct MetricFamily: Hashable, Sendable {
  public var name: String
  public var help: String
  /// Ascending by their labels' texts, UTF-8 bytes; series of expired spans stand behind the others, in the same order.
  public var metrics: [Metric]
  /// The greatest relative error of any point; 0 when all are exact.
  public var errorBound: Double
  /// What became of spans of the window that have expired.
  public var expiredRows = ExpiredRows.none
  /// What to say about the answer as a whole; truncated when the series limit was reached.
  public var summary: ResultSummary

  public init(
    name: String, help: String, metrics: [Metric] = [], errorBound: Double = 0, summary: ResultSummary = ResultSummary()
  ) {
    self.name = name
    self.help = help
    self.metrics = metrics
    self.errorBound = errorBound
    self.summary = summary
  }
}

/// What an answer says of spans that have expired and of which the store keeps hourly figures: calls, errors and
/// durations by service, operation and kind.
public enum ExpiredRows: String, Hashable, Sendable {
  /// There are none in the window, or none of what was asked for.
  case none
  /// They are series of their own, which end with the label `MetricsQuery.expiredLabel`. Their points cover whole hours:
  /// step and rate window are rounded up to hours, and hours that the window cuts are left out.
  case hourly
  /// The window reaches into their hours, and nothing is kept of them that a filter or a group by an attribute could
  /// look at; or no hour lies whole in the window.
  case leftOut
}

/// One series.
public struct Metric: Hashable, Sendable {
  /// `service_name` first, then the groups in the order of the query, then `MetricsQuery.expiredLabel` where it applies.
  public var labels: [MetricLabel]
  /// Ascending by time. Steps without calls have no point.
  public var points: [MetricPoint]

  public init(labels: [MetricLabel], points: [MetricPoint] = []) {
    self.labels = labels
    self.points = points
  }
}

/// A name and a value that tell one series from another.
public struct MetricLabel: Hashable, Sendable {
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// One value of a series.
@frozen
public struct MetricPoint: Hashable, Sendable {
  /// The start of the step.
  public var time: Timestamp
  public var value: Double
  /// Nil when there are none: answers have points by the hundred thousand, and a list is counted for each.
  @usableFromInline var storedExemplars: [MetricExemplar]?

  /// Example traces, the slowest first.
  public var exemplars: [MetricExemplar] {
    get { storedExemplars ?? [] }
    set { storedExemplars = newValue.isEmpty ? nil : newValue }
  }

  @inlinable
  public init(time: Timestamp, value: Double, exemplars: [MetricExemplar] = []) {
    self.time = time
    self.value = value
    storedExemplars = exemplars.isEmpty ? nil : exemplars
  }
}

/// A span behind a point.
public struct MetricExemplar: Hashable, Sendable {
  public var traceID: TraceID
  public var spanID: SpanID
  public var durationNanoseconds: UInt64

  public init(traceID: TraceID, spanID: SpanID, durationNanoseconds: UInt64) {
    self.traceID = traceID
    self.spanID = spanID
    self.durationNanoseconds = durationNanoseconds
  }
}

public import TraceModel
public import TracestoreV2

/// What to measure, in v1's words: Jaeger's `metricstore` parameters with their defaults.
public struct V1MetricsQuery: Sendable {
  public var serviceNames: [String]
  public var groupsByOperation: Bool
  /// Such as `SPAN_KIND_SERVER`, or `server`, in any case; empty means all.
  public var spanKinds: [String]
  public var end: Timestamp
  public var lookbackNanoseconds: UInt64
  public var stepNanoseconds: UInt64
  public var ratePerNanoseconds: UInt64

  public init(
    serviceNames: [String], groupsByOperation: Bool = false, spanKinds: [String] = ["SPAN_KIND_SERVER"],
    end: Timestamp, lookbackNanoseconds: UInt64 = 3_600_000_000_000, stepNanoseconds: UInt64 = 5_000_000_000,
    ratePerNanoseconds: UInt64 = 600_000_000_000
  ) {
    self.serviceNames = serviceNames
    self.groupsByOperation = groupsByOperation
    self.spanKinds = spanKinds
    self.end = end
    self.lookbackNanoseconds = lookbackNanoseconds
    self.stepNanoseconds = stepNanoseconds
    self.ratePerNanoseconds = ratePerNanoseconds
  }

  /// The same in v2's words.
  ///
  /// - Throws: `invalidArgument` for a word that is no kind.
  func query(quantile: Double? = nil) throws -> MetricsQuery {
    let kinds = try spanKinds.map { word in
      let prefix = "SPAN_KIND_"
      let bare = word.uppercased().hasPrefix(prefix) ? word.dropFirst(prefix.count) : word[...]
      guard let kind = SpanKind(word: bare) else {
        throw TracestoreError(
          .invalidArgument,
          "\"\(word)\" is no span kind; the kinds are unspecified, internal, server, client, producer and consumer.")
      }
      return kind
    }
    return MetricsQuery(
      serviceNames: serviceNames, groups: groupsByOperation ? [.operation] : [], spanKinds: kinds, end: end,
      lookbackNanoseconds: lookbackNanoseconds, stepNanoseconds: stepNanoseconds,
      ratePerNanoseconds: ratePerNanoseconds, quantile: quantile)
  }
}

/// Reads rates, errors and durations: Jaeger's v1 `metricstore.Reader`. The answers are the same in both versions.
public protocol V1MetricsReading: Sendable {
  func getLatencies(_ query: V1MetricsQuery, quantile: Double) async throws -> MetricFamily
  func getCallRates(_ query: V1MetricsQuery) async throws -> MetricFamily
  func getErrorRates(_ query: V1MetricsQuery) async throws -> MetricFamily
  func getMinimumStepNanoseconds() async throws -> UInt64
}

/// The metrics of a v2 store, asked for in v1's words.
public struct V1MetricsReader: V1MetricsReading {
  private let reader: any MetricsReader

  public init(_ reader: any MetricsReader) { self.reader = reader }

  public func getLatencies(_ query: V1MetricsQuery, quantile: Double) async throws -> MetricFamily {
    try await reader.getLatencies(query.query(quantile: quantile))
  }

  public func getCallRates(_ query: V1MetricsQuery) async throws -> MetricFamily {
    try await reader.getCallRates(query.query())
  }

  public func getErrorRates(_ query: V1MetricsQuery) async throws -> MetricFamily {
    try await reader.getErrorRates(query.query())
  }

  public func getMinimumStepNanoseconds() async throws -> UInt64 {
    try await reader.getMinimumStepNanoseconds()
  }
}

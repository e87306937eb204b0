import TraceQuery
public import TracestoreV2

/// Rates, errors and durations, computed from the spans: see <doc:Metrics> for formulas, edges and bounds.
///
/// Every distinct final span counts once, wherever and however often it is stored; partial records never count. Spans
/// that have expired answer by the hour, in series of their own.
extension TraceStore: MetricsReader {
  public func getLatencies(_ query: MetricsQuery) async throws -> MetricFamily { try await measure(.latencies, query) }

  public func getCallRates(_ query: MetricsQuery) async throws -> MetricFamily { try await measure(.callRates, query) }

  public func getErrorRates(_ query: MetricsQuery) async throws -> MetricFamily {
    try await measure(.errorRates, query)
  }

  /// Spans are counted themselves: any step of at least a nanosecond is answered.
  public func getMinimumStepNanoseconds() async throws -> UInt64 { 1 }

  private func measure(_ measure: MetricsSearch.Measure, _ query: MetricsQuery) async throws -> MetricFamily {
    let parallel = core.parallel
    return try await core.read { snapshot in
      var family = try MetricsSearch(measure, query, in: snapshot, parallel: parallel).run()
      if !snapshot.metrics.isEmpty {
        try ExpiredHours(measure, query, in: snapshot, parallel: parallel).add(to: &family)
      }
      return family
    }
  }
}

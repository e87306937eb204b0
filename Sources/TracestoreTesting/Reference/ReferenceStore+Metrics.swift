import Synchronization
import TraceFilter
import TraceModel
public import TracestoreV2

/// Metrics by their definition: every distinct final span of the window is looked at for every point.
extension ReferenceStore: MetricsReader {
  /// Step `t` covers the spans that start in [t, t + step) and in [start, end).
  public func getLatencies(_ query: MetricsQuery) async throws -> MetricFamily {
    try query.validate()
    guard let quantile = query.quantile else {
      throw TracestoreError(.invalidArgument, "A query for latencies names no quantile; it must lie between 0 and 1.")
    }
    let window = Self.window(query)
    let step = query.stepNanoseconds
    return try family(query, "latencies", window) { records in
      Dictionary(grouping: records) { $0.span.start.nanoseconds / step }.map { index, own in
        MetricPoint(
          time: Timestamp(nanoseconds: index * step),
          value: Self.quantile(quantile, own.map(\.span.durationNanoseconds)) / 1e6,
          exemplars: Self.exemplars(own, query))
      }
    }
  }

  public func getCallRates(_ query: MetricsQuery) async throws -> MetricFamily {
    try query.validate()
    return try rates(query, "call_rate") { records in
      (Double(records.count) / (Double(query.ratePerNanoseconds) / 1e9), Self.exemplars(records, query))
    }
  }

  public func getErrorRates(_ query: MetricsQuery) async throws -> MetricFamily {
    try query.validate()
    return try rates(query, "error_rate") { records in
      let errors = records.filter { $0.span.status?.code == .error }
      return (Double(errors.count) / Double(records.count), Self.exemplars(errors, query))
    }
  }

  public func getMinimumStepNanoseconds() async throws -> UInt64 { 1 }

  /// Point `t` of [start, end) covers the spans that start in [t − ratePer, t).
  private func rates(
    _ query: MetricsQuery, _ name: String, _ value: @escaping ([Record]) -> (Double, [MetricExemplar])
  ) throws -> MetricFamily {
    let window = Self.window(query)
    let step = query.stepNanoseconds
    var times: [UInt64] = []
    var time = window.lowerBound / step * step
    while time < window.upperBound {
      if time >= window.lowerBound { times.append(time) }
      let (next, isOver) = time.addingReportingOverflow(step)
      if isOver { break }
      time = next
    }
    func begin(_ time: UInt64) -> UInt64 {
      time > query.ratePerNanoseconds ? time - query.ratePerNanoseconds : 0
    }
    guard let first = times.first, let last = times.last else { return try family(query, name, 0..<0) { _ in [] } }
    return try family(query, name, begin(first)..<last) { records in
      times.compactMap { time in
        let own = records.filter { (begin(time)..<time).contains($0.span.start.nanoseconds) }
        if own.isEmpty { return nil }
        let (value, exemplars) = value(own)
        return MetricPoint(time: Timestamp(nanoseconds: time), value: value, exemplars: exemplars)
      }
    }
  }

  private static func window(_ query: MetricsQuery) -> Range<UInt64> {
    let end = query.end.nanoseconds
    return (end > query.lookbackNanoseconds ? end - query.lookbackNanoseconds : 0)..<end
  }

  /// - Parameter starts: when the spans start that are looked at.
  private func family(
    _ query: MetricsQuery, _ name: String, _ starts: Range<UInt64>, _ points: ([Record]) -> [MetricPoint]
  ) throws -> MetricFamily {
    let isMatch = try condition(of: TraceQuery(filter: query.filter))
    let records = state.withLock { $0.records }.filter { record in
      isFinal(record) && starts.contains(record.span.start.nanoseconds)
        && (query.serviceNames.isEmpty
          || query.serviceNames.contains { $0.utf8.elementsEqual(record.resource.serviceName.utf8) })
        && (query.spanKinds.isEmpty || query.spanKinds.contains(record.span.kind)) && isMatch(record)
    }
    let groups = Dictionary(grouping: records) { record in
      [Array(record.resource.serviceName.utf8)] + query.groups.map { Self.value(of: $0, record) }
    }
    let names = ["service_name"] + query.groups.map(Self.name)
    func labels(_ values: [String]) -> [MetricLabel] { zip(names, values).map { MetricLabel($0, $1) } }
    let byCalls = groups.sorted {
      $0.value.count != $1.value.count ? $0.value.count > $1.value.count : Self.precedes($0.key, $1.key)
    }
    let shown = byCalls.prefix(query.maximumSeriesCount).sorted { Self.precedes($0.key, $1.key) }
    var metrics = shown.map { key, records in
      Metric(labels: labels(key.map { String(decoding: $0, as: UTF8.self) }), points: points(records))
    }
    let rest = byCalls.dropFirst(query.maximumSeriesCount).flatMap(\.value)
    if !rest.isEmpty {
      let overflow = MetricsQuery.overflowLabel
      let service = query.serviceNames.count == 1 ? query.serviceNames[0] : overflow
      metrics.append(Metric(labels: labels([service] + query.groups.map { _ in overflow }), points: points(rest)))
    }
    for index in metrics.indices { metrics[index].points.sort { $0.time < $1.time } }
    metrics.removeAll { $0.points.isEmpty }
    let isByOperation = query.groups.contains(.operation)
    return MetricFamily(
      name: (isByOperation ? "service_operation_" : "service_") + name, help: "", metrics: metrics,
      summary: ResultSummary(isTruncated: !rest.isEmpty))
  }

  func isFinal(_ record: Record) -> Bool {
    if readsZeroEndAsOpen, record.span.end == .zero { return false }
    return !record.span.attributes.contains { $0.key == "tracestore.partial" && $0.value == .bool(true) }
  }

  private static func name(_ group: MetricsGroup) -> String {
    switch group {
    case .operation: "operation"
    case .attribute(let reference): reference.key
    }
  }

  /// The first value that a key has, on the span before its resource where no level is named.
  private static func value(of group: MetricsGroup, _ record: Record) -> [UInt8] {
    switch group {
    case .operation: return Array(record.span.name.utf8)
    case .attribute(let reference):
      let subject = FilterSubject(resource: record.resource, scope: record.scope, span: record.span)
      guard case .attribute(let value)? = subject.values(of: reference).first else { return [] }
      return Array(value.text.utf8)
    }
  }

  private static func precedes(_ left: [[UInt8]], _ right: [[UInt8]]) -> Bool {
    for (own, other) in zip(left, right) where own != other { return own.lexicographicallyPrecedes(other) }
    return false
  }

  /// At place q · (n − 1) of the sorted durations, with a straight line between neighbours.
  private static func quantile(_ quantile: Double, _ durations: [UInt64]) -> Double {
    let sorted = durations.sorted()
    let place = quantile * Double(sorted.count - 1)
    let lower = Int(place)
    guard Double(lower) < place, lower + 1 < sorted.count else { return Double(sorted[lower]) }
    return Double(sorted[lower]) + Double(sorted[lower + 1] - sorted[lower]) * (place - Double(lower))
  }

  /// The three slowest at most; ties by trace id, then span id.
  private static func exemplars(_ records: [Record], _ query: MetricsQuery) -> [MetricExemplar] {
    records.map {
      MetricExemplar(
        traceID: $0.span.traceID, spanID: $0.span.spanID, durationNanoseconds: $0.span.durationNanoseconds)
    }.sorted {
      if $0.durationNanoseconds != $1.durationNanoseconds { return $0.durationNanoseconds > $1.durationNanoseconds }
      return $0.traceID != $1.traceID ? $0.traceID < $1.traceID : $0.spanID.rawValue < $1.spanID.rawValue
    }.prefix(min(3, query.exemplarCount)).map { $0 }
  }
}

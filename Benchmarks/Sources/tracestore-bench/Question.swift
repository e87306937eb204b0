import Foundation
import TraceEngine

/// One line of the table: a kind of question, and different instances of it.
struct Question: Decodable {
  enum Kind: String, Decodable {
    /// Every span of a trace.
    case trace
    /// The newest traces with a matching span: their ids and times.
    case search
    /// The same with what a list of results shows of each.
    case summaries
    /// The 95th percentile by minute: how many points, and their sum in milliseconds.
    case latencies
    /// The calls between services.
    case graph
  }

  var kind: Kind
  var warmup: [Variant]
  var variants: [Variant]

  struct Variant: Decodable {
    var traceID: String?
    var service: String?
    var operation: String?
    var minimumDuration: UInt64?
    var maximumDuration: UInt64?
    var start: UInt64?
    var end: UInt64?
    var attributes: [Condition]?
    var isByOperation: Bool?
  }

  /// What is asked of one attribute. The flat query looks at every level, so a level that is known is more than it
  /// needs to know.
  struct Condition: Decodable {
    enum ValueType: String, Decodable {
      case string = "str"
      case integer = "int"
    }

    var key: String
    var type: ValueType
    var text: String

    var attribute: Attribute {
      switch type {
      case .string: Attribute(key, .string(text))
      case .integer: Attribute(key, .int(Int64(text) ?? 0))
      }
    }
  }

  /// Asks once; the clock runs from the call to the last result.
  func answer(_ variant: Variant, from store: TraceStore) async throws -> Answer {
    let query = variant.query
    let services = kind == .latencies ? try await store.getServices().elements : []
    let readBefore = readByteCount()
    let started = ContinuousClock.now
    // What is compared is put into words behind the clock.
    func answer(_ found: @autoclosure () -> [String]) -> Answer {
      let elapsed = ContinuousClock.now - started
      let readByteCount = readByteCount() - readBefore
      return Answer(elapsed, found(), readByteCount: readByteCount)
    }
    switch kind {
    case .trace:
      var spanCount = 0
      for try await chunk in try await store.getTraces([variant.identifier]) { spanCount += chunk.data.spanCount }
      return answer(["\(spanCount)"])
    case .search:
      var traces: [FoundTrace] = []
      for try await trace in try await store.findTraceIDs(query) { traces.append(trace) }
      return answer(traces.map(\.traceID.description))
    case .summaries:
      var summaries: [TraceSummary] = []
      for try await summary in try await store.findTraceSummaries(query) { summaries.append(summary) }
      return answer(summaries.map { "\($0.traceID) \($0.spanCount) \($0.errorSpanCount) \($0.rootServiceName)" })
    case .latencies:
      let family = try await store.getLatencies(variant.metricsQuery(services))
      let points = family.metrics.lazy.flatMap(\.points)
      return answer(["\(points.reduce(0) { count, _ in count + 1 })", "\(points.reduce(0) { $0 + $1.value })"])
    case .graph:
      let links = try await store.serviceGraph(variant.dependencyQuery).links
      return answer(links.map { "\($0.parent) \($0.child)" })
    }
  }
}

extension Question.Variant {
  /// Zero when the question names no trace, which finds nothing and fails the comparison.
  var identifier: TraceID { traceID.flatMap { TraceID(hex: $0) } ?? TraceID(high: 0, low: 0) }

  private var times: (start: Timestamp, end: Timestamp) {
    (Timestamp(nanoseconds: start ?? 0), Timestamp(nanoseconds: end ?? 0))
  }

  func metricsQuery(_ services: [String]) -> MetricsQuery {
    MetricsQuery(
      serviceNames: services, groups: isByOperation == true ? [.operation] : [], spanKinds: [], end: times.end,
      lookbackNanoseconds: times.end.nanoseconds - min(times.start, times.end).nanoseconds, quantile: 0.95)
  }

  var dependencyQuery: DependencyQuery { DependencyQuery(start: times.start, end: times.end) }

  var query: TraceQuery {
    TraceQuery(
      serviceName: service ?? "", operationName: operation ?? "", attributes: (attributes ?? []).map(\.attribute),
      startMinimum: start.map { Timestamp(nanoseconds: $0) }, startMaximum: end.map { Timestamp(nanoseconds: $0) },
      durationMinimumNanoseconds: minimumDuration, durationMaximumNanoseconds: maximumDuration, limit: 20)
  }
}

/// What came back, how long it took, and how many bytes were read from files meanwhile.
struct Answer: Encodable {
  var nanoseconds: Int64
  var readByteCount: Int
  var found: [String]

  init(_ elapsed: Duration, _ found: [String], readByteCount: Int) {
    nanoseconds = elapsed.components.seconds * 1_000_000_000 + elapsed.components.attoseconds / 1_000_000_000
    self.readByteCount = readByteCount
    self.found = found
  }
}

/// What this process has read so far, cached pages included; 0 where the system does not say.
private func readByteCount() -> Int {
  #if os(Linux)
    let counts = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
    let line = counts.split(separator: "\n").first { $0.hasPrefix("rchar:") }
    return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
  #else
    return 0
  #endif
}

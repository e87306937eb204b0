import BenchmarkSupport
import TraceEngine

/// What the service graph of a store costs, in milliseconds.
struct GraphTimes: Encodable {
  /// The first question after opening: everything is read and paired.
  var cold = 0.0
  /// The median of repeated questions about all there is.
  var warm = 0.0
  /// The median of questions about windows that cut stripes.
  var window = 0.0
  var linkCount = 0
  var callCount: UInt64 = 0
  var unpairedCount: UInt64 = 0

  private static let repetitionCount = 51

  static func measure(_ store: TraceStore) async throws -> GraphTimes {
    var times = GraphTimes()
    times.cold = try await milliseconds { _ = try await store.serviceGraph(DependencyQuery()) }
    let graph = try await store.serviceGraph(DependencyQuery())
    times.linkCount = graph.links.count
    times.callCount = graph.links.reduce(0) { $0 + $1.callCount }
    times.unpairedCount = graph.unpaired.reduce(0) { $0 + $1.callerCount + $1.calleeCount }
    times.warm = try await median { _ in
      DependencyQuery()
    } of: {
      _ = try await store.serviceGraph($0)
    }
    let segments = try await store.statistics().segments
    let first = segments.map(\.minimumStart.nanoseconds).min() ?? 0
    let length = (segments.map(\.maximumStart.nanoseconds).max() ?? 0) - first
    times.window = try await median { index in
      let start = first + length / 200 * UInt64(index)
      return DependencyQuery(start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: start + length / 2))
    } of: {
      _ = try await store.serviceGraph($0)
    }
    return times
  }

  private static func median(
    _ query: (Int) -> DependencyQuery, of ask: (DependencyQuery) async throws -> Void
  ) async throws -> Double {
    var times: [Double] = []
    for index in 0..<repetitionCount { times.append(try await milliseconds { try await ask(query(index)) }) }
    return times.sorted()[repetitionCount / 2]
  }

  private static func milliseconds(_ body: () async throws -> Void) async throws -> Double {
    try await ContinuousClock().measure(body).seconds * 1000
  }
}

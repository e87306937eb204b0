import BenchmarkSupport
import Foundation
import Synchronization
import TraceAnalysis
import TraceEngine

/// What writing costs while somebody looks on, beside what it costs alone.
struct LiveLoad: Encodable {
  private static let roundCount = 3

  /// Spans a second, round by round, to the last span in a segment: alone, ...
  var alone: [Double] = []
  /// ... while a listener keeps the figures and the graph of `tracestore watch`, ...
  var watched: [Double] = []
  /// ... and while a monitoring page asks for its metrics and its graph, again a second after each answer.
  var asked: [Double] = []
  /// Spans that the listener was told of before the last one was in a segment, in all rounds.
  var toldSpanCount = 0
  var lostRequestCount: UInt64 = 0
  var askedCount = 0

  /// - Parameter folder: gets a store for each measurement, one after the other.
  static func measure(_ corpus: Corpus, in folder: String) async throws -> LiveLoad {
    var result = LiveLoad()
    for _ in 0..<roundCount {
      result.alone.append(try await ingest(corpus, folder, beside: { _ in }))
      let watch = Watch()
      result.watched.append(try await ingest(corpus, folder, beside: watch.run))
      result.toldSpanCount += watch.counts.withLock(\.told)
      result.lostRequestCount += watch.counts.withLock(\.lost)
      let page = Page()
      result.asked.append(try await ingest(corpus, folder, beside: page.run))
      result.askedCount += page.count.withLock(\.self)
    }
    return result
  }

  private static func ingest(
    _ corpus: Corpus, _ folder: String, beside load: @escaping @Sendable (TraceStore) async throws -> Void
  ) async throws -> Double {
    let path = folder + "/store"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let store = try await TraceStore.open(at: path)
    let rate = try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do { try await load(store) } catch is CancellationError {}
      }
      let elapsed = try await ContinuousClock().measure {
        try await corpus.write(to: store)
        try await store.seal()
      }
      group.cancelAll()
      try await group.waitForAll()
      return Double(try await store.statistics().spanCount) / elapsed.seconds
    }
    try await store.close()
    return rate
  }

  private final class Watch: Sendable {
    let counts = Mutex((told: 0, lost: UInt64(0)))

    @Sendable func run(_ store: TraceStore) async throws {
      var live = LiveFigures()
      for try await event in try await store.events() {
        switch event {
        case .span(let found):
          // Spans of a corpus are not of today.
          live.advance(to: found.span.start)
          live.add(found)
          counts.withLock { $0.told += 1 }
        case .trace(let trace): live.add(trace: trace.spans)
        case .lost(let lost): counts.withLock { $0.lost += lost.requestCount }
        }
      }
    }
  }

  private final class Page: Sendable {
    let count = Mutex(0)

    @Sendable func run(_ store: TraceStore) async throws {
      while true {
        try await Task.sleep(nanoseconds: 1_000_000_000)
        let query = MetricsQuery(
          serviceNames: [], groups: [.operation], end: .maximum, lookbackNanoseconds: .max,
          stepNanoseconds: 60_000_000_000, quantile: 0.95)
        _ = try await store.getLatencies(query)
        _ = try await store.getCallRates(query)
        _ = try await store.getErrorRates(query)
        _ = try await store.serviceGraph(DependencyQuery())
        count.withLock { $0 += 1 }
      }
    }
  }
}

import BenchmarkSupport
import Foundation
import TraceEngine

/// What writing and searching cost while segments are merged, beside what they cost alone.
struct MixedLoad: Encodable {
  /// Spans a second, alone and while everything is merged over and over.
  var quietIngest = 0.0
  var mergingIngest = 0.0
  /// The 99th percentile of searches in milliseconds.
  var quietSearch = 0.0
  var mergingSearch = 0.0
  /// Spans a second of the merges, by wall clock, while nothing else ran, and beside searches.
  var quietMerge = 0.0
  var searchingMerge = 0.0

  /// Searches of each kind of phase.
  private static let searchCount = 2_000

  /// Writes half of the corpus alone and half beside merges, into a new store.
  static func measure(_ corpus: Corpus, store path: String) async throws -> MixedLoad {
    var result = MixedLoad()
    var options = StoreOptions()
    options.isCompactionAutomatic = false
    let store = try await TraceStore.open(at: path, options: options)
    let half = corpus.requests.count / 2
    result.quietIngest = try await ingest(corpus.part(0..<half), store)
    result.mergingIngest = try await beside(store) {
      try await ingest(corpus.part(half..<corpus.requests.count), store)
    }
    .result
    let merges = try await merge(store)
    result.quietMerge = merges
    let services = try await store.getServices().elements
    // The first searches read what all others find in memory.
    _ = try await search(store, services)
    result.quietSearch = try await search(store, services)
    let busy = try await beside(store) { try await search(store, services) }
    (result.mergingSearch, result.searchingMerge) = (busy.result, busy.spansPerSecond)
    try await store.close()
    return result
  }

  private static func ingest(_ corpus: Corpus, _ store: TraceStore) async throws -> Double {
    let before = try await store.statistics().spanCount
    let elapsed = try await ContinuousClock().measure {
      try await corpus.write(to: store)
      try await store.seal()
    }
    return Double(try await store.statistics().spanCount - before) / elapsed.seconds
  }

  /// A full merge of what there is: spans a second.
  private static func merge(_ store: TraceStore) async throws -> Double {
    let started = ContinuousClock.now
    let report = try await store.compact(.all)
    return Double(report.recordCount) / (ContinuousClock.now - started).seconds
  }

  /// Runs `body` while the store is merged whole again and again.
  private static func beside<Result: Sendable>(
    _ store: TraceStore, _ body: @Sendable () async throws -> Result
  ) async throws -> (result: Result, spansPerSecond: Double) {
    try await withThrowingTaskGroup(of: Double.self) { group in
      group.addTask {
        var rates: [Double] = []
        while !Task.isCancelled { rates.append(try await merge(store)) }
        return rates.reduce(0, +) / Double(max(1, rates.count))
      }
      let result = try await body()
      group.cancelAll()
      return (result, try await group.next() ?? 0)
    }
  }

  /// The 99th percentile of newest-first searches, in milliseconds.
  private static func search(_ store: TraceStore, _ services: [String]) async throws -> Double {
    var times: [Double] = []
    for index in 0..<searchCount {
      var query = TraceQuery(serviceName: services[index &* 7919 % services.count], limit: 20)
      if index % 3 == 1 { query.durationMinimumNanoseconds = 50_000_000 }
      if index % 3 == 2 { query.attributes = [Attribute("http.response.status_code", .string("500"))] }
      let elapsed = try await ContinuousClock().measure {
        for try await _ in try await store.findTraceIDs(query) {}
      }
      times.append(elapsed.seconds * 1_000)
    }
    times.sort()
    return times[times.count * 99 / 100]
  }
}

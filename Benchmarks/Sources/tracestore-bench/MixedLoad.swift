import BenchmarkSupport
import Foundation
import Synchronization
import TraceEngine

/// What writing and searching cost while segments are merged, beside what they cost alone.
struct MixedLoad: Encodable {
  /// Spans a second, to the last span in a segment: alone, and while everything is merged again and again.
  var quietIngest = 0.0
  var mergingIngest = 0.0
  /// The 99th percentile of searches in milliseconds: alone, and while everything is merged.
  var quietSearch = 0.0
  var mergingSearch = 0.0
  /// How many searches stand behind the latter: as many as there was time for.
  var mergingSearchCount = 0
  /// Spans a second of a full merge, by wall clock: alone, and beside searches.
  var quietMerge = 0.0
  var searchingMerge = 0.0

  private static let searchCount = 2_000

  /// Writes a third of the corpus alone, a third beside merges, and the last so that there is something to merge again.
  static func measure(_ corpus: Corpus, store path: String) async throws -> MixedLoad {
    var result = MixedLoad()
    var options = StoreOptions()
    options.isCompactionAutomatic = false
    let store = try await TraceStore.open(at: path, options: options)
    let third = corpus.requests.count / 3
    result.quietIngest = try await ingest(corpus.part(0..<third), store)
    result.quietMerge = try await merge(store)
    result.mergingIngest = try await ingestBesideMerges(corpus.part(third..<2 * third), store)
    _ = try await ingest(corpus.part(2 * third..<corpus.requests.count), store)

    let services = try await store.getServices().elements
    guard !services.isEmpty else { throw CocoaError(.fileReadCorruptFile) }
    // The first searches read what all others find in memory.
    _ = try await search(store, services) { false }
    result.quietSearch = percentile(try await search(store, services) { false })
    let isMerged = Mutex(false)
    async let rate = {
      defer { isMerged.withLock { $0 = true } }
      return try await merge(store)
    }()
    let times = try await search(store, services) { isMerged.withLock { $0 } }
    (result.mergingSearch, result.mergingSearchCount) = (percentile(times), times.count)
    result.searchingMerge = try await rate
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

  private static func ingestBesideMerges(_ corpus: Corpus, _ store: TraceStore) async throws -> Double {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { while !Task.isCancelled { _ = try await merge(store) } }
      let rate = try await ingest(corpus, store)
      group.cancelAll()
      try await group.waitForAll()
      return rate
    }
  }

  /// A full merge of what there is: spans a second; 0 when there is nothing to merge.
  private static func merge(_ store: TraceStore) async throws -> Double {
    let started = ContinuousClock.now
    let report = try await store.compact(.all)
    return Double(report.recordCount) / (ContinuousClock.now - started).seconds
  }

  /// What newest-first searches took in milliseconds, until enough of them were made or the end has come.
  private static func search(
    _ store: TraceStore, _ services: [String], until isOver: () -> Bool
  ) async throws -> [Double] {
    var times: [Double] = []
    while times.count < searchCount, !isOver() {
      let index = times.count
      var query = TraceQuery(serviceName: services[index &* 7919 % services.count], limit: 20)
      if index % 3 == 1 { query.durationMinimumNanoseconds = 50_000_000 }
      if index % 3 == 2 { query.attributes = [Attribute("http.response.status_code", .string("500"))] }
      let elapsed = try await ContinuousClock().measure {
        for try await _ in try await store.findTraceIDs(query) {}
      }
      times.append(elapsed.seconds * 1_000)
    }
    return times
  }

  /// The 99th.
  private static func percentile(_ times: [Double]) -> Double {
    times.isEmpty ? 0 : times.sorted()[times.count * 99 / 100]
  }
}

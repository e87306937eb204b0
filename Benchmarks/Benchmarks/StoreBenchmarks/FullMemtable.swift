import BenchmarkSupport
import Foundation
import TraceEngine

/// A store whose memtable is nearly full: all its spans are in the log, none in a segment. It stays open for writing
/// as long as the process lives.
actor LiveStore {
  static let shared = LiveStore()

  struct Content: Sendable {
    var store: TraceStore
    var path: String
    var traceIDs: [TraceID]
  }

  private var filling: Task<Content, any Error>?

  func content() async throws -> Content {
    if let filling { return try await filling.value }
    let task = Task { try await Self.fill() }
    filling = task
    return try await task.value
  }

  private static func fill() async throws -> Content {
    let path = Material.folder + "/live-\(ProcessInfo.processInfo.processIdentifier)"
    let corpus = try await corpusThatFits(in: path + "-trial")
    let store = try await TraceStore.open(at: path)
    try await corpus.write(to: store)
    return Content(store: store, path: path, traceIDs: try corpus.traceIDs(100))
  }

  /// Learns from a store at `path` how much fits into a memtable.
  private static func corpusThatFits(in path: String) async throws -> Corpus {
    let corpus = try Material.corpus()
    let seals = Seals()
    var options = StoreOptions()
    options.observer = { event in
      if case .sealed(let recordCount, _, _) = event { seals.append(recordCount) }
    }
    let candidates = corpus.prefix(options.sealSpanCount / 512 + 64)
    try await withTraceStore(at: path, options: options) { store in
      try await candidates.write(to: store)
      try await store.seal()
    }
    try FileManager.default.removeItem(atPath: path)
    let requestCount = seals.first / 512
    // A small corpus never overflowed. The order of writes is not fixed, hence the margin.
    return requestCount >= candidates.requests.count - 1 ? candidates : corpus.prefix(requestCount * 98 / 100)
  }

  /// The observer is called on the store's threads.
  private final class Seals: @unchecked Sendable {
    private let lock = NSLock()
    private var recordCounts: [Int] = []

    func append(_ count: Int) { lock.withLock { recordCounts.append(count) } }
    var first: Int { lock.withLock { recordCounts.first ?? 0 } }
  }
}

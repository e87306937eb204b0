import Foundation
import TraceEngine
import TracestoreTesting

/// The store that the read benchmarks share: filled and sealed once, by whichever of them runs first.
actor FilledStore {
  static let shared = FilledStore()

  struct Content: Sendable {
    var store: TraceStore
    var corpus: Corpus
    var services: [String]
    /// (service, operation) pairs, all services taking turns.
    var operations: [(service: String, name: String)]
  }

  private var filling: Task<Content, any Error>?

  func content() async throws -> Content {
    if let filling { return try await filling.value }
    let task = Task { try await Self.fill() }
    filling = task
    return try await task.value
  }

  private static func fill() async throws -> Content {
    let corpus = try Corpus(in: Workspace.shared.path)
    let store = try await TraceStore.open(at: Workspace.shared.path + "/read")
    try await corpus.write(to: store, flightCount: 64)
    try await store.seal()
    let services = try await store.getServices()
    var operations: [(service: String, name: String)] = []
    for service in services {
      for operation in try await store.getOperations(OperationQuery(serviceName: service)).prefix(4) {
        operations.append((service, operation.name))
      }
    }
    return Content(store: store, corpus: corpus, services: services, operations: operations)
  }
}

/// A folder of this process, removed when the process ends.
struct Workspace: Sendable {
  static let shared = Workspace()

  let path: String

  private init() {
    // The figures are about the disk that the caller chose, not about a memory file system that /tmp may be.
    let base = ProcessInfo.processInfo.environment["TRACESTORE_BENCH_DIR"] ?? NSTemporaryDirectory()
    path = base + "/tracestore-bench-\(ProcessInfo.processInfo.processIdentifier)"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(atPath: Workspace.shared.path) }
  }
}

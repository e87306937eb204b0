import BenchmarkSupport
import Foundation
import TraceEngine

/// What the script `Benchmarks/run` has laid out before it starts the benchmarks, each of which is a process of its own.
enum Material {
  /// A folder on the disk that is measured.
  static let folder = environment("TRACESTORE_BENCH_WORK")
  /// The `tracestore` program, for what a second process sees.
  static let tool = environment("TRACESTORE_BENCH_TOOL")
  static let shape = environment("TRACESTORE_BENCH_SHAPE")
  /// The whole corpus as `tracestore import` has left it.
  static let store = folder + "/store"

  static func corpus() throws -> Corpus { try Corpus(path: folder + "/corpus.otlp") }

  /// A new empty folder below `folder`, gone after `body`.
  static func withScratch(_ body: (String) async throws -> Void) async throws {
    let path = folder + "/scratch-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  private static func environment(_ name: String) -> String {
    guard let value = ProcessInfo.processInfo.environment[name] else {
      let text = "\(name) is not set: start the benchmarks with `make bench`, which prepares what they read\n"
      FileHandle.standardError.write(Data(text.utf8))
      exit(2)
    }
    return value
  }
}

/// The imported store, open once a process, and what there is to ask it.
actor FilledStore {
  static let shared = FilledStore()

  struct Content: Sendable {
    var store: TraceStore
    var traceIDs: [TraceID]
    var services: [String]
    /// All services taking turns.
    var operations: [(service: String, name: String)]
    /// Frequent and rare ones.
    var attributes: [Attribute]
    /// A key that occurs, for values that do not.
    var key: String
  }

  private var opening: Task<Content, any Error>?

  func content() async throws -> Content {
    if let opening { return try await opening.value }
    let task = Task { try await Self.open() }
    opening = task
    return try await task.value
  }

  private static func open() async throws -> Content {
    let store = try await TraceStore.open(at: Material.store)
    let services = try await store.getServices()
    var operations: [(service: String, name: String)] = []
    for service in services {
      for operation in try await store.getOperations(OperationQuery(serviceName: service)).prefix(4) {
        operations.append((service, operation.name))
      }
    }
    let isUniform = Material.shape == "uniform"
    let attributes =
      isUniform
      ? (0..<97).map { Attribute("attr_\($0)", .string("val_\(100 + $0 &* 7)")) }
      : ["200", "404", "500", "503"].map { Attribute("http.response.status_code", .string($0)) }
    return Content(
      store: store, traceIDs: try Material.corpus().traceIDs(500), services: services.elements, operations: operations,
      attributes: attributes, key: isUniform ? "attr_11" : "enduser.id")
  }
}

import Synchronization
import Testing
import TraceEngine
import TraceFiles
import TracestoreTesting

/// One contract, kept by the engine in every state its rows can be in.
@Suite struct ConformanceTests {
  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `rows in memory keep the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(
      makeStore: { try await TraceStore.inMemory(options: .small) },
      discard: { try await ($0 as? TraceStore)?.close() })
  }

  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `rows in segments keep the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(
      makeStore: { SealingFactory(try await TraceStore.inMemory(options: .small)) },
      discard: { try await ($0 as? SealingFactory)?.store.close() })
  }

  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `a store that is opened again keeps the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(
      makeStore: { ReopeningFactory(seals: false) }, discard: { try await ($0 as? ReopeningFactory)?.close() })
  }

  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `segments that are opened again keep the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(
      makeStore: { ReopeningFactory(seals: true) }, discard: { try await ($0 as? ReopeningFactory)?.close() })
  }

  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `rows in merged segments keep the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(
      makeStore: { MergingFactory(try await TraceStore.inMemory(options: .small)) },
      discard: { try await ($0 as? MergingFactory)?.store.close() })
  }

  @Test(arguments: ConformanceKit.checks.filter { !$0.isSlow })
  func `a reader beside the writer keeps the contract`(_ check: ConformanceCheck) async throws {
    try await check.run(
      makeStore: { FollowingFactory() }, discard: { try await ($0 as? FollowingFactory)?.close() })
  }
}

extension StoreOptions {
  /// Limits near enough for small tests to cross them: several stripes and several segments.
  static var small: StoreOptions {
    StoreOptions(sealSpanCount: 3000, stripeSpanCount: 256, mergedSegmentSpanCount: 2000)
  }
}

/// Seals before every read.
private struct SealingFactory: TracestoreFactory {
  let store: TraceStore
  init(_ store: TraceStore) { self.store = store }

  func createTraceReader() async throws -> any TraceReader {
    try await store.seal()
    return store
  }

  func createTraceWriter() async throws -> any TraceWriter { store }
}

/// Seals after every write, and merges everything before every read.
private struct MergingFactory: TracestoreFactory {
  let store: TraceStore
  init(_ store: TraceStore) { self.store = store }

  func createTraceReader() async throws -> any TraceReader {
    try await store.compact(.all)
    return store
  }

  func createTraceWriter() async throws -> any TraceWriter { Writer(store: store) }

  private struct Writer: TraceWriter {
    let store: TraceStore

    func writeTraces(_ data: TraceData) async throws -> WriteReceipt {
      let receipt = try await store.writeTraces(data)
      try await store.seal()
      return receipt
    }
  }
}

/// Closes and opens the store before every read.
private final class ReopeningFactory: TracestoreFactory {
  private let files = SimulatedFileSystem(isDurabilityTracked: false)
  private let current = Mutex<TraceStore?>(nil)
  private let seals: Bool

  init(seals: Bool) { self.seals = seals }

  private func opened() async throws -> TraceStore {
    if let store = current.withLock({ $0 }) { return store }
    let store = try await TraceStore.open(in: files, at: "store", options: .small)
    current.withLock { $0 = store }
    return store
  }

  func close() async throws {
    if let store = current.withLock({ $0 }) {
      if seals { try await store.seal() }
      try await store.close()
    }
    current.withLock { $0 = nil }
  }

  func createTraceReader() async throws -> any TraceReader {
    try await close()
    return try await opened()
  }

  func createTraceWriter() async throws -> any TraceWriter { try await opened() }
}

/// Reads through a second, read-only store.
private final class FollowingFactory: TracestoreFactory {
  private let files = SimulatedFileSystem(isDurabilityTracked: false)
  private let writer = Mutex<TraceStore?>(nil)
  private let readers = Mutex<[TraceStore]>([])

  func close() async throws {
    for reader in readers.withLock({ $0 }) { try await reader.close() }
    try await writer.withLock { $0 }?.close()
  }

  func createTraceReader() async throws -> any TraceReader {
    _ = try await createTraceWriter()
    let reader = try await TraceStore.open(in: files, at: "store", options: .small, isReadOnly: true)
    readers.withLock { $0.append(reader) }
    return reader
  }

  func createTraceWriter() async throws -> any TraceWriter {
    if let store = writer.withLock({ $0 }) { return store }
    let store = try await TraceStore.open(in: files, at: "store", options: .small)
    writer.withLock { $0 = store }
    return store
  }
}

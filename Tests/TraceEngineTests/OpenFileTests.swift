import Testing
import TraceEngine
import TraceFiles
import TraceModel
import TracestoreTesting

/// A store of many segments has few files open.
@Suite struct OpenFileTests {
  private static let options = StoreOptions(
    maximumOpenFileCount: 64, stripeSpanCount: 32, isCompactionAutomatic: false)

  /// A store of as many segments as batches, and the file system that counts.
  private static func store(_ batches: [TraceData]) async throws -> (TraceStore, CountingFileSystem) {
    let files = CountingFileSystem(SimulatedFileSystem(isDurabilityTracked: false))
    let store = try await TraceStore.open(in: files, at: "store", options: options)
    for batch in batches {
      _ = try await store.writeTraces(batch)
      try await store.seal()
    }
    return (store, files)
  }

  private static func records(_ store: TraceStore) async throws -> Set<ContentKey> {
    var result: Set<ContentKey> = []
    for chunk in try await store.findTraces(TraceQuery(limit: 1000)).collect().elements {
      chunk.data.forEachSpan { result.insert(ContentKey($0, $1, $2)) }
    }
    return result
  }

  private func openHandleCount(_ files: CountingFileSystem) -> Int { files.snapshot().total().openHandleCount }

  @Test func `more segments than files may be open are read, merged and read again`() async throws {
    let batches = randomTraces(seed: 5, count: 90)
    var written: Set<ContentKey> = []
    for batch in batches { batch.forEachSpan { written.insert(ContentKey($0, $1, $2)) } }
    let (store, files) = try await Self.store(batches)
    #expect(try await store.statistics().segments.count > 64)
    #expect(openHandleCount(files) <= 64)
    #expect(try await Self.records(store) == written)
    #expect(openHandleCount(files) <= 64)

    // A reader that has most of its segments closed when the writer merges them away.
    let reader = try await TraceStore.open(in: files, at: "store", options: Self.options, isReadOnly: true)
    let traces = try await store.findTraces(TraceQuery(limit: 1000))
    try await store.compact(.all)
    // The stream was begun before, so that it reads what is gone by name.
    var streamed: Set<ContentKey> = []
    for chunk in try await traces.collect().elements {
      chunk.data.forEachSpan { streamed.insert(ContentKey($0, $1, $2)) }
    }
    #expect(streamed == written)
    #expect(try await store.statistics().segments.count < 10)
    #expect(try await Self.records(reader) == written)
    #expect(try await Self.records(store) == written)
    try await reader.close()
    try await store.close()
  }

  @Test func `a reader begins again with a trace whose segment was merged away`() async throws {
    let batches = randomTraces(seed: 6, count: 90)
    let (store, files) = try await Self.store(batches)
    let reader = try await TraceStore.open(in: files, at: "store", options: Self.options, isReadOnly: true)
    var written: [TraceID: Set<ContentKey>] = [:]
    for batch in batches {
      batch.forEachSpan { written[$2.traceID, default: []].insert(ContentKey($0, $1, $2)) }
    }
    try await store.compact(.all)
    for (trace, records) in written.sorted(by: { $0.key < $1.key }) {
      let answer = try await reader.getTraces([trace]).collect()
      #expect(answer.summary.damage.isEmpty, "\(answer.summary.damage)")
      var found: Set<ContentKey> = []
      for chunk in answer.elements { chunk.data.forEachSpan { found.insert(ContentKey($0, $1, $2)) } }
      #expect(found == records, "trace \(trace)")
    }
    try await reader.close()
    try await store.close()
  }

  @Test func `fewer than 64 files are refused`() async throws {
    var options = StoreOptions()
    options.maximumOpenFileCount = 63
    let chosen = options
    await #expect { try await TraceStore.inMemory(options: chosen) } throws: {
      ($0 as? TracestoreError)?.code == .invalidArgument
    }
  }
}

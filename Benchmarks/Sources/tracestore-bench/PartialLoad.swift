import BenchmarkSupport
import Foundation
import TraceEngine
import TraceOTLP

/// What open spans cost: very many of them, each updated again and again, then read, searched and sealed.
struct PartialLoad: Encodable {
  var openSpanCount = 100_000
  var updateCount = 10
  /// Updates a second, to the last one that is durable.
  var updatesPerSecond = 0.0
  /// Milliseconds to read the trace of one open span: half of the reads are faster, one in a hundred is slower.
  var readMedian = 0.0
  var readPercentile99 = 0.0
  /// Milliseconds of the first search, which joins everything, and the median of those after it.
  var firstSearch = 0.0
  var laterSearch = 0.0
  /// The same when an update came before each of them.
  var searchAfterUpdate = 0.0
  var sealSeconds = 0.0
  /// Milliseconds of the first search after the seal.
  var searchAfterSeal = 0.0
  /// Records that are left of all updates, in segments.
  var keptRecordCount = 0
  var storeMemoryByteCount = 0
  /// Of the process, when everything is written and nothing was asked yet.
  var peakMemoryByteCountOfWriting = 0
  /// The same when everything was asked and sealed, merges under way.
  var peakMemoryByteCountOfAsking = 0
  /// The same when merges have ended.
  var peakMemoryByteCount = 0
  /// Of the process, when the store has been quiet and merges have ended.
  var settledMemoryByteCount: Int?
  /// Milliseconds of the list of services, which looks at every span.
  var services = 0.0

  private static let requestSpanCount = 512
  private static let start: UInt64 = 1_767_225_600_000_000_000

  static func measure(store path: String) async throws -> PartialLoad {
    var result = PartialLoad()
    let store = try await TraceStore.open(at: path)
    // In a file, so that what the process holds is the store's.
    try result.writeRequests(to: path + ".corpus")
    let corpus = try Corpus(path: path + ".corpus")
    let updates = try await ContinuousClock().measure { try await corpus.write(to: store) }
    result.updatesPerSecond = Double(result.openSpanCount * result.updateCount) / updates.seconds
    result.peakMemoryByteCountOfWriting = ProcessMemory.peakByteCount()
    let reads = try await times(1_000) { index in
      let chunks = try await store.getTraces([trace(index * 97 % result.openSpanCount)]).collect().elements
      guard chunks.count == 1 else { throw CocoaError(.fileReadCorruptFile) }
    }
    (result.readMedian, result.readPercentile99) = (reads[reads.count / 2], reads[reads.count * 99 / 100])
    let query = TraceQuery(serviceName: "worker-3", limit: 20)
    result.firstSearch = try await times(1) { _ in _ = try await store.findSpans(query).collect() }[0]
    result.laterSearch = try await times(50) { _ in _ = try await store.findSpans(query).collect() }[25]
    var searches: [Double] = []
    for index in 0..<50 {
      _ = try await store.writeTraces(result.request(index..<index + 1, update: result.updateCount + index))
      searches += try await times(1) { _ in _ = try await store.findSpans(query).collect() }
    }
    result.searchAfterUpdate = searches.sorted()[25]
    result.storeMemoryByteCount = try await store.statistics().memoryByteCount
    result.sealSeconds = try await ContinuousClock().measure { try await store.seal() }.seconds
    result.searchAfterSeal = try await times(1) { _ in _ = try await store.findSpans(query).collect() }[0]
    result.services = try await times(1) { _ in _ = try await store.getServices() }[0]
    result.keptRecordCount = try await store.statistics().partialRecordCount
    result.peakMemoryByteCountOfAsking = ProcessMemory.peakByteCount()
    result.settledMemoryByteCount = try await settledMemoryByteCount(of: store)
    result.peakMemoryByteCount = ProcessMemory.peakByteCount()
    try await store.close()
    return result
  }

  /// Waits until no segment has come or gone for five seconds, for a minute at most.
  private static func settledMemoryByteCount(of store: TraceStore) async throws -> Int? {
    var segments: [StoreStatistics.SegmentInfo] = []
    for _ in 0..<12 {
      let now = try await store.statistics().segments
      if now == segments { break }
      segments = now
      try await Task.sleep(for: .seconds(5))
    }
    return ProcessMemory.byteCount()
  }

  /// Every span once, then every span again.
  private func writeRequests(to path: String) throws {
    guard FileManager.default.createFile(atPath: path, contents: nil) else { throw CocoaError(.fileWriteUnknown) }
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    for update in 0..<updateCount {
      for first in stride(from: 0, to: openSpanCount, by: Self.requestSpanCount) {
        let bytes = OTLP.encode(request(first..<min(first + Self.requestSpanCount, openSpanCount), update: update))
        try file.write(contentsOf: withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Data($0) } + Data(bytes))
      }
    }
    try file.close()
  }

  private func request(_ spans: Range<Int>, update: Int) -> TraceData {
    let service = "worker-\(spans.lowerBound / Self.requestSpanCount % 8)"
    return TraceData(resourceSpans: [
      ResourceSpans(
        resource: Resource(attributes: [Attribute("service.name", .string(service))]),
        scopeSpans: [
          ScopeSpans(
            scope: InstrumentationScope(name: "worker"),
            spans: spans.map { index in
              SpanRecord(
                traceID: Self.trace(index), spanID: SpanID(UInt64(index) + 1), name: "job", kind: .internal,
                start: Timestamp(nanoseconds: Self.start + UInt64(index) * 1_000),
                attributes: [
                  Attribute("tracestore.sequence", .int(Int64(update))), Attribute("job.step", .int(Int64(update))),
                  Attribute("job.rows", .int(Int64(index * 31 + update * 1_000))),
                  Attribute("job.queue", .string("queue-\(index % 40)")),
                ])
            })
        ])
    ])
  }

  private static func trace(_ index: Int) -> TraceID {
    TraceID(high: UInt64(index) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(index) + 1)
  }

  /// Milliseconds, ascending.
  private static func times(_ count: Int, _ body: (Int) async throws -> Void) async throws -> [Double] {
    var times: [Double] = []
    for index in 0..<count {
      times.append(try await ContinuousClock().measure { try await body(index) }.seconds * 1_000)
    }
    return times.sorted()
  }
}

import Benchmark
import Foundation
import TraceEngine
import TracestoreTesting

private let spansPerSecond = BenchmarkMetric.custom("Spans a second", polarity: .prefersLarger)
private let bytesPerThousandSpans = BenchmarkMetric.custom("Bytes per 1,000 spans", polarity: .prefersSmaller)

/// Prints where and what is measured, once, before the first figure.
private let announcement: Void = FileHandle.standardError.write(Data(("\n" + Setting.text + "\n\n").utf8))

private func announce() { _ = announcement }

/// One query a sample: the percentiles are of single queries, each asking for something else.
private func read(
  _ name: String, _ query: @escaping @Sendable (FilledStore.Content, Int) async throws -> Int
) {
  Benchmark(
    name,
    configuration: .init(
      metrics: [.wallClock, .peakMemoryResident], warmupIterations: 20, maxDuration: .seconds(10), maxIterations: 2_000)
  ) { benchmark in
    announce()
    let content = try await FilledStore.shared.content()
    benchmark.startMeasurement()
    let found = try await query(content, benchmark.currentIteration)
    benchmark.stopMeasurement()
    blackHole(found)
  }
}

private func newest20(_ content: FilledStore.Content, _ query: TraceQuery) async throws -> Int {
  var query = query
  query.limit = 20
  var count = 0
  for try await _ in try await content.store.findTraceIDs(query) { count += 1 }
  return count
}

let benchmarks: @Sendable () -> Void = {
  Benchmark(
    "ingest, durable, 64 requests in flight",
    configuration: .init(
      metrics: [.wallClock, .cpuTotal, .peakMemoryResident, spansPerSecond, bytesPerThousandSpans],
      warmupIterations: 0, maxDuration: .seconds(60), maxIterations: 3)
  ) { benchmark in
    announce()
    let folder = Workspace.shared.path + "/ingest-\(benchmark.currentIteration)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let corpus = try Corpus(in: folder)
    let store = try await TraceStore.open(at: folder + "/store")

    benchmark.startMeasurement()
    let started = ContinuousClock.now
    try await corpus.write(to: store, flightCount: 64)
    let elapsed = ContinuousClock.now - started
    benchmark.stopMeasurement()

    try await store.seal()
    let statistics = try await store.statistics()
    let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    benchmark.measurement(spansPerSecond, Int(Double(Corpus.spanCount) / seconds))
    benchmark.measurement(
      bytesPerThousandSpans, Int(statistics.segmentByteCount) * 1_000 / max(1, statistics.spanCount))
    if benchmark.currentIteration == 0 { printColumns(statistics) }
    try await store.close()
  }

  read("get trace by id") { content, index in
    let traceIDs = content.corpus.traceIDs
    var count = 0
    for try await chunk in try await content.store.getTraces([traceIDs[index &* 7919 % traceIDs.count]]) {
      count += chunk.data.spanCount
    }
    return count
  }
  read("newest 20 by service") { content, index in
    try await newest20(content, TraceQuery(serviceName: content.services[index % content.services.count]))
  }
  read("newest 20 by operation") { content, index in
    let operation = content.operations[index &* 31 % content.operations.count]
    return try await newest20(content, TraceQuery(serviceName: operation.service, operationName: operation.name))
  }
  read("newest 20 by duration") { content, index in
    let milliseconds = UInt64([20, 100, 500, 2_000][index % 4])
    return try await newest20(content, TraceQuery(durationMinimumNanoseconds: milliseconds * 1_000_000))
  }
  read("newest 20 by attribute") { content, index in
    let status = ["200", "404", "500", "503"][index % 4]
    return try await newest20(
      content, TraceQuery(attributes: [Attribute("http.response.status_code", .string(status))]))
  }
  read("newest 20 by attribute, no match") { content, index in
    try await newest20(content, TraceQuery(attributes: [Attribute("enduser.id", .string("nobody-\(index)"))]))
  }
}

/// Where the bytes of the sealed store are.
private func printColumns(_ statistics: StoreStatistics) {
  let spanCount = Double(max(1, statistics.spanCount))
  var text = "bytes a span by column, of \(statistics.spanCount) spans\n"
  for column in statistics.columns.sorted(by: { ($1.byteCount, $0.name) < ($0.byteCount, $1.name) }) {
    let figure = String(format: "%8.2f", Double(column.byteCount) / spanCount)
    text += "\(figure)  \(column.name)\n"
  }
  FileHandle.standardError.write(Data((text + "\n").utf8))
}

import Benchmark
import BenchmarkSupport
import Foundation
import TraceEngine

private let spansPerSecond = BenchmarkMetric.custom("Spans a second", polarity: .prefersLarger)
private let bytesPerThousandSpans = BenchmarkMetric.custom("Bytes per 1,000 spans", polarity: .prefersSmaller)
private let fileReads = BenchmarkMetric.readSyscalls

let benchmarks: @Sendable () -> Void = {
  writing()
  reading()
  opening()
}

// MARK: Writing

private func writing() {
  Benchmark(
    "ingest, durable, 64 requests in flight",
    configuration: .init(
      metrics: [.wallClock, .cpuTotal, .peakMemoryResident, spansPerSecond, bytesPerThousandSpans],
      units: [spansPerSecond: .count, bytesPerThousandSpans: .count],
      warmupIterations: 0, maxDuration: .seconds(60), maxIterations: 3)
  ) { benchmark in
    let corpus = try Material.corpus()
    try await Material.withScratch { folder in
      let store = try await TraceStore.open(at: folder + "/store")
      benchmark.startMeasurement()
      let elapsed = try await ContinuousClock().measure { try await corpus.write(to: store) }
      benchmark.stopMeasurement()
      try await store.seal()
      let statistics = try await store.statistics()
      benchmark.measurement(spansPerSecond, Int(Double(statistics.spanCount) / elapsed.seconds))
      benchmark.measurement(
        bytesPerThousandSpans, Int(statistics.segmentByteCount) * 1_000 / max(1, statistics.spanCount))
      try await store.close()
    }
  }
}

// MARK: Reading

/// One query a sample: the percentiles are of single queries, each asking for something else.
private func reading(
  _ name: String, _ metrics: [BenchmarkMetric] = [.wallClock, .peakMemoryResident],
  _ query: @escaping @Sendable (FilledStore.Content, Int) async throws -> Int
) {
  Benchmark(
    name,
    configuration: .init(
      metrics: metrics, units: [fileReads: .count], warmupIterations: 20, maxDuration: .seconds(10),
      maxIterations: 2_000)
  ) { benchmark in
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

private func spanCount(of traceID: TraceID, in store: TraceStore) async throws -> Int {
  var count = 0
  for try await chunk in try await store.getTraces([traceID]) { count += chunk.data.spanCount }
  precondition(count > 0, "the trace is in the corpus")
  return count
}

private func reading() {
  reading("get trace by id", [.wallClock, fileReads]) { content, index in
    try await spanCount(of: content.traceIDs[index &* 7919 % content.traceIDs.count], in: content.store)
  }
  reading("newest 20 by service") { content, index in
    try await newest20(content, TraceQuery(serviceName: content.services[index % content.services.count]))
  }
  reading("newest 20 by operation") { content, index in
    let operation = content.operations[index &* 31 % content.operations.count]
    return try await newest20(content, TraceQuery(serviceName: operation.service, operationName: operation.name))
  }
  reading("newest 20 by duration") { content, index in
    let milliseconds = UInt64([20, 100, 500, 2_000][index % 4])
    return try await newest20(content, TraceQuery(durationMinimumNanoseconds: milliseconds * 1_000_000))
  }
  reading("newest 20 by attribute") { content, index in
    try await newest20(content, TraceQuery(attributes: [content.attributes[index % content.attributes.count]]))
  }
  reading("newest 20 by attribute, no match") { content, index in
    try await newest20(content, TraceQuery(attributes: [Attribute(content.key, .string("nobody-\(index)"))]))
  }
}

// MARK: Opening

private func opening() {
  let once = Benchmark.Configuration(
    metrics: [.wallClock, fileReads], units: [fileReads: .count], warmupIterations: 2, maxDuration: .seconds(10),
    maxIterations: 100)

  Benchmark("get trace by id, first question to an opened store", configuration: once) { benchmark in
    let traceIDs = try await FilledStore.shared.content().traceIDs
    let store = try await TraceStore.openReadOnly(at: Material.store)
    benchmark.startMeasurement()
    let count = try await spanCount(of: traceIDs[benchmark.currentIteration % traceIDs.count], in: store)
    benchmark.stopMeasurement()
    blackHole(count)
    try await store.close()
  }

  Benchmark("open a store that was closed", configuration: once) { benchmark in
    benchmark.startMeasurement()
    let store = try await TraceStore.open(at: Material.store)
    benchmark.stopMeasurement()
    try await store.close()
  }

  Benchmark(
    "open a store after a crash, full log",
    configuration: .init(
      metrics: [.wallClock, .peakMemoryResident, spansPerSecond], units: [spansPerSecond: .count], warmupIterations: 1,
      maxDuration: .seconds(30), maxIterations: 10)
  ) { benchmark in
    let live = try await LiveStore.shared.content()
    try await Material.withScratch { folder in
      // Copied from under its writer: the files as a crash would leave them.
      try FileManager.default.copyItem(atPath: live.path, toPath: folder + "/store")
      benchmark.startMeasurement()
      let started = ContinuousClock.now
      let store = try await TraceStore.open(at: folder + "/store")
      let elapsed = ContinuousClock.now - started
      benchmark.stopMeasurement()
      let recordCount = try await store.statistics().unsealedRecordCount
      benchmark.measurement(spansPerSecond, Int(Double(recordCount) / elapsed.seconds))
      try await store.close()
    }
  }

  Benchmark(
    "trace from a second process, full memtable",
    configuration: .init(metrics: [.wallClock], warmupIterations: 1, maxDuration: .seconds(20), maxIterations: 20)
  ) { benchmark in
    let live = try await LiveStore.shared.content()
    let traceID = live.traceIDs[benchmark.currentIteration % live.traceIDs.count]
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Material.tool)
    process.arguments = ["trace", traceID.description, "--store", live.path]
    process.standardOutput = FileHandle.nullDevice
    benchmark.startMeasurement()
    try process.run()
    process.waitUntilExit()
    benchmark.stopMeasurement()
    precondition(process.terminationStatus == 0, "the second process sees what was acknowledged")
  }
}

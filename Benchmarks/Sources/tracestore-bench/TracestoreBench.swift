import BenchmarkSupport
import Foundation
import TraceEngine

/// Our side of `make bench-peers`, and what `make bench` asks besides, over the public interface alone:
///
///     tracestore-bench ingest CORPUS STORE      writes every request durably, 64 in flight
///     tracestore-bench ask STORE QUESTIONS      asks each question once, after the ones marked as warm-up
///     tracestore-bench mixed CORPUS STORE       writes and searches while segments are merged
///     tracestore-bench partial STORE            holds very many open spans, updates, reads and searches them
///     tracestore-bench filters STORE FILTERS    asks every filter of a file again and again, and prints a table
///     tracestore-bench names STORE              asks for services, operations, keys and values, and prints a table
///     tracestore-bench metrics STORE [TEXT]     asks for latencies, rates and the service graph (those questions whose
///                                               name holds the text), and prints a table
///     tracestore-bench tracer                   starts and ends spans of `StoreTracer`, which go nowhere
///
/// All but `filters`, `names` and `metrics` print one JSON object.
@main
struct TracestoreBench {
  static func main() async throws {
    let arguments = CommandLine.arguments
    switch (arguments.count, arguments.dropFirst().first) {
    case (4, "ingest"): try await ingest(corpus: arguments[2], store: arguments[3])
    case (4, "ask"): try await ask(store: arguments[2], questions: arguments[3])
    case (4, "mixed"):
      try emit(try await MixedLoad.measure(try Corpus(path: arguments[2]), store: arguments[3]))
    case (3, "partial"): try emit(try await PartialLoad.measure(store: arguments[2]))
    case (4, "filters"):
      let filters = try FilterTable(path: arguments[3])
      try await withTraceStore(at: arguments[2]) { try await filters.measure($0).print("traces", "filter") }
    case (3, "names"):
      try await withTraceStore(at: arguments[2]) { try await NameTable.measure($0).print("names", "list") }
    case (3...4, "metrics"):
      let part = arguments.count > 3 ? arguments[3] : nil
      try await withTraceStore(at: arguments[2]) {
        try await MetricTable.measure($0, only: part).print("points", "question")
      }
    #if canImport(Tracing)
      case (2, "tracer"): try emit(try await TracerLoad.measure())
    #endif
    default:
      let usage = """
        usage: tracestore-bench ingest|mixed CORPUS STORE | ask STORE QUESTIONS | filters STORE FILTERS | partial|names STORE | metrics STORE [TEXT] | tracer

        """
      FileHandle.standardError.write(Data(usage.utf8))
      exit(2)
    }
  }

  private static func ingest(corpus path: String, store: String) async throws {
    struct Result: Encodable {
      /// Until the last request was acknowledged.
      var writeSeconds: Double
      /// Until the last span was in a segment.
      var sealSeconds: Double
      var spanCount: Int
      var byteCount: UInt64
      var peakMemoryByteCount: Int
    }
    let corpus = try Corpus(path: path)
    let started = ContinuousClock.now
    let store = try await TraceStore.open(at: store)
    try await corpus.write(to: store)
    let written = ContinuousClock.now
    try await store.seal()
    let sealed = ContinuousClock.now
    let statistics = try await store.statistics()
    try await store.close()
    try emit(
      Result(
        writeSeconds: (written - started).seconds, sealSeconds: (sealed - started).seconds,
        spanCount: statistics.spanCount, byteCount: statistics.segmentByteCount,
        peakMemoryByteCount: peakMemoryByteCount()))
  }

  private static func ask(store path: String, questions: String) async throws {
    struct Result: Encodable {
      var answers: [[Answer]]
      var peakMemoryByteCount: Int
    }
    let questions = try JSONDecoder().decode([Question].self, from: Data(contentsOf: URL(fileURLWithPath: questions)))
    let store = try await TraceStore.open(at: path)
    var answers: [[Answer]] = []
    for question in questions {
      for variant in question.warmup { _ = try await question.answer(variant, from: store) }
      var timed: [Answer] = []
      for variant in question.variants { timed.append(try await question.answer(variant, from: store)) }
      answers.append(timed)
    }
    try emit(Result(answers: answers, peakMemoryByteCount: peakMemoryByteCount()))
    try await store.close()
  }

  private static func emit(_ result: some Encodable) throws {
    FileHandle.standardOutput.write(try JSONEncoder().encode(result))
  }

  /// The most memory that the process ever held.
  static func peakMemoryByteCount() -> Int {
    #if os(Linux)
      let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      return (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0) * 1024
    #else
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #endif
  }
}

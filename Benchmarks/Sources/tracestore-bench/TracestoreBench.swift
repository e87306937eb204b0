import ArgumentParser
import BenchmarkSupport
import Foundation
import TraceEngine

/// Our side of `make bench-peers`, and what `make bench` asks besides, over the public interface alone.
@main
struct TracestoreBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tracestore-bench", abstract: "Measure a trace store over its public interface.",
    discussion: "filters, names, metrics and cells print a table, the others one JSON object on standard output.",
    subcommands: [
      Ingest.self, Ask.self, Mixed.self, Live.self, Partial.self, Filters.self, Names.self, Metrics.self, Cells.self,
    ] + tracer)

  #if canImport(Tracing)
    private static let tracer: [any ParsableCommand.Type] = [Tracer.self]
  #else
    private static let tracer: [any ParsableCommand.Type] = []
  #endif

  /// A store that is there, which a question must not make.
  struct ExistingStore: ParsableArguments {
    @Argument(help: "The folder of a store that is there.", completion: .directory) var store: String

    func validate() throws {
      guard FileManager.default.fileExists(atPath: store + "/CURRENT") else {
        throw ValidationError("There is no store in \(store); make one with tracestore import --store \(store) FILE.")
      }
    }

    /// Opens the store to measure it as it stands: nothing is merged meanwhile.
    func withStore<Result>(_ body: (TraceStore) async throws -> Result) async throws -> Result {
      var options = StoreOptions()
      options.isCompactionAutomatic = false
      return try await withTraceStore(at: store, options: options, body)
    }
  }

  /// A store that the measurement makes.
  struct NewStore: ParsableArguments {
    @Argument(help: "A folder that is not there yet; the store stays in it.", completion: .directory) var store: String

    func validate() throws {
      guard !FileManager.default.fileExists(atPath: store) else {
        throw ValidationError("\(store) is there already; name a folder that is not.")
      }
    }
  }

  struct CorpusFile: ParsableArguments {
    @Argument(
      help: ArgumentHelp("Framed OTLP, as tracestore generate writes it.", valueName: "file"), completion: .file())
    var corpus: String

    func validate() throws {
      guard FileManager.default.fileExists(atPath: corpus) else { throw ValidationError("There is no file \(corpus).") }
    }
  }

  static func emit(_ result: some Encodable) throws {
    FileHandle.standardOutput.write(try JSONEncoder().encode(result) + [0x0a])
  }
}

// MARK: What prints JSON

extension TracestoreBench {
  struct Ingest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Write every request durably, 64 in flight.")
    @OptionGroup var corpus: CorpusFile
    @OptionGroup var target: NewStore

    private struct Result: Encodable {
      /// Until the last request was acknowledged.
      var writeSeconds: Double
      /// Until the last span was in a segment.
      var sealSeconds: Double
      var spanCount: Int
      var byteCount: UInt64
      var peakMemoryByteCount: Int
    }

    func run() async throws {
      let corpus = try Corpus(path: corpus.corpus)
      let started = ContinuousClock.now
      let store = try await TraceStore.open(at: target.store)
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
          peakMemoryByteCount: ProcessMemory.peakByteCount()))
    }
  }

  struct Ask: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Ask each question of a file once, after the ones that are marked as warm-up.")
    @OptionGroup var source: ExistingStore
    @Argument(help: "Questions as JSON, as Benchmarks/Peers writes them.", completion: .file()) var questions: String

    private struct Result: Encodable {
      var answers: [[Answer]]
      var peakMemoryByteCount: Int
    }

    func run() async throws {
      let questions = try JSONDecoder().decode([Question].self, from: Data(contentsOf: URL(fileURLWithPath: questions)))
      try await source.withStore { store in
        var answers: [[Answer]] = []
        for question in questions {
          for variant in question.warmup { _ = try await question.answer(variant, from: store) }
          var timed: [Answer] = []
          for variant in question.variants { timed.append(try await question.answer(variant, from: store)) }
          answers.append(timed)
        }
        try emit(Result(answers: answers, peakMemoryByteCount: ProcessMemory.peakByteCount()))
      }
    }
  }

  struct Mixed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Write and search while segments are merged.")
    @OptionGroup var corpus: CorpusFile
    @OptionGroup var target: NewStore

    func run() async throws {
      try emit(try await MixedLoad.measure(try Corpus(path: corpus.corpus), store: target.store))
    }
  }

  struct Live: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write alone, beside listeners, and beside a monitoring page, in turn.")
    @OptionGroup var corpus: CorpusFile
    @Argument(help: "A folder that is there; the stores do not stay in it.", completion: .directory) var folder: String
    @Option(help: "How often each is measured.") var rounds = 5
    @Option(
      parsing: .upToNextOption,
      help: ArgumentHelp("Who looks on, in turn with nobody: all by default.", valueName: "who"))
    var beside: [LiveLoad.Kind] = LiveLoad.Kind.allCases

    func run() async throws {
      let kinds = [.nobody] + beside.filter { $0 != .nobody }
      try emit(
        try await LiveLoad.measure(try Corpus(path: corpus.corpus), in: folder, kinds, roundCount: max(1, rounds)))
    }
  }

  struct Partial: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Hold very many open spans, and update, read and search them.")
    @OptionGroup var target: NewStore

    func run() async throws { try emit(try await PartialLoad.measure(store: target.store)) }
  }

  #if canImport(Tracing)
    struct Tracer: AsyncParsableCommand {
      static let configuration = CommandConfiguration(
        abstract: "Start and end spans of StoreTracer, which go nowhere.")

      func run() async throws { try emit(try await TracerLoad.measure()) }
    }
  #endif
}

// MARK: What prints a table

extension TracestoreBench {
  struct Filters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask every filter of a file again and again.")
    @OptionGroup var source: ExistingStore
    @Argument(help: "A class and a filter a line; see Benchmarks/filters.txt.", completion: .file()) var filters: String

    func run() async throws {
      let filters = try FilterTable(path: filters)
      try await source.withStore { try await filters.measure($0).print("traces", "filter") }
    }
  }

  struct Names: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask for services, operations, keys and values.")
    @OptionGroup var source: ExistingStore

    func run() async throws {
      try await source.withStore { try await NameTable.measure($0).print("names", "list") }
    }
  }

  struct Metrics: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask for latencies, rates and the service graph.")
    @OptionGroup var source: ExistingStore
    @Argument(help: "Only the questions whose name holds this.") var text: String?

    func run() async throws {
      try await source.withStore {
        try await MetricTable.measure($0, only: text).print("points", "question")
      }
    }
  }

  struct Cells: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write an hour of 20 services with 50 operations each, and ask for it by minute.",
      discussion: "A store that an earlier measurement made is asked as it is.")
    @Argument(help: "A folder that is not there yet, or that holds such an hour.", completion: .directory)
    var store: String
    @Argument(help: "Only the questions whose name holds this.") var text: String?
    @Option(help: "How many spans are written.") var spans = 10_000_000

    func run() async throws {
      if !FileManager.default.fileExists(atPath: store) { try await CellLoad.write(spans, to: store) }
      try await CellLoad.measure(store, only: text)
    }
  }
}

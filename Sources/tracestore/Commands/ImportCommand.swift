import ArgumentParser
import Synchronization
import TraceEngine
import TraceInspect
import TraceModel
import TraceOTLP
import TracestoreV1

struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Store files of OTLP (protobuf or JSON), Jaeger or Zipkin; plain, gzip or zstd; - is standard input.",
    discussion: """
      A request that cannot be read is refused whole, named by file, place and byte offset, and ends the import; all \
      requests before it are stored. With --keep-going the import goes on behind it. Spans whose ids are unusable are \
      refused one by one and never end the import. Importing a file again changes nothing. A store that is not there yet \
      is made with the first request that can be read.

      jaeger-json is what Jaeger's UI and query API give: an answer with data, a trace, or a list of traces. zipkin-json \
      is version 2: a list of spans or of traces. A file is one such document, or one a line; its spans are stored \
      as requests of up to 512, and a refusal names the document and the span in it.
      """)

  enum InputFormat: String, ExpressibleByArgument, CaseIterable {
    case auto
    case otlpMessage = "otlp-message"
    case otlpFramed = "otlp-framed"
    case otlpVarint = "otlp-varint"
    case otlpJSON = "otlp-json"
    case otlpJSONLines = "otlp-json-lines"
    case jaegerJSON = "jaeger-json"
    case zipkinJSON = "zipkin-json"

    var form: InputForm {
      switch self {
      case .auto: .unknown
      case .otlpMessage: .otlp(.message)
      case .otlpFramed: .otlp(.lengthPrefixed)
      case .otlpVarint: .otlp(.varintDelimited)
      case .otlpJSON: .otlp(.json)
      case .otlpJSONLines: .otlp(.jsonLines)
      case .jaegerJSON: .foreign(.jaeger)
      case .zipkinJSON: .foreign(.zipkin)
      }
    }
  }

  enum DurabilityMode: String, ExpressibleByArgument, CaseIterable {
    case sync, interval, none

    var durability: Durability {
      switch self {
      case .sync: .sync
      case .interval: .interval(nanoseconds: 1_000_000_000)
      case .none: .none
      }
    }
  }

  @Argument(help: ArgumentHelp("The files.", valueName: "file"), completion: .file()) var files: [String]
  @OptionGroup var location: StoreLocation
  @Option(help: "What the input holds and how it is framed; auto finds it out.") var inputFormat: InputFormat = .auto
  @Flag(help: "Go on behind what has to be refused.") var keepGoing = false
  @Option(help: "When a request counts as stored: synced to disk, synced every second, or handed to the system.")
  var durability: DurabilityMode = .sync
  @OptionGroup var output: OutputOptions

  func run() async throws {
    Interruption.watch()
    let directory = try location.path()
    var options = StoreOptions()
    options.durability = durability.durability
    let damage = DamageWatch()
    options.observer = damage.observe
    let chosen = options
    let importer = Importer(isKeepingGoing: keepGoing, form: inputFormat.form) {
      try await TraceStore.open(at: directory, options: chosen)
    }
    // A first look at the names, so that a slip of the fingers does not create a store or stop halfway.
    if !keepGoing { for path in files { _ = try InputFile.check(path: path) } }
    // What is the matter with a store that is there is said at once.
    if TraceStore.exists(at: directory) { try await importer.openStore() }
    var failure: (any Error)?
    do {
      try await importer.run(files)
      // An input without spans is no slip.
      if importer.outcome.refusals.isEmpty, !Interruption.isRequested { try await importer.openStore() }
    } catch {
      failure = error
    }
    do {
      if !Interruption.isRequested { try await importer.store?.seal() }
      try await importer.store?.close()
    } catch {
      failure = failure ?? error
    }
    Terminal.clearProgress()
    let known = failure.map { CommandFailure($0) }
    report(importer.outcome, known)
    if let known { throw QuietExit(status: known.status) }
    if Interruption.isRequested { throw QuietExit(status: .interrupted) }
    if importer.outcome.status != .done { throw QuietExit(status: importer.outcome.status) }
    try reportDamage(damage.places)
  }

  /// What was stored, also when the import could not go on.
  private func report(_ outcome: ImportOutcome, _ failure: CommandFailure?) {
    if output.json {
      StandardOutput.shared.writeLine(outcome.json(failure).text)
    } else {
      let rate = outcome.seconds > 0 ? Double(outcome.spanCount) / outcome.seconds : 0
      StandardOutput.shared.writeLine(
        "Stored \(Figure.count(outcome.spanCount, "span")) from \(Figure.count(outcome.requestCount, "request")) (\(Figure.bytes(outcome.byteCount))) in \(Figure.decimal(outcome.seconds, fractionDigits: 2)) s, \(Figure.count(UInt64(rate))) spans/s."
      )
      StandardOutput.shared.flush()
      for line in outcome.refusalLines(limit: 20) { StandardError.writeLine(Sanitized.line(line)) }
      if outcome.spanCount == 0, outcome.refusals.isEmpty, failure == nil {
        StandardError.writeLine("There is no span in what was read; --input-format says what else it may be.")
      }
      if inputFormat == .auto, outcome.requestCount == 0, !outcome.refusals.isEmpty, !outcome.hasFileFailure {
        StandardError.writeLine("What it holds was guessed and may be something else; --input-format names it.")
      }
    }
    if let failure { StandardError.writeLine("tracestore: " + Sanitized.line(failure.message)) }
  }
}

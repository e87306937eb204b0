import ArgumentParser
import TraceEngine
import TraceInspect
import TraceModel
import TraceOTLP
import TracestoreV2

struct ExportCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case otlp
    case otlpJSON = "otlp-json"
  }

  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write stored traces to a file, as they were sent.",
    discussion: """
      Without conditions every trace is written, with them every trace that holds a matching span, in the order of \
      their ids. otlp is protobuf framed as the Collector's file exporter does it, otlp-json one object a line. \
      Importing the file gives an equal store.
      """)

  @OptionGroup var location: StoreLocation
  @Option(help: "The form.") var format: Format = .otlp
  @Option(help: ArgumentHelp("The file to write; - is standard output.", valueName: "file"), completion: .file())
  var out: String
  @OptionGroup var flags: SearchFlags
  @Option(help: "At most this many traces. Default: all.") var limit: Int?
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
  }

  /// Traces of one page, for each of which every stripe is scanned once; their ids take a megabyte.
  private static let pageTraceCount = 1 << 16

  private struct Counts {
    var spanCount = 0
    var traceCount = 0
    var damage: [String] = []
  }

  func run() async throws {
    Interruption.watch()
    try await withReader(location) { store in
      let file = try OutputFile(path: out)
      var counts = Counts()
      try await export(from: store, to: file, &counts)
      try file.close()
      Terminal.clearProgress()
      report(counts, file.byteCount)
      try reportDamage(counts.damage)
      if Interruption.isRequested { throw QuietExit(status: .interrupted) }
    }
  }

  private func export(from store: TraceStore, to file: OutputFile, _ counts: inout Counts) async throws {
    var progress = ProgressLine(total: nil)
    var query = try flags.query(limit: Self.pageTraceCount, options: ReadOptions(isRaw: true))
    // The only order in which spans that arrive meanwhile move no trace over the walk's place.
    query.order = .traceID
    var current: TraceID?
    repeat {
      query.limit = min(Self.pageTraceCount, (limit ?? .max) - counts.traceCount)
      let stream = try await store.findTraces(query)
      for try await chunk in stream {
        if Interruption.isRequested { return }
        if chunk.traceID != current { counts.traceCount += 1 }
        current = chunk.traceID
        counts.spanCount += chunk.data.spanCount
        try file.append(format == .otlp ? .framedProtobuf : .json, chunk.data)
        progress.update(done: 0) {
          "exporting: \(Figure.count(counts.spanCount)) spans, \(Figure.bytes(file.byteCount)), \($0)"
        }
      }
      query.pageToken = stream.summary?.continuation
      for line in stream.summary?.damage ?? [] where !counts.damage.contains(line) { counts.damage.append(line) }
    } while query.pageToken != nil && counts.traceCount < limit ?? .max
  }

  private func report(_ counts: Counts, _ byteCount: UInt64) {
    let text =
      output.json
      ? JSONValue.object([
        ("spans", .count(counts.spanCount)), ("traces", .count(counts.traceCount)), ("bytes", .number(byteCount)),
      ]).text
      : "Wrote \(Figure.count(counts.spanCount, "span")) of \(Figure.count(counts.traceCount, "trace")) to \(out == "-" ? "standard output" : out) (\(Figure.bytes(byteCount)))."
    if out == "-" { StandardError.writeLine(text) } else { StandardOutput.shared.writeLine(text) }
  }
}

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
    case csv

    var form: OutputFile.Form {
      switch self {
      case .otlp: .framedProtobuf
      case .otlpJSON: .json
      case .csv: .csv
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write stored traces to a file.",
    discussion: """
      Without conditions every trace is written, with them every trace that holds a matching span, in the order of \
      their ids. otlp is protobuf framed as the Collector's file exporter does it, otlp-json one object a line: spans are \
      as they were sent, and importing the file gives an equal store. csv is one span a line for data frames and \
      spreadsheets, with parts of a span joined; attributes, events and links are columns of JSON. It cannot be imported.
      """)

  @OptionGroup var location: StoreLocation
  @Option(help: "The form.") var format: Format = .otlp
  @Option(help: ArgumentHelp("The file to write; - is standard output.", valueName: "file"), completion: .file())
  var out: String
  @OptionGroup var flags: SearchFlags
  @Option(help: ArgumentHelp("At most this many traces. Default: all.", valueName: "count")) var limit: Int?
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
  }

  /// Traces of one page, for each of which every stripe is scanned once; their ids and places take a megabyte and a half.
  private static let pageTraceCount = 1 << 16

  func run() async throws {
    Interruption.watch()
    try await withReader(location) { store in
      let file = try OutputFile(path: out)
      let counts = try await export(from: store, to: file)
      try file.close()
      Terminal.clearProgress()
      report(counts, file.byteCount)
      try reportDamage(counts.damage)
      if Interruption.isRequested { throw QuietExit(status: .interrupted) }
    }
  }

  private func export(from store: TraceStore, to file: OutputFile) async throws -> OrderedExport.Counts {
    var query = try flags.query(limit: Self.pageTraceCount, options: ReadOptions(isRaw: format != .csv))
    if format == .csv { try file.append(CSVRows.header) }
    var export = OrderedExport(of: store, to: file, as: format.form, query.options)
    // By id: the only order in which spans that arrive meanwhile move no trace over the walk's place.
    // Of the traces that are found some may have expired when they are read: the limit counts those that are written.
    repeat {
      query.limit = min(Self.pageTraceCount, (limit ?? .max) - export.counts.traceCount)
      let page = try await store.findTracePage(query)
      try await export.write(page)
      query.pageToken = page.summary.continuation
    } while query.pageToken != nil && export.counts.traceCount < limit ?? .max && !Interruption.isRequested
    return export.counts
  }

  private func report(_ counts: OrderedExport.Counts, _ byteCount: UInt64) {
    let text =
      output.json
      ? JSONValue.object([
        ("spans", .count(counts.spanCount)), ("traces", .count(counts.traceCount)), ("bytes", .number(byteCount)),
      ]).text
      : "Wrote \(Figure.count(counts.spanCount, "span")) of \(Figure.count(counts.traceCount, "trace")) to \(out == "-" ? "standard output" : out) (\(Figure.bytes(byteCount)))."
    if out == "-" { StandardError.writeLine(text) } else { StandardOutput.shared.writeLine(text) }
  }
}

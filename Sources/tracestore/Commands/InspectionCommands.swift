import ArgumentParser
import TraceInspect
import TraceModel
import TraceOTLP

struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Compare every checksum, and what the files say about each other.")
  @OptionGroup var location: StoreLocation
  @Flag(help: "Also decode every record and every request of the log.") var deep = false
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let report = try StoreVerifier(try location.path()).run(isDeep: deep)
    if output.json {
      StandardOutput.shared.writeLine(report.json.text)
    } else {
      StandardOutput.shared.writeLine(
        "Checked \(Figure.count(report.fileCount, "file")), \(Figure.count(report.pageCount, "page")): \(report.damages.isEmpty ? "all is well" : Style.red(Figure.count(report.damages.count, "damaged place")))."
      )
      for orphan in report.orphans {
        StandardOutput.shared.writeLine(
          Sanitized.line(
            "orphan: \(orphan.path), \(Figure.bytes(orphan.byteCount)), is not in the manifest; the next writer removes it"
          ))
      }
      StandardOutput.shared.flush()
      for damage in report.damages { StandardError.writeLine("damaged: \(Sanitized.line(damage.line))") }
    }
    if report.isNewerFormat { throw QuietExit(status: .newerFormat) }
    if !report.damages.isEmpty { throw QuietExit(status: .refused) }
  }
}

struct DumpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump", abstract: "Explain a file of a store, or a whole store, and go on past damage.",
    discussion: "Reads segments, log files, manifests, CURRENT and wal.position, each without the others.")

  @Argument(help: "The file or the folder of a store.", completion: .file()) var path: String
  @Flag(help: "Every column of every stripe with its encoding.") var columns = false
  @Flag(help: "Every page of every column.") var pages = false
  @Option(
    help: ArgumentHelp(
      "The values of a column of a segment with their counts: service, operation, or an attribute such as span:http.route.",
      valueName: "column"))
  var dictionary: String?
  @Flag(help: "Every record of a segment: a line each, or with --json an object {stripe, row, partial, data} each.")
  var rows = false
  @Option(help: ArgumentHelp("256 bytes from here on, as numbers and characters.", valueName: "offset")) var hex:
    UInt64?
  @Flag(
    name: .customLong("try"),
    help: "What each encoding would have taken for every column of a segment, or of all segments of a store.")
  var triesEncodings = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if [dictionary != nil, rows, hex != nil, triesEncodings].count(where: { $0 }) > 1 {
      throw ValidationError("--dictionary, --rows, --hex and --try exclude each other")
    }
  }

  func run() async throws {
    let inspector = Inspector()
    if let flag = hex != nil ? "--hex" : rows ? "--rows" : dictionary != nil ? "--dictionary" : nil,
      try inspector.isFolder(path)
    {
      throw CommandFailure.usage("\(flag) looks at one file and \(path) is a folder: name a segment file in it")
    }
    if let hex { return try writeHex(inspector, hex) }
    if let dictionary { return try writeDictionary(inspector, dictionary) }
    if rows { return try writeRows(inspector) }
    if triesEncodings { return try writeTrials(inspector) }
    let explanation = try inspector.explain(path, pages ? .pages : columns ? .columns : .overview)
    if output.json {
      StandardOutput.shared.writeLine(explanation.json.text)
    } else {
      for line in explanation.lines {
        let text = Sanitized.line(line)
        StandardOutput.shared.writeLine(text.contains("DAMAGED") ? Style.red(text) : text)
      }
    }
    if explanation.anyNewerFormat { throw QuietExit(status: .newerFormat) }
    if !explanation.allDamages.isEmpty { throw QuietExit(status: .refused) }
  }

  private func writeHex(_ inspector: Inspector, _ offset: UInt64) throws {
    let lines = try inspector.hexLines(path, at: offset)
    if output.json {
      StandardOutput.shared.writeLine(
        JSONValue.object([
          ("schema", .count(Explanation.schemaVersion)), ("path", .string(path)), ("offset", .number(offset)),
          ("lines", .array(lines.map { .string($0) })),
        ]).text)
    } else {
      for line in lines { StandardOutput.shared.writeLine(line) }
    }
  }

  private func writeDictionary(_ inspector: Inspector, _ column: String) throws {
    let values = try inspector.dictionary(column, of: path)
    if output.json {
      StandardOutput.shared.writeLine(
        JSONValue.object([
          ("schema", .count(Explanation.schemaVersion)), ("path", .string(path)), ("column", .string(column)),
          ("values", .array(values.map { .object([("value", .string($0.text)), ("count", .count($0.count))]) })),
        ]).text)
    } else {
      var table = TextTable(["COUNT", "VALUE"], right: [0])
      for value in values { table.add([Figure.count(value.count), value.text]) }
      table.print()
    }
  }

  private func writeTrials(_ inspector: Inspector) throws {
    var progress: ProgressLine?
    let report = try inspector.tryEncodings(path) { done, total in
      var line = progress ?? ProgressLine(total: total)
      line.update(done: done) { "\(Figure.count(done)) of \(Figure.count(total)) spans tried  \($0)" }
      progress = line
    }
    Terminal.clearProgress()
    if output.json { StandardOutput.shared.writeLine(report.json(path).text) } else { report.print() }
    guard !report.damages.isEmpty else { return }
    StandardOutput.shared.flush()
    for damage in report.damages { StandardError.writeLine("damaged: \(Sanitized.line(damage.line))") }
    throw QuietExit(status: .refused)
  }

  private func writeRows(_ inspector: Inspector) throws {
    let out = StandardOutput.shared
    let damages = try inspector.forEachRow(of: path) { stripe, row, resource, scope, span, isPartial in
      if output.json {
        let data = TraceData(
          resourceSpans: [ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(scope: scope, spans: [span])])])
        out.write("{\"stripe\":\(stripe),\"row\":\(row),\"partial\":\(isPartial),\"data\":")
        out.write(OTLPJSON.encode(data))
        out.write("}\n")
      } else {
        let line =
          "\(stripe):\(row)\(isPartial ? " partial" : "")  \(span.traceID.hex) \(span.spanID.hex)  \(span.start.rfc3339)  \(Figure.duration(span.durationNanoseconds))  \(resource.serviceName)  \(span.name)"
        out.writeLine(Sanitized.line(line))
      }
    }
    guard !damages.isEmpty else { return }
    out.flush()
    for damage in damages { StandardError.writeLine("damaged: \(Sanitized.line(damage.line))") }
    throw QuietExit(status: .refused)
  }
}

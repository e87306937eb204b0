import ArgumentParser
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

struct SearchCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, ids, summaries
    case otlpJSON = "otlp-json"
    case otlp
  }

  enum Order: String, ExpressibleByArgument, CaseIterable {
    case newest, slowest

    var traceOrder: TraceOrder {
      switch self {
      case .newest: .newest
      case .slowest: .slowest
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Find traces, newest or slowest first.",
    discussion: "One span of a trace has to satisfy every condition. otlp is framed protobuf on standard output.")

  @OptionGroup var location: StoreLocation
  @OptionGroup var flags: SearchFlags
  @Option(help: ArgumentHelp("At most this many traces.", valueName: "count")) var limit = 20
  @Option(help: "By the newest or by the longest of the matching spans.") var order = Order.newest
  @Option(help: ArgumentHelp("Go on where an earlier page ended.", valueName: "token")) var page: String?
  @Option(help: "What to write. Default: table, or summaries with --json.") var format: Format?
  @Flag(help: "Also say on standard error, or in the object of --json, what the search looked at.") var explain = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard limit >= 1 else { throw ValidationError("--limit must be at least 1") }
    if output.json, format == .table { throw ValidationError("--json does not go with --format table") }
    if output.json, format == .otlp { throw ValidationError("--json does not go with --format otlp") }
  }

  func run() async throws {
    try await withReader(location) { store in
      var query = try flags.query(limit: limit)
      query.options.isExplained = explain
      query.order = order.traceOrder
      query.pageToken = page
      switch format ?? (output.json ? .summaries : .table) {
      case .table: try await writeTable(try await store.findTraceSummaries(query))
      case .summaries: try await writeObjects(try await store.findTraceSummaries(query)) { $0.json }
      case .ids: try await writeObjects(try await store.findTraceIDs(query)) { $0.json }
      case .otlpJSON: try await writeTraces(try await store.findTraces(query), as: .json)
      case .otlp: try await writeTraces(try await store.findTraces(query), as: .framedProtobuf)
      }
    }
  }

  /// OTLP has no place for more than traces, so that what else there is to say goes to standard error.
  private func writeTraces(_ stream: ResultStream<TraceChunk>, as form: OutputFile.Form) async throws {
    try await TraceWriting.write(stream, as: form)
    writeTruncation(stream.summary)
    writeExplanation(stream.summary)
    try reportDamage(stream.summary)
  }

  private func writeObjects<Element>(
    _ stream: ResultStream<Element>, _ json: (Element) -> JSONValue
  ) async throws {
    let output = StandardOutput.shared
    output.write("{\"traces\":[")
    var isFirst = true
    for try await element in stream {
      output.write((isFirst ? "" : ",") + json(element).text)
      isFirst = false
    }
    let summary = stream.summary
    output.write("],\"truncated\":\(summary?.isTruncated ?? false)")
    if let token = summary?.continuation { output.write(",\"nextPage\":" + JSONValue.string(token).text) }
    if self.output.json, let text = summary?.explanation {
      let lines = text.split(separator: "\n").map { JSONValue.string(String($0)) }
      output.write(",\"explanation\":" + JSONValue.array(lines).text)
    }
    output.writeLine("}")
    if !self.output.json { writeExplanation(summary) }
    try reportDamage(summary)
  }

  private func writeTable(_ stream: ResultStream<TraceSummary>) async throws {
    let (traces, summary) = try await stream.collect()
    if traces.isEmpty {
      StandardError.writeLine("No trace was found.")
      writeExplanation(summary)
      return try reportDamage(summary)
    }
    var table = TextTable(["START", "DURATION", "TRACE", "SPANS", "ERRORS", "ROOT"], right: [1, 3, 4])
    for trace in traces {
      let last = trace.maximumEnd.nanoseconds
      let first = trace.minimumStart.nanoseconds
      var root = trace.rootOperationName.isEmpty ? "(no root span)" : trace.rootOperationName
      if !trace.rootServiceName.isEmpty { root = "\(trace.rootServiceName): \(root)" }
      if trace.openSpanCount > 0 { root += " (\(Figure.count(trace.openSpanCount)) open)" }
      table.add([
        Figure.time(trace.minimumStart), Figure.duration(last > first ? last - first : 0), trace.traceID.hex,
        Figure.count(trace.spanCount), trace.errorSpanCount == 0 ? "" : Figure.count(trace.errorSpanCount), root,
      ])
    }
    table.paint = { row, column, text in
      switch column {
      case 4: Style.red(text)
      case 5: Style.named(traces[row].rootServiceName, text)
      default: text
      }
    }
    table.print()
    writeTruncation(summary)
    writeExplanation(summary)
    try reportDamage(summary)
  }

  /// Says on standard error that there are more traces, where the format has no place for it.
  private func writeTruncation(_ summary: ResultSummary?) {
    guard let summary, summary.isTruncated else { return }
    StandardOutput.shared.flush()
    let next = summary.continuation.map { "; the next page: --page \($0)" } ?? ""
    StandardError.writeLine("There are more traces than the limit of \(limit)\(next)")
  }

  private func writeExplanation(_ summary: ResultSummary?) {
    guard let text = summary?.explanation else { return }
    StandardOutput.shared.flush()
    for line in text.split(separator: "\n") { StandardError.writeLine(Sanitized.line(String(line))) }
  }
}

extension FoundTrace {
  var json: JSONValue {
    .object([
      ("traceID", .string(traceID.hex)), ("start", start.map(\.json) ?? .null), ("end", end.map(\.json) ?? .null),
    ])
  }
}

extension Timestamp {
  /// RFC 3339 without loss.
  var json: JSONValue { .string(rfc3339) }
}

extension TraceSummary {
  var json: JSONValue {
    .object([
      ("traceID", .string(traceID.hex)), ("rootService", .string(rootServiceName)),
      ("rootOperation", .string(rootOperationName)), ("start", minimumStart.json), ("end", maximumEnd.json),
      ("spanCount", .count(spanCount)), ("errorSpanCount", .count(errorSpanCount)),
      ("orphanSpanCount", .count(orphanSpanCount)), ("openSpanCount", .count(openSpanCount)),
      (
        "services",
        .array(
          services.map {
            .object([
              ("name", .string($0.name)), ("spanCount", .count($0.spanCount)),
              ("errorSpanCount", .count($0.errorSpanCount)),
            ])
          })
      ),
    ])
  }
}

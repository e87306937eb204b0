import ArgumentParser
import TraceAnalysis
import TraceEngine
import TraceInspect
import TraceModel
import TracestoreV2

struct AnalyzeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze", abstract: "Say where the time of traces goes, and what changed between two sets of them.",
    subcommands: [CriticalPathCommand.self, CompareCommand.self])
}

/// Profiles of traces that a search finds.
enum TraceProfiling {
  static func profile(_ query: TraceQuery, in store: TraceStore) async throws -> (TraceProfile, ResultSummary) {
    try await profile(try await store.findTraces(query))
  }

  static func profile(_ stream: ResultStream<TraceChunk>) async throws -> (TraceProfile, ResultSummary) {
    var profile = TraceProfile()
    var trace: (id: TraceID, spans: [FoundSpan])?
    // The chunks of a trace stand side by side.
    for try await chunk in stream {
      if trace?.id != chunk.traceID {
        if let trace { profile.add(trace.spans) }
        trace = (chunk.traceID, [])
      }
      trace?.spans += chunk.spans
    }
    if let trace { profile.add(trace.spans) }
    return (profile, stream.summary ?? ResultSummary())
  }

  static func note(_ summary: ResultSummary, _ count: Int, _ what: String = "traces") {
    guard summary.isTruncated else { return }
    StandardError.writeLine("Only the newest \(Figure.count(count)) \(what) are looked at; --limit takes more.")
  }
}

extension TraceChunk {
  fileprivate var spans: [FoundSpan] {
    var spans: [FoundSpan] = []
    data.forEachSpan { resource, scope, span in
      spans.append(FoundSpan(resource: resource, scope: scope, span: span, state: state(at: spans.count)))
    }
    return spans
  }
}

struct CriticalPathCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "critical-path",
    abstract: "Show which operations traces wait for, and where they spend their own time.",
    discussion: """
      At every instant of a root's duration one span is to blame: the child that ended last, else the span itself. SELF is \
      the time in which no child runs. Searched traces are those of search, newest first.
      """)

  @OptionGroup var location: StoreLocation
  @Argument(help: "One trace; without it, all that the conditions find.") var trace: TraceIDArgument?
  @OptionGroup var flags: SearchFlags
  @Option(help: ArgumentHelp("At most this many traces.", valueName: "count")) var limit = 1000
  @Option(help: ArgumentHelp("At most this many operations in the table.", valueName: "count")) var top = 30
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard limit >= 1, top >= 1 else { throw ValidationError("--limit and --top must be at least 1") }
  }

  func run() async throws {
    let (profile, summary) = try await withReader(location) { store in
      if let trace {
        let parameters = GetTraceParameters(trace.traceID)
        return try await TraceProfiling.profile(try await store.getTraces([parameters], options: ReadOptions()))
      }
      return try await TraceProfiling.profile(try flags.query(limit: limit), in: store)
    }
    if let trace, profile.traceCount == 0 {
      throw CommandFailure(
        .noSuchTrace, code: "notFound", "trace \(trace.traceID.hex) is not in the store, or has no finished span")
    }
    if output.json { writeJSON(profile, summary) } else { writeTable(profile) }
    TraceProfiling.note(summary, profile.traceCount)
    try reportDamage(summary)
  }

  private func writeJSON(_ profile: TraceProfile, _ summary: ResultSummary) {
    let operations = profile.operations.map { key, figures in
      JSONValue.object([
        ("service", .string(key.service)), ("operation", .string(key.operation)), ("spans", .count(figures.spanCount)),
        ("errors", .count(figures.errorCount)), ("traces", .count(figures.traceCount)),
        ("totalNanoseconds", .number(figures.totalNanoseconds)), ("selfNanoseconds", .number(figures.selfNanoseconds)),
        ("criticalNanoseconds", .number(figures.criticalNanoseconds)),
      ])
    }
    StandardOutput.shared.writeLine(
      JSONValue.object([
        ("traces", .count(profile.traceCount)), ("spans", .count(profile.spanCount)),
        ("totalNanoseconds", .number(profile.totalNanoseconds)), ("truncated", .bool(summary.isTruncated)),
        ("operations", .array(operations)),
      ]).text)
  }

  private func writeTable(_ profile: TraceProfile) {
    guard profile.traceCount > 0 else { return StandardError.writeLine("No trace was found.") }
    StandardOutput.shared.writeLine(
      "\(Figure.count(profile.traceCount, "trace")), \(Figure.count(profile.spanCount, "span")), "
        + "\(Figure.duration(profile.totalNanoseconds)) of root time")
    StandardOutput.shared.writeLine("")
    let operations = profile.operations
    var table = TextTable(
      ["ON PATH", "", "TIME", "SELF", "SPANS", "ERRORS", "SERVICE", "OPERATION"], right: [0, 2, 3, 4, 5])
    for (key, figures) in operations.prefix(top) {
      let share = Double(figures.criticalNanoseconds) / Double(max(1, profile.totalNanoseconds))
      table.add([
        Figure.decimal(share * 100, fractionDigits: 1) + "%", Figure.bar(share, width: 16),
        Figure.duration(figures.criticalNanoseconds), Figure.duration(figures.selfNanoseconds),
        Figure.count(figures.spanCount), Figure.count(figures.errorCount), key.service, key.operation,
      ])
    }
    table.print()
    if operations.count > top {
      StandardOutput.shared.writeLine("and \(Figure.count(operations.count - top, "further operation"))")
    }
  }
}

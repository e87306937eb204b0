import ArgumentParser
import TraceEngine
import TraceModel
import TraceOTLP
import TracestoreV1
import TracestoreV2

struct TraceCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case waterfall
    case otlpJSON = "otlp-json"
    case otlp
    case jaegerJSON = "jaeger-json"
  }

  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Show one trace: as a waterfall, as OTLP/JSON, as one protobuf TracesData, or as Jaeger's UI JSON.",
    discussion: "jaeger-json goes down to whole microseconds and leaves out what Jaeger has no place for.")

  @Argument(help: ArgumentHelp("Its id: up to 32 hexadecimal digits.", valueName: "id")) var id: TraceIDArgument
  @OptionGroup var location: StoreLocation
  @Option(help: ArgumentHelp("About when it began; a hint, never a filter.", valueName: "time"))
  var start: TimeArgument?
  @Option(help: ArgumentHelp("About when it ended; a hint, never a filter.", valueName: "time"))
  var end: TimeArgument?
  @Flag(help: "The records as they were written, with their control keys, in place of joined views.") var raw = false
  @Option(help: "What to write. Default: waterfall, or otlp-json with --json.") var format: Format?
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if output.json, let format, ![.otlpJSON, .jaegerJSON].contains(format) {
      throw ValidationError("--json does not go with --format \(format.rawValue)")
    }
  }

  func run() async throws {
    try await withReader(location) { store in
      let stream = try await store.getTraces(
        [GetTraceParameters(id.traceID, start: start?.time, end: end?.time)], options: ReadOptions(isRaw: raw))
      var isFound = false
      var waterfall = Waterfall()
      var joiner = JSONJoiner()
      // Jaeger's form names its processes behind the spans, so the trace is held whole.
      var batches: [TraceData] = []
      let format = format ?? (output.json ? .otlpJSON : .waterfall)
      for try await var chunk in stream {
        isFound = true
        // Raw records are what they say themselves: read again, they make the same spans.
        if raw, format != .waterfall { chunk.states = [:] }
        switch format {
        case .waterfall: waterfall.add(chunk)
        case .otlpJSON: StandardOutput.shared.write(joiner.add(chunk))
        // Protobuf messages one after another are one message with all their elements.
        case .otlp: StandardOutput.shared.write(OTLP.encode(TraceWriting.data(of: chunk)))
        case .jaegerJSON: batches.append(TraceWriting.data(of: chunk))
        }
      }
      StandardOutput.shared.write(joiner.finish())
      if format == .waterfall, isFound { WaterfallDrawing(waterfall, width: Terminal.width).print(id.traceID) }
      if format == .jaegerJSON, isFound {
        var traces = V1Trace.traces(of: batches)
        for index in traces.indices { traces[index].warnings = stream.summary?.damage ?? [] }
        StandardOutput.shared.write(JaegerJSON.encode(traces) + [UInt8(ascii: "\n")])
      }
      try reportDamage(stream.summary)
      guard isFound else {
        throw CommandFailure(
          .noSuchTrace, code: "notFound", "the store holds no trace \(id.traceID.hex); search finds the ids that it has"
        )
      }
    }
  }
}

import ArgumentParser
import TraceModel
import TracestoreV2

/// The conditions that one span has to satisfy together.
struct SearchFlags: ParsableArguments {
  @Option(help: "The span's service.") var service: String?
  @Option(help: "The span's name.") var operation: String?
  @Option(
    help: ArgumentHelp("An attribute of span, resource, scope, event or link; repeatable.", valueName: "key=value"))
  var attribute: [AttributeArgument] = []
  @Option(help: "The span's kind.") var kind: SpanKindArgument?
  @Option(help: "The span's status.") var status: StatusArgument?
  @Option(help: ArgumentHelp("The span lasted at least this long.", valueName: "duration"))
  var minDuration: DurationArgument?
  @Option(help: ArgumentHelp("The span lasted at most this long.", valueName: "duration"))
  var maxDuration: DurationArgument?
  @Option(help: ArgumentHelp("The span started at this time or later.", valueName: "time")) var start: TimeArgument?
  @Option(help: ArgumentHelp("The span started at this time or earlier.", valueName: "time")) var end: TimeArgument?

  func validate() throws {
    if let minDuration, let maxDuration, minDuration.nanoseconds > maxDuration.nanoseconds {
      throw ValidationError("--min-duration is above --max-duration")
    }
    if let start, let end, start.time > end.time { throw ValidationError("--start is after --end") }
    if let service, service.isEmpty { throw ValidationError("--service is empty; leave it away to search all") }
  }

  func query(limit: Int, options: ReadOptions = ReadOptions()) -> TraceQuery {
    TraceQuery(
      serviceName: service ?? "", operationName: operation ?? "", attributes: attribute.map(\.attribute),
      spanKind: kind?.kind, statusCode: status?.code, startMinimum: start?.time, startMaximum: end?.time,
      durationMinimumNanoseconds: minDuration?.nanoseconds, durationMaximumNanoseconds: maxDuration?.nanoseconds,
      limit: limit, options: options)
  }
}

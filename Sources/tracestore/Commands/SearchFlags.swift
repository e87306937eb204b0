import ArgumentParser
import TraceFilter
import TraceInspect
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

  @Option(
    help: ArgumentHelp(
      "A condition on the span, such as 'span.duration > 2s && resource.service = \"cart\"', or @FILE with its JSON form; only --start and --end go with it.",
      valueName: "filter")) var filter: String?

  func validate() throws {
    let hasFlags =
      service != nil || operation != nil || !attribute.isEmpty || kind != nil || status != nil || minDuration != nil
      || maxDuration != nil
    if filter != nil, hasFlags {
      throw ValidationError("--filter says all conditions: move the other flags into it, except --start and --end")
    }
    if let minDuration, let maxDuration, minDuration.nanoseconds > maxDuration.nanoseconds {
      throw ValidationError("--min-duration is above --max-duration")
    }
    if let start, let end, start.time > end.time { throw ValidationError("--start is after --end") }
    if let service, service.isEmpty { throw ValidationError("--service is empty; leave it away to search all") }
  }

  func query(limit: Int, options: ReadOptions = ReadOptions()) throws -> TraceQuery {
    TraceQuery(
      serviceName: service ?? "", operationName: operation ?? "", attributes: attribute.map(\.attribute),
      spanKind: kind?.kind, statusCode: status?.code, startMinimum: start?.time, startMaximum: end?.time,
      durationMinimumNanoseconds: minDuration?.nanoseconds, durationMaximumNanoseconds: maxDuration?.nanoseconds,
      filter: try filter.map(Self.parsed), limit: limit, options: options)
  }

  static func parsed(_ argument: String) throws -> FilterExpression {
    if argument.hasPrefix("@") {
      let path = String(argument.dropFirst())
      let file = try InputFile(path: path)
      var bytes: [UInt8] = []
      // One byte more than a filter may have, which its decoder refuses.
      while bytes.count <= FilterExpression.maximumJSONByteCount {
        let part = try file.read(1 << 16)
        if part.isEmpty { break }
        bytes += part
      }
      do { return try FilterExpression(json: bytes) } catch let error as TracestoreError {
        var error = error
        error.path = path
        throw error
      }
    }
    do { return try FilterExpression(text: argument) } catch {
      throw CommandFailure(
        .usage, code: "usage", "--filter: \(error.description)", detail: error.rendered(in: argument))
    }
  }
}

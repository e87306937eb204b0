import TraceInspect
import TraceModel
import TracestoreV2

/// Spans as comma-separated values (RFC 4180): a line of names, and a line for each span. What has no fixed number of
/// columns stands in one as JSON.
enum CSVRows {
  private static let names = [
    "trace_id", "span_id", "parent_span_id", "service", "name", "kind", "start_unix_nano", "end_unix_nano",
    "duration_nano", "status", "status_message", "state", "scope", "attributes", "resource_attributes", "events",
    "links",
  ]

  static var header: [UInt8] { line(names) }

  /// - Parameter states: of `TraceChunk`.
  static func bytes(of data: TraceData, states: [Int: SpanState]) -> [UInt8] {
    var bytes: [UInt8] = []
    var place = 0
    data.forEachSpan { resource, scope, span in
      let state = states[place] ?? .final
      place += 1
      bytes += line([
        span.traceID.hex, span.spanID.hex, span.parentSpanID?.hex ?? "", resource.serviceName, span.name,
        span.kind.word,
        String(span.start.nanoseconds), String(span.end.nanoseconds), String(span.durationNanoseconds),
        (span.status?.code ?? .unset).word, span.status?.message ?? "", state.phase.rawValue, scope.name,
        json(span.attributes).text, json(resource.attributes).text, JSONValue.array(span.events.map(json)).text,
        JSONValue.array(span.links.map(json)).text,
      ])
    }
    return bytes
  }

  private static func line(_ fields: [String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (index, field) in fields.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes += quoted(field)
    }
    return bytes + [UInt8(ascii: "\r"), UInt8(ascii: "\n")]
  }

  private static func quoted(_ field: String) -> [UInt8] {
    let quote = UInt8(ascii: "\"")
    let bytes = Array(field.utf8)
    let special: Set<UInt8> = [quote, UInt8(ascii: ","), UInt8(ascii: "\r"), UInt8(ascii: "\n")]
    guard bytes.contains(where: special.contains) else { return bytes }
    return [quote] + bytes.flatMap { $0 == quote ? [quote, quote] : [$0] } + [quote]
  }

  // MARK: JSON

  private static func json(_ attributes: [Attribute]) -> JSONValue {
    .object(attributes.map { ($0.key, json($0.value)) })
  }

  private static func json(_ value: AttributeValue) -> JSONValue {
    switch value {
    case .absent, .empty: .null
    case .string(let text): .string(text)
    case .bool(let value): .bool(value)
    case .int(let value): .integer(value)
    case .double(let value): value.isFinite ? .double(value) : .string(AttributeValue.double(value).text)
    case .array(let values): .array(values.map(json))
    case .map(let attributes): json(attributes)
    case .bytes, .opaque: .string(value.text)
    }
  }

  private static func json(_ event: SpanEvent) -> JSONValue {
    .object([
      ("name", .string(event.name)), ("time_unix_nano", .number(event.time.nanoseconds)),
      ("attributes", json(event.attributes)),
    ])
  }

  private static func json(_ link: SpanLink) -> JSONValue {
    .object([
      ("trace_id", .string(link.traceID?.hex ?? "")), ("span_id", .string(link.spanID?.hex ?? "")),
      ("attributes", json(link.attributes)),
    ])
  }
}

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

  static var header: [UInt8] { Array(names.joined(separator: ",").utf8) + lineEnd }

  private static let lineEnd: [UInt8] = Array("\r\n".utf8)
  private static let comma = UInt8(ascii: ",")
  private static let quote = UInt8(ascii: "\"")

  /// - Parameter states: of `TraceChunk`.
  static func bytes(of data: TraceData, states: [Int: SpanState]) -> [UInt8] {
    var bytes: [UInt8] = []
    var place = 0
    for group in data.resourceSpans {
      // Many spans share a resource.
      let service = quoted(group.resource.serviceName)
      let resource = quoted(json(group.resource.attributes).text)
      for scoped in group.scopeSpans {
        for span in scoped.spans {
          let state = states[place] ?? .final
          place += 1
          let columns: [[UInt8]] = [
            Array(span.traceID.hex.utf8), Array(span.spanID.hex.utf8), Array((span.parentSpanID?.hex ?? "").utf8),
            service, quoted(span.name), Array(span.kind.word.utf8), Array(String(span.start.nanoseconds).utf8),
            Array(String(span.end.nanoseconds).utf8), Array(String(span.durationNanoseconds).utf8),
            Array((span.status?.code ?? .unset).word.utf8), quoted(span.status?.message ?? ""),
            Array(state.phase.rawValue.utf8), quoted(scoped.scope.name), quoted(json(span.attributes).text), resource,
            quoted(JSONValue.array(span.events.map(json)).text), quoted(JSONValue.array(span.links.map(json)).text),
          ]
          for (index, column) in columns.enumerated() {
            if index > 0 { bytes.append(comma) }
            bytes += column
          }
          bytes += lineEnd
        }
      }
    }
    return bytes
  }

  /// A field as it stands in a line.
  private static func quoted(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    guard bytes.contains(where: { $0 == quote || $0 == comma || $0 == 0x0a || $0 == 0x0d }) else { return bytes }
    var result: [UInt8] = [quote]
    result.reserveCapacity(bytes.count + 16)
    for byte in bytes {
      if byte == quote { result.append(quote) }
      result.append(byte)
    }
    result.append(quote)
    return result
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

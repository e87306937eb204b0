import TraceText

/// A JSON value to be written; members keep their order.
package indirect enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(UInt64)
  case integer(Int64)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  /// The greatest integer that every JSON reader keeps exactly; larger ones are written as strings, as in OTLP/JSON.
  static let maximumExactInteger: UInt64 = 1 << 53

  package static func count(_ value: Int) -> JSONValue { .number(UInt64(clamping: value)) }

  /// The text on one line, without spaces.
  package var text: String {
    var writer = JSONWriter()
    write(to: &writer)
    return writer.text
  }

  private func write(to writer: inout JSONWriter) {
    switch self {
    case .null: writer.literal("null")
    case .bool(let value): writer.bool(value)
    case .number(let value): value > Self.maximumExactInteger ? writer.string("\(value)") : writer.literal("\(value)")
    case .integer(let value):
      value.magnitude > Self.maximumExactInteger ? writer.string("\(value)") : writer.literal("\(value)")
    case .double(let value): writer.literal(value.isFinite ? "\(value)" : "null")
    case .string(let value): writer.string(value)
    case .array(let values):
      writer.beginArray()
      for value in values { value.write(to: &writer) }
      writer.endArray()
    case .object(let members):
      writer.beginObject()
      for member in members {
        writer.key(member.key)
        member.value.write(to: &writer)
      }
      writer.endObject()
    }
  }
}

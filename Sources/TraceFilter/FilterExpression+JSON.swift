import TraceModel
import TraceText
public import TracestoreV2

extension FilterExpression {
  /// The most bytes of JSON that are read as a filter.
  public static let maximumJSONByteCount = 1 << 20

  /// Reads the JSON form: the proto3 JSON of `jaeger.expression.v1.Call`.
  ///
  /// `{"op":"eq","args":[{"attr":{"key":"k","level":"span"}},{"scalar":{"value":"v","type":"int"}}]}`
  ///
  /// Refused is only what no tree can hold: an argument without a term or with two, a constant that is not of its
  /// declared type, an unknown type of a constant, members that the messages don't have, too deep nesting, more than
  /// ``maximumJSONByteCount`` bytes. Unknown operators and levels pass; a store refuses them.
  ///
  /// - Throws: `TracestoreError` with `invalidArgument` and, where the text is no JSON, the offset.
  public init(json: String) throws {
    try self.init(json: Array(json.utf8))
  }

  /// Reads the JSON form from its bytes.
  public init(json bytes: [UInt8]) throws {
    guard bytes.count <= Self.maximumJSONByteCount else {
      throw TracestoreError(
        .invalidArgument,
        "The filter has \(bytes.count) bytes of JSON; at most \(Self.maximumJSONByteCount) are read.")
    }
    do {
      self = try bytes.withUnsafeBytes { buffer in
        var decoder = FilterJSONDecoder(buffer)
        return try decoder.filter()
      }
    } catch let error as JSONError {
      throw TracestoreError(
        .invalidArgument, "The filter is not the JSON of a filter: \(error.reason); correct it.",
        offset: UInt64(error.offset), cause: nil)
    }
  }

  /// The JSON form. Of a filter whose root is not a call, which no message can hold, it is the JSON of the term.
  ///
  /// Durations and instants become untyped constants, as the format has no other place for them: they are what they
  /// were once the filter is finalized. Doubles keep their value, NaN not its payload.
  public var json: String {
    var writer = JSONWriter()
    if case .call(let call) = self { writer.write(call) } else { writer.write(self) }
    return writer.text
  }
}

extension JSONWriter {
  fileprivate mutating func write(_ call: FilterCall) {
    beginObject()
    member("op", call.operation.rawValue)
    if !call.arguments.isEmpty {
      key("args")
      beginArray()
      for argument in call.arguments { write(argument) }
      endArray()
    }
    endObject()
  }

  fileprivate mutating func write(_ term: FilterExpression) {
    beginObject()
    switch term {
    case .attribute(let reference):
      object("attr", [("key", reference.key), ("level", reference.level.rawValue)])
    case .field(let reference): object("field", [("name", reference.name), ("level", reference.level.rawValue)])
    case .nested(let reference): object("nested", [("level", reference.level.rawValue)])
    case .untyped(let text): scalar(text, .untyped)
    case .string(let text): scalar(text, .string)
    case .int(let value): scalar(String(value), .int)
    case .double(let value): scalar(FilterConstant.text(value), .double)
    case .bool(let value): scalar(value ? "true" : "false", .bool)
    case .duration(let value): scalar(FilterConstant.text(durationNanoseconds: value), .untyped)
    case .timestamp(let value): scalar(value.rfc3339, .untyped)
    case .list(let list):
      key("list")
      beginObject()
      if !list.values.isEmpty {
        key("values")
        beginArray()
        for value in list.values { string(value) }
        endArray()
      }
      member("type", list.type.rawValue)
      endObject()
    case .call(let call):
      key("call")
      write(call)
    }
    endObject()
  }

  private mutating func scalar(_ text: String, _ type: FilterScalarType) {
    object("scalar", [("value", text), ("type", type.rawValue)])
  }

  private mutating func object(_ name: String, _ members: [(String, String)]) {
    key(name)
    beginObject()
    for (name, text) in members { member(name, text) }
    endObject()
  }

  /// Empty texts are left out, as proto3 does.
  private mutating func member(_ name: String, _ text: String) {
    guard !text.isEmpty else { return }
    key(name)
    string(text)
  }
}

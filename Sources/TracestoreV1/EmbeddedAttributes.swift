import TraceModel
import TraceText

/// Attributes as the Collector puts them into a text of Zipkin's: `{…}|dropped count`, the braces being JSON.
struct EmbeddedAttributes {
  private(set) var attributes: [Attribute] = []
  private(set) var droppedCount: UInt32 = 0

  /// Nil for any other text, and for one with more values than are left.
  /// - Parameter valuesLeft: how many values the texts of the document may still hold together: each takes two bytes
  ///   there and many in memory.
  init?(_ text: Substring, _ valuesLeft: inout Int) {
    guard text.utf8.first == UInt8(ascii: "{"), let bar = text.utf8.lastIndex(of: UInt8(ascii: "|")),
      let dropped = UInt32(text[text.utf8.index(after: bar)...])
    else { return nil }
    droppedCount = dropped
    let bytes = Array(text[..<bar].utf8)
    guard
      let map = try? bytes.withUnsafeBytes({ buffer in
        var reader = JSONReader(buffer, maximumDepth: Limits.maximumValueDepth)
        let map = try Self.map(&reader, &valuesLeft)
        try reader.finish()
        return map
      })
    else { return nil }
    attributes = map
  }

  private static func map(_ reader: inout JSONReader, _ valuesLeft: inout Int) throws -> [Attribute] {
    var attributes: [Attribute] = []
    try reader.beginObject()
    while let key = try reader.nextKey() {
      guard attributes.count < Limits.maximumAttributeCount else { throw reader.failure("too many attributes") }
      attributes.append(Attribute(key, try value(&reader, &valuesLeft)))
    }
    return attributes
  }

  private static func value(_ reader: inout JSONReader, _ valuesLeft: inout Int) throws -> AttributeValue {
    guard valuesLeft > 0 else { throw reader.failure("too many values") }
    valuesLeft -= 1
    switch try reader.peek() {
    case .string: return .string(try reader.string())
    case .bool: return .bool(try reader.bool())
    case .null:
      try reader.null()
      return .empty
    case .number:
      let text = try reader.number()
      if let whole = Int64(text) { return .int(whole) }
      guard let value = Double(text), value.isFinite else { throw reader.failure("no 64-bit number") }
      return .double(value)
    case .array:
      var values: [AttributeValue] = []
      try reader.beginArray()
      while try reader.nextElement() { values.append(try value(&reader, &valuesLeft)) }
      return .array(values)
    case .object: return .map(try map(&reader, &valuesLeft))
    }
  }
}

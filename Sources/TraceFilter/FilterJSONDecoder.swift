import TraceModel
import TraceText
import TracestoreV2

/// Reads the messages of `jaeger.expression.v1` from JSON, strictly: a member that is unknown or stands twice is
/// refused, because a filter of which a part is left out finds other traces than were asked for.
struct FilterJSONDecoder {
  private var reader: JSONReader

  init(_ bytes: UnsafeRawBufferPointer) {
    // A call inside a call takes three levels of JSON; what is deeper than the deepest filter is not worth a look.
    reader = JSONReader(bytes, maximumDepth: 3 * (FilterExpression.maximumDepth + 2))
  }

  mutating func filter() throws -> FilterExpression {
    let call = try call(at: .root, depth: 1)
    try reader.finish()
    return .call(call)
  }

  private mutating func call(at path: FilterPath, depth: Int) throws -> FilterCall {
    guard depth <= FilterExpression.maximumDepth else { throw path.tooDeep }
    var call = FilterCall(FilterOperator(rawValue: ""), [])
    var members = Members(path: path)
    try reader.beginObject()
    while let key = try members.next(&reader) {
      switch key {
      case "op": call.operation = FilterOperator(rawValue: try reader.string())
      case "args":
        try reader.beginArray()
        while try reader.nextElement() {
          call.arguments.append(try term(at: path.argument(call.arguments.count), depth: depth))
        }
      default: throw members.unknown(key, known: "op, args")
      }
    }
    return call
  }

  /// - Parameter depth: Of the call whose argument the term is.
  private mutating func term(at path: FilterPath, depth: Int) throws -> FilterExpression {
    var term: FilterExpression?
    var members = Members(path: path)
    try reader.beginObject()
    while let key = try members.next(&reader) {
      guard term == nil else { throw path.refusal("The argument has two terms; leave one of them out.") }
      switch key {
      case "attr":
        let texts = try texts("key", "level", at: path)
        term = .attribute(texts.0, AttributeLevel(rawValue: texts.1))
      case "field":
        let texts = try texts("name", "level", at: path)
        term = .field(AttributeLevel(rawValue: texts.1), texts.0)
      case "nested":
        term = .nested(NestedReference(AttributeLevel(rawValue: try texts("level", nil, at: path).0)))
      case "scalar":
        let texts = try texts("value", "type", at: path)
        term = try constant(texts.0, FilterScalarType(rawValue: texts.1), at: path)
      case "list": term = .list(try list(at: path))
      case "call": term = .call(try call(at: path, depth: depth + 1))
      default: throw members.unknown(key, known: "attr, field, nested, scalar, list, call")
      }
    }
    guard let term else {
      throw path.refusal("The argument has no term; give it attr, field, nested, scalar, list or call.")
    }
    return term
  }

  private func constant(_ text: String, _ type: FilterScalarType, at path: FilterPath) throws -> FilterExpression {
    if let value = FilterConstant.value(of: text, type: type) { return value }
    guard type.domain != nil else {
      throw path.refusal("The type \"\(type.rawValue)\" is unknown; use string, int, double or bool, or none.")
    }
    throw path.refusal("\"\(text)\" is not of the type \(type.rawValue); write it so, or change the type.")
  }

  private mutating func list(at path: FilterPath) throws -> FilterList {
    var list = FilterList([])
    var members = Members(path: path)
    try reader.beginObject()
    while let key = try members.next(&reader) {
      switch key {
      case "values":
        try reader.beginArray()
        while try reader.nextElement() { list.values.append(try reader.string()) }
      case "type": list.type = FilterScalarType(rawValue: try reader.string())
      default: throw members.unknown(key, known: "values, type")
      }
    }
    return list
  }

  /// A message of one or two texts.
  private mutating func texts(
    _ first: String, _ second: String?, at path: FilterPath
  ) throws -> (String, String) {
    var texts = ("", "")
    var members = Members(path: path)
    try reader.beginObject()
    while let key = try members.next(&reader) {
      switch key {
      case first: texts.0 = try reader.string()
      case second: texts.1 = try reader.string()
      default: throw members.unknown(key, known: [first, second].compactMap(\.self).joined(separator: ", "))
      }
    }
    return texts
  }
}

/// The members of one JSON object, each at most once. A member that is `null` counts as absent, as in proto3.
private struct Members {
  let path: FilterPath
  private var seen: [String] = []

  init(path: FilterPath) { self.path = path }

  mutating func next(_ reader: inout JSONReader) throws -> String? {
    while let key = try reader.nextKey() {
      guard !seen.contains(key) else { throw path.refusal("The member \"\(key)\" stands twice; keep one.") }
      // No message has more members than this, so that the list stays short whatever the input is.
      guard seen.count < 6 else { throw path.refusal("There are more members than a message has; leave them out.") }
      seen.append(key)
      guard try reader.peek() == .null else { return key }
      try reader.null()
    }
    return nil
  }

  func unknown(_ key: String, known: String) -> TracestoreError {
    path.refusal("The member \"\(key)\" is unknown; there is \(known).")
  }
}

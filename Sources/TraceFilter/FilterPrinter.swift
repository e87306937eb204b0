import TraceModel
import TraceText
import TracestoreV2

/// Writes a filter so that reading it gives the same tree. What no rule allows is written too, for messages.
enum FilterPrinter {
  static func text(_ expression: FilterExpression) -> String {
    guard case .call(let call) = expression else { return operand(expression, beside: nil) }
    return text(call)
  }

  private static func text(_ call: FilterCall) -> String {
    let arguments = call.arguments
    switch (call.operation, arguments.count) {
    case (.and, 2...): return arguments.map { condition($0, inside: .and) }.joined(separator: " && ")
    case (.or, 2...): return arguments.map { condition($0, inside: .or) }.joined(separator: " || ")
    case (.not, 1): return "!" + condition(arguments[0], inside: .not)
    case (.exists, 1): return "exists(" + operand(arguments[0], beside: nil) + ")"
    case (.some, 2):
      let inner: String =
        if case .call(let call) = arguments[1] { text(call) } else { operand(arguments[1], beside: nil) }
      return "some(" + operand(arguments[0], beside: nil) + ", " + inner + ")"
    case (_, 2):
      guard let symbol = symbol(call.operation) else { break }
      let left = operand(arguments[0], beside: arguments[1])
      let right = operand(arguments[1], beside: arguments[0], isPattern: call.operation == .regex)
      return "\(left) \(symbol) \(right)"
    default: break
    }
    let written = arguments.map { operand($0, beside: nil) }.joined(separator: ", ")
    return "\(call.operation.rawValue)(\(written))"
  }

  private static func symbol(_ operation: FilterOperator) -> String? {
    switch operation {
    case .equal: "="
    case .notEqual: "!="
    case .less: "<"
    case .lessOrEqual: "<="
    case .greater: ">"
    case .greaterOrEqual: ">="
    case .regex: "=~"
    case .in: "in"
    case .notIn: "not in"
    default: nil
    }
  }

  /// A condition in parentheses where it would fall apart without them.
  private static func condition(_ expression: FilterExpression, inside outer: FilterOperator) -> String {
    guard case .call(let call) = expression else { return operand(expression, beside: nil) }
    let standsAlone: Bool =
      switch call.operation {
      case .and: outer == .or
      case .or: false
      case .not, .exists, .some: true
      default: outer != .not
      }
    return standsAlone ? text(call) : "(" + text(call) + ")"
  }

  private static func operand(
    _ expression: FilterExpression, beside other: FilterExpression?, isPattern: Bool = false
  ) -> String {
    switch expression {
    case .attribute(let reference): attribute(reference)
    case .field(let reference): reference.level.rawValue + "." + reference.name
    case .nested(let reference): reference.level.rawValue
    case .untyped(let text): isPattern ? quoted(text) : constant(text, beside: other)
    case .string(let text): "string(" + quoted(text) + ")"
    case .int(let value): "int(\(value))"
    case .double(let value): "double(" + double(value) + ")"
    case .bool(let value): value ? "bool(true)" : "bool(false)"
    case .duration(let value): "duration(" + FilterConstant.text(durationNanoseconds: value) + ")"
    case .timestamp(let value): "timestamp(" + value.rfc3339 + ")"
    case .list(let list): self.list(list, beside: other)
    case .call(let call): "(" + text(call) + ")"
    }
  }

  private static func attribute(_ reference: AttributeReference) -> String {
    let (key, level) = (reference.key, reference.level)
    let isDotted =
      FilterLexer.isDottedName(key.utf8) && FilterField(level, key) == nil
      && FilterField.meant(by: key, at: level) == nil
    return level.rawValue + (isDotted ? "." + key : "[" + quoted(key) + "]")
  }

  /// Without quotes where the shape tells what it is, and for words beside the fields that have them. Beside a field of
  /// texts everything is a text.
  private static func constant(_ text: String, beside other: FilterExpression?) -> String {
    if case .field(let reference) = other, let field = FilterField(reference) {
      if field.type == .text { return quoted(text) }
      if field.words?.contains(text) == true { return text }
    }
    return FilterLiteral(of: text) != nil || text == "true" || text == "false" ? text : quoted(text)
  }

  private static func double(_ value: Double) -> String {
    if value.isNaN, value.bitPattern != Double.nan.bitPattern {
      return quoted("nan:" + Hexadecimal.text(value.bitPattern))
    }
    let text = FilterConstant.text(value)
    return FilterLiteral(of: text) == nil ? quoted(text) : text
  }

  /// Reads a NaN with its payload, as `double` writes it.
  static func nan(_ text: String) -> Double? {
    let bytes = text.utf8
    guard bytes.starts(with: "nan:".utf8), let bits = Hexadecimal.value(of: bytes.dropFirst(4)) else { return nil }
    let value = Double(bitPattern: bits)
    return value.isNaN ? value : nil
  }

  private static func list(_ list: FilterList, beside other: FilterExpression?) -> String {
    let evident = list.values.map { evidentType($0, in: list.type) }
    let isBesideField = if case .field = other { true } else { false }
    let isPlain = isBesideField ? list.type == .untyped : FilterParser.joinedType(evident) == list.type
    let elements = zip(list.values, evident).map { text, type in
      let isBare = list.type == .untyped ? constant(text, beside: other) == text : type != .string
      return isBare ? text : quoted(text)
    }
    let name = isPlain ? "" : list.type == .untyped ? "untyped" : list.type.rawValue
    return name + "(" + elements.joined(separator: ", ") + ")"
  }

  /// The type that an element declares by how it is written in a list of that type.
  private static func evidentType(_ text: String, in type: FilterScalarType) -> FilterScalarType? {
    switch type {
    case .int, .double: FilterLiteral(of: text)?.type ?? .string
    case .bool: text == "true" || text == "false" ? .bool : .string
    default: .string
    }
  }

  private static func quoted(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text)
    return writer.text
  }
}

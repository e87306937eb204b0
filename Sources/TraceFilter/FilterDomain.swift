import TracestoreV2

/// What values can be compared with each other.
enum FilterDomain {
  case number, duration, timestamp, text, bool
  /// Known only when a span is seen: attributes, and constants without a type.
  case unknown

  /// As messages name it.
  var name: String {
    switch self {
    case .number: "a number"
    case .duration: "a duration"
    case .timestamp: "an instant"
    case .text: "text"
    case .bool: "a truth value"
    case .unknown: "of any type"
    }
  }
}

extension FilterField {
  var domain: FilterDomain {
    switch type {
    case .text, .kind, .status: .text
    case .timestamp: .timestamp
    case .duration: .duration
    }
  }
}

extension FilterScalarType {
  /// Nil for a type that is unknown.
  var domain: FilterDomain? {
    switch self {
    case .untyped: .unknown
    case .string: .text
    case .int, .double: .number
    case .bool: .bool
    default: nil
    }
  }
}

extension FilterExpression {
  /// The domain of an operand; unknown for everything that is none.
  var domain: FilterDomain {
    switch self {
    case .attribute, .untyped, .nested, .list, .call: .unknown
    case .field(let reference): FilterField(reference)?.domain ?? .unknown
    case .string: .text
    case .int, .double: .number
    case .bool: .bool
    case .duration: .duration
    case .timestamp: .timestamp
    }
  }

  /// True for attributes and fields: what is read from a span.
  var isReference: Bool {
    switch self {
    case .attribute, .field: true
    default: false
    }
  }

  /// True for single constants.
  var isConstant: Bool {
    switch self {
    case .untyped, .string, .int, .double, .bool, .duration, .timestamp: true
    case .attribute, .field, .nested, .list, .call: false
    }
  }

  /// What the node is, as messages name it.
  var noun: String {
    switch self {
    case .attribute: "an attribute"
    case .field: "a field"
    case .nested: "a collection"
    case .list: "a list"
    case .call: "a call"
    case .untyped, .string, .int, .double, .bool, .duration, .timestamp: "a constant"
    }
  }
}

extension FilterOperator {
  /// True for the operators that need an order of values.
  var isOrdering: Bool { [.greater, .less, .greaterOrEqual, .lessOrEqual].contains(self) }

  /// True for the operators between two operands.
  var isComparison: Bool { isOrdering || self == .equal || self == .notEqual }

  /// The operator that says the same with its operands exchanged.
  var mirrored: FilterOperator {
    switch self {
    case .greater: .less
    case .less: .greater
    case .greaterOrEqual: .lessOrEqual
    case .lessOrEqual: .greaterOrEqual
    default: self
    }
  }
}

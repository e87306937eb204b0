public import TraceModel

/// A node of Jaeger's structured filter (`jaeger.expression.v1`), decoded.
///
/// The root of a filter is a call. Nothing is checked here: a store validates the tree and refuses what it can't
/// serve; it never approximates. Equality compares texts by their UTF-8 bytes and doubles by their bits.
public indirect enum FilterExpression: Sendable {
  /// An attribute, by key and level.
  case attribute(AttributeReference)
  /// A built-in field, by name and level.
  case field(FieldReference)
  /// The events or the links of a span; legal only as the first argument of `some`.
  case nested(NestedReference)
  /// A constant without a type (the wire's scalar of type ""): matches whatever type was stored.
  case untyped(String)
  /// A constant that matches only stored text.
  case string(String)
  /// A constant that matches only stored integers.
  case int(Int64)
  /// A constant that matches only stored doubles.
  case double(Double)
  /// A constant that matches only stored truth values.
  case bool(Bool)
  /// A duration in nanoseconds; made by resolution against a field, never decoded.
  case duration(nanoseconds: Int64)
  /// An instant; made by resolution against a field, never decoded.
  case timestamp(Timestamp)
  /// Constants for `in` and `not_in`.
  case list(FilterList)
  /// An operator with its arguments.
  case call(FilterCall)

  /// How deep calls may nest, the root counting as 1: every level is a stack frame of each reader of the tree.
  public static let maximumDepth = 20
}

extension FilterExpression: Hashable {
  public static func == (left: FilterExpression, right: FilterExpression) -> Bool {
    switch (left, right) {
    case (.attribute(let a), .attribute(let b)): a == b
    case (.field(let a), .field(let b)): a == b
    case (.nested(let a), .nested(let b)): a == b
    case (.untyped(let a), .untyped(let b)), (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.int(let a), .int(let b)), (.duration(let a), .duration(let b)): a == b
    case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
    case (.bool(let a), .bool(let b)): a == b
    case (.timestamp(let a), .timestamp(let b)): a == b
    case (.list(let a), .list(let b)): a == b
    case (.call(let a), .call(let b)): a == b
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .attribute(let value): hasher.combine(value)
    case .field(let value): hasher.combine(value)
    case .nested(let value): hasher.combine(value)
    case .untyped(let value), .string(let value): hasher.combine(value)
    case .int(let value), .duration(let value): hasher.combine(value)
    case .double(let value): hasher.combine(value.bitPattern)
    case .bool(let value): hasher.combine(value)
    case .timestamp(let value): hasher.combine(value)
    case .list(let value): hasher.combine(value)
    case .call(let value): hasher.combine(value)
    }
  }
}

extension FilterExpression {
  /// A call, without the wrapping.
  public static func call(_ operation: FilterOperator, _ arguments: FilterExpression...) -> FilterExpression {
    .call(FilterCall(operation, arguments))
  }

  /// A reference to an attribute, without the wrapping.
  public static func attribute(_ key: String, _ level: AttributeLevel = .unqualified) -> FilterExpression {
    .attribute(AttributeReference(key, level))
  }

  /// A reference to a built-in field, without the wrapping.
  public static func field(_ level: AttributeLevel, _ name: String) -> FilterExpression {
    .field(FieldReference(level, name))
  }
}

/// Where an attribute or a field stands.
public struct AttributeLevel: RawRepresentable, Hashable, Sendable, Comparable {
  public var rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// In a filter: the span or its resource.
  public static let unqualified = AttributeLevel(rawValue: "")
  public static let span = AttributeLevel(rawValue: "span")
  public static let resource = AttributeLevel(rawValue: "resource")
  public static let scope = AttributeLevel(rawValue: "scope")
  public static let event = AttributeLevel(rawValue: "event")
  public static let link = AttributeLevel(rawValue: "link")

  /// The five levels that attributes are stored at.
  public static let all: [AttributeLevel] = [.resource, .scope, .span, .event, .link]

  /// By the bytes of the raw value.
  public static func < (left: AttributeLevel, right: AttributeLevel) -> Bool {
    left.rawValue.utf8.lexicographicallyPrecedes(right.rawValue.utf8)
  }
}

/// An attribute in a filter. An unqualified one is the span's or its resource's.
public struct AttributeReference: Hashable, Sendable {
  public var key: String
  public var level: AttributeLevel

  public init(_ key: String, _ level: AttributeLevel = .unqualified) {
    self.key = key
    self.level = level
  }

  public static func == (left: AttributeReference, right: AttributeReference) -> Bool {
    left.key.utf8.elementsEqual(right.key.utf8) && left.level == right.level
  }
}

/// A built-in field in a filter, such as `duration` of the span level.
public struct FieldReference: Hashable, Sendable {
  public var level: AttributeLevel
  public var name: String

  public init(_ level: AttributeLevel, _ name: String) {
    self.level = level
    self.name = name
  }

  public static func == (left: FieldReference, right: FieldReference) -> Bool {
    left.name.utf8.elementsEqual(right.name.utf8) && left.level == right.level
  }
}

/// A collection in a filter: the events or the links of a span.
public struct NestedReference: Hashable, Sendable {
  public var level: AttributeLevel

  public init(_ level: AttributeLevel) { self.level = level }
}

/// Constants of one type. The texts stay as they were written.
public struct FilterList: Hashable, Sendable {
  public var values: [String]
  public var type: FilterScalarType

  public init(_ values: [String], type: FilterScalarType = .untyped) {
    self.values = values
    self.type = type
  }

  public static func == (left: FilterList, right: FilterList) -> Bool {
    left.type == right.type && left.values.elementsEqual(right.values) { $0.utf8.elementsEqual($1.utf8) }
  }
}

/// The declared type of a constant.
public struct FilterScalarType: RawRepresentable, Hashable, Sendable {
  public var rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  public static let untyped = FilterScalarType(rawValue: "")
  public static let string = FilterScalarType(rawValue: "string")
  public static let int = FilterScalarType(rawValue: "int")
  public static let double = FilterScalarType(rawValue: "double")
  public static let bool = FilterScalarType(rawValue: "bool")
}

/// An operator with its arguments.
public struct FilterCall: Hashable, Sendable {
  public var operation: FilterOperator
  public var arguments: [FilterExpression]

  public init(_ operation: FilterOperator, _ arguments: [FilterExpression]) {
    self.operation = operation
    self.arguments = arguments
  }
}

/// The operators of the structured filter. A missing reference makes every leaf false; only `not` turns that around.
public struct FilterOperator: RawRepresentable, Hashable, Sendable {
  public var rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// Two or more calls, all true.
  public static let and = FilterOperator(rawValue: "and")
  /// Two or more calls, any true.
  public static let or = FilterOperator(rawValue: "or")
  /// One call, false.
  public static let not = FilterOperator(rawValue: "not")
  public static let equal = FilterOperator(rawValue: "eq")
  /// Present, and no value equal.
  public static let notEqual = FilterOperator(rawValue: "ne")
  public static let greater = FilterOperator(rawValue: "gt")
  public static let less = FilterOperator(rawValue: "lt")
  public static let greaterOrEqual = FilterOperator(rawValue: "gte")
  public static let lessOrEqual = FilterOperator(rawValue: "lte")
  /// The pattern occurs somewhere in the text.
  public static let regex = FilterOperator(rawValue: "regex")
  public static let exists = FilterOperator(rawValue: "exists")
  public static let `in` = FilterOperator(rawValue: "in")
  /// Present, and no value in the list.
  public static let notIn = FilterOperator(rawValue: "not_in")
  /// Some event or link satisfies the inner call.
  public static let some = FilterOperator(rawValue: "some")

  /// All operators, in the order of the specification.
  public static let all: [FilterOperator] = [
    .and, .or, .not, .equal, .notEqual, .greater, .less, .greaterOrEqual, .lessOrEqual, .regex, .exists, .in, .notIn,
    .some,
  ]
}

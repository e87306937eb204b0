/// A named value on a span, event, link, resource or scope. Order and duplicate keys are content.
public struct Attribute: Hashable, Sendable {
  public var key: String
  public var value: AttributeValue
  /// Protobuf fields of this key-value pair that the model does not know, verbatim. Almost always empty.
  public var unknownFields: [UInt8]

  public init(_ key: String, _ value: AttributeValue, unknownFields: [UInt8] = []) {
    self.key = key
    self.value = value
    self.unknownFields = unknownFields
  }
}

/// OpenTelemetry's `AnyValue`, without loss.
///
/// Equality compares doubles by their bits, so NaN payloads and signed zeros are told apart.
public indirect enum AttributeValue: Sendable {
  /// The pair carries no value message at all.
  case absent
  /// The value message is present and holds nothing.
  case empty
  case string(String)
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case bytes([UInt8])
  case array([AttributeValue])
  case map([Attribute])
  /// A value message with fields that the model does not know, as its protobuf bytes, verbatim.
  case opaque([UInt8])
}

extension AttributeValue: Hashable {
  public static func == (left: AttributeValue, right: AttributeValue) -> Bool {
    switch (left, right) {
    case (.absent, .absent), (.empty, .empty): true
    case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.bool(let a), .bool(let b)): a == b
    case (.int(let a), .int(let b)): a == b
    case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
    case (.bytes(let a), .bytes(let b)), (.opaque(let a), .opaque(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.map(let a), .map(let b)): a == b
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .absent: hasher.combine(0)
    case .empty: hasher.combine(1)
    case .string(let value): hasher.combine(value)
    case .bool(let value): hasher.combine(value)
    case .int(let value): hasher.combine(value)
    case .double(let value): hasher.combine(value.bitPattern)
    case .bytes(let value), .opaque(let value): hasher.combine(value)
    case .array(let values): hasher.combine(values)
    case .map(let attributes): hasher.combine(attributes)
    }
  }
}

extension AttributeValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByFloatLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
}

extension Sequence<Attribute> {
  /// The value of the first attribute whose key has these UTF-8 bytes.
  public func value(of key: String) -> AttributeValue? { first { $0.key.utf8.elementsEqual(key.utf8) }?.value }
}

public import TraceModel
import TraceText

/// A key with a typed value: Jaeger's `KeyValue`, on spans, in logs and on processes. Order and repeated keys are kept.
public struct V1Tag: Hashable, Sendable {
  public var key: String
  public var value: V1Value

  public init(_ key: String, _ value: V1Value) {
    self.key = key
    self.value = value
  }

  public static func == (left: V1Tag, right: V1Tag) -> Bool {
    left.key.utf8.elementsEqual(right.key.utf8) && left.value == right.value
  }
}

/// The value of a tag. Doubles are equal when their bits are, texts when their UTF-8 bytes are.
public enum V1Value: Sendable {
  /// Type 0.
  case string(String)
  /// Type 1.
  case bool(Bool)
  /// Type 2.
  case int64(Int64)
  /// Type 3.
  case float64(Double)
  /// Type 4.
  case binary([UInt8])
  /// A type that v1 does not define, by the name it came with, and the value as text.
  case unknown(type: String, text: String)

  /// The name of the type, as the UI JSON spells it.
  public var typeName: String {
    switch self {
    case .string: "string"
    case .bool: "bool"
    case .int64: "int64"
    case .float64: "float64"
    case .binary: "binary"
    case .unknown(let type, _): type
    }
  }

  /// The value as v1's text: doubles with ten significant digits and bytes as hexadecimal digits, which differs from
  /// `AttributeValue.text`.
  public var text: String {
    switch self {
    case .string(let text), .unknown(_, let text): text
    case .bool(let value): value ? "true" : "false"
    case .int64(let value): String(value)
    case .float64(let value): TenDigits.text(value)
    case .binary(let bytes): Self.hexadecimal(bytes)
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
    digits.reserveCapacity(2 * bytes.count)
    for byte in bytes { digits += [Hexadecimal.digit(byte >> 4), Hexadecimal.digit(byte)] }
    return String(decoding: digits, as: UTF8.self)
  }
}

extension V1Value: Hashable {
  public static func == (left: V1Value, right: V1Value) -> Bool {
    switch (left, right) {
    case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.bool(let a), .bool(let b)): a == b
    case (.int64(let a), .int64(let b)): a == b
    case (.float64(let a), .float64(let b)): a.bitPattern == b.bitPattern
    case (.binary(let a), .binary(let b)): a == b
    case (.unknown(let a, let b), .unknown(let c, let d)):
      a.utf8.elementsEqual(c.utf8) && b.utf8.elementsEqual(d.utf8)
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(typeName)
    switch self {
    case .string(let text), .unknown(_, let text): hasher.combine(text)
    case .bool(let value): hasher.combine(value)
    case .int64(let value): hasher.combine(value)
    case .float64(let value): hasher.combine(value.bitPattern)
    case .binary(let bytes): hasher.combine(bytes)
    }
  }
}

extension V1Value: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .int64(value) }
  public init(floatLiteral value: Double) { self = .float64(value) }
}

extension V1Value {
  /// The value of an attribute in v1's types. Arrays and maps become their JSON text, whatever says nothing an empty
  /// text: v1 has no word for them, and their type does not come back.
  public init(_ value: AttributeValue) {
    switch value {
    case .string(let text): self = .string(text)
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .int64(value)
    case .double(let value): self = .float64(value)
    case .bytes(let bytes): self = .binary(bytes)
    case .array, .map: self = .string(value.text)
    case .absent, .empty, .opaque: self = .string("")
    }
  }

  /// The value as an attribute has it.
  public var attributeValue: AttributeValue {
    switch self {
    case .string(let text): .string(text)
    case .bool(let value): .bool(value)
    case .int64(let value): .int(value)
    case .float64(let value): .double(value)
    case .binary(let bytes): .bytes(bytes)
    case .unknown(let type, _): .string("<Unknown Jaeger TagType \"\(type)\">")
    }
  }
}

extension V1Tag {
  /// An attribute as a tag.
  public init(_ attribute: Attribute) { self.init(attribute.key, V1Value(attribute.value)) }

  /// The tag as an attribute.
  public var attribute: Attribute { Attribute(key, value.attributeValue) }
}

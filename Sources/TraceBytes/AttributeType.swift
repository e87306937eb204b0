/// What a stored attribute value is. The raw values are part of the segment format.
@frozen
public enum AttributeType: UInt8, CaseIterable, BitwiseCopyable, Sendable {
  /// The pair carries no value message.
  case absent = 0
  /// The value message is present and holds nothing.
  case empty = 1
  case string = 2
  case bool = 3
  case int = 4
  case double = 5
  case bytes = 6
  /// The whole `AnyValue` message with its array arm.
  case array = 7
  /// The whole `AnyValue` message with its key-value list arm.
  case map = 8
  /// An `AnyValue` message with fields that the model does not know, verbatim.
  case opaque = 9
  /// A whole `KeyValue` message with fields that the model does not know, verbatim.
  case opaqueAttribute = 10

  /// True when the value is 64 bits and no bytes.
  @inlinable public var isScalar: Bool { self == .bool || self == .int || self == .double }
  /// True when the value is a byte string.
  @inlinable public var isText: Bool { rawValue == 2 || rawValue >= 6 }
}

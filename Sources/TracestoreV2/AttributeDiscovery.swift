public import TraceModel

/// Which attribute keys to list.
public struct AttributeKeyQuery: Hashable, Sendable {
  /// Only keys that occur with spans of this service; empty means all.
  public var serviceName: String
  /// Only keys of this level; nil means all five.
  public var level: AttributeLevel?
  /// Only keys that occur about here, inclusive; a superset may be listed. Nil is unbounded.
  public var startMinimum: Timestamp?
  public var startMaximum: Timestamp?

  public init(
    serviceName: String = "", level: AttributeLevel? = nil, startMinimum: Timestamp? = nil,
    startMaximum: Timestamp? = nil
  ) {
    self.serviceName = serviceName
    self.level = level
    self.startMinimum = startMinimum
    self.startMaximum = startMaximum
  }
}

/// An attribute key as it occurs at one level with one type.
public struct AttributeKeyInfo: Hashable, Sendable {
  public var key: String
  public var level: AttributeLevel
  public var type: AttributeType
  /// How often it occurs: once for every span at the span level, every event, every link, and once for every distinct
  /// resource or scope.
  public var count: UInt64

  public init(key: String, level: AttributeLevel, type: AttributeType, count: UInt64 = 0) {
    self.key = key
    self.level = level
    self.type = type
    self.count = count
  }

  public static func == (left: AttributeKeyInfo, right: AttributeKeyInfo) -> Bool {
    left.key.utf8.elementsEqual(right.key.utf8) && left.level == right.level && left.type == right.type
      && left.count == right.count
  }
}

/// The type that a value was stored with.
public struct AttributeType: RawRepresentable, Hashable, Sendable, Comparable {
  public var rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// A key without a value, or with an empty one.
  public static let empty = AttributeType(rawValue: "empty")
  public static let string = AttributeType(rawValue: "string")
  public static let bool = AttributeType(rawValue: "bool")
  public static let int = AttributeType(rawValue: "int")
  public static let double = AttributeType(rawValue: "double")
  public static let bytes = AttributeType(rawValue: "bytes")
  public static let array = AttributeType(rawValue: "array")
  public static let map = AttributeType(rawValue: "map")
  /// A value of a kind that this version does not know.
  public static let opaque = AttributeType(rawValue: "opaque")

  /// The type of a value.
  public init(of value: AttributeValue) {
    self =
      switch value {
      case .absent, .empty: .empty
      case .string: .string
      case .bool: .bool
      case .int: .int
      case .double: .double
      case .bytes: .bytes
      case .array: .array
      case .map: .map
      case .opaque: .opaque
      }
  }

  /// By the bytes of the raw value.
  public static func < (left: AttributeType, right: AttributeType) -> Bool {
    left.rawValue.utf8.lexicographicallyPrecedes(right.rawValue.utf8)
  }
}

/// Which values of an attribute key to list.
public struct AttributeValueQuery: Hashable, Sendable {
  public var key: String
  /// Only this level; nil means all five.
  public var level: AttributeLevel?
  /// Only values whose text begins with these bytes.
  public var prefix: String
  /// Only values that occur with spans of this service; empty means all.
  public var serviceName: String
  /// Only values that occur about here, inclusive; a superset may be listed. Nil is unbounded.
  public var startMinimum: Timestamp?
  public var startMaximum: Timestamp?
  /// At most this many values. At least 1.
  public var limit: Int

  public init(
    key: String, level: AttributeLevel? = nil, prefix: String = "", serviceName: String = "",
    startMinimum: Timestamp? = nil, startMaximum: Timestamp? = nil, limit: Int = 100
  ) {
    self.key = key
    self.level = level
    self.prefix = prefix
    self.serviceName = serviceName
    self.startMinimum = startMinimum
    self.startMaximum = startMaximum
    self.limit = limit
  }
}

/// One value of an attribute key.
public struct AttributeValueInfo: Hashable, Sendable {
  public var value: AttributeValue
  /// How often it occurs, counted as in `AttributeKeyInfo.count`.
  public var count: UInt64

  public init(value: AttributeValue, count: UInt64) {
    self.value = value
    self.count = count
  }
}

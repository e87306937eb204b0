import TraceFilter
import TraceModel
import TracestoreV2

/// One value of a reference, or a constant.
enum FilterValue {
  /// A stored attribute.
  case attribute(AttributeValue)
  /// A field that holds text.
  case text(String)
  /// In nanoseconds; wider than any stored duration, because the time between an event and its span has a sign.
  case duration(Int128)
  case timestamp(Timestamp)

  /// Nil when the node is no constant. An untyped one is text for want of anything better.
  init?(constant: FilterExpression) {
    switch constant {
    case .untyped(let text), .string(let text): self = .attribute(.string(text))
    case .int(let value): self = .attribute(.int(value))
    case .double(let value): self = .attribute(.double(value))
    case .bool(let value): self = .attribute(.bool(value))
    case .duration(let nanoseconds): self = .duration(Int128(nanoseconds))
    case .timestamp(let time): self = .timestamp(time)
    case .attribute, .field, .nested, .list, .call: return nil
    }
  }

  /// The text that an untyped pattern reads.
  var text: String? {
    switch self {
    case .attribute(let value): AttributeText.text(of: value)
    case .text(let text): text
    case .duration, .timestamp: nil
    }
  }

  /// The text of a value that is text.
  var storedText: String? {
    switch self {
    case .attribute(.string(let text)), .text(let text): text
    default: nil
    }
  }

  func equals(_ constant: FilterExpression) -> Bool { relation(toConstant: constant).isEqual }

  func relation(toConstant constant: FilterExpression) -> FilterRelation {
    switch (constant, self) {
    case (.untyped(let text), .attribute(let stored)):
      // Whether it is equal is one question, on which side it stands another.
      var relation = FilterRelation(isEqual: AttributeCondition.matches(.string(text), stored: stored))
      switch stored {
      case .string(let storedText): relation.order = FilterOrder(storedText, text)
      case .int, .double: relation.order = FilterNumber(text).flatMap { FilterNumber(stored)?.order(to: $0) }
      default: break
      }
      return relation
    case (.untyped(let text), .text(let stored)): return FilterRelation(FilterOrder(stored, text))
    case (.untyped(let text), .duration(let stored)):
      return FilterRelation(FilterConstant.duration(text).map { FilterOrder(stored, Int128($0)) })
    case (.untyped(let text), .timestamp(let stored)):
      return FilterRelation(FilterConstant.timestamp(text).map { FilterOrder(stored, $0) })
    case (.string(let text), _): return FilterRelation(storedText.map { FilterOrder($0, text) })
    case (.int(let value), .attribute(.int(let stored))): return FilterRelation(FilterOrder(stored, value))
    case (.double(let value), .attribute(.double(let stored))):
      return FilterRelation(
        isEqual: stored.bitPattern == value.bitPattern, order: FilterNumber.double(stored).order(to: .double(value)))
    case (.bool(let value), .attribute(.bool(let stored))): return FilterRelation(isEqual: stored == value)
    case (.duration(let value), .duration(let stored)): return FilterRelation(FilterOrder(stored, Int128(value)))
    case (.timestamp(let value), .timestamp(let stored)): return FilterRelation(FilterOrder(stored, value))
    default: return FilterRelation(isEqual: false)
    }
  }

  /// By value, for two references or two typed constants.
  func relation(to other: FilterValue) -> FilterRelation {
    if let text = storedText, let otherText = other.storedText { return FilterRelation(FilterOrder(text, otherText)) }
    switch (self, other) {
    case (.attribute(.bool(let one)), .attribute(.bool(let two))): return FilterRelation(isEqual: one == two)
    case (.attribute(let one), .attribute(let two)):
      return FilterRelation(
        FilterNumber(one).flatMap { one in FilterNumber(two).flatMap { one.order(to: $0) } })
    case (.duration(let one), .duration(let two)): return FilterRelation(FilterOrder(one, two))
    case (.timestamp(let one), .timestamp(let two)): return FilterRelation(FilterOrder(one, two))
    default: return FilterRelation(isEqual: false)
    }
  }
}

/// On which side of another value a value stands.
enum FilterOrder {
  case before, same, after

  init<Value: Comparable>(_ one: Value, _ other: Value) {
    self = one == other ? .same : one < other ? .before : .after
  }

  /// By the bytes: Swift's own order of texts calls different spellings equal.
  init(_ one: String, _ other: String) {
    if one.utf8.elementsEqual(other.utf8) {
      self = .same
    } else {
      self = one.utf8.lexicographicallyPrecedes(other.utf8) ? .before : .after
    }
  }
}

/// How one value stands to another.
struct FilterRelation {
  var isEqual: Bool
  /// Nil when the two have no order.
  var order: FilterOrder?

  init(isEqual: Bool, order: FilterOrder? = nil) {
    self.isEqual = isEqual
    self.order = order
  }

  init(_ order: FilterOrder?) { self.init(isEqual: order == .same, order: order) }

  /// Two constants without a type.
  init(untyped one: String, untyped other: String) {
    if let oneNumber = FilterNumber(one), let otherNumber = FilterNumber(other) {
      self.init(oneNumber.order(to: otherNumber))
    } else {
      self.init(FilterOrder(one, other))
    }
  }

  /// With the two exchanged.
  var mirrored: FilterRelation {
    let order: FilterOrder? =
      switch order {
      case .before: .after
      case .after: .before
      case .same: .same
      case nil: nil
      }
    return FilterRelation(isEqual: isEqual, order: order)
  }
}

/// A number of either stored kind.
enum FilterNumber {
  case int(Int64)
  case double(Double)

  init?(_ stored: AttributeValue) {
    switch stored {
    case .int(let value): self = .int(value)
    case .double(let value): self = .double(value)
    default: return nil
    }
  }

  /// The number that a text spells, as text conditions read it: whole numbers of 64 bits exactly, others as doubles.
  init?(_ text: String) {
    guard AttributeCondition.isNumber(text) else { return nil }
    if let value = Int64(text) {
      self = .int(value)
    } else if let value = Double(text) {
      self = .double(value)
    } else {
      return nil
    }
  }

  /// Nil beside NaN.
  func order(to other: FilterNumber) -> FilterOrder? {
    switch (self, other) {
    case (.int(let one), .int(let two)): FilterOrder(one, two)
    case (.double(let one), .double(let two)): one.isNaN || two.isNaN ? nil : FilterOrder(one, two)
    case (.int(let one), .double(let two)): Self.order(one, two)
    case (.double(let one), .int(let two)): FilterRelation(Self.order(two, one)).mirrored.order
    }
  }

  private static func order(_ one: Int64, _ two: Double) -> FilterOrder? {
    if two.isNaN { return nil }
    // 2^63 is the first double above all integers, -2^63 the least integer itself.
    if two >= 0x1p63 { return .before }
    if two < -0x1p63 { return .after }
    let whole = two.rounded(.down)
    let floor = FilterOrder(one, Int64(whole))
    return floor == .same && two > whole ? .before : floor
  }
}

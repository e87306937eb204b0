import TraceColumns
import TraceModel
import TraceSource
import TracestoreV2

/// The six comparisons.
enum Comparison: Sendable {
  case equal, notEqual, greater, greaterOrEqual, less, lessOrEqual

  init?(_ operation: FilterOperator) {
    switch operation {
    case .equal: self = .equal
    case .notEqual: self = .notEqual
    case .greater: self = .greater
    case .greaterOrEqual: self = .greaterOrEqual
    case .less: self = .less
    case .lessOrEqual: self = .lessOrEqual
    default: return nil
    }
  }

  /// Whether values in this order satisfy it; nil stands for values without an order, such as NaN.
  func accepts(_ order: Order?) -> Bool {
    switch self {
    case .equal: order == .same
    case .notEqual: order != .same
    case .greater: order == .above
    case .greaterOrEqual: order == .above || order == .same
    case .less: order == .below
    case .lessOrEqual: order == .below || order == .same
    }
  }

  /// How the left value stands to the right one.
  enum Order: Sendable {
    case below, same, above

    /// By the order of their bytes.
    static func of(_ left: String, _ right: String) -> Order {
      if left.utf8.elementsEqual(right.utf8) { return .same }
      return left.utf8.lexicographicallyPrecedes(right.utf8) ? .below : .above
    }

    static func of<Value: Comparable>(_ left: Value, _ right: Value) -> Order {
      left == right ? .same : left < right ? .below : .above
    }
  }
}

/// An integer or a double, compared by value without rounding.
enum Number: Sendable {
  case int(Int64)
  case double(Double)

  /// Nil for values that are no numbers.
  init?(_ value: AttributeValue) {
    switch value {
    case .int(let value): self = .int(value)
    case .double(let value): self = .double(value)
    default: return nil
    }
  }

  /// The number that an untyped constant spells: an integer when it is one, exactly.
  init?(spelled text: String) {
    guard let double = ValueTest.decimal(text) else { return nil }
    self = Int64(text).map { .int($0) } ?? .double(double)
  }

  /// Nil beside NaN.
  func order(_ other: Number) -> Comparison.Order? {
    switch (self, other) {
    case (.int(let left), .int(let right)): return .of(left, right)
    case (.double(let left), .double(let right)):
      return left.isNaN || right.isNaN ? nil : .of(left, right)
    case (.int(let left), .double(let right)): return Self.order(left, right)
    case (.double(let left), .int(let right)):
      return Self.order(right, left).map { $0 == .same ? .same : $0 == .below ? .above : .below }
    }
  }

  private static func order(_ int: Int64, _ double: Double) -> Comparison.Order? {
    if double.isNaN { return nil }
    let floor = double.rounded(.down)
    // 2^63 is the first double above every integer, and −2^63 is one.
    if floor >= 0x1p63 { return .below }
    if floor < -0x1p63 { return .above }
    let whole = Int64(floor)
    if int != whole { return .of(int, whole) }
    return floor < double ? .below : .same
  }
}

extension Comparison {
  /// The words of `NumberOrder.int` whose integers stand so to a number. Not for `notEqual`.
  func ints(_ number: Number) -> WordRanges {
    // The integers that pass are a range, because the order is monotonic: its ends are found by bisection.
    words(NumberOrder.int(UInt64(bitPattern: .min))...NumberOrder.int(UInt64(bitPattern: .max))) { word in
      Number.int(Int64(bitPattern: NumberOrder.int(word))).order(number)
    }
  }

  /// The words of `NumberOrder.double` whose doubles stand so to a number. Not for `notEqual`.
  func doubles(_ number: Number) -> WordRanges {
    if case .double(let value) = number, value.isNaN { return .none }
    return words(
      NumberOrder.double((-Double.infinity).bitPattern)...NumberOrder.double(Double.infinity.bitPattern)
    ) { word in
      // The order's inverse.
      let bits = word >> 63 == 1 ? word & ~(1 << 63) : ~word
      return Number.double(Double(bitPattern: bits)).order(number)
    }
  }

  /// The part of an ascending range whose values this comparison accepts.
  func words(_ range: ClosedRange<UInt64>, _ order: (UInt64) -> Order?) -> WordRanges {
    /// The first word that is not below (or, when `passing` says so, not the same either); nil when all are.
    func first(_ passes: (Order) -> Bool) -> UInt64? {
      guard let last = order(range.upperBound), passes(last) else { return nil }
      var low = range.lowerBound
      var high = range.upperBound
      while low < high {
        let middle = low + (high - low) / 2
        if let found = order(middle), passes(found) { high = middle } else { low = middle + 1 }
      }
      return low
    }
    guard order(range.lowerBound) != nil else { return .none }
    let same = first { $0 != .below }
    let above = first { $0 == .above }
    let lower: UInt64?
    // One behind the last word; nil: up to the end.
    let end: UInt64?
    switch self {
    case .equal: (lower, end) = (same, above)
    case .greater: (lower, end) = (above, nil)
    case .greaterOrEqual: (lower, end) = (same, nil)
    case .less: (lower, end) = (range.lowerBound, same)
    case .lessOrEqual: (lower, end) = (range.lowerBound, above)
    case .notEqual: return .none
    }
    guard let lower else { return .none }
    guard let end else { return WordRanges([lower...range.upperBound]) }
    return lower < end ? WordRanges([lower...(end - 1)]) : .none
  }

  /// The instants, or lengths of time, that stand so to a constant. Not for `notEqual`.
  func instants(_ constant: UInt64) -> ClosedRange<UInt64>? {
    words(0...UInt64.max) { .of($0, constant) }.ranges.first
  }

  /// Lengths of time that are never negative. Not for `notEqual`.
  func durations(_ constant: Int64) -> ClosedRange<UInt64>? {
    words(0...UInt64.max) { constant < 0 ? .above : .of($0, UInt64(constant)) }.ranges.first
  }

  /// Lengths of time between two instants, which may be negative. Not for `notEqual`.
  func signedDurations(_ constant: Int64) -> ClosedRange<Int128>? {
    let (all, constant) = (Self.signedDurations, Int128(constant))
    return switch self {
    case .equal: constant...constant
    case .greater: constant + 1...all.upperBound
    case .greaterOrEqual: constant...all.upperBound
    case .less: all.lowerBound...constant - 1
    case .lessOrEqual: all.lowerBound...constant
    case .notEqual: nil
    }
  }

  /// How far two instants can be apart: further than any constant says.
  static let signedDurations = -Int128(UInt64.max)...Int128(UInt64.max)

  /// Texts by the order of their bytes. Not for `notEqual`.
  func texts(_ constant: String) -> TextTest {
    let bytes = Array(constant.utf8)
    if self == .equal { return .equal(bytes) }
    return .condition(
      TextCondition("\(self) \(bytes)") {
        { text in
          let order: Order =
            text.elementsEqual(bytes) ? .same : text.lexicographicallyPrecedes(bytes) ? .below : .above
          return self.accepts(order)
        }
      })
  }
}

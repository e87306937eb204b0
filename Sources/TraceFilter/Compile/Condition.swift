import TraceColumns
import TraceModel
import TraceSource
import TracestoreV2

/// What a leaf of a filter asks of its reference: a test by type of value, to be passed or, when negated, to be passed
/// by no value.
struct Condition: Sendable {
  fileprivate enum Form: Sendable {
    case exists
    case compares(Comparison, FilterExpression)
    case oneOf([FilterExpression])
    /// A pattern; one without a type also reads the text of values that are no text.
    case matches(TextTest, isUntyped: Bool)
  }

  /// True for `ne` and `not_in`: some value is there, and none passes.
  let isNegated: Bool
  /// For attributes, whose values may have any type.
  let values: ValueTest
  /// For fields with text; nil when the constant is none.
  let texts: TextTest?
  /// For fields with instants; nil when the constant is none.
  let instants: [ClosedRange<UInt64>]?
  /// For durations of spans; nil when the constant is none.
  let durations: [ClosedRange<UInt64>]?
  /// For lengths of time that may be negative; nil when the constant is none.
  let signedDurations: [ClosedRange<Int128>]?

  static let exists = Condition(.exists, isNegated: false)

  private init(_ form: Form, isNegated: Bool) {
    self.isNegated = isNegated
    values = form.values
    texts = form.texts
    instants = form.instants
    durations = form.durations
    signedDurations = form.signedDurations
  }

  /// Nil when the call compares references with one another.
  ///
  /// - Parameter patterns: those of the filter that the call is part of.
  init?(_ call: FilterCall, _ patterns: FilterPatterns) {
    switch call.operation {
    case .exists: self = .exists
    case .regex:
      guard let text = call.arguments[1].constantText else { return nil }
      var isUntyped = false
      if case .untyped = call.arguments[1] { isUntyped = true }
      self.init(.matches(patterns.test(text), isUntyped: isUntyped), isNegated: false)
    case .in, .notIn:
      guard case .list(let list) = call.arguments[1] else { return nil }
      self.init(.oneOf(list.constants(beside: call.arguments[0])), isNegated: call.operation == .notIn)
    default:
      guard let comparison = Comparison(call.operation), call.arguments[1].isConstant else { return nil }
      let isNegated = comparison == .notEqual
      self.init(.compares(isNegated ? .equal : comparison, call.arguments[1]), isNegated: isNegated)
    }
  }
}

extension Condition.Form {
  fileprivate var values: ValueTest {
    switch self {
    case .exists: return .present
    case .matches(let test, let isUntyped):
      var values = ValueTest(name: "\(test.name) \(isUntyped)")
      values.strings = test
      if isUntyped { values.spelled = test }
      return values
    case .oneOf(let constants): return ValueTest(anyOf: constants)
    case .compares(.equal, let constant): return ValueTest(anyOf: [constant])
    case .compares(let comparison, let constant):
      var values = ValueTest(name: "\(comparison) \(constant.name)")
      switch constant {
      case .untyped(let text):
        values.strings = comparison.texts(text)
        if let number = Number(spelled: text) {
          values.ints = comparison.ints(number)
          values.doubles = comparison.doubles(number)
        }
      case .string(let text): values.strings = comparison.texts(text)
      case .int(let value): values.ints = comparison.ints(.int(value))
      case .double(let value): values.doubles = comparison.doubles(.double(value))
      default: break
      }
      return values
    }
  }

  fileprivate var texts: TextTest? {
    switch self {
    case .exists: return .notEmpty
    case .matches(let test, _): return test
    case .oneOf(let constants): return .oneOf(constants.compactMap { $0.constantText.map { Array($0.utf8) } })
    case .compares(let comparison, let constant): return constant.constantText.map(comparison.texts)
    }
  }

  fileprivate var instants: [ClosedRange<UInt64>]? {
    ranges { comparison, constant in
      if case .timestamp(let time) = constant {
        [comparison.instants(time.nanoseconds)].compactMap(\.self)
      } else {
        nil
      }
    }
  }

  fileprivate var durations: [ClosedRange<UInt64>]? {
    ranges { comparison, constant in
      if case .duration(let length) = constant { [comparison.durations(length)].compactMap(\.self) } else { nil }
    }
  }

  fileprivate var signedDurations: [ClosedRange<Int128>]? {
    switch self {
    case .exists: return [Comparison.signedDurations]
    case .matches: return nil
    case .oneOf(let constants): return constants.flatMap { Self.signed(.equal, $0) ?? [] }
    case .compares(let comparison, let constant): return Self.signed(comparison, constant)
    }
  }

  private static func signed(_ comparison: Comparison, _ constant: FilterExpression) -> [ClosedRange<Int128>]? {
    guard case .duration(let length) = constant else { return nil }
    return [comparison.signedDurations(length)].compactMap(\.self)
  }

  private func ranges(
    _ range: (Comparison, FilterExpression) -> [ClosedRange<UInt64>]?
  ) -> [ClosedRange<UInt64>]? {
    switch self {
    case .exists: return [0...UInt64.max]
    case .matches: return nil
    case .oneOf(let constants): return constants.flatMap { range(.equal, $0) ?? [] }
    case .compares(let comparison, let constant): return range(comparison, constant)
    }
  }
}

extension ValueTest {
  /// Any of the constants: typed ones match only values of their type.
  fileprivate init(anyOf constants: [FilterExpression]) {
    if constants.count == 1, case .untyped(let text) = constants[0] {
      self.init(text: text)
      return
    }
    self.init(name: "any of \(constants.map(\.name))")
    var intRanges: [ClosedRange<UInt64>] = []
    var doubleRanges: [ClosedRange<UInt64>] = []
    var texts: [[UInt8]] = []
    for constant in constants {
      switch constant {
      case .string(let text): texts.append(Array(text.utf8))
      case .int(let value): intRanges += WordRanges.int(value).ranges
      case .double(let value): doubleRanges += WordRanges.doubleBits(value).ranges
      case .bool(let value): bools.append(value)
      default: break
      }
    }
    ints = WordRanges(intRanges)
    doubles = WordRanges(doubleRanges)
    strings = .oneOf(texts)
  }
}

extension FilterExpression {
  /// Spells bytes, because equal `String`s may have different ones.
  fileprivate var name: String {
    switch self {
    case .untyped(let text): "text \(Array(text.utf8))"
    case .string(let text): "string \(Array(text.utf8))"
    case .double(let value): "double \(value.bitPattern)"
    default: "\(self)"
    }
  }
}

extension FilterList {
  /// The values of a resolved list, in the type that it declares, or that the field beside it has.
  func constants(beside reference: FilterExpression) -> [FilterExpression] {
    var fieldType: FilterField.ValueType?
    if case .field(let field) = reference { fieldType = FilterField(field)?.type }
    return values.compactMap { text -> FilterExpression? in
      switch fieldType {
      case .timestamp: return FilterConstant.timestamp(text).map { .timestamp($0) }
      case .duration: return FilterConstant.duration(text).map { .duration(nanoseconds: $0) }
      case .text, .kind, .status: return .string(text)
      case nil: break
      }
      switch type {
      case .int: return FilterConstant.int(text).map { .int($0) }
      case .double: return FilterConstant.double(text).map { .double($0) }
      case .bool: return FilterConstant.bool(text).map { .bool($0) }
      default: return .string(text)
      }
    }
  }
}

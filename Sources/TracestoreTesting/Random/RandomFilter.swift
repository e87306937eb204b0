public import TracestoreV2

/// A random filter that keeps every rule, over the vocabulary of `randomTraces`: all operators, levels and fields, typed
/// and untyped constants on either side, lists, references beside references, `some` inside `some`. It is not resolved.
/// Patterns are few and plain, so that every dialect reads them alike.
///
/// - Parameters:
///   - seed: The same seed gives the same filter.
///   - maximumDepth: How deep calls nest at most, the root counting as 1; at most `FilterExpression.maximumDepth`.
public func randomFilter(seed: UInt64, maximumDepth: Int = 4) -> FilterExpression {
  var maker = RandomFilterMaker(random: SeededRandom(seed: seed))
  return .call(maker.condition(depth: max(1, min(maximumDepth, FilterExpression.maximumDepth)), bound: []))
}

struct RandomFilterMaker {
  static let patterns = ["2", "a.", "[0-9]+", "caf", "e|u", "(GET|POST) /", "x*", "\\.", "t(r|i)", "é", ""]
  static let textFields: [(AttributeLevel, String)] = [
    (.span, "traceID"), (.span, "spanID"), (.span, "parentSpanID"), (.span, "traceState"), (.span, "name"),
    (.span, "name"), (.span, "statusMessage"), (.resource, "service"), (.resource, "service"),
    (.resource, "schemaURL"), (.scope, "name"), (.scope, "version"), (.scope, "schemaURL"), (.event, "name"),
    (.link, "traceID"), (.link, "spanID"), (.link, "traceState"),
  ]
  static let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
  static let statuses = ["unset", "ok", "error"]
  static let doubles = ["0", "-0", "0.5", "200", "1000", "1e21", "1e-7", "inf", "nan", "9007199254740992", "0x1p-1"]
  static let ints = ["0", "1", "200", "-1", "+1", "9223372036854775807", "-9223372036854775808", "9007199254740993"]
  static let comparisons: [FilterOperator] = [
    .equal, .equal, .notEqual, .greater, .less, .greaterOrEqual, .lessOrEqual,
  ]

  var random: SeededRandom
  /// Calls that may still be made: without a bound a deep filter would be as wide as two to the power of its depth.
  private var budget = 60

  init(random: SeededRandom) { self.random = random }

  mutating func condition(depth: Int, bound: [AttributeLevel]) -> FilterCall {
    budget -= 1
    guard depth > 1, budget > 0, !random.isOneIn(4) else { return leaf() }
    switch random.below(6) {
    case 0, 1: return FilterCall(.and, conditions(depth: depth, bound: bound))
    case 2, 3: return FilterCall(.or, conditions(depth: depth, bound: bound))
    case 4: return FilterCall(.not, [.call(condition(depth: depth - 1, bound: bound))])
    default:
      let free = [AttributeLevel.event, .link].filter { !bound.contains($0) }
      guard !free.isEmpty else { return leaf() }
      let level = random.pick(free)
      return FilterCall(
        .some, [.nested(NestedReference(level)), .call(condition(depth: depth - 1, bound: bound + [level]))])
    }
  }

  private mutating func conditions(depth: Int, bound: [AttributeLevel]) -> [FilterExpression] {
    (0..<random.pick([2, 2, 3])).map { _ in .call(condition(depth: depth - 1, bound: bound)) }
  }

  private mutating func leaf() -> FilterCall {
    switch random.below(12) {
    case 0: FilterCall(.exists, [random.isOneIn(2) ? attribute() : anyField()])
    case 1: regex()
    case 2: FilterCall(random.isOneIn(2) ? .in : .notIn, [attribute(), .list(typedList())])
    case 3: fieldList()
    case 4: twoReferences()
    case 5: random.isOneIn(4) ? twoConstants() : attributeComparison()
    case 6, 7, 8: attributeComparison()
    default: fieldComparison()
    }
  }

  private mutating func level() -> AttributeLevel {
    random.pick([.unqualified, .unqualified, .span, .span, .resource, .scope, .event, .link])
  }

  private mutating func attribute() -> FilterExpression {
    .attribute(random.pick(RandomTraceMaker.keys + ["service.name", "duration", "no such \"key\""]), level())
  }

  private mutating func field(_ fields: [(AttributeLevel, String)]) -> FilterExpression {
    let (level, name) = random.pick(fields)
    return .field(level, name)
  }

  private mutating func textField() -> FilterExpression { field(Self.textFields) }

  private mutating func durationField() -> FilterExpression {
    field([(.span, "duration"), (.event, "timeSinceStart")])
  }

  private mutating func timestampField() -> FilterExpression {
    field([(.span, "startTime"), (.span, "endTime"), (.event, "time")])
  }

  private mutating func anyField() -> FilterExpression {
    switch random.below(5) {
    case 0: durationField()
    case 1: timestampField()
    case 2: .field(.span, random.isOneIn(2) ? "kind" : "status")
    default: textField()
    }
  }

  private mutating func regex() -> FilterCall {
    let pattern = random.pick(Self.patterns)
    let word = FilterExpression.field(.span, random.isOneIn(2) ? "kind" : "status")
    let subject = random.isOneIn(2) ? attribute() : random.isOneIn(5) ? word : textField()
    return FilterCall(.regex, [subject, random.isOneIn(3) ? .string(pattern) : .untyped(pattern)])
  }

  /// A comparison with the operands on either side.
  private mutating func comparison(
    _ operators: [FilterOperator], _ reference: FilterExpression, _ constant: FilterExpression
  ) -> FilterCall {
    FilterCall(random.pick(operators), random.isOneIn(4) ? [constant, reference] : [reference, constant])
  }

  private mutating func attributeComparison() -> FilterCall {
    switch random.below(8) {
    case 0: comparison(Self.comparisons, attribute(), .int(Int64(random.pick(Self.ints)) ?? 0))
    case 1: comparison(Self.comparisons, attribute(), .double(Double(random.pick(Self.doubles)) ?? 0))
    case 2: comparison([.equal, .notEqual], attribute(), .bool(random.isOneIn(2)))
    case 3: comparison(Self.comparisons, attribute(), .string(random.pick(RandomTraceMaker.texts)))
    case 4: comparison(Self.comparisons, attribute(), .untyped(random.pick(Self.ints + Self.doubles)))
    default: comparison(Self.comparisons, attribute(), .untyped(random.pick(RandomTraceMaker.texts)))
    }
  }

  private mutating func fieldComparison() -> FilterCall {
    switch random.below(6) {
    case 0: return comparison(Self.comparisons, durationField(), .untyped(duration()))
    case 1: return comparison(Self.comparisons, timestampField(), .untyped(time()))
    case 2:
      let isKind = random.isOneIn(2)
      let word = random.pick(isKind ? Self.kinds : Self.statuses)
      return comparison(
        [.equal, .notEqual], .field(.span, isKind ? "kind" : "status"),
        random.isOneIn(3) ? .string(word) : .untyped(word))
    default:
      let text = text()
      return comparison(Self.comparisons, textField(), random.isOneIn(3) ? .string(text) : .untyped(text))
    }
  }

  /// Texts that fields of random traces hold.
  private mutating func text() -> String {
    switch random.below(6) {
    case 0: random.pick(RandomTraceMaker.services)
    case 1: random.pick(RandomTraceMaker.operations)
    case 2: random.pick(["library", "agent", "1.0", "exception", "log", "timeout", "vendor=0", "200"])
    case 3: "000000000000000" + String(random.below(16), radix: 16)
    case 4: "0000000000000009000000000000000" + String(random.below(4))
    default: "000000000000000" + String(random.below(3)) + "00000000000" + String(random.below(1 << 20) + 1, radix: 16)
    }
  }

  private mutating func duration() -> String {
    random.pick(["0", "1us", "2µs", "3000ns", "4μs", "1ms", "-1s", "0.5us", "500ns", "1h2m3.5s", "300ns"])
  }

  private mutating func time() -> String {
    let second = random.below(60)
    let clock = "2026-01-01T00:00:" + (second < 10 ? "0" : "") + String(second)
    return clock + random.pick(["Z", ".000000001Z", "+00:00", ".000001Z", ".5Z"])
  }

  private mutating func typedList() -> FilterList {
    let (values, type): ([String], FilterScalarType) =
      switch random.below(4) {
      case 0: (Self.ints, .int)
      case 1: (Self.doubles + Self.ints, .double)
      case 2: (["true", "false", "T", "0"], .bool)
      default: (RandomTraceMaker.texts, .string)
      }
    return FilterList((0..<random.pick([1, 2, 2, 3, 5])).map { _ in random.pick(values) }, type: type)
  }

  private mutating func fieldList() -> FilterCall {
    let operation: FilterOperator = random.isOneIn(2) ? .in : .notIn
    let count = random.pick([1, 2, 3])
    let type: FilterScalarType = random.isOneIn(3) ? .string : .untyped
    switch random.below(5) {
    case 0: return FilterCall(operation, [durationField(), .list(FilterList((0..<count).map { _ in duration() }))])
    case 1: return FilterCall(operation, [timestampField(), .list(FilterList((0..<count).map { _ in time() }))])
    case 2:
      let isKind = random.isOneIn(2)
      let words = (0..<count).map { _ in random.pick(isKind ? Self.kinds : Self.statuses) }
      return FilterCall(
        operation, [.field(.span, isKind ? "kind" : "status"), .list(FilterList(words, type: type))])
    default:
      return FilterCall(operation, [textField(), .list(FilterList((0..<count).map { _ in text() }, type: type))])
    }
  }

  private mutating func twoReferences() -> FilterCall {
    let operation = random.pick(Self.comparisons)
    return switch random.below(5) {
    case 0: FilterCall(operation, [textField(), textField()])
    case 1: FilterCall(operation, [timestampField(), timestampField()])
    case 2: FilterCall(operation, [durationField(), random.isOneIn(2) ? durationField() : attribute()])
    case 3: FilterCall(operation, [textField(), attribute()])
    default: FilterCall(operation, [attribute(), attribute()])
    }
  }

  private mutating func twoConstants() -> FilterCall {
    let operation = random.pick(Self.comparisons)
    return switch random.below(4) {
    case 0: FilterCall(operation, [.int(Int64(random.below(3))), .double(Double(random.below(3)) / 2)])
    case 1: FilterCall(operation, [.untyped(random.pick(Self.ints)), .untyped(random.pick(Self.doubles))])
    case 2: FilterCall(operation, [.untyped(duration()), .duration(nanoseconds: Int64(random.below(3)) * 500)])
    default: FilterCall(operation, [.string(text()), .untyped(text())])
    }
  }
}

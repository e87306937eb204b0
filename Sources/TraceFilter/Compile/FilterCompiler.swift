import TraceColumns
import TraceModel
package import TraceSource
package import TracestoreV2

extension FilterExpression {
  /// Each pattern holds up to some megabytes of its automaton while a query runs.
  package static let maximumPatternCount = 64

  /// The predicate of a filter: what can be decided on columns as leaves, the rest on materialised spans, behind
  /// whatever narrows them down.
  ///
  /// - Throws: `invalidArgument` as `finalized()` does.
  package func predicate() throws -> SpanPredicate {
    var patterns = FilterPatterns()
    guard case .call(let call) = try finalized(checkingPatterns: { try patterns.add($0) }) else { return .nothing }
    return FilterCompiler(patterns: patterns).predicate(call)
  }
}

/// The patterns of a filter, each compiled once.
struct FilterPatterns {
  /// By their bytes, because equal `String`s may have different ones.
  private var tests: [[UInt8]: TextTest] = [:]

  mutating func add(_ pattern: String) throws {
    let bytes = Array(pattern.utf8)
    guard tests[bytes] == nil else { return }
    guard tests.count < FilterExpression.maximumPatternCount else {
      throw TracestoreError(
        .limitExceeded, "A filter may have \(FilterExpression.maximumPatternCount) patterns; join them with `|`.")
    }
    let compiled = try TextPattern(pattern)
    tests[bytes] = .condition(
      TextCondition("matches \(bytes)") {
        let matcher = compiled.makeMatcher()
        return { matcher.matches($0) }
      })
  }

  /// - Precondition: the pattern was added.
  func test(_ pattern: String) -> TextTest { tests[Array(pattern.utf8)] ?? .none }
}

/// Turns resolved calls into predicates.
struct FilterCompiler {
  let patterns: FilterPatterns

  // MARK: Spans

  func predicate(_ expression: FilterExpression) -> SpanPredicate {
    if case .call(let call) = expression { predicate(call) } else { .nothing }
  }

  func predicate(_ call: FilterCall) -> SpanPredicate {
    let arguments = call.arguments
    switch call.operation {
    case .and:
      // The cheapest first: what they leave over, the others need not look at.
      return .all(arguments.map { predicate($0) }.sorted { $0.cost < $1.cost })
    case .or: return .any(arguments.map { predicate($0) })
    case .not: return predicate(arguments[0]).negated
    case .some: return some(call)
    default: break
    }
    guard let condition = Condition(call, patterns) else { return onRecords(call) }
    switch arguments[0] {
    case .attribute(let reference): return attribute(reference, condition)
    case .field(let reference):
      if let predicate = FilterField(reference).flatMap({ field($0, condition) }) { return predicate }
      return onRecords(call)
    default: return onRecords(call)
    }
  }

  /// What is decided on spans, behind the conditions that its references are there.
  private func onRecords(_ call: FilterCall) -> SpanPredicate {
    let references = call.arguments.filter(\.isReference)
    if references.isEmpty { return Self.holds(betweenConstants: call) ? .everything : .nothing }
    var parts = references.map(presence)
    parts.append(.leaf(.record(RecordFilter(call, patterns).test)))
    return .all(parts)
  }

  /// What has to be true of a span on which a reference has a value.
  private func presence(_ reference: FilterExpression) -> SpanPredicate {
    switch reference {
    case .attribute(let reference): attribute(reference, .exists)
    case .field(let reference): FilterField(reference).flatMap { field($0, .exists) } ?? .everything
    default: .everything
    }
  }

  /// Two constants compared: an untyped one is read as what stands on the other side.
  static func holds(betweenConstants call: FilterCall) -> Bool {
    guard let comparison = Comparison(call.operation) else { return false }
    let (left, right) = (call.arguments[0], call.arguments[1])
    if case .untyped(let left) = left, case .untyped(let right) = right {
      if let left = Number(spelled: left), let right = Number(spelled: right) {
        return comparison.accepts(left.order(right))
      }
      return comparison.accepts(.of(left, right))
    }
    for read in [length, instant] where read(left, false) != nil || read(right, false) != nil {
      guard let left = read(left, true), let right = read(right, true) else { return comparison == .notEqual }
      return comparison.accepts(.of(left, right))
    }
    if let left = left.typedNumber, let right = right.typedNumber { return comparison.accepts(left.order(right)) }
    // The typed one, or the left one, as a value that is stored.
    var (stored, constant, asked) = (left, right, call.operation)
    if case .untyped = left { (stored, constant, asked) = (right, left, asked.mirrored) }
    guard let value = stored.attributeValue,
      let condition = Condition(FilterCall(asked, [stored, constant]), FilterPatterns())
    else { return false }
    return condition.values.matches(value) != condition.isNegated
  }

  /// The value of a constant that is a duration, or that is read as one.
  private static func length(_ constant: FilterExpression, _ isRead: Bool) -> Int128? {
    switch constant {
    case .duration(let nanoseconds): Int128(nanoseconds)
    case .untyped(let text): isRead ? FilterConstant.duration(text).map { Int128($0) } : nil
    default: nil
    }
  }

  /// The same for instants.
  private static func instant(_ constant: FilterExpression, _ isRead: Bool) -> Int128? {
    switch constant {
    case .timestamp(let time): Int128(time.nanoseconds)
    case .untyped(let text): isRead ? FilterConstant.timestamp(text).map { Int128($0.nanoseconds) } : nil
    default: nil
    }
  }

  // MARK: Attributes

  private func attribute(_ reference: AttributeReference, _ condition: Condition) -> SpanPredicate {
    let levels = reference.level.columnLevels
    func anyLevel(_ test: ValueTest) -> SpanPredicate {
      let key = Array(reference.key.utf8)
      let parts = levels.map { SpanPredicate.leaf(.attribute(level: $0, key: key, test)) }
      return parts.count == 1 ? parts[0] : .any(parts)
    }
    let passing = anyLevel(condition.values)
    return condition.isNegated ? .all([anyLevel(.present), passing.negated]) : passing
  }

  // MARK: Fields

  /// Nil for what only records can decide.
  private func field(_ field: FilterField, _ condition: Condition) -> SpanPredicate? {
    if let text = field.spanText { return self.text(text, condition) }
    return switch (field.level, field.name) {
    case (.span, "kind"): words(FilterField.kindWords, condition, { .leaf(.kind($0)) }, { $0.kind.word })
    case (.span, "status"):
      words(FilterField.statusWords, condition, { .leaf(.statusCode($0)) }, { ($0.status?.code ?? .unset).word })
    case (.span, "startTime"): instants(condition, present: .everything) { .leaf(.start($0)) }
    // An end of zero is none.
    case (.span, "endTime"):
      instants(condition, present: .leaf(.end(1...(.max)))) { range in
        range.upperBound == 0 ? .nothing : .leaf(.end(max(1, range.lowerBound)...range.upperBound))
      }
    case (.span, "duration"): lengths(condition)
    case (.span, "traceID"):
      ids(condition, present: .everything) { TraceID(exactly: $0).map { .leaf(.traceID($0)) } }
    case (.span, "spanID"):
      ids(condition, present: .everything) { SpanID(exactly: $0).map { .leaf(.spanID($0.rawValue)) } }
    case (.span, "parentSpanID"):
      ids(condition, present: .not(.leaf(.parent(nil)))) { SpanID(exactly: $0).map { .leaf(.parent($0.rawValue)) } }
    case (.event, _), (.link, _):
      // Of any element, each condition for itself.
      element(field, condition).map { leaf in
        let level: ChildLevel = field.level == .event ? .event : .link
        return condition.isNegated
          ? .all([.leaf(.some(level, leaf.present)), .not(.leaf(.some(level, leaf.passing)))])
          : .leaf(.some(level, leaf.passing))
      }
    default: nil
    }
  }

  private func text(_ text: SpanText, _ condition: Condition) -> SpanPredicate? {
    condition.texts.map { test in
      let passing = SpanPredicate.leaf(.text(text, test.ofPresent))
      return condition.isNegated ? .all([.leaf(.text(text, .notEmpty)), passing.negated]) : passing
    }
  }

  /// A field that is always there, with few words; codes that no version of the protocol knows yet are numbers, which
  /// only a pattern can mean.
  private func words(
    _ words: [String], _ condition: Condition, _ leaf: (Set<Int32>) -> SpanPredicate,
    _ word: @escaping @Sendable (SpanRecord) -> String
  ) -> SpanPredicate? {
    switch condition.texts {
    case .all, .notEmpty: return .everything
    case .list(let list)?:
      let codes = words.indices.filter { list.texts.contains(Array(words[$0].utf8)) }.map { Int32($0) }
      return condition.isNegated ? .not(leaf(Set(codes))) : leaf(Set(codes))
    case .condition(let test)?:
      let known = Set(words.indices.map { Int32($0) })
      let decide = TextTest.condition(test)
      let passing = leaf(known.filter { decide.matches(words[Int($0)]) })
      // What is no known word is looked at record by record.
      let unknown = RecordTest { _, _, span in decide.matches(word(span)) }
      return .any([passing, .all([.not(leaf(known)), .leaf(.record(unknown))])])
    case nil: return nil
    }
  }

  /// - Parameter leaf: passes nothing that has no instant.
  private func instants(
    _ condition: Condition, present: SpanPredicate, _ leaf: (ClosedRange<UInt64>) -> SpanPredicate
  ) -> SpanPredicate? {
    condition.instants.map { ranges in
      let parts = ranges.map(leaf)
      let passing = parts.count == 1 ? parts[0] : .any(parts)
      return condition.isNegated ? .all([present, passing.negated]) : passing
    }
  }

  private func lengths(_ condition: Condition) -> SpanPredicate? {
    condition.durations.map { ranges in
      let parts = ranges.map { SpanPredicate.leaf(.duration($0)) }
      let passing = parts.count == 1 ? parts[0] : SpanPredicate.any(parts)
      return condition.isNegated ? passing.negated : passing
    }
  }

  private func ids(
    _ condition: Condition, present: SpanPredicate, _ leaf: (String) -> SpanPredicate?
  ) -> SpanPredicate? {
    guard let texts = condition.texts else { return nil }
    switch texts {
    case .all, .notEmpty: return present
    case .list(let list):
      let passing = SpanPredicate.any(list.texts.map { String(decoding: $0, as: UTF8.self) }.compactMap(leaf))
      return condition.isNegated ? .all([present, .not(passing)]) : passing
    case .condition: return nil
    }
  }
}

// Ids are lower-case text, and not all zeros: anything else names none.
extension TraceID {
  init?(exactly text: String) {
    self.init(hex: text)
    guard hex == text, !isZero else { return nil }
  }
}

extension SpanID {
  init?(exactly text: String) {
    self.init(hex: text)
    guard hex == text, !isZero else { return nil }
  }
}

extension FilterField {
  /// The text of a span, its resource or its scope that the field is, if it is one.
  var spanText: SpanText? {
    switch (level, name) {
    case (.span, "name"): .name
    case (.span, "traceState"): .traceState
    case (.span, "statusMessage"): .statusMessage
    case (.resource, "service"): .service
    case (.resource, "schemaURL"): .resourceSchemaURL
    case (.scope, "name"): .scopeName
    case (.scope, "version"): .scopeVersion
    case (.scope, "schemaURL"): .scopeSchemaURL
    default: nil
    }
  }
}

extension FilterExpression {
  /// A constant as a value that might be stored.
  fileprivate var attributeValue: AttributeValue? {
    switch self {
    case .untyped(let text), .string(let text): .string(text)
    case .int(let value): .int(value)
    case .double(let value): .double(value)
    case .bool(let value): .bool(value)
    default: nil
    }
  }

  fileprivate var typedNumber: Number? {
    switch self {
    case .int(let value): .int(value)
    case .double(let value): .double(value)
    default: nil
    }
  }
}

extension AttributeLevel {
  /// Where a filter looks for an attribute of this level.
  var columnLevels: [ColumnLevel] {
    switch self {
    case .span: [.span]
    case .resource: [.resource]
    case .scope: [.scope]
    case .event: [.event]
    case .link: [.link]
    default: [.span, .resource]
    }
  }
}

extension TextTest {
  /// The same for a text that is absent when it is empty.
  var ofPresent: TextTest {
    switch self {
    case .list(let list): .oneOf(list.texts.filter { !$0.isEmpty })
    case .all, .notEmpty: .notEmpty
    case .condition(let condition):
      .condition(
        TextCondition("not empty, \(condition.name)") {
          let decide = condition.makeDecision()
          return { !$0.isEmpty && decide($0) }
        })
    }
  }
}

extension SpanPredicate {
  /// About how much deciding a row costs: what runs decide, numbers, texts, elements, records.
  var cost: Int {
    switch self {
    case .leaf(let leaf):
      switch leaf {
      case .text(.service, _), .text(.name, _), .kind, .traceID: 0
      case .text, .start, .statusCode: 1
      case .attribute(.resource, _, _), .attribute(.scope, _, _), .duration, .spanID: 2
      case .attribute, .end: 4
      case .some, .parent: 6
      case .record: 100
      }
    case .all(let parts): parts.map(\.cost).max() ?? 0
    case .any(let parts): parts.map(\.cost).reduce(1, +)
    case .not(let part): part.cost + 1
    }
  }
}

import TraceFilter
public import TraceModel
public import TracestoreV2

/// Whether a span satisfies a structured filter. This is the definition that stores are tested against.
///
/// **Whole.** The filter is asked of one span with its resource and its scope; a trace is found when one of its spans
/// satisfies all of it.
///
/// **Values of a reference.** Each leaf asks about the values that its reference has on the span:
///
/// | Reference | Values |
/// |---|---|
/// | attribute of span, resource or scope | every occurrence of the key there |
/// | attribute without a level | every occurrence on the span, and every one on its resource |
/// | attribute of event or link | every occurrence on every event or link; inside a `some` over that level, on the one that it binds |
/// | `span.kind`, `span.status` | the word, or the raw number where there is none; a span without a status is unset |
/// | `span.startTime`, `span.duration` | always one |
/// | `span.endTime` | none when the end is zero |
/// | `event.time`, `event.timeSinceStart` | none for an event whose time is zero |
/// | ids | lower-case hexadecimal text; none when there is no id |
/// | other fields | the text; none when it is empty. `resource.service` is the text of `service.name` |
///
/// A key that is there counts as present whatever its value is: an empty text, an empty value, a value of an unknown
/// kind. Attribute keys have no second meaning here: `error` and `span.kind` are keys like any other.
///
/// **Leaves.** `eq`, `gt`, `lt`, `gte`, `lte`, `regex` and `in` are true when any of the values satisfies them; `ne` and
/// `not_in` when there is a value and none equals; `exists` when there is a value; `some` when any element of the
/// collection satisfies the inner filter. So without a value every leaf is false, and only `not` turns that around.
///
/// **Equal to a constant.** An untyped constant equals a stored attribute as a text condition of a flat search does
/// (`AttributeCondition`); one of type string, int, double or bool equals only an equal stored value of that type,
/// doubles by their bits. A list equals what any of its elements equals. Fields compare by value.
///
/// **Before or after a constant.** Numbers by value, exactly; texts by their UTF-8 bytes; durations and instants by
/// value. An untyped constant that is a decimal number stands before or after stored integers and doubles, any untyped
/// constant before or after stored text; a typed one only beside stored values of its type. Nothing else has an order,
/// NaN neither.
///
/// **Two references** compare by value when both are numbers (an integer and a double exactly), texts, truth values,
/// durations or instants; other pairs are not equal and have no order. `eq` and the orders need any pair, `ne` values on
/// both sides and no equal pair.
///
/// **Two constants** compare like two references; an untyped one is read as what stands on the other side, two untyped
/// ones as numbers if both are decimal numbers and as texts if not.
///
/// **Patterns** occur somewhere in the text. An untyped pattern reads the text of a stored attribute of any type
/// (`AttributeText`), one of type string only stored text.
public struct FilterMeaning {
  /// Whether a pattern occurs in a text.
  public var matchesPattern: (_ pattern: String, _ text: String) -> Bool

  public init(matchesPattern: @escaping (_ pattern: String, _ text: String) -> Bool) {
    self.matchesPattern = matchesPattern
  }

  /// Whether a finalized filter holds for a span with its context.
  public func holds(
    _ filter: FilterExpression, _ resource: Resource, _ scope: InstrumentationScope, _ span: SpanRecord
  ) -> Bool {
    holds(filter, FilterSubject(resource: resource, scope: scope, span: span))
  }

  func holds(_ filter: FilterExpression, _ subject: FilterSubject) -> Bool {
    guard case .call(let call) = filter else { return false }
    let arguments = call.arguments
    switch call.operation {
    case .and: return arguments.allSatisfy { holds($0, subject) }
    case .or: return arguments.contains { holds($0, subject) }
    case .not: return !holds(arguments[0], subject)
    case .some:
      guard case .nested(let collection) = arguments[0] else { return false }
      return subject.binding(collection.level).contains { holds(arguments[1], $0) }
    case .exists: return !values(arguments[0], subject).isEmpty
    case .regex:
      return values(arguments[0], subject).contains { value in
        switch arguments[1] {
        case .untyped(let pattern): value.text.map { matchesPattern(pattern, $0) } ?? false
        case .string(let pattern): value.storedText.map { matchesPattern(pattern, $0) } ?? false
        default: false
        }
      }
    case .in: return values(arguments[0], subject).contains { isElement($0, of: arguments[1], arguments[0]) }
    case .notIn:
      let values = values(arguments[0], subject)
      return !values.isEmpty && !values.contains { isElement($0, of: arguments[1], arguments[0]) }
    default: return compares(call.operation, arguments[0], arguments[1], subject)
    }
  }

  private func values(_ reference: FilterExpression, _ subject: FilterSubject) -> [FilterValue] {
    switch reference {
    case .attribute(let attribute): subject.values(of: attribute)
    case .field(let field): subject.values(of: field)
    default: []
    }
  }

  private func isElement(_ value: FilterValue, of list: FilterExpression, _ reference: FilterExpression) -> Bool {
    guard case .list(let list) = list else { return false }
    return list.values.contains { text in
      let constant: FilterExpression? =
        switch list.type {
        case .string: .string(text)
        case .int: FilterConstant.int(text).map { .int($0) }
        case .double: FilterConstant.double(text).map { .double($0) }
        case .bool: FilterConstant.bool(text).map { .bool($0) }
        default: .untyped(text)
        }
      return constant.map { value.equals($0) } ?? false
    }
  }

  private func compares(
    _ operation: FilterOperator, _ left: FilterExpression, _ right: FilterExpression, _ subject: FilterSubject
  ) -> Bool {
    let relations: [FilterRelation]
    switch (FilterValue(constant: left), FilterValue(constant: right)) {
    case (nil, nil):
      let rightValues = values(right, subject)
      relations = values(left, subject).flatMap { value in rightValues.map { value.relation(to: $0) } }
    case (nil, _?): relations = values(left, subject).map { $0.relation(toConstant: right) }
    case (_?, nil): relations = values(right, subject).map { $0.relation(toConstant: left).mirrored }
    case (let leftValue?, let rightValue?):
      switch (left, right) {
      case (.untyped(let one), .untyped(let other)): relations = [FilterRelation(untyped: one, untyped: other)]
      case (.untyped, _): relations = [rightValue.relation(toConstant: left).mirrored]
      case (_, .untyped): relations = [leftValue.relation(toConstant: right)]
      default: relations = [leftValue.relation(to: rightValue)]
      }
    }
    switch operation {
    case .equal: return relations.contains { $0.isEqual }
    case .notEqual: return !relations.isEmpty && !relations.contains { $0.isEqual }
    case .greater: return relations.contains { $0.order == .after }
    case .less: return relations.contains { $0.order == .before }
    case .greaterOrEqual: return relations.contains { $0.order == .after || $0.order == .same }
    case .lessOrEqual: return relations.contains { $0.order == .before || $0.order == .same }
    default: return false
    }
  }
}

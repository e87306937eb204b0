import TraceModel
import TraceSource
import TracestoreV2

// `some`: conditions on one event or one link as a whole.
extension FilterCompiler {
  func some(_ call: FilterCall) -> SpanPredicate {
    guard case .nested(let nested) = call.arguments[0], case .call(let inner) = call.arguments[1] else {
      return .nothing
    }
    let level: ChildLevel = nested.level == .event ? .event : .link
    if let predicate = element(inner, level) { return .leaf(.some(level, predicate)) }
    // Elements that are compared with one another: on records, of spans that have any.
    return .all([.leaf(.some(level, .all([]))), .leaf(.record(RecordFilter(call, patterns).test))])
  }

  /// The predicate of a call inside `some`; nil when elements cannot be decided on columns.
  private func element(_ call: FilterCall, _ level: ChildLevel) -> ElementPredicate? {
    func elements(_ arguments: [FilterExpression]) -> [ElementPredicate]? {
      var parts: [ElementPredicate] = []
      for argument in arguments {
        guard case .call(let inner) = argument, let part = element(inner, level) else { return nil }
        parts.append(part)
      }
      return parts
    }
    // What says nothing of the element is decided by its span.
    guard call.mentions(level.attributeLevel) else { return .span(predicate(call)) }
    switch call.operation {
    case .and: return elements(call.arguments).map { .all($0) }
    case .or: return elements(call.arguments).map { .any($0) }
    case .not: return elements(call.arguments).map { .not($0[0]) }
    // A collection inside, with conditions on this element: pairs of elements.
    case .some: return nil
    default: break
    }
    guard let condition = Condition(call, patterns) else { return nil }
    switch call.arguments[0] {
    case .attribute(let reference):
      let key = Array(reference.key.utf8)
      let passing = ElementPredicate.leaf(.attribute(key: key, condition.values))
      return condition.isNegated ? .all([.leaf(.attribute(key: key, .present)), .not(passing)]) : passing
    case .field(let reference):
      return FilterField(reference).flatMap { element($0, condition) }.map { leaf in
        condition.isNegated ? .all([leaf.present, .not(leaf.passing)]) : leaf.passing
      }
    default: return nil
    }
  }

  /// When a field of an element is there, and when it passes; nil for what only records can decide.
  func element(
    _ field: FilterField, _ condition: Condition
  ) -> (present: ElementPredicate, passing: ElementPredicate)? {
    func text(_ leaf: (TextTest) -> ElementLeaf) -> (present: ElementPredicate, passing: ElementPredicate)? {
      condition.texts.map { (.leaf(leaf(.notEmpty)), .leaf(leaf($0.ofPresent))) }
    }
    // An event whose time is zero has none.
    let isTimed = ElementPredicate.leaf(.time(1...UInt64.max))
    func ranges<Bound>(
      _ ranges: [ClosedRange<Bound>]?, _ leaf: (ClosedRange<Bound>) -> ElementLeaf
    ) -> (present: ElementPredicate, passing: ElementPredicate)? {
      // The range first: it leaves few events to look at again.
      ranges.map { (isTimed, .all([.any($0.map { .leaf(leaf($0)) }), isTimed])) }
    }
    switch (field.level, field.name) {
    case (.event, "name"): return text { .name($0) }
    case (.event, "time"): return ranges(condition.instants) { .time($0) }
    case (.event, "timeSinceStart"): return ranges(condition.signedDurations) { .timeSinceStart($0) }
    case (.link, "traceState"): return text { .traceState($0) }
    case (.link, "traceID"): return ids(condition, { .linkedTrace($0) }, { TraceID(exactly: $0) })
    case (.link, "spanID"): return ids(condition, { .linkedSpan($0) }, { SpanID(exactly: $0)?.rawValue })
    default: return nil
    }
  }

  /// Ids of links are compared by equality; their order and patterns are for records.
  private func ids<ID>(
    _ condition: Condition, _ leaf: (ID?) -> ElementLeaf, _ id: (String) -> ID?
  ) -> (present: ElementPredicate, passing: ElementPredicate)? {
    let present = ElementPredicate.leaf(leaf(nil))
    switch condition.texts {
    case .all, .notEmpty: return (present, present)
    case .list(let list)?:
      let ids = list.texts.compactMap { id(String(decoding: $0, as: UTF8.self)) }
      return (present, .any(ids.map { .leaf(leaf($0)) }))
    case .condition, nil: return nil
    }
  }
}

extension ChildLevel {
  var attributeLevel: AttributeLevel { self == .event ? .event : .link }
}

extension FilterCall {
  /// Whether a reference to this level stands anywhere in the call. No `some` inside another one binds a level anew.
  func mentions(_ level: AttributeLevel) -> Bool {
    arguments.contains { argument in
      switch argument {
      case .attribute(let reference): reference.level == level
      case .field(let reference): reference.level == level
      case .call(let call): call.mentions(level)
      default: false
      }
    }
  }
}

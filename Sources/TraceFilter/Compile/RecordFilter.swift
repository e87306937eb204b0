import TraceModel
import TraceSource
import TracestoreV2

/// A part of a filter that is decided on materialised spans: comparisons of references with one another, patterns over
/// ids, and elements that are compared with other elements.
indirect enum RecordFilter: Sendable {
  case all([RecordFilter])
  case any([RecordFilter])
  case not(RecordFilter)
  /// Some element of the level, bound for what is inside.
  case some(ChildLevel, RecordFilter)
  case leaf(FilterExpression, Condition)
  case compare(Comparison, FilterExpression, FilterExpression)

  /// - Parameter call: resolved.
  init(_ call: FilterCall, _ patterns: FilterPatterns) {
    let arguments = call.arguments
    func parts() -> [RecordFilter] {
      arguments.map { argument in
        guard case .call(let inner) = argument else { return .any([]) }
        return RecordFilter(inner, patterns)
      }
    }
    switch call.operation {
    case .and: self = .all(parts())
    case .or: self = .any(parts())
    case .not: self = .not(.all(parts()))
    case .some:
      guard case .nested(let nested) = arguments[0], case .call(let inner) = arguments[1] else {
        self = .any([])
        return
      }
      self = .some(nested.level == .event ? .event : .link, RecordFilter(inner, patterns))
    default:
      if !arguments.contains(where: \.isReference) {
        self = FilterCompiler.holds(betweenConstants: call) ? .all([]) : .any([])
      } else if arguments[0].isReference, let condition = Condition(call, patterns) {
        self = .leaf(arguments[0], condition)
      } else if let comparison = Comparison(call.operation) {
        self = .compare(comparison, arguments[0], arguments[1])
      } else {
        self = .any([])
      }
    }
  }

  var test: RecordTest {
    RecordTest { resource, scope, span in
      self.holds(Subject(resource: resource, scope: scope, span: span, events: span.events, links: span.links))
    }
  }

  private func holds(_ subject: Subject) -> Bool {
    switch self {
    case .all(let parts): return parts.allSatisfy { $0.holds(subject) }
    case .any(let parts): return parts.contains { $0.holds(subject) }
    case .not(let part): return !part.holds(subject)
    case .some(let level, let inner):
      var bound = subject
      switch level {
      case .event:
        return subject.span.events.contains {
          bound.events = [$0]
          return inner.holds(bound)
        }
      case .link:
        return subject.span.links.contains {
          bound.links = [$0]
          return inner.holds(bound)
        }
      }
    case .leaf(let reference, let condition):
      let values = subject.values(reference)
      let passes = values.contains { $0.passes(condition) }
      return condition.isNegated ? !values.isEmpty && !passes : passes
    case .compare(let comparison, let left, let right):
      let (leftValues, rightValues) = (subject.values(left), subject.values(right))
      func anyPair(_ comparison: Comparison) -> Bool {
        leftValues.contains { left in rightValues.contains { left.stands(comparison, to: $0) } }
      }
      guard comparison == .notEqual else { return anyPair(comparison) }
      return !leftValues.isEmpty && !rightValues.isEmpty && !anyPair(.equal)
    }
  }
}

/// A span, with the events and links that are looked at: all of them, or the one that `some` has bound.
private struct Subject {
  var resource: Resource
  var scope: InstrumentationScope
  var span: SpanRecord
  var events: [SpanEvent]
  var links: [SpanLink]

  /// What a reference stands for: nothing, one value, or several.
  func values(_ operand: FilterExpression) -> [FilterValue] {
    switch operand {
    case .attribute(let reference): attributes(reference).map { .attribute($0) }
    case .field(let reference): FilterField(reference).map(values) ?? []
    default: []
    }
  }

  private func attributes(_ reference: AttributeReference) -> [AttributeValue] {
    let attributes: [Attribute] =
      switch reference.level {
      case .span: span.attributes
      case .resource: resource.attributes
      case .scope: scope.attributes
      case .event: events.flatMap(\.attributes)
      case .link: links.flatMap(\.attributes)
      default: span.attributes + resource.attributes
      }
    return attributes.filter { $0.key.utf8.elementsEqual(reference.key.utf8) }.map(\.value)
  }

  private func values(_ field: FilterField) -> [FilterValue] {
    func texts(_ texts: [String?]) -> [FilterValue] {
      texts.compactMap(\.self).filter { !$0.isEmpty }.map { .text($0) }
    }
    // An id of zeros is none.
    func present(_ id: SpanID?) -> String? { id.flatMap { $0.isZero ? nil : $0.hex } }
    func present(_ id: TraceID?) -> String? { id.flatMap { $0.isZero ? nil : $0.hex } }
    let timedEvents = events.filter { $0.time != .zero }
    switch (field.level, field.name) {
    case (.span, "traceID"): return texts([span.traceID.hex])
    case (.span, "spanID"): return texts([span.spanID.hex])
    case (.span, "parentSpanID"): return texts([present(span.parentSpanID)])
    case (.span, "kind"): return texts([span.kind.word])
    case (.span, "status"): return texts([(span.status?.code ?? .unset).word])
    case (.span, "startTime"): return [.timestamp(span.start.nanoseconds)]
    case (.span, "endTime"): return span.end == .zero ? [] : [.timestamp(span.end.nanoseconds)]
    case (.span, "duration"): return [.duration(Int128(span.durationNanoseconds))]
    case (.event, "name"): return texts(events.map(\.name))
    case (.event, "time"): return timedEvents.map { .timestamp($0.time.nanoseconds) }
    case (.event, "timeSinceStart"):
      return timedEvents.map { .duration(Int128($0.time.nanoseconds) - Int128(span.start.nanoseconds)) }
    case (.link, "traceID"): return texts(links.map { present($0.traceID) })
    case (.link, "spanID"): return texts(links.map { present($0.spanID) })
    case (.link, "traceState"): return texts(links.map(\.traceState))
    default: return texts([field.spanText?.value(resource, scope, span)])
    }
  }
}

/// A value of a reference.
private enum FilterValue {
  case attribute(AttributeValue)
  case text(String)
  /// Wider than any stored duration, because the time between an event and its span has a sign.
  case duration(Int128)
  case timestamp(UInt64)

  /// What a condition asks of one value, negated or not.
  func passes(_ condition: Condition) -> Bool {
    switch self {
    case .attribute(let value): condition.values.matches(value)
    case .text(let text): condition.texts?.matches(text) ?? false
    case .duration(let length): condition.signedDurations?.contains { $0.contains(length) } ?? false
    case .timestamp(let time): condition.instants?.contains { $0.contains(time) } ?? false
    }
  }

  /// By value, where both have one of a kind.
  func stands(_ comparison: Comparison, to other: FilterValue) -> Bool {
    if let text, let otherText = other.text { return comparison.accepts(.of(text, otherText)) }
    switch (self, other) {
    case (.attribute(.bool(let left)), .attribute(.bool(let right))): return comparison == .equal && left == right
    case (.attribute(let left), .attribute(let right)):
      guard let left = Number(left), let right = Number(right), let order = left.order(right) else { return false }
      return comparison.accepts(order)
    case (.duration(let left), .duration(let right)): return comparison.accepts(.of(left, right))
    case (.timestamp(let left), .timestamp(let right)): return comparison.accepts(.of(left, right))
    default: return false
    }
  }

  private var text: String? {
    switch self {
    case .attribute(.string(let text)), .text(let text): text
    default: nil
    }
  }
}

extension FilterExpression {
  var constantText: String? {
    switch self {
    case .untyped(let text), .string(let text): text
    default: nil
    }
  }
}

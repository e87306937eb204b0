import TraceModel
import TracestoreV2

/// What a filter is asked of: a span with its context, and the elements that enclosing `some`s bind.
struct FilterSubject {
  var resource: Resource
  var scope: InstrumentationScope
  var span: SpanRecord
  /// All events of the span, or the bound one.
  var events: [SpanEvent]
  /// All links of the span, or the bound one.
  var links: [SpanLink]

  init(resource: Resource, scope: InstrumentationScope, span: SpanRecord) {
    self.resource = resource
    self.scope = scope
    self.span = span
    events = span.events
    links = span.links
  }

  /// The subject once for each element of the collection, with that element bound.
  func binding(_ level: AttributeLevel) -> [FilterSubject] {
    switch level {
    case .event:
      span.events.map { event in
        var subject = self
        subject.events = [event]
        return subject
      }
    case .link:
      span.links.map { link in
        var subject = self
        subject.links = [link]
        return subject
      }
    default: []
    }
  }

  func values(of reference: AttributeReference) -> [FilterValue] {
    let attributes: [Attribute] =
      switch reference.level {
      case .unqualified: span.attributes + resource.attributes
      case .span: span.attributes
      case .resource: resource.attributes
      case .scope: scope.attributes
      case .event: events.flatMap(\.attributes)
      case .link: links.flatMap(\.attributes)
      default: []
      }
    return attributes.filter { $0.key.utf8.elementsEqual(reference.key.utf8) }.map { .attribute($0.value) }
  }

  func values(of reference: FieldReference) -> [FilterValue] {
    func texts(_ texts: [String?]) -> [FilterValue] {
      texts.compactMap(\.self).filter { !$0.isEmpty }.map { .text($0) }
    }
    let seenEvents = events.filter { $0.time != .zero }
    switch (reference.level, reference.name) {
    case (.span, "traceID"): return texts([span.traceID.hex])
    case (.span, "spanID"): return texts([span.spanID.hex])
    case (.span, "parentSpanID"): return texts([span.parentSpanID.flatMap { $0.isZero ? nil : $0.hex }])
    case (.span, "traceState"): return texts([span.traceState])
    case (.span, "name"): return texts([span.name])
    case (.span, "statusMessage"): return texts([span.status?.message])
    case (.span, "kind"): return texts([span.kind.word])
    case (.span, "status"): return texts([(span.status?.code ?? .unset).word])
    case (.span, "startTime"): return [.timestamp(span.start)]
    case (.span, "endTime"): return span.end == .zero ? [] : [.timestamp(span.end)]
    case (.span, "duration"): return [.duration(Int128(span.durationNanoseconds))]
    case (.resource, "service"): return texts([resource.serviceName])
    case (.resource, "schemaURL"): return texts([resource.schemaURL])
    case (.scope, "name"): return texts([scope.name])
    case (.scope, "version"): return texts([scope.version])
    case (.scope, "schemaURL"): return texts([scope.schemaURL])
    case (.event, "name"): return texts(events.map(\.name))
    case (.event, "time"): return seenEvents.map { .timestamp($0.time) }
    case (.event, "timeSinceStart"):
      return seenEvents.map { .duration(Int128($0.time.nanoseconds) - Int128(span.start.nanoseconds)) }
    case (.link, "traceID"): return texts(links.map { $0.traceID.flatMap { $0.isZero ? nil : $0.hex } })
    case (.link, "spanID"): return texts(links.map { $0.spanID.flatMap { $0.isZero ? nil : $0.hex } })
    case (.link, "traceState"): return texts(links.map(\.traceState))
    default: return []
    }
  }
}

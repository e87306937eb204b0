import TraceModel
import TracestoreV2

/// A search with the traces that it has to find and near misses that it must not find.
struct SearchFixture: Sendable {
  var name: String
  var query: TraceQuery
  var traces: [TraceData]
  /// Copies of the traces, each spoilt in exactly one respect on all its spans.
  var decoys: [TraceData] = []

  /// Whether it asks for attributes of scopes or links, for which Jaeger's first model has no place.
  var needsWholeModel: Bool {
    var isNeeded = false
    for trace in traces {
      trace.forEachSpan { _, scope, span in
        let own = scope.attributes + span.links.flatMap(\.attributes)
        if own.contains(where: { attribute in query.attributes.contains { $0.key == attribute.key } }) {
          isNeeded = true
        }
      }
    }
    return isNeeded
  }

  init(_ number: UInt64, _ name: String, _ query: TraceQuery, _ traces: [TraceData]) {
    self.name = name
    self.query = query
    self.traces = traces
    var nextID = number << 16 | 0x8000
    func add(_ spoil: @escaping (inout Resource, inout InstrumentationScope, inout SpanRecord) -> Void) {
      for trace in traces {
        let id = nextID
        nextID += 1
        decoys.append(
          trace.changed {
            spoil(&$0, &$1, &$2)
            $2.traceID = Fixture.id(id)
          })
      }
    }
    if !query.serviceName.isEmpty {
      add { resource, _, _ in resource.attributes[0].value = .string(query.serviceName + "-other") }
    }
    if !query.operationName.isEmpty { add { _, _, span in span.name = query.operationName + "-other" } }
    for condition in query.attributes {
      add { resource, scope, span in
        func spoil(_ attributes: inout [Attribute]) {
          for index in attributes.indices where attributes[index].key == condition.key {
            attributes[index].value = condition.value.nearMiss
          }
        }
        spoil(&resource.attributes)
        spoil(&scope.attributes)
        spoil(&span.attributes)
        for index in span.events.indices { spoil(&span.events[index].attributes) }
        for index in span.links.indices { spoil(&span.links[index].attributes) }
      }
    }
    func move(_ start: UInt64) {
      add { _, _, span in
        let duration = span.durationNanoseconds
        span.start = Timestamp(nanoseconds: start)
        span.end = Timestamp(nanoseconds: start + duration)
      }
    }
    if let minimum = query.startMinimum { move(minimum.nanoseconds - 1) }
    if let maximum = query.startMaximum { move(maximum.nanoseconds + 1) }
    func stretch(_ duration: UInt64) {
      add { _, _, span in span.end = Timestamp(nanoseconds: span.start.nanoseconds + duration) }
    }
    if let minimum = query.durationMinimumNanoseconds { stretch(minimum - 1) }
    if let maximum = query.durationMaximumNanoseconds { stretch(maximum + 1) }
  }
}

extension TraceData {
  /// A copy with every (resource, scope, span) changed.
  func changed(_ change: (inout Resource, inout InstrumentationScope, inout SpanRecord) -> Void) -> TraceData {
    var copy = TraceData()
    forEachSpan { resource, scope, span in
      var (resource, scope, span) = (resource, scope, span)
      change(&resource, &scope, &span)
      copy.resourceSpans.append(
        ResourceSpans(resource: resource, scopeSpans: [ScopeSpans(scope: scope, spans: [span])]))
    }
    return copy
  }
}

extension AttributeValue {
  /// A value of the same type that is not equal, as near as it gets.
  fileprivate var nearMiss: AttributeValue {
    switch self {
    case .string(let text): .string(text + " ")
    case .int(let number): .int(number &+ 1)
    case .double(let number): .double(number.nextUp)
    case .bool(let flag): .bool(!flag)
    default: .empty
    }
  }
}

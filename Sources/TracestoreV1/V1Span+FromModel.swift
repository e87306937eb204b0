public import TraceModel

// OTLP to v1. Lost on the way, for v1 has no place for it: scope attributes, schema URLs, dropped counts, link
// attributes other than the type, link trace states and flags, unknown fields, the types of arrays, maps and of values
// that say nothing, unknown kinds and codes.
//
// Where Jaeger's own writers and the Collector's translator differ:
// - A resource without `service.name` is called `OTLPResourceNoServiceName` whether or not it has other attributes (as
//   Jaeger's Cassandra writer has it): its attributes then come back as they were.
// - Status error is `otel.status_code` = `ERROR` and `error` = true, as the Collector writes it.
// - The flags are carried, as Jaeger's writers do.

extension V1Process {
  /// A resource as a process. The first text under `service.name` becomes the service's name; a value of another type
  /// stays among the tags.
  public init(_ resource: Resource) {
    var attributes = resource.attributes
    self.init(serviceName: Self.noServiceName)
    let place = attributes.firstIndex { $0.key.isExactly(V1Keys.serviceName) && $0.value.isText }
    if let place, case .string(let name) = attributes[place].value {
      serviceName = name
      attributes.remove(at: place)
    }
    tags = attributes.map { V1Tag($0) }
  }
}

extension V1Log {
  /// An event as a log. Its name is the first field, unless an attribute is called so already.
  public init(_ event: SpanEvent) {
    self.init(timestamp: event.time, fields: event.attributes.map { V1Tag($0) })
    if !event.name.isEmpty, !event.attributes.contains(where: { $0.key.isExactly(V1Keys.event) }) {
      fields.insert(V1Tag(V1Keys.event, .string(event.name)), at: 0)
    }
  }
}

extension V1Span {
  /// A span with its context as a v1 span. The process may be given, so that spans of one resource share it.
  public init(_ span: SpanRecord, scope: InstrumentationScope, process: V1Process) {
    let (attributes, warnings) = Self.split(span.attributes)
    self.init(
      traceID: span.traceID, spanID: span.spanID, operationName: span.name, references: Self.references(of: span),
      flags: span.flags, startTime: span.start, durationNanoseconds: Self.duration(of: span),
      tags: Self.tags(of: span, attributes, scope), logs: span.events.map { V1Log($0) }, process: process,
      warnings: warnings)
  }

  /// A span with its resource and scope as a v1 span.
  public init(_ span: SpanRecord, scope: InstrumentationScope, resource: Resource) {
    self.init(span, scope: scope, process: V1Process(resource))
  }

  /// End minus start, at the bounds of 64 bits.
  private static func duration(of span: SpanRecord) -> Int64 {
    span.end >= span.start
      ? Int64(clamping: span.end.nanoseconds - span.start.nanoseconds)
      : -Int64(clamping: span.start.nanoseconds - span.end.nanoseconds)
  }

  /// The attributes without the one that carries warnings, and these. A plain text is tolerated and wrapped.
  private static func split(_ attributes: [Attribute]) -> (attributes: [Attribute], warnings: [String]) {
    guard attributes.contains(where: { $0.key.isExactly(V1Keys.warnings) }) else { return (attributes, []) }
    var rest: [Attribute] = []
    var warnings: [String] = []
    for attribute in attributes {
      guard attribute.key.isExactly(V1Keys.warnings) else {
        rest.append(attribute)
        continue
      }
      if case .array(let values) = attribute.value {
        warnings += values.map(\.text)
      } else {
        warnings.append(attribute.value.text)
      }
    }
    return (rest, warnings)
  }

  /// In the order that Jaeger writes: scope, attributes, kind, status, trace state.
  private static func tags(
    of span: SpanRecord, _ attributes: [Attribute], _ scope: InstrumentationScope
  ) -> [V1Tag] {
    var tags: [V1Tag] = []
    tags.reserveCapacity(attributes.count + 4)
    func add(_ key: String, _ text: String) { if !text.isEmpty { tags.append(V1Tag(key, .string(text))) } }
    add(V1Keys.scopeName, scope.name)
    add(V1Keys.scopeVersion, scope.version)
    for attribute in attributes { tags.append(V1Tag(attribute)) }
    if (1...5).contains(span.kind.rawValue) { add(V1Keys.spanKind, span.kind.word) }
    if span.status?.code == .ok { add(V1Keys.statusCode, "OK") }
    if span.status?.code == .error {
      add(V1Keys.statusCode, "ERROR")
      tags.append(V1Tag(V1Keys.error, true))
    }
    add(V1Keys.statusDescription, span.status?.message ?? "")
    add(V1Keys.traceState, span.traceState)
    return tags
  }

  /// The parent first, then the links. A link that says the same as the parent gives it its type.
  private static func references(of span: SpanRecord) -> [V1Reference] {
    var references: [V1Reference] = []
    let parent = span.parentSpanID.flatMap { $0.isZero ? nil : $0 }
    if let parent { references.append(V1Reference(.childOf, span.traceID, parent)) }
    for link in span.links {
      let type: V1Reference.Kind =
        if case .string(let word)? = link.attributes.value(of: V1Keys.referenceType), word.isExactly(V1Keys.childOf) {
          .childOf
        } else {
          .followsFrom
        }
      let traceID = link.traceID ?? TraceID(high: 0, low: 0)
      let spanID = link.spanID ?? SpanID(0)
      if parent == spanID, span.traceID == traceID {
        references[0].type = type
      } else {
        references.append(V1Reference(type, traceID, spanID))
      }
    }
    return references
  }
}

extension V1Trace {
  /// The traces of batches: one for each trace id, in the order in which the ids first occur.
  public static func traces(of batches: [TraceData]) -> [V1Trace] {
    var traces: [V1Trace] = []
    var places: [TraceID: Int] = [:]
    for data in batches {
      for group in data.resourceSpans {
        let process = V1Process(group.resource)
        for scoped in group.scopeSpans {
          for span in scoped.spans {
            let place = places[span.traceID] ?? traces.count
            if place == traces.count {
              places[span.traceID] = place
              traces.append(V1Trace())
            }
            traces[place].spans.append(V1Span(span, scope: scoped.scope, process: process))
          }
        }
      }
    }
    return traces
  }
}

extension AttributeValue {
  var isText: Bool { if case .string = self { true } else { false } }
}

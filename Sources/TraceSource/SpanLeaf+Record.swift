package import TraceModel

// The meaning of every leaf, on one materialised record. Encoded sources must agree with this file.
extension SpanLeaf {
  /// Whether the record passes.
  package func matches(resource: Resource, scope: InstrumentationScope, span: SpanRecord) -> Bool {
    switch self {
    case .text(let text, let test): test.matches(text.value(resource, scope, span))
    case .kind(let kinds): kinds.contains(span.kind.rawValue)
    case .statusCode(let codes): codes.contains(span.status?.code.rawValue ?? 0)
    case .start(let range): range.contains(span.start.nanoseconds)
    case .end(let range): range.contains(span.end.nanoseconds)
    case .duration(let range): range.contains(span.durationNanoseconds)
    case .traceID(let id): span.traceID == id
    case .spanID(let id): span.spanID.rawValue == id
    case .parent(let id): id.map { span.parentSpanID?.rawValue == $0 } ?? (span.parentSpanID?.isZero ?? true)
    case .attribute(let level, let key, let test):
      switch level {
      case .span: Self.contains(span.attributes, key, test)
      case .event: span.events.contains { Self.contains($0.attributes, key, test) }
      case .link: span.links.contains { Self.contains($0.attributes, key, test) }
      case .resource: Self.contains(resource.attributes, key, test)
      case .scope: Self.contains(scope.attributes, key, test)
      }
    case .some(.event, let predicate):
      span.events.contains { event in predicate.matches(.event(event), resource: resource, scope: scope, span: span) }
    case .some(.link, let predicate):
      span.links.contains { link in predicate.matches(.link(link), resource: resource, scope: scope, span: span) }
    case .record(let test): test.matches(resource: resource, scope: scope, span: span)
    }
  }

  /// Whether any attribute with this key has a value that passes.
  package static func contains(_ attributes: [Attribute], _ key: [UInt8], _ test: ValueTest) -> Bool {
    attributes.contains { $0.key.utf8.elementsEqual(key) && test.matches($0.value) }
  }
}

extension SpanText {
  package func value(_ resource: Resource, _ scope: InstrumentationScope, _ span: SpanRecord) -> String {
    switch self {
    case .name: span.name
    case .statusMessage: span.status?.message ?? ""
    case .traceState: span.traceState
    case .service, .resourceSchemaURL: value(resource: resource)
    case .scopeName, .scopeVersion, .scopeSchemaURL: value(scope: scope)
    }
  }

  /// Empty for texts that are not the resource's.
  package func value(resource: Resource) -> String {
    switch self {
    case .service: resource.serviceName
    case .resourceSchemaURL: resource.schemaURL
    default: ""
    }
  }

  /// Empty for texts that are not the scope's.
  package func value(scope: InstrumentationScope) -> String {
    switch self {
    case .scopeName: scope.name
    case .scopeVersion: scope.version
    case .scopeSchemaURL: scope.schemaURL
    default: ""
    }
  }
}

/// An event or a link.
enum SpanElement {
  case event(SpanEvent)
  case link(SpanLink)
}

extension ElementPredicate {
  func matches(_ element: SpanElement, resource: Resource, scope: InstrumentationScope, span: SpanRecord) -> Bool {
    switch self {
    case .leaf(let leaf): leaf.matches(element, of: span)
    case .span(let predicate): predicate.matches(resource: resource, scope: scope, span: span)
    case .all(let parts):
      parts.allSatisfy { $0.matches(element, resource: resource, scope: scope, span: span) }
    case .any(let parts):
      parts.contains { $0.matches(element, resource: resource, scope: scope, span: span) }
    case .not(let part): !part.matches(element, resource: resource, scope: scope, span: span)
    }
  }
}

extension ElementLeaf {
  /// Leaves about events are false for links, and the other way round.
  fileprivate func matches(_ element: SpanElement, of span: SpanRecord) -> Bool {
    switch element {
    case .event(let event):
      switch self {
      case .name(let test): test.matches(event.name)
      case .time(let range): range.contains(event.time.nanoseconds)
      case .timeSinceStart(let range):
        range.contains(Int128(event.time.nanoseconds) - Int128(span.start.nanoseconds))
      case .attribute(let key, let test): SpanLeaf.contains(event.attributes, key, test)
      case .linkedTrace, .linkedSpan, .traceState: false
      }
    case .link(let link):
      switch self {
      case .linkedTrace(let id): id.map { link.traceID == $0 } ?? (link.traceID?.isZero == false)
      case .linkedSpan(let id): id.map { link.spanID?.rawValue == $0 } ?? (link.spanID?.isZero == false)
      case .traceState(let test): test.matches(link.traceState)
      case .attribute(let key, let test): SpanLeaf.contains(link.attributes, key, test)
      case .name, .time, .timeSinceStart: false
      }
    }
  }
}

extension SpanPredicate {
  /// Whether the record passes.
  package func matches(resource: Resource, scope: InstrumentationScope, span: SpanRecord) -> Bool {
    switch self {
    case .leaf(let leaf): leaf.matches(resource: resource, scope: scope, span: span)
    case .all(let parts): parts.allSatisfy { $0.matches(resource: resource, scope: scope, span: span) }
    case .any(let parts): parts.contains { $0.matches(resource: resource, scope: scope, span: span) }
    case .not(let part): !part.matches(resource: resource, scope: scope, span: span)
    }
  }
}

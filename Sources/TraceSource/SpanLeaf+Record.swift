package import TraceModel

// The meaning of every leaf, on one materialised record. Encoded sources must agree with this file.
extension SpanLeaf {
  /// Whether the record passes.
  package func matches(resource: Resource, scope: InstrumentationScope, span: SpanRecord) -> Bool {
    switch self {
    case .service(let bytes): resource.serviceName.utf8.elementsEqual(bytes)
    case .name(let bytes): span.name.utf8.elementsEqual(bytes)
    case .kind(let kind): span.kind.rawValue == kind
    case .statusCode(let code): (span.status?.code.rawValue ?? 0) == code
    case .statusMessage(let bytes): (span.status?.message ?? "").utf8.elementsEqual(bytes)
    case .traceState(let bytes): span.traceState.utf8.elementsEqual(bytes)
    case .scopeName(let bytes): scope.name.utf8.elementsEqual(bytes)
    case .scopeVersion(let bytes): scope.version.utf8.elementsEqual(bytes)
    case .eventName(let bytes): span.events.contains { $0.name.utf8.elementsEqual(bytes) }
    case .start(let range): range.contains(span.start.nanoseconds)
    case .duration(let range): range.contains(span.durationNanoseconds)
    case .attribute(let level, let key, let test):
      switch level {
      case .span: Self.contains(span.attributes, key, test)
      case .event: span.events.contains { Self.contains($0.attributes, key, test) }
      case .link: span.links.contains { Self.contains($0.attributes, key, test) }
      case .resource: Self.contains(resource.attributes, key, test)
      case .scope: Self.contains(scope.attributes, key, test)
      }
    }
  }

  /// Whether any attribute with this key has a value that passes.
  package static func contains(_ attributes: [Attribute], _ key: [UInt8], _ test: ValueTest) -> Bool {
    attributes.contains { $0.key.utf8.elementsEqual(key) && test.matches($0.value) }
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

/// The entity that produced spans: OTLP's `Resource` with the schema URL that stood beside it.
public struct Resource: Hashable, Sendable {
  public var attributes: [Attribute]
  public var droppedAttributeCount: UInt32
  /// OTLP's `entity_refs` (field 3), each as its protobuf bytes, verbatim.
  public var entityReferences: [[UInt8]]
  public var schemaURL: String
  /// Protobuf fields of the resource message that the model does not know, verbatim.
  public var unknownFields: [UInt8]
  /// Protobuf fields of the enclosing `ResourceSpans` that the model does not know, verbatim.
  public var envelopeUnknownFields: [UInt8]

  public init(
    attributes: [Attribute] = [], droppedAttributeCount: UInt32 = 0, entityReferences: [[UInt8]] = [],
    schemaURL: String = "", unknownFields: [UInt8] = [], envelopeUnknownFields: [UInt8] = []
  ) {
    self.attributes = attributes
    self.droppedAttributeCount = droppedAttributeCount
    self.entityReferences = entityReferences
    self.schemaURL = schemaURL
    self.unknownFields = unknownFields
    self.envelopeUnknownFields = envelopeUnknownFields
  }

  /// The text of `service.name`, or the empty string when it is missing or not text.
  public var serviceName: String {
    if case .string(let name)? = attributes.value(of: "service.name") { name } else { "" }
  }
}

/// The library that produced spans: OTLP's `InstrumentationScope` with the schema URL that stood beside it.
public struct InstrumentationScope: Hashable, Sendable {
  public var name: String
  public var version: String
  public var attributes: [Attribute]
  public var droppedAttributeCount: UInt32
  public var schemaURL: String
  /// Protobuf fields of the scope message that the model does not know, verbatim.
  public var unknownFields: [UInt8]
  /// Protobuf fields of the enclosing `ScopeSpans` that the model does not know, verbatim.
  public var envelopeUnknownFields: [UInt8]

  public init(
    name: String = "", version: String = "", attributes: [Attribute] = [], droppedAttributeCount: UInt32 = 0,
    schemaURL: String = "", unknownFields: [UInt8] = [], envelopeUnknownFields: [UInt8] = []
  ) {
    self.name = name
    self.version = version
    self.attributes = attributes
    self.droppedAttributeCount = droppedAttributeCount
    self.schemaURL = schemaURL
    self.unknownFields = unknownFields
    self.envelopeUnknownFields = envelopeUnknownFields
  }
}

/// Spans of one scope.
public struct ScopeSpans: Hashable, Sendable {
  public var scope: InstrumentationScope
  public var spans: [SpanRecord]

  public init(scope: InstrumentationScope = InstrumentationScope(), spans: [SpanRecord] = []) {
    self.scope = scope
    self.spans = spans
  }
}

/// Spans of one resource.
public struct ResourceSpans: Hashable, Sendable {
  public var resource: Resource
  public var scopeSpans: [ScopeSpans]

  public init(resource: Resource = Resource(), scopeSpans: [ScopeSpans] = []) {
    self.resource = resource
    self.scopeSpans = scopeSpans
  }
}

/// A batch of spans, grouped by resource and scope: OTLP's `TracesData` and `ExportTraceServiceRequest`.
///
/// Grouping and order are not content: two batches with the same set of (resource, scope, span) say the same.
public struct TraceData: Hashable, Sendable {
  public var resourceSpans: [ResourceSpans]

  public init(resourceSpans: [ResourceSpans] = []) { self.resourceSpans = resourceSpans }

  public var spanCount: Int {
    resourceSpans.reduce(0) { $0 + $1.scopeSpans.reduce(0) { $0 + $1.spans.count } }
  }

  public var isEmpty: Bool { spanCount == 0 }

  /// Calls `body` with every (resource, scope, span) in the order they stand.
  public func forEachSpan(_ body: (Resource, InstrumentationScope, SpanRecord) throws -> Void) rethrows {
    for group in resourceSpans {
      for scoped in group.scopeSpans {
        for span in scoped.spans { try body(group.resource, scoped.scope, span) }
      }
    }
  }
}

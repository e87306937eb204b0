public import TraceModel

extension OTLP {
  /// Writes an `ExportTraceServiceRequest` (which is also a `TracesData`) in canonical form: fields ascending, minimal
  /// varints, defaults left out, messages that are present but empty written, unknown fields last as they came.
  ///
  /// An absent value inside an array cannot be said on the wire and is written as an empty one.
  public static func encode(_ data: TraceData) -> [UInt8] {
    var encoder = ModelEncoder()
    for group in data.resourceSpans.reversed() {
      let mark = encoder.writer.count
      encoder.envelope(of: group.resource) { encoder in
        for scoped in group.scopeSpans.reversed() {
          let mark = encoder.writer.count
          encoder.envelope(of: scoped.scope) { encoder in
            for span in scoped.spans.reversed() {
              let mark = encoder.writer.count
              encoder.body(span)
              encoder.writer.close(ScopeSpansField.span, since: mark)
            }
          }
          encoder.writer.close(ResourceSpansField.scopeSpans, since: mark)
        }
      }
      encoder.writer.close(RequestField.resourceSpans, since: mark)
    }
    return encoder.writer.bytes
  }

  /// One `Span` message.
  package static func encode(_ span: SpanRecord) -> [UInt8] {
    var encoder = ModelEncoder()
    encoder.body(span)
    return encoder.writer.bytes
  }

  /// One `Resource` message, without what stands beside it in its envelope.
  package static func encode(_ resource: Resource) -> [UInt8] {
    var encoder = ModelEncoder()
    encoder.body(resource)
    return encoder.writer.bytes
  }

  /// One `InstrumentationScope` message, without what stands beside it in its envelope.
  package static func encode(_ scope: InstrumentationScope) -> [UInt8] {
    var encoder = ModelEncoder()
    encoder.body(scope)
    return encoder.writer.bytes
  }

  /// One `AnyValue` message. Absent and empty both give no bytes: keep the type beside them.
  package static func encode(_ value: AttributeValue) -> [UInt8] {
    var encoder = ModelEncoder()
    encoder.body(value)
    return encoder.writer.bytes
  }

  /// One `KeyValue` message.
  package static func encode(_ attribute: Attribute) -> [UInt8] {
    var encoder = ModelEncoder()
    encoder.body(attribute)
    return encoder.writer.bytes
  }

  // The three parts whose bytes define `ContentHash`: as above, but unknown fields sorted by number, then by bytes.

  /// A `ResourceSpans` message without its scopes: resource, schema URL, and the envelope's unknown fields.
  package static func identity(of resource: Resource) -> [UInt8] {
    var encoder = ModelEncoder(sortsUnknownFields: true)
    encoder.envelope(of: resource) { _ in }
    return encoder.writer.bytes
  }

  /// A `ScopeSpans` message without its spans: scope, schema URL, and the envelope's unknown fields.
  package static func identity(of scope: InstrumentationScope) -> [UInt8] {
    var encoder = ModelEncoder(sortsUnknownFields: true)
    encoder.envelope(of: scope) { _ in }
    return encoder.writer.bytes
  }

  /// A `Span` message.
  package static func identity(of span: SpanRecord) -> [UInt8] {
    var encoder = ModelEncoder(sortsUnknownFields: true)
    encoder.body(span)
    return encoder.writer.bytes
  }
}

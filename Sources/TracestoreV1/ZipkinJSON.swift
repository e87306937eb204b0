public import TraceModel

/// Zipkin's JSON, version 2: read only.
///
/// The mapping is the one that OpenTelemetry's translators document, without what they lose:
///
/// | Zipkin | OTLP |
/// |---|---|
/// | `localEndpoint.serviceName` | resource attribute `service.name`, or the one that the tag `otlp.service.name.source` names |
/// | `localEndpoint.ipv4`, `.ipv6`, `.port` | `net.host.ip`, `net.host.port` of the span |
/// | `remoteEndpoint.serviceName`, `.ipv4`, `.ipv6`, `.port` | `peer.service`, `net.peer.ip`, `net.peer.port` |
/// | an endpoint's field whose key is taken | `zipkin.` and its path, such as `zipkin.localEndpoint.ipv6` |
/// | `kind` | kind; without one, a tag `span.kind` that is a known word |
/// | `timestamp`, `duration` | start and end; without a duration they are equal |
/// | no `timestamp` | start zero, `otel.zipkin.absentField.startTime` = true |
/// | `parentId` equal to `id` | no parent |
/// | `annotations` | events; `name\|{…}\|n` gives attributes and a dropped count |
/// | tags `otel.scope.name`, `.version`, or `otel.library.name`, `.version` | scope |
/// | tags `otel.status_code`, `otel.status_description` | status, with or without `STATUS_CODE_` before the word |
/// | tag `error` | `true` or empty: status error; `false`: nothing; anything else: status error with that message |
/// | tag `w3c.tracestate` | trace state |
/// | tags `otlp.link.0`, `otlp.link.1`, … | links |
/// | `debug`, `shared` | `zipkin.debug`, `zipkin.shared` = true |
/// | other tags | attributes, as texts |
///
/// A span that is shared keeps its id, which the client's half has too: a store keeps both. Resource attributes among
/// the tags stay on the span, for the tags of one span say nothing of the others. What looks like one of these forms
/// and is none stays a tag or a name. All functions are pure and linear.
public enum ZipkinJSON {
  /// Reads a list of spans, a list of such lists, or one span.
  ///
  /// - Throws: `TracestoreError` with the byte offset; the message names the span and the field.
  public static func decode(_ bytes: [UInt8]) throws(TracestoreError) -> TraceData { try decodeSpans(bytes).data }

  /// As `decode(_:)`, with the places of the spans.
  public static func decodeSpans(_ bytes: [UInt8]) throws(TracestoreError) -> DecodedSpans {
    try DocumentReader.read(bytes, "Zipkin JSON") { reader in
      var spans = DecodedSpans(documentByteCount: bytes.count)
      var valuesLeft = Limits.maximumElementCount
      try ZipkinJSONDecoding.document(&reader) { span, offset in
        let record = ZipkinTranslation.record(of: span, &valuesLeft)
        spans.elements.append(
          DecodedSpans.Element(resource: record.resource, scope: record.scope, span: record.span, offset: offset))
      }
      return spans
    }
  }
}

public import TraceModel
import TraceText

/// The JSON of Jaeger's UI and of its query API.
///
/// Times are whole microseconds there: writing goes down to them, and a duration below zero is written as zero. The
/// form has no word for the infinities and NaN either; they are written as texts. Everything else that v1 can say comes
/// back equal. All functions are pure and linear.
public enum JaegerJSON {
  /// Writes `{"data":[…]}` on one line.
  public static func encode(_ traces: [V1Trace]) -> [UInt8] {
    var encoder = JaegerJSONEncoding()
    encoder.document(traces)
    return encoder.writer.bytes
  }

  /// Writes one trace as an object on one line.
  public static func encode(_ trace: V1Trace) -> [UInt8] {
    var encoder = JaegerJSONEncoding()
    encoder.trace(trace)
    return encoder.writer.bytes
  }

  /// Reads `{"data":[…]}`, a trace, or a list of traces.
  ///
  /// Takes what producers write: ids without leading zeros, numbers in quotes, tags without a type, a process inside a
  /// span, `parentSpanID`. Unknown members are ignored; null means "not set".
  /// - Throws: `TracestoreError` with the byte offset; the message names the trace, the span and the field.
  public static func decode(_ bytes: [UInt8]) throws(TracestoreError) -> [V1Trace] {
    try DocumentReader.read(bytes, documentName) { try JaegerJSONDecoding.document(&$0).map { $0.trace } }
  }

  /// As `decode(_:)`, but translated to v2, with the places of the spans.
  public static func decodeSpans(_ bytes: [UInt8]) throws(TracestoreError) -> DecodedSpans {
    try DocumentReader.read(bytes, documentName) { reader in
      var spans = DecodedSpans(documentByteCount: bytes.count)
      for (trace, offsets) in try JaegerJSONDecoding.document(&reader) {
        for (span, offset) in zip(trace.spans, offsets) {
          let (record, scope) = span.record
          spans.elements.append(
            DecodedSpans.Element(resource: Resource(span.process), scope: scope, span: record, offset: offset))
        }
      }
      return spans
    }
  }

  private static let documentName = "Jaeger JSON"
}

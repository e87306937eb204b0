// TraceModel: the words that every other room speaks.
//
// In: nothing. Out: ids, timestamps, attribute values, `SpanRecord`, `Resource`, `InstrumentationScope`,
// `TraceData`, limits and `TracestoreError`. Must never know: bytes on a wire or a disk, files, queries.
// The model is OpenTelemetry's trace model without loss: what the wire can say, these types can hold.
// Read next: SpanRecord.swift, then AttributeValue.swift.

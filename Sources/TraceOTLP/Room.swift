// TraceOTLP: the border where OpenTelemetry's wire forms become the model, and back.
//
// In: bytes of OTLP requests, protobuf or JSON, framed or single. Out: `TraceData`, canonical protobuf bytes,
// OTLP/JSON text, and for ingest a `SpanBatch`: flat arrays that point into the request instead of copying it.
// Must never know: files, stores, queries. Wire field names and numbers appear in this room alone.
// Two decoders read protobuf, one into the model and one into a batch; they accept the same inputs and agree on
// what these say, and a differential test holds them to it. Irregular messages take the model's way in both.
// FORMAT.md: "Canonical protobuf". Read next: Wire.swift, then OTLP+Decode.swift, then SpanBatch.swift.

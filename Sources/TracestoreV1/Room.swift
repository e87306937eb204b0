// TracestoreV1: Jaeger's first storage contract and its words (tags, process, references), in terms of the second.
//
// In: v1 calls, Jaeger UI JSON, Zipkin v2 JSON. Out: calls of `TracestoreV2` and its values. Must never know: an engine.
// Nothing of this room reaches a file. Read next: V1Span.swift.

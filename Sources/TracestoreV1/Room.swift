// TracestoreV1: Jaeger's first storage contract and its words (tags, process, references), in terms of the second.
//
// In: v1 calls, Jaeger UI JSON, Zipkin v2 JSON. Out: calls of `TracestoreV2` and its values. Must never know: an engine.
// The room is thin and stands to one side: its words stop here, and nothing of it reaches a file.
// No section of FORMAT.md. Read next: V1Span.swift, then V1Span+FromModel.swift and V1Span+ToModel.swift (what is
// translated how), V1Reading.swift (the contract), JaegerJSON.swift and ZipkinJSON.swift.

// TracestoreV2: Jaeger's v2 storage contract in Swift.
//
// In: nothing but the model. Out: the protocols that a store implements (`TraceReader`, `TraceWriter`,
// `EncodedTraceWriter`, `TracestoreFactory`, dependencies, metrics, sampling, lock, purge), the values that
// queries are made of, and the channels that answers come through (`ResultStream`, `ResultList`, `WriteReceipt`,
// `SpanState`).
// Must never know: any store, any file, any wire. There is no behaviour here beyond defaults, plus the few rules
// that every store has to apply alike (`TraceQuery.validate()`).
// No section of FORMAT.md: nothing of this room reaches a disk.
// Read next: TraceReader.swift, then TraceQuery.swift and ResultStream.swift.

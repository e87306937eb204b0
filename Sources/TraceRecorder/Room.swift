// TraceRecorder: spans while they are open.
//
// In: calls of the program that is traced. Out: partial records and finals, through any `TraceWriter`.
// Must never know: what is behind the writer; a clock or a source of chance except through its options.
// The state of a span lives in its `SpanCell`; the recorder decides when which cell is written, and one task at a time
// writes. Read next: LiveSpan.swift, SpanContent.swift, then SpanRecorder.swift and SpanRecorder+Writing.swift.

@_exported public import TraceModel
@_exported public import TracestoreV2

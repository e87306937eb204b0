// TracestoreTracing: a `Tracer` of swift-distributed-tracing that records into a store.
//
// In: spans of an instrumented program. Out: live spans of `TraceRecorder`, and W3C trace context on the wire.
// Must never know: what is behind the recorder. Built only with the package trait `Tracing`.
// Read next: StoreTracer.swift, TracedSpan.swift, then TraceParent.swift.

#if Tracing
  @_exported public import TraceRecorder
  @_exported public import Tracing
#endif

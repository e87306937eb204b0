// TraceEngine: the one door, `TraceStore`.
//
// In: writes and queries of `TracestoreV2`. Out: their answers. Owns lifecycle, tasks, threads, clocks, options,
// errors and events. Must never know: bytes of any format; the rooms below are synchronous and know no task.
// Read next: TraceStore.swift, then TraceStore+Opening.swift, then StoreCore.swift.

@_exported public import TraceAnalysis
@_exported public import TraceFilter
@_exported public import TraceModel
@_exported public import TraceRecorder
@_exported public import TracestoreV2

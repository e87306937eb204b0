// TraceEngine: the one door, `TraceStore`.
//
// In: writes and queries of `TracestoreV2`. Out: their answers. Owns lifecycle, tasks, threads, clocks, options,
// errors and events; the rooms below are synchronous and know none of these.
// Read next: TraceStore.swift, then TraceStore+Opening.swift, StoreCore.swift.

@_exported public import TraceModel
@_exported public import TracestoreV2

// TraceQuery: questions over a snapshot of sources.
//
// In: an immutable `QuerySnapshot` (memtables and segments), V2 query values. Out: ranked pages, chunks of traces,
// summaries, catalogue lists. Must never know: how rows came in or are maintained, tasks, clocks.
// Read next: TraceSearch.swift (which traces), then TraceAssembly.swift (their spans); for figures
// Metrics/MetricsSearch.swift.

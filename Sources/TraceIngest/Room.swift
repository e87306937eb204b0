// TraceIngest: a batch goes in, durable and visible rows come out.
//
// In: decoded batches (`SpanBatch`). Out: rows in the write-ahead log and the memtable, sealed segments, manifest
// edits, snapshots of sources for queries. Must never know: queries, tasks, clocks (arrival times are parameters).
// Read next: Ingestor.swift (the life of a batch), then Memtable.swift, then SealSelection.swift; for spans that several
// records make PartialOverlay.swift, OverlayState.swift and JoinedSlice.swift.

// TraceMaintenance: what happens to segments after they were sealed.
//
// In: live segments and the manifest. Out: fewer, larger segments in their place, through one manifest edit.
// Must never know: memtables and how rows come in, queries, clocks (durations and idleness are told to it).
// FORMAT.md: "Manifest" (levels and windows). Read next: CompactionPolicy.swift, then Merge.swift, then Compactor.swift.

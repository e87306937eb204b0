// TraceMaintenance: what happens to segments after they were sealed.
//
// In: live segments and the manifest. Out: fewer, larger segments in their place, or none where their time is over,
// through one manifest edit. Must never know: memtables and how rows come in, queries, clocks (durations, idleness and
// the time are told to it). FORMAT.md: "Manifest" (levels and windows).
// Read next: CompactionPolicy.swift, then Merge.swift, then Compactor.swift; RetentionRules.swift, then Expirer.swift.

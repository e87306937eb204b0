// TraceAggregate: what many spans come to: calls, errors, durations, quantiles, the slowest.
//
// In: batches of durations. Out: figures. Must never know: where spans lie, what they are called, windows, files.
// Every kernel has three verbs, `update(batch)`, `merge(other)` and `finish()`, and the same laws: the order of updates
// and merges changes nothing, and parts merged are the whole. Read next: DurationHistogram.swift.

// TraceAnalysis: where the time of traces goes, and what changed between two sets of them.
//
// In: the spans of traces (`FoundSpan`) from any store. Out: critical paths and self times (`TraceTimes`), profiles by
// operation (`TraceProfile`), comparisons of two profiles (`ProfileComparison`), figures by the minute of spans as they
// come (`LiveFigures`). Must never know: any store, any file,
// how its answers are shown. Pure functions of values: no clock, no task, no random number.
// No section of FORMAT.md: nothing of this room reaches a disk. Read next: TraceForest.swift, then TraceTimes.swift.

// TraceSegment: the immutable file of spans, and that of the hourly figures that are left of them.
//
// In: rows of a `SpanTable` (the writer), bytes of a file (the reader). Out: a file, and a `SpanSource` over one.
// Must never know: the memtable, the manifest, time, which queries there are. Writer and reader share `Format/` and
// nothing else; `Hours/` is both for its small file. FORMAT.md: "Segment", "Metrics segment".
// Read next: Format/SegmentFormat.swift, then Writer/SegmentWriter.swift; Hours/HourlyFigures.swift.

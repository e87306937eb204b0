// TraceSegment: the immutable file of spans.
//
// In: rows of a `SpanTable` (the writer), bytes of a file (the reader). Out: a file, and a `SpanSource` over one.
// Must never know: the memtable, the manifest, time, which queries there are. Writer and reader share `Format/` and
// nothing else. FORMAT.md: "Segment". Read next: Format/SegmentFormat.swift, then Writer/SegmentWriter.swift.

// TraceMerge: when two records are one.
//
// In: resources, scopes and spans of the model. Out: `ContentHash`, the identity of a (resource, scope, span) triple;
// `SpanView`, what the records of one span say together; `SpanPart.contributing`, which of them still count.
// Must never know: where records lie, in memory, in a log or in a segment; queries; clocks.
// Memtable, scan and compaction ask this room and decide nothing themselves, so they cannot disagree.
// FORMAT.md: "ContentHash". Read next: ContentHash.swift, then SpanPart.swift and SpanView.swift.

// TraceSource: what the memtable and a segment both are to a query.
//
// In: predicates on one span. Out: row masks, sort keys, located rows, materialised spans. Must never know: files,
// the filter language, pages of a result. A source is a set of stripes; a stripe is a set of rows with bounds.
// A source may be overlaid: then some rows are hidden.
// Nothing of this room reaches a file. Read next: SpanStripe.swift, then SpanLeaf.swift.

// TraceColumns: columns in memory and their encodings; knows no files.
//
// In: values. Out: `SpanTable`, the interned columnar table that the memtable is made of and that a segment is
// written from; page codecs, text columns, filters, row masks. Must never know: files, queries, time.
// FORMAT.md: "Columns". Read next: SpanTable.swift, then Codecs/IntegerPage.swift.

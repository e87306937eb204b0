// TraceFilter: Jaeger's structured filter, from its text or its tree to a predicate over sources.
//
// In: an expression, as text, as JSON or as a tree. Out: a checked and resolved tree, and a `SpanPredicate`.
// Must never know: files, pages of a result, where rows are stored. Nothing of this room reaches a file.
// Read next: FilterExpression+Text.swift for the language, then FilterRules.swift.

// TracestoreTesting: what a store is tested with, for our own tests and for anyone who writes a store.
//
// In: any implementation of the `TracestoreV2` protocols. Out: `ReferenceStore` (a naive store in memory, correct before
// all else), the pure definitions behind it (`AttributeText`, `AttributeCondition`, `FilterMeaning`,
// `TraceSummary(traceID:spans:)`, `ContentKey`), `ConformanceKit` (named checks of the contract), `RecordedSpans` (what
// a program's test asserts on), seeded random traces, queries and filters, and a deterministic traffic generator. Must
// never know: files, wires, the engine, a test framework.
// No section of FORMAT.md: nothing of this room reaches a disk.
// Read next: Reference/ReferenceStore.swift, then Conformance/ConformanceKit.swift.

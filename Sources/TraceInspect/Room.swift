// TraceInspect: explains any file of a store, whole or damaged, without the engine.
//
// In: a path and a file system. Out: an `Explanation` tree for people and for machines, and a `VerificationReport`.
// Must never know: the engine, queries, terminals. It reads with the rooms that own each format and goes on past damage,
// naming it, so what it says about a broken file is true of the bytes and not of what they should have been.
// FORMAT.md: all of it. Read next: JSONValue.swift, Explanation.swift, then Inspector.swift and StoreVerifier.swift.

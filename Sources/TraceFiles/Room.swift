// TraceFiles: the only door to the operating system.
//
// In: paths and bytes. Out: bytes at offsets, durable or a `TracestoreError` that names the operation, the path
// and the system's reason. Must never know: what the bytes mean, which files a store has, when to sync.
// Three file systems stand behind one protocol: `RealFileSystem`, `SimulatedFileSystem` (memory, crashes and
// faults on request) and `CountingFileSystem` (wraps either). Threads and monitors live here as well, because
// they too come from the system. Everything is synchronous and safe to call from any thread.
// FORMAT.md: "What we assume of the disk". Read next: FileSystem.swift.

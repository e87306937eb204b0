// TraceWAL: a durable log of opaque payloads.
//
// In: frames of bytes from any number of threads. Out: a completion in frame order once a frame is as durable as
// the mode promises, and after a crash the same frames again. Must never know: spans, requests, what a payload
// says. One thread writes and syncs; producers only queue.
// The tail of a log may be incomplete, its middle may be damaged, and the two are told apart: see WALReader.
// FORMAT.md: "Write-ahead log". Read next: WALFormat.swift, then WALFrame.swift and WALWriter.swift.

// TraceBytes: bytes, and nothing about what they mean.
//
// In: raw memory. Out: bounds-checked readers and writers, varints, checksums, hashes, LZ4 and Zstd contexts.
// Must never know: spans, files, formats. Every read of foreign bytes is checked against the end before it happens and
// throws `BytesError`; nothing here traps on what it reads.
// FORMAT.md: "Integers, checksums and hashes". Read next: ByteReader.swift.

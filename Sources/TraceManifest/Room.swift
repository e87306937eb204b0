// TraceManifest: which files a store has, and what must be known about each without opening it.
//
// In: edits, each a list of entries that hold together or not at all. Out: `ManifestVersion`, an immutable value,
// durable before `commit` returns. Must never know: what stands inside a segment or a vector, when to seal, merge or
// expire. The manifest is a log of edits; `CURRENT` names the log. File names are made here, in `StoreLayout`.
// FORMAT.md: "Manifest". Read next: ManifestFile.swift, ManifestEntry.swift, then ManifestStore.swift.

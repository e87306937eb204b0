// TraceManifest

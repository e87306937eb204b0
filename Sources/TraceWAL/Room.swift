// TraceWAL

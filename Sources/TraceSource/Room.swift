// TraceSource

// TraceInspect

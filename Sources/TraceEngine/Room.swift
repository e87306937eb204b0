// TraceEngine

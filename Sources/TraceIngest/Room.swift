// TraceIngest

// TraceColumns

// TraceSegment

// TraceAggregate

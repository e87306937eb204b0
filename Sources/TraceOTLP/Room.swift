// TraceOTLP

// TraceMerge

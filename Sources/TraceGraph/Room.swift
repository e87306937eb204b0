// TraceGraph: which service called which.
//
// In: the spans of one trace as fixed-width rows (`CallSpan`). Out: its calls (`CallPairing`), and sums of calls by
// caller, callee and connection (`EdgeTally`). One owner of what a call is, for rows of any form: stripes of segments,
// memtables, spans on their way in. Must never know: where spans are stored, which window is asked for, texts.
// No section of FORMAT.md: nothing of this room reaches a disk. Read next: CallSpan.swift, then CallPairing.swift.

// tracestore: the command line. Argument parsing and composition; what can be computed without a terminal stands in
// functions of its own.
//
// In: arguments, files, a terminal. Out: tables for people, JSON for machines, exit codes (`ExitStatus`).
// Must never know: how anything is stored; it opens `TraceStore`, and `dump` and `verify` ask TraceInspect.
// No section of FORMAT.md. Read next: Entry.swift, GlobalOptions.swift, then a command of your choice in Commands/.

import CMemory

/// Memory that the process has freed, and that the C library keeps for what is allocated next.
package enum FreedMemory {
  /// Gives it back to the system. The C library keeps it for each thread apart, so that what one thread has freed is not
  /// there for another: after a memtable, some searches and a merge on threads of their own a process held 360 MB of
  /// which 137 MB were in use. Costs some milliseconds, and page faults when memory is wanted again: for moments before
  /// and after work that takes much of it, not for each request. Thread-safe.
  package static func giveBack() { tracestore_give_back_memory() }
}

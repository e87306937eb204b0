import TraceFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

enum ProcessorCount {
  /// Processors that can run threads now; at least 1.
  static var online: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
}

/// Loops spread over threads.
enum Concurrency {
  /// Calls `body` with every index below `count`, on as many threads as there are processors, the calling one among
  /// them, and returns when all calls have. Where no other thread can be started, the calling one does it all.
  @Sendable
  static func perform(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let next = Monitor(0)
    let work: @Sendable () -> Void = {
      while let index = next.withLock({ next -> Int? in
        guard next < count else { return nil }
        defer { next += 1 }
        return next
      }) { body(index) }
    }
    let helpers = (1..<max(1, min(count, ProcessorCount.online))).compactMap { _ in
      try? WorkerThread(name: "tracestore-part", work)
    }
    work()
    for helper in helpers { helper.join() }
  }
}

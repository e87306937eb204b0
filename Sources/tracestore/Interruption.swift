import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

private let interruptionCount = Atomic(0)

/// Ctrl-C: the first asks a long command to stop and to say what it has done, the second ends the program.
enum Interruption {
  static var isRequested: Bool { interruptionCount.load(ordering: .relaxed) > 0 }

  static func watch() {
    var action = sigaction()
    let handler: @convention(c) (Int32) -> Void = { _ in
      if interruptionCount.add(1, ordering: .relaxed).oldValue > 0 { _exit(ExitStatus.interrupted.rawValue) }
    }
    // Without SA_RESTART, so that a read from a silent pipe ends too.
    #if canImport(Darwin)
      action.__sigaction_u.__sa_handler = handler
    #else
      action.__sigaction_handler.sa_handler = handler
    #endif
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
  }
}

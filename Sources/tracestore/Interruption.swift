import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

private let interruptionCount = Atomic(0)
private let isInputEnded = Atomic(false)
/// The two ends of a pipe that has a byte once Ctrl-C has been pressed or no more input is wanted; -1 without one.
private let reportEnd = Atomic<Int32>(-1)
private let waitEnd = Atomic<Int32>(-1)

/// Ctrl-C: the first asks a long command to stop and to say what it has done, the second ends the program.
enum Interruption {
  static var isRequested: Bool { interruptionCount.load(ordering: .relaxed) > 0 }

  static func watch() {
    var ends: [Int32] = [-1, -1]
    if pipe(&ends) == 0 {
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      waitEnd.store(ends[0], ordering: .relaxed)
      reportEnd.store(ends[1], ordering: .relaxed)
    }
    var action = sigaction()
    let handler: @convention(c) (Int32) -> Void = { _ in
      if interruptionCount.add(1, ordering: .relaxed).oldValue > 0 { _exit(ExitStatus.interrupted.rawValue) }
      var byte: UInt8 = 0
      let saved = errno
      _ = write(reportEnd.load(ordering: .relaxed), &byte, 1)
      errno = saved
    }
    #if canImport(Darwin)
      action.__sigaction_u.__sa_handler = handler
    #else
      action.__sigaction_handler.sa_handler = handler
    #endif
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
  }

  /// Ends the input of pipes and terminals: what may still come cannot be used. To be called from any thread.
  static func endInput() {
    if isInputEnded.exchange(true, ordering: .relaxed) { return }
    var byte: UInt8 = 0
    _ = write(reportEnd.load(ordering: .relaxed), &byte, 1)
  }

  /// Whether nothing is to be read any more.
  static var endsInput: Bool { isRequested || isInputEnded.load(ordering: .relaxed) }

  /// Waits until reading would not block, Ctrl-C has been pressed or the input is ended. The signal may reach any thread,
  /// so a read that waits for a silent pipe does not hear of it by itself.
  static func waitForInput(_ descriptor: Int32) {
    var wanted = [
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: waitEnd.load(ordering: .relaxed), events: Int16(POLLIN), revents: 0),
    ]
    while !endsInput, poll(&wanted, 2, -1) < 0, errno == EINTR {}
  }
}

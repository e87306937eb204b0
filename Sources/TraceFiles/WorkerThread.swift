import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A thread of the engine's own, outside the cooperative pool, for work that blocks.
package final class WorkerThread: @unchecked Sendable {
  private let handle: pthread_t
  private let hasEnded = Monitor(false)

  /// Starts `body` at once. `name` is for debuggers, where the system can show it.
  ///
  /// - Parameter isBackground: whether the thread gives way to others: for work that nobody waits for.
  package init(name: String, isBackground: Bool = false, _ body: @escaping @Sendable () -> Void) throws {
    let start = Start(name: name, isBackground: isBackground, body: body, end: hasEnded)
    let context = Unmanaged.passRetained(start).toOpaque()
    // Detached from the start: glibc 2.36 looks at a thread once more after it was detached, when it may have ended and
    // its memory be gone.
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let number = pthread_create(&thread, &attributes, runStart, context)
    guard number == 0 else {
      Unmanaged<Start>.fromOpaque(context).release()
      throw systemFailure("start the thread", name, number)
    }
    #if canImport(Darwin)
      guard let thread else { throw systemFailure("start the thread", name, EAGAIN) }
    #endif
    handle = thread
  }

  /// Whether the caller runs on this thread.
  package var isCurrent: Bool {
    // The system may give the handle of a thread that has ended to another one.
    hasEnded.withLock { !$0 } && pthread_equal(handle, pthread_self()) != 0
  }

  /// Waits for the end of the body. Any number of threads may wait; the thread itself may not.
  package func join() {
    precondition(!isCurrent, "a thread cannot wait for its own end")
    hasEnded.wait(until: { $0 })
  }
}

private final class Start: Sendable {
  let name: String
  let isBackground: Bool
  let body: @Sendable () -> Void
  let end: Monitor<Bool>

  init(name: String, isBackground: Bool, body: @escaping @Sendable () -> Void, end: Monitor<Bool>) {
    self.name = name
    self.isBackground = isBackground
    self.body = body
    self.end = end
  }

  func run() {
    #if canImport(Darwin)
      pthread_setname_np(name)
      if isBackground { pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0) }
    #else
      // On Linux a thread has a priority of its own, and 0 names the calling one. Failure costs nothing but grace.
      if isBackground { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
    #endif
    body()
    end.withLock { $0 = true }
    end.wakeAll()
  }
}

#if canImport(Darwin)
  private func runStart(_ context: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    Unmanaged<Start>.fromOpaque(context).takeRetainedValue().run()
    return nil
  }
#else
  private func runStart(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context { Unmanaged<Start>.fromOpaque(context).takeRetainedValue().run() }
    return nil
  }
#endif

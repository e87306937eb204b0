#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// State behind a mutex with a condition to wait for. For the engine's own threads only: waiting inside the
/// cooperative pool would starve it.
///
/// The waits are part of entering the lock, never inside it, so that no `inout` access spans a wait.
package final class Monitor<State>: @unchecked Sendable {
  // The pthread objects need stable addresses, and the state must not be cached across a wait.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let state = UnsafeMutablePointer<State>.allocate(capacity: 1)

  package init(_ initial: State) {
    state.initialize(to: initial)
    #if canImport(Darwin)
      mutex.initialize(to: pthread_mutex_t())
      condition.initialize(to: pthread_cond_t())
      pthread_cond_init(condition, nil)
    #else
      mutex.initialize(to: pthread_mutex_t())
      condition.initialize(to: pthread_cond_t())
      var attributes = pthread_condattr_t()
      pthread_condattr_init(&attributes)
      // A step of the wall clock must not stretch a wait.
      pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
      pthread_cond_init(condition, &attributes)
      pthread_condattr_destroy(&attributes)
    #endif
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
    state.deinitialize(count: 1)
    state.deallocate()
  }

  package func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state.pointee)
  }

  /// Waits until `isReady` holds, then runs `body` under the same lock.
  package func withLock<Result>(
    waitingUntil isReady: (inout State) -> Bool, _ body: (inout State) throws -> Result
  ) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isReady(&state.pointee) { pthread_cond_wait(condition, mutex) }
    return try body(&state.pointee)
  }

  /// Waits until `isReady` holds.
  package func wait(until isReady: (inout State) -> Bool) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isReady(&state.pointee) { pthread_cond_wait(condition, mutex) }
  }

  /// As `withLock(waitingUntil:_:)`, but runs `body` at the latest after `nanoseconds`, with whether `isReady` held.
  package func withLock<Result>(
    waitingAtMost nanoseconds: UInt64, until isReady: (inout State) -> Bool,
    _ body: (inout State, Bool) throws -> Result
  ) rethrows -> Result {
    let deadline = Self.deadline(after: nanoseconds)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isReady(&state.pointee) {
      if waitOnce(until: deadline) { return try body(&state.pointee, isReady(&state.pointee)) }
    }
    return try body(&state.pointee, true)
  }

  /// Lets every waiter look at its condition again.
  package func wakeAll() { pthread_cond_broadcast(condition) }

  private static func deadline(after nanoseconds: UInt64) -> timespec {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    // A wait longer than a day is a day: the condition is looked at again anyway.
    let total = UInt64(now.tv_nsec) + min(nanoseconds, 86_400_000_000_000)
    return timespec(tv_sec: now.tv_sec + Int(total / 1_000_000_000), tv_nsec: Int(total % 1_000_000_000))
  }

  /// True when the deadline has passed.
  private func waitOnce(until deadline: timespec) -> Bool {
    var deadline = deadline
    #if canImport(Darwin)
      var now = timespec()
      clock_gettime(CLOCK_MONOTONIC, &now)
      var rest = timespec(tv_sec: deadline.tv_sec - now.tv_sec, tv_nsec: deadline.tv_nsec - now.tv_nsec)
      if rest.tv_nsec < 0 {
        rest.tv_sec -= 1
        rest.tv_nsec += 1_000_000_000
      }
      if rest.tv_sec < 0 { return true }
      deadline = rest
      return pthread_cond_timedwait_relative_np(condition, mutex, &deadline) == ETIMEDOUT
    #else
      return pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT
    #endif
  }
}

/// Nanoseconds since some moment in the past that is fixed while the process runs; never goes back.
package func monotonicNanoseconds() -> UInt64 {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
}

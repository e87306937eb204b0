#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The wall clock of the machine. Nothing else in the library reads one.
public enum SystemClock {
  /// The wall clock: nanoseconds since 1970-01-01T00:00:00Z.
  @Sendable
  public static func nowNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}

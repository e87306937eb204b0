import Foundation

/// What the system says of this process.
enum ProcessMemory {
  /// The most memory that the process ever held.
  static func peakByteCount() -> Int {
    #if os(Linux)
      status("VmHWM") ?? 0
    #else
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #endif
  }

  /// The memory that the process holds now; nil where the system does not say so in a file.
  static func byteCount() -> Int? { status("VmRSS") }

  private static func status(_ name: String) -> Int? {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    return line?.split(separator: " ").compactMap { Int($0) }.first.map { $0 * 1024 }
  }
}

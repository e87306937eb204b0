import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Standard output behind a buffer. Thread-safe. Whatever prevents writing ends the program: there is nobody to tell.
final class StandardOutput: Sendable {
  static let shared = StandardOutput()
  private static let bufferByteCount = 1 << 16

  private let buffer = Mutex<[UInt8]>([])

  func write(_ text: String) { write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) {
    buffer.withLock { buffer in
      buffer += bytes
      if buffer.count >= Self.bufferByteCount { Self.drain(&buffer) }
    }
  }

  func writeLine(_ text: String) { write(text + "\n") }

  func flush() { buffer.withLock { Self.drain(&$0) } }

  private static func drain(_ buffer: inout [UInt8]) {
    if let number = writeAll(buffer, to: 1) {
      // A reader that went away is a reader that has enough.
      if number == EPIPE { _exit(0) }
      StandardError.writeLine(
        "tracestore: cannot write to standard output: \(String(cString: strerror(number))); free space or write elsewhere"
      )
      _exit(ExitStatus.inputOutput.rawValue)
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Returns the error number of a failure.
  static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    bytes.withUnsafeBytes { bytes -> Int32? in
      var done = 0
      while done < bytes.count {
        let written = systemWrite(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
        if written < 0 {
          if errno == EINTR { continue }
          return errno
        }
        done += written
      }
      return nil
    }
  }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ byteCount: Int) -> Int {
  #if canImport(Darwin)
    Darwin.write(descriptor, bytes, byteCount)
  #elseif canImport(Glibc)
    Glibc.write(descriptor, bytes, byteCount)
  #elseif canImport(Musl)
    Musl.write(descriptor, bytes, byteCount)
  #endif
}

enum StandardError {
  static func write(_ text: String) { _ = StandardOutput.writeAll(Array(text.utf8), to: 2) }
  static func writeLine(_ text: String) { write(text + "\n") }
}

import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// An input that cannot be opened or read: not the store's trouble.
struct InputFailure: Error {
  /// As people named it.
  var name: String
  var error: TracestoreError
}

/// Bytes of a file, or of standard input for `-`, from its beginning. One thread at a time.
final class InputFile {
  let name: String
  private let descriptor: Int32
  /// Bytes read so far.
  private(set) var readByteCount: UInt64 = 0
  /// Of the whole file; nil for pipes and terminals.
  let byteCount: UInt64?

  /// What can be said of an input without opening it, for opening a pipe is not without consequences.
  /// - Returns: how many bytes it has; nil for pipes and terminals.
  /// - Throws: as opening it would, as far as that can be known.
  static func check(path: String) throws -> UInt64? {
    var facts = stat()
    guard path != "-" else { return nil }
    guard stat(path, &facts) == 0, access(path, R_OK) == 0 else { throw openingFailure(path, errno) }
    if facts.st_mode & S_IFMT == S_IFDIR { throw directoryFailure(path) }
    return facts.st_mode & S_IFMT == S_IFREG ? UInt64(max(0, facts.st_size)) : nil
  }

  private static func openingFailure(_ path: String, _ number: Int32) -> InputFailure {
    failure(path, "cannot open \(path): \(String(cString: strerror(number))); check the name and its permissions")
  }

  private static func directoryFailure(_ name: String) -> InputFailure {
    failure(name, "\(name) is a directory; name the files in it")
  }

  /// - Throws: `InputFailure` with what to do, for a missing or unreadable file and for a directory.
  init(path: String) throws {
    name = path == "-" ? "standard input" : path
    if path == "-" {
      descriptor = 0
    } else {
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else {
        throw Self.openingFailure(path, errno)
      }
    }
    var facts = stat()
    let isKnown = fstat(descriptor, &facts) == 0
    if isKnown, facts.st_mode & S_IFMT == S_IFDIR {
      if descriptor != 0 { close(descriptor) }
      throw Self.directoryFailure(name)
    }
    byteCount = isKnown && facts.st_mode & S_IFMT == S_IFREG ? UInt64(max(0, facts.st_size)) : nil
  }

  private static func failure(_ name: String, _ message: String) -> InputFailure {
    InputFailure(name: name, error: TracestoreError(.inputOutput, message))
  }

  deinit { if descriptor != 0 { close(descriptor) } }

  /// Up to that many bytes; none at the end, once Ctrl-C has been pressed, and of a pipe whose input has been ended.
  func read(_ maximum: Int) throws -> [UInt8] {
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: maximum) { buffer, count in
      while true {
        // A file never keeps a read waiting.
        if byteCount == nil { Interruption.waitForInput(descriptor) }
        if byteCount == nil ? Interruption.endsInput : Interruption.isRequested { return }
        let received = systemRead(descriptor, buffer.baseAddress, maximum)
        if received >= 0 {
          count = received
          return
        }
        if errno != EINTR {
          failure = errno
          return
        }
      }
    }
    guard failure == 0 else {
      throw Self.failure(
        name, "cannot read \(name) beyond byte \(readByteCount): \(String(cString: strerror(failure)))")
    }
    readByteCount += UInt64(bytes.count)
    return bytes
  }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutablePointer<UInt8>?, _ byteCount: Int) -> Int {
  #if canImport(Darwin)
    Darwin.read(descriptor, buffer, byteCount)
  #elseif canImport(Glibc)
    Glibc.read(descriptor, buffer, byteCount)
  #elseif canImport(Musl)
    Musl.read(descriptor, buffer, byteCount)
  #endif
}

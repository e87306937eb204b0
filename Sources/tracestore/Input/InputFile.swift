import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Bytes of a file, or of standard input for `-`, from its beginning. One thread at a time.
final class InputFile {
  let name: String
  private let descriptor: Int32
  /// Bytes read so far.
  private(set) var readByteCount: UInt64 = 0
  /// Of the whole file; nil for pipes and terminals.
  let byteCount: UInt64?

  /// - Throws: `inputOutput` with what to do, for a missing or unreadable file and for a directory.
  init(path: String) throws {
    name = path == "-" ? "standard input" : path
    if path == "-" {
      descriptor = 0
    } else {
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else {
        throw TracestoreError(
          .inputOutput, "cannot open \(path): \(String(cString: strerror(errno))); check the name and its permissions",
          path: path)
      }
    }
    var facts = stat()
    let isKnown = fstat(descriptor, &facts) == 0
    if isKnown, facts.st_mode & S_IFMT == S_IFDIR {
      if descriptor != 0 { close(descriptor) }
      throw TracestoreError(.inputOutput, "\(name) is a directory; name the files in it", path: path)
    }
    byteCount = isKnown && facts.st_mode & S_IFMT == S_IFREG ? UInt64(max(0, facts.st_size)) : nil
  }

  deinit { if descriptor != 0 { close(descriptor) } }

  /// Up to that many bytes; none at the end, and once Ctrl-C has been pressed.
  func read(_ maximum: Int) throws -> [UInt8] {
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: maximum) { buffer, count in
      while !Interruption.isRequested {
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
      throw TracestoreError(
        .inputOutput, "cannot read \(name): \(String(cString: strerror(failure)))", path: name, offset: readByteCount)
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

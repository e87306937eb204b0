import TraceModel
import TraceOTLP
import TracestoreV2

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file of requests that is being written, or standard output for `-`.
final class OutputFile {
  enum Form {
    /// Behind its length as four bytes, big-endian, as the Collector's file exporter writes.
    case framedProtobuf
    /// One object a line.
    case json
    /// One span a line, behind `CSVRows.header`.
    case csv

    /// A request as it stands in the file.
    ///
    /// - Parameter states: of spans that are not plainly final, for forms that have a place for it.
    /// - Throws: `limitExceeded` when its length does not fit a frame.
    func bytes(of data: TraceData, states: [Int: SpanState] = [:]) throws -> [UInt8] {
      switch self {
      case .framedProtobuf:
        let message = OTLP.encode(data)
        guard let length = UInt32(exactly: message.count) else {
          throw TracestoreError(.limitExceeded, "a trace of \(message.count) bytes does not fit a frame")
        }
        return withUnsafeBytes(of: length.bigEndian) { Array($0) } + message
      case .json: return OTLPJSON.encode(data) + [UInt8(ascii: "\n")]
      case .csv: return CSVRows.bytes(of: data, states: states)
      }
    }
  }

  private let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private(set) var byteCount: UInt64 = 0

  init(path: String) throws {
    self.path = path
    if path == "-" {
      descriptor = 1
    } else {
      descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
      if descriptor < 0 { throw failure(errno, "check the name and its permissions") }
    }
  }

  deinit { if descriptor > 2 { _ = systemClose(descriptor) } }

  func append(_ bytes: [UInt8]) throws {
    buffer += bytes
    byteCount += UInt64(bytes.count)
    if buffer.count >= 1 << 18 { try drain() }
  }

  /// Hands everything to the system. A file that could not be written whole is an error here.
  func close() throws {
    try drain()
  }

  private func drain() throws {
    if let number = StandardOutput.writeAll(buffer, to: descriptor) { throw failure(number, "write to another place") }
    buffer.removeAll(keepingCapacity: true)
  }

  /// - Parameter advice: what to do unless there is no room.
  private func failure(_ number: Int32, _ advice: String) -> TracestoreError {
    // A limit on the size of a file, like a quota, is a disk that has no more room for this process.
    let isFull = [ENOSPC, EDQUOT, EFBIG].contains(number)
    return TracestoreError(
      isFull ? .diskFull : .inputOutput,
      "cannot write \(path): \(String(cString: strerror(number))); \(isFull ? "choose another file or make room" : advice)",
      path: path)
  }
}

private func systemClose(_ descriptor: Int32) -> Int32 {
  #if canImport(Darwin)
    Darwin.close(descriptor)
  #elseif canImport(Glibc)
    Glibc.close(descriptor)
  #elseif canImport(Musl)
    Musl.close(descriptor)
  #endif
}

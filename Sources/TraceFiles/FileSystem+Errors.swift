import TraceModel

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The error for a refused operation on `path`.
func systemFailure(_ operation: String, _ path: String, _ number: Int32) -> TracestoreError {
  let code: TracestoreError.Code =
    switch number {
    // A limit on the size of a file, like a quota, is a disk that has no more room for this process.
    case ENOSPC, EDQUOT, EFBIG: .diskFull
    case ENOENT: .notFound
    default: .inputOutput
    }
  let reason = String(cString: strerror(number))
  return TracestoreError(code, "cannot \(operation) \(path): \(reason)", path: path, cause: SystemError(number))
}

func closedFailure(_ operation: String, _ path: String) -> TracestoreError {
  TracestoreError(
    .inputOutput, "cannot \(operation) \(path): the file is closed", path: path, cause: SystemError(EBADF))
}

/// Calls `step(done)` until `byteCount` bytes have been moved or a call moves none. A step returns the bytes it moved
/// or a negative number with the error number; an interrupted call is made again.
func transferred(
  _ byteCount: Int, operation: String, path: String, step: (Int) -> (moved: Int, errorNumber: Int32)
) throws -> Int {
  var done = 0
  while done < byteCount {
    let (moved, number) = step(done)
    if moved > 0 {
      done += moved
    } else if moved == 0 {
      break
    } else if number != EINTR {
      throw systemFailure(operation, path, number)
    }
  }
  return done
}

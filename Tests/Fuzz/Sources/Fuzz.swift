import CFuzzer
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Every decoder of bytes from disk or network under libFuzzer and AddressSanitizer.
///
///     tracestore-fuzz list                         the names of the targets
///     tracestore-fuzz seeds FIXTURES FOLDER        a corpus for each target, in a folder of its name
///     tracestore-fuzz TARGET [libFuzzer's flags]   fuzzes
///
/// The build has `TRACESTORE_FUZZING`: all checksums and hashes are equal, so that mutants get past them. That is why
/// the seeds are written by the same program, and why a file from a store is damaged in its eyes.
@main
enum Fuzz {
  static let target = Mutex(FuzzTarget.page)

  static func main() throws {
    let arguments = CommandLine.arguments
    if arguments.count == 2, arguments[1] == "list" {
      for target in FuzzTarget.allCases { print(target.rawValue) }
    } else if arguments.count == 4, arguments[1] == "seeds" {
      try Seeds(fixtures: arguments[2], folder: arguments[3]).write()
    } else if arguments.count >= 2, let chosen = FuzzTarget(rawValue: arguments[1]) {
      target.withLock { $0 = chosen }
      exit(drive([arguments[0]] + arguments.dropFirst(2)))
    } else {
      print("usage: tracestore-fuzz list | seeds FIXTURES FOLDER | TARGET [flags]")
      exit(2)
    }
  }

  /// Hands over to libFuzzer, which keeps the arguments for as long as the process lives.
  private static func drive(_ arguments: [String]) -> Int32 {
    var count = Int32(arguments.count)
    let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
    for (index, argument) in arguments.enumerated() { list[index] = strdup(argument) }
    list[arguments.count] = nil
    var start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = list
    return LLVMFuzzerRunDriver(&count, &start) { data, count in
      Fuzz.target.withLock { $0 }.run(UnsafeRawBufferPointer(start: data, count: count))
      return 0
    }
  }
}

import ArgumentParser

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Write JSON for machines to standard output.")
  var json = false

  /// The same for whoever has no command at hand: arguments that cannot be parsed are to be explained as well.
  static let isJSON = CommandLine.arguments.dropFirst().contains("--json")

  /// Whether standard output is the file that a command writes, which nothing may be added to.
  static let isFileOnStandardOutput: Bool = {
    let arguments = CommandLine.arguments.dropFirst()
    return arguments.contains("--out=-") || zip(arguments, arguments.dropFirst()).contains { $0 == ("--out", "-") }
  }()
}

struct StoreLocation: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp("The folder of the store.", discussion: "Default: TRACESTORE_DIR.", valueName: "dir"),
    completion: .directory)
  var store: String?

  /// The folder, from the option or the environment.
  func path() throws -> String {
    if let store, !store.isEmpty { return store }
    if let text = getenv("TRACESTORE_DIR"), text.pointee != 0 { return String(cString: text) }
    throw CommandFailure.usage("no store is named: give --store DIR or set TRACESTORE_DIR")
  }
}

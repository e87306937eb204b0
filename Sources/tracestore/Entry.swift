import ArgumentParser
import TraceInspect

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

@main
struct Entry {
  static func main() async {
    // A reader that has seen enough, like `head`, ends us without a word.
    signal(SIGPIPE, SIG_DFL)
    // A limit on file sizes is an error like a full disk, with a sentence, not a death.
    signal(SIGXFSZ, SIG_IGN)
    let arguments = Array(CommandLine.arguments.dropFirst())
    // Text that is repaired may name another folder than was meant, and the same for two of them.
    for place in arguments.indices where !isText(CommandLine.unsafeArgv[place + 1]) {
      report(.usage("argument \(place + 1), \"\(arguments[place])\", is not UTF-8; give names that are"))
    }
    if !isText(getenv("TRACESTORE_DIR")) { report(.usage("TRACESTORE_DIR is not UTF-8; give a name that is")) }
    do {
      var command = try TracestoreCommand.parseAsRoot(arguments)
      do {
        if var asynchronous = command as? any AsyncParsableCommand {
          try await asynchronous.run()
        } else {
          try command.run()
        }
      } catch let error where isOurs(error) {
        end(error)
      }
    } catch {
      endParsing(error, of: arguments)
    }
    StandardOutput.shared.flush()
    exit(ExitStatus.done.rawValue)
  }

  private static func isText(_ bytes: UnsafePointer<CChar>?) -> Bool {
    bytes.map { String(validatingCString: $0) != nil } ?? true
  }

  /// What argument-parser throws for help, a version or a completion script also comes out of `run`.
  private static func isOurs(_ error: any Error) -> Bool {
    !(error is CleanExit || error is ExitCode || error is ValidationError)
      && TracestoreCommand.exitCode(for: error) != .success
  }

  private static func end(_ error: any Error) -> Never {
    if let quiet = error as? QuietExit {
      StandardOutput.shared.flush()
      exit(quiet.status.rawValue)
    }
    report(CommandFailure(error))
  }

  private static func endParsing(_ error: any Error, of arguments: [String]) -> Never {
    if TracestoreCommand.exitCode(for: error) == .success {
      StandardOutput.shared.write(TracestoreCommand.fullMessage(for: error) + "\n")
      StandardOutput.shared.flush()
      exit(ExitStatus.done.rawValue)
    }
    var message = oneLine(TracestoreCommand.message(for: error))
    if message.hasPrefix("Missing value for") {
      // Behind a dash argument-parser looks for an option. With an equals sign it says what is wrong with the value.
      let joined = joiningDashes(arguments)
      if joined != arguments {
        do { _ = try TracestoreCommand.parseAsRoot(joined) } catch {
          message = oneLine(TracestoreCommand.message(for: error))
        }
      }
      if message.hasPrefix("Missing value for") {
        message += "; a value that begins with a dash is written behind an equals sign"
      }
    }
    report(
      .usage("\(message.isEmpty ? "the arguments are wrong" : message) (see \(commandName(in: arguments)) --help)"))
  }

  /// The arguments with options and negative numbers behind them as one.
  private static func joiningDashes(_ arguments: [String]) -> [String] {
    var joined: [String] = []
    for argument in arguments {
      let isNegative = argument.utf8.first == UInt8(ascii: "-") && argument.dropFirst().first?.isNumber == true
      if isNegative, let option = joined.last, option.hasPrefix("--"), !option.contains("=") {
        joined[joined.count - 1] = "\(option)=\(argument)"
      } else {
        joined.append(argument)
      }
    }
    return joined
  }

  /// What argument-parser says, its lists of values included, and how values look that it knows only by name.
  private static func oneLine(_ message: String) -> String {
    var text = ""
    for line in message.split(separator: "\n") {
      // A list begins its items with a dash, a sentence may begin with an option.
      var item = line.drop { $0 == " " }
      if item.hasPrefix("- ") { item = item.dropFirst(2) }
      text += (text.isEmpty ? "" : text.hasSuffix(":") || item.count == line.count ? " " : ", ") + item
    }
    guard text.contains("is invalid for"), let form = forms.first(where: { text.hasSuffix("<\($0.name)>'") })?.form
    else { return text }
    return "\(text); \(form)"
  }

  /// How values look, by what the help calls them.
  private static let forms: [(name: String, form: String)] = [
    ("duration", "durations look like 250us, 10ms or 1h30m"),
    ("time", "times look like 2026-01-01T08:00:00Z, or count nanoseconds since 1970"),
    ("id", "ids have 1 to 32 hexadecimal digits"), ("trace", "ids have 1 to 32 hexadecimal digits"),
    ("key=value", "attributes look like http.route=/cart"), ("bytes", "bytes look like 5000000, 20GB or 512MiB"),
    ("count", "counts are whole numbers"), ("seed", "seeds are whole numbers from 0 on"),
    ("offset", "offsets are whole numbers from 0 on"), ("quantile", "quantiles are numbers from 0 to 1"),
  ]

  /// The innermost command that the arguments name: its help is the one to read.
  private static func commandName(in arguments: [String]) -> String {
    var command: any ParsableCommand.Type = TracestoreCommand.self
    var names = ["tracestore"]
    for argument in arguments {
      guard let inner = command.configuration.subcommands.first(where: { $0.configuration.commandName == argument })
      else { break }
      command = inner
      names.append(argument)
    }
    return names.joined(separator: " ")
  }

  private static func report(_ failure: CommandFailure) -> Never {
    Terminal.clearProgress()
    if OutputOptions.isJSON { failure.writeLine() }
    StandardOutput.shared.flush()
    StandardError.writeLine("tracestore: " + Sanitized.line(failure.message))
    for line in failure.detail?.split(separator: "\n") ?? [] {
      StandardError.writeLine("  " + Sanitized.line(String(line)))
    }
    exit(failure.status.rawValue)
  }
}

struct TracestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tracestore",
    abstract: "Stores OpenTelemetry spans in a folder, finds them, and explains every byte.",
    discussion: """
      Name the store with --store or with the variable TRACESTORE_DIR. Times are RFC 3339 or nanoseconds since 1970, \
      durations look like 250us, 10ms or 1h30m, ids are hexadecimal.

      Exit status: 0 done, 1 refused input or damaged data, 2 usage, 3 input and output, 4 newer format, 5 no such trace.
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(
        name: "Data in and out:", subcommands: [GenerateCommand.self, ImportCommand.self, ExportCommand.self]),
      CommandGroup(
        name: "Looking:",
        subcommands: [
          SearchCommand.self, TraceCommand.self, ServicesCommand.self, OperationsCommand.self, AttributesCommand.self,
          DependenciesCommand.self, AnalyzeCommand.self, WatchCommand.self,
          MetricsCommand.self,
        ]),
      CommandGroup(
        name: "The store itself:",
        subcommands: [
          StatsCommand.self, DumpCommand.self, VerifyCommand.self, RepairCommand.self, CompactCommand.self,
          RetainCommand.self, DeleteCommand.self, SnapshotCommand.self, RestoreCommand.self,
        ]),
    ])
}

import ArgumentParser
import TraceInspect
import TraceModel

/// How the program ends: part of the contract with scripts.
enum ExitStatus: Int32 {
  case done = 0
  /// A check failed, data is damaged, or an input was refused.
  case refused = 1
  case usage = 2
  case inputOutput = 3
  /// A file of a newer format.
  case newerFormat = 4
  case noSuchTrace = 5
  /// Ended by Ctrl-C, as shells expect it: 128 and the signal's number.
  case interrupted = 130

  init(_ code: TracestoreError.Code) {
    switch code {
    case .malformedInput, .limitExceeded, .corrupt: self = .refused
    case .invalidArgument, .unsupported: self = .usage
    case .unsupportedFormat: self = .newerFormat
    default: self = .inputOutput
    }
  }
}

/// An error with the exit status that it leads to.
struct CommandFailure: Error {
  var status: ExitStatus
  /// The code of the JSON error object.
  var code: String
  var message: String
  /// Lines below the message, for people.
  var detail: String?

  init(_ status: ExitStatus, code: String, _ message: String, detail: String? = nil) {
    self.status = status
    self.code = code
    self.message = message
    self.detail = detail
  }

  init(_ error: any Error) {
    switch error {
    case let error as CommandFailure: self = error
    case let error as InputFailure: self.init(error.error)
    case let error as TracestoreError:
      self.init(ExitStatus(error.code), code: error.code.rawValue, error.description)
    default: self.init(.inputOutput, code: "inputOutput", "\(error)")
    }
  }

  /// The value of the member "error".
  var json: JSONValue { .object([("code", .string(code)), ("message", .string(message))]) }

  /// Tells machines: on standard output, unless that is the file that is written.
  func writeLine() {
    let line = JSONValue.object([("error", json)]).text
    if OutputOptions.isFileOnStandardOutput {
      StandardError.writeLine(line)
    } else {
      StandardOutput.shared.writeLine(line)
    }
  }

  static func usage(_ message: String) -> CommandFailure { CommandFailure(.usage, code: "usage", message) }
}

/// Ends a command that has said all there is to say.
struct QuietExit: Error {
  var status: ExitStatus
}

import TraceModel
import TraceText

/// Why a foreign document cannot be read, and where: the byte, and the way there through members and elements.
struct DocumentFault: Error {
  var code: TracestoreError.Code
  var offset: Int
  var reason: String
  /// The innermost step first, such as `startTime`, `[3]`, `spans`.
  var steps: [String] = []

  init(_ code: TracestoreError.Code = .malformedInput, at offset: Int, _ reason: String) {
    self.code = code
    self.offset = offset
    self.reason = reason
  }

  /// The fault as seen from one step further out.
  static func inside(_ step: @autoclosure () -> String, _ error: any Error) -> any Error {
    var fault: DocumentFault
    switch error {
    case let known as DocumentFault: fault = known
    case let json as JSONError: fault = DocumentFault(at: json.offset, json.reason)
    default: return error
    }
    fault.steps.append(step())
    return fault
  }

  /// Such as `data[0].spans[3].startTime`.
  private var path: String {
    var path = ""
    for step in steps.reversed() { path += step.hasPrefix("[") || path.isEmpty ? step : "." + step }
    return path
  }

  /// The error that callers see.
  /// - Parameter document: what could not be read.
  static func error(_ error: any Error, reading document: String) -> TracestoreError {
    switch error {
    case let known as TracestoreError: return known
    case let fault as DocumentFault:
      let place = fault.steps.isEmpty ? "" : "\(fault.path): "
      return TracestoreError(
        fault.code, "The \(document) cannot be read: \(place)\(fault.reason)", offset: UInt64(clamping: fault.offset))
    case let json as JSONError:
      return TracestoreError(
        .malformedInput, "The \(document) cannot be read: \(json.reason)", offset: UInt64(clamping: json.offset))
    default: return TracestoreError(.malformedInput, "The \(document) cannot be read", cause: error)
    }
  }
}

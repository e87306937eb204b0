import TraceInspect

/// Something that was not stored.
struct ImportRefusal {
  var file: String
  /// Which request of the file.
  var index: Int
  /// In the file after decompression: where the request begins, or the byte that could not be read.
  var offset: UInt64
  var reason: String
  /// Which span of the request, when it alone was refused.
  var span: Int?

  var line: String {
    let place = span.map { ", span \($0)" } ?? ""
    return "refused: \(file), request \(index)\(place), at byte \(offset): \(reason)"
  }

  var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("file", .string(file)), ("index", .count(index)), ("offset", .number(offset)), ("reason", .string(reason)),
    ]
    if let span { members.append(("span", .count(span))) }
    return .object(members)
  }
}

/// What an import has done, in the order of the input.
struct ImportOutcome {
  var requestCount = 0
  /// Accepted spans, those that the store had already included.
  var spanCount = 0
  /// Bytes read from the files.
  var byteCount: UInt64 = 0
  var refusals: [ImportRefusal] = []
  var seconds = 0.0
  /// A file could not be opened or read.
  var hasFileFailure = false

  var status: ExitStatus { hasFileFailure ? .inputOutput : refusals.isEmpty ? .done : .refused }

  /// - Parameter failure: why the import could not go on.
  func json(_ failure: CommandFailure?) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("requests", .count(requestCount)), ("spans", .count(spanCount)), ("bytes", .number(byteCount)),
      ("refused", .array(refusals.map(\.json))), ("seconds", .double((seconds * 1e6).rounded() / 1e6)),
    ]
    if let failure { members.append(("error", failure.json)) }
    return .object(members)
  }

  func refusalLines(limit: Int) -> [String] {
    var lines = refusals.prefix(limit).map(\.line)
    if refusals.count > limit { lines.append("… and \(refusals.count - limit) more refusals; --json lists them all") }
    return lines
  }
}

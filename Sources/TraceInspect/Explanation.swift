import TraceModel

/// A place that is not what it should be.
package struct InspectedDamage: Hashable, Sendable {
  package var file: String
  package var offset: UInt64
  package var reason: String

  package init(file: String, offset: UInt64, reason: String) {
    self.file = file
    self.offset = offset
    self.reason = reason
  }

  init(_ error: any Error, file: String, offset: UInt64) {
    if let error = error as? TracestoreError {
      self.init(file: error.path ?? file, offset: error.offset ?? offset, reason: error.message)
    } else {
      self.init(file: file, offset: offset, reason: "\(error)")
    }
  }

  package var json: JSONValue {
    .object([("file", .string(file)), ("offset", .number(offset)), ("reason", .string(reason))])
  }

  package var line: String { "\(file) at byte \(offset): \(reason)" }
}

/// A stretch of a file and what it means.
package struct ExplainedPart: Sendable {
  package var name: String
  package var offset: UInt64
  package var byteCount: UInt64
  package var fields: [(key: String, value: JSONValue)] = []
  /// How the bytes are encoded, line by line.
  package var lines: [String] = []
  package var parts: [ExplainedPart] = []

  init(_ name: String, at offset: UInt64, byteCount: UInt64, _ fields: [(key: String, value: JSONValue)] = []) {
    self.name = name
    self.offset = offset
    self.byteCount = byteCount
    self.fields = fields
  }

  var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("name", .string(name)), ("offset", .number(offset)), ("bytes", .number(byteCount)), ("fields", .object(fields)),
    ]
    if !lines.isEmpty { members.append(("lines", .array(lines.map { .string($0) }))) }
    if !parts.isEmpty { members.append(("parts", .array(parts.map(\.json)))) }
    return .object(members)
  }
}

/// What a file is made of. The JSON form carries `schema`, which grows when a member changes its meaning.
package struct Explanation: Sendable {
  package static let schemaVersion = 1

  /// `store`, `segment`, `log`, `manifest`, `current`, `position`, `file`.
  package var kind: String
  package var path: String
  package var byteCount: UInt64
  package var fields: [(key: String, value: JSONValue)] = []
  package var parts: [ExplainedPart] = []
  /// Of a store.
  package var files: [Explanation] = []
  package var damages: [InspectedDamage] = []
  /// True when a newer version wrote it, so that what could not be read need not be damaged.
  package var isNewerFormat = false

  init(kind: String, path: String, byteCount: UInt64) {
    self.kind = kind
    self.path = path
    self.byteCount = byteCount
  }

  mutating func note(_ error: any Error, at offset: UInt64) {
    if let known = error as? TracestoreError, known.code == .unsupportedFormat { isNewerFormat = true }
    let damage = InspectedDamage(error, file: path, offset: offset)
    if !damages.contains(damage) { damages.append(damage) }
  }

  /// Damage of this file and of those in it.
  package var allDamages: [InspectedDamage] { damages + files.flatMap(\.allDamages) }
  package var anyNewerFormat: Bool { isNewerFormat || files.contains(where: \.anyNewerFormat) }

  package var json: JSONValue { .object([("schema", .count(Self.schemaVersion))] + members) }

  private var members: [(key: String, value: JSONValue)] {
    var members: [(key: String, value: JSONValue)] = [
      ("kind", .string(kind)), ("path", .string(path)), ("bytes", .number(byteCount)), ("fields", .object(fields)),
      ("parts", .array(parts.map(\.json))), ("damaged", .array(damages.map(\.json))),
    ]
    if !files.isEmpty { members.append(("files", .array(files.map { .object($0.members) }))) }
    return members
  }

  // MARK: For people

  package var lines: [String] {
    var lines = ["\(kind)  \(path)  (\(byteCount) bytes)"]
    for field in fields { lines.append("  \(field.key): \(Self.text(field.value))") }
    if !parts.isEmpty {
      lines.append("")
      lines.append("  " + Self.padded("OFFSET", 12) + "  " + Self.padded("BYTES", 11) + "  PART")
      for part in parts { Self.append(part, depth: 0, to: &lines) }
    }
    for file in files {
      lines.append("")
      lines += file.lines
    }
    for damage in damages { lines.append("  DAMAGED at byte \(damage.offset): \(damage.reason)") }
    return lines
  }

  private static func append(_ part: ExplainedPart, depth: Int, to lines: inout [String]) {
    var line = "  " + padded(String(part.offset), 12) + "  " + padded(String(part.byteCount), 11) + "  "
    line += String(repeating: "  ", count: depth) + part.name
    if !part.fields.isEmpty {
      line += "  " + part.fields.map { "\($0.key) \(text($0.value))" }.joined(separator: ", ")
    }
    lines.append(line)
    for text in part.lines { lines.append(String(repeating: " ", count: 31 + 2 * depth) + text) }
    for inner in part.parts { append(inner, depth: depth + 1, to: &lines) }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.utf8.count)) + text
  }

  private static func text(_ value: JSONValue) -> String {
    if case .string(let text) = value { return text }
    if case .number(let number) = value { return String(number) }
    return value.text
  }
}

/// A place that breaks a house rule.
struct Violation: Equatable, CustomStringConvertible {
  var path: String
  /// From 1; 0 when the whole file or folder is meant.
  var line: Int
  var what: String

  var description: String { line > 0 ? "\(path):\(line): \(what)" : "\(path): \(what)" }
}

/// A house rule: what it demands, why, and how to find the places that break it.
struct Rule: Sendable {
  var reason: String
  var check: @Sendable (House) -> [Violation]

  /// What a failing test prints: every place, then the reason.
  func report(_ violations: [Violation]) -> String {
    violations.map(\.description).joined(separator: "\n") + "\nwhy: \(reason)"
  }
}

extension Rule {
  /// A rule that looks at each line of code of each file for itself.
  static func lineOfCode(
    _ reason: String, in isChecked: @escaping @Sendable (House.File, House) -> Bool,
    find: @escaping @Sendable (String, House.File) -> String?
  ) -> Rule {
    Rule(reason: reason) { house in
      house.files.filter { isChecked($0, house) }.flatMap { file in
        file.text.codeLines.enumerated().compactMap { index, line in
          find(line, file).map { Violation(path: file.path, line: index + 1, what: $0) }
        }
      }
    }
  }

  @Sendable static func isRoom(_ file: House.File, _ house: House) -> Bool { house.row(file.room) != nil }
}

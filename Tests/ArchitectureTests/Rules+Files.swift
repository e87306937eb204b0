import Foundation

extension Rule {
  static let maximumLineCount = 600

  static let everyRoomOpensWithItsDoor = Rule(
    reason: "Room.swift is where a reader enters: what comes in, what goes out, what the room must never know."
  ) { house in
    house.rows.flatMap { row -> [Violation] in
      let files = house.files.filter { $0.room == row.name }
      let path = "Sources/\(row.name)/Room.swift"
      guard let door = files.first(where: { $0.path == path }) else {
        return [Violation(path: path, line: 0, what: "is missing")]
      }
      // A room without code yet has nothing to open.
      guard files.count > 1 else { return [] }
      let opening = door.text.lines.prefix { $0.hasPrefix("//") }.joined(separator: " ")
      let marks: [(mark: String, wordings: [String])] = [
        ("the room's name", ["// \(row.name): "]), ("what comes in", ["In:"]), ("what goes out", ["Out:"]),
        ("what it must never know", ["ever know"]), ("what to read next", ["Read next"]),
      ]
      return marks.filter { mark in !mark.wordings.contains { opening.contains($0) } }
        .map { Violation(path: path, line: 1, what: "does not say \($0.mark)") }
    }
  }

  static let filesStayShort = Rule(
    reason: "One idea a file: about 400 lines, and past \(maximumLineCount) it is certainly two ideas."
  ) { house in
    house.files.filter { $0.text.lines.count > maximumLineCount + 1 }
      .map { Violation(path: $0.path, line: 0, what: "has \($0.text.lines.count - 1) lines") }
  }

  static let topLevelStaysSmall = Rule(
    reason: "The top level is the front page: the package, its sources, tests, benchmarks, fixtures and its papers."
  ) { _ in
    let allowed: Set<String> = [
      "Package.swift", "Package.resolved", "Sources", "Tests", "Benchmarks", "Fixtures", "FORMAT.md", "README.md",
      "Makefile", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
    ]
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: House.root.path)) ?? []
    return unexpected(entries, allowed: allowed)
  }

  static func unexpected(_ entries: [String], allowed: Set<String>) -> [Violation] {
    entries.filter { !$0.hasPrefix(".") && !allowed.contains($0) }.sorted()
      .map { Violation(path: $0, line: 0, what: "does not belong at the top level") }
  }
}

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

  static let formatIsSpecified = Rule(
    reason:
      "Whoever has a file and FORMAT.md can read it without our code: each room names its section, and it is there."
  ) { house in
    // Before there is a program that writes files, there is nothing to specify.
    guard !house.executables.isEmpty else { return [] }
    let text = try? String(contentsOf: House.root.appendingPathComponent("FORMAT.md"), encoding: .utf8)
    return unspecified(house, format: text)
  }

  static func unspecified(_ house: House, format: String?) -> [Violation] {
    guard let format else { return [Violation(path: "FORMAT.md", line: 0, what: "is missing")] }
    let headings = format.split(separator: "\n").filter { $0.hasPrefix("#") }
    return house.files.filter { $0.name == "Room.swift" }.flatMap { door -> [Violation] in
      let opening = door.text.lines.prefix { $0.hasPrefix("//") }.joined(separator: " ")
      return opening.components(separatedBy: "FORMAT.md: \"").dropFirst()
        .map { $0.prefix { $0 != "\"" }.replacingOccurrences(of: " // ", with: " ") }
        .filter { section in !headings.contains { $0.contains(section) } }
        .map { Violation(path: door.path, line: 1, what: "names a section \($0) that FORMAT.md does not have") }
    }
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

import Foundation

/// The repository as the rules see it: the room table of `Package.swift` and the sources under `Sources`.
struct House: Sendable {
  /// A row of the room table: a room's name and what it may import.
  struct Row: Equatable, Sendable {
    var name: String
    var imports: [String]
  }

  struct File: Sendable {
    /// The folder under `Sources`: a room or an executable.
    var room: String
    /// From the repository's root, with slashes.
    var path: String
    var text: SwiftText

    var name: String { String(path.split(separator: "/").last ?? "") }
  }

  var rows: [Row]
  /// What a target that is not a room (an executable) declares as its dependencies in `Package.swift`.
  var executables: [Row]
  /// The C modules that `Package.swift` declares.
  var systemLibraries: [String]
  var files: [File]

  init(rows: [Row], executables: [Row] = [], systemLibraries: [String] = [], files: [File] = []) {
    self.rows = rows
    self.executables = executables
    self.systemLibraries = systemLibraries
    self.files = files
  }

  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Reads the house that this test stands in.
  static func load() throws -> House {
    let manifest = try String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
    var house = House(manifest: manifest)
    let sources = root.appendingPathComponent("Sources").standardizedFileURL
    let paths = try FileManager.default.subpathsOfDirectory(atPath: sources.path)
    for path in paths.sorted() where path.hasSuffix(".swift") {
      let text = try String(contentsOf: sources.appendingPathComponent(path), encoding: .utf8)
      house.files.append(
        File(room: String(path.prefix { $0 != "/" }), path: "Sources/\(path)", text: SwiftText(text)))
    }
    return house
  }

  func row(_ name: String) -> Row? { rows.first { $0.name == name } }
}

extension House {
  /// Reads the tables out of a manifest's text. The text is ours and small: line by line is enough.
  init(manifest: String) {
    let lines = manifest.split(separator: "\n", omittingEmptySubsequences: false).map(Self.withoutComment)
    rows = Self.rows(in: lines)
    systemLibraries = Self.declaredNames(after: ".systemLibrary(", in: lines)
    executables = Self.executables(in: lines)
    files = []
    let externals = Self.externals(in: lines)
    for index in rows.indices { rows[index].imports += externals[rows[index].name, default: []] }
  }

  private static func withoutComment(_ line: Substring) -> String {
    guard let range = line.range(of: "// ") else { return String(line) }
    return String(line[..<range.lowerBound])
  }

  /// The texts between double quotes.
  private static func quoted(_ line: String) -> [String] {
    line.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
      .compactMap { $0.offset % 2 == 1 ? String($0.element) : nil }
  }

  private static func rows(in lines: [String]) -> [Row] {
    guard let start = lines.firstIndex(where: { $0.hasPrefix("let rooms") }) else { return [] }
    var rows: [Row] = []
    for line in lines[(start + 1)...] {
      if line == "]" { break }
      var names = quoted(line)
      if line.contains("\":"), !names.isEmpty { rows.append(Row(name: names.removeFirst(), imports: [])) }
      if !rows.isEmpty { rows[rows.count - 1].imports += names }
    }
    return rows
  }

  /// The modules that `externals` adds to a room: the product names, which these packages give their modules.
  private static func externals(in lines: [String]) -> [String: [String]] {
    guard let start = lines.firstIndex(where: { $0.hasPrefix("let externals") }) else { return [:] }
    var externals: [String: [String]] = [:]
    var room = ""
    for line in lines[start...] {
      if line == "]" || line.isEmpty { break }
      if let name = quoted(line).first, line.contains("\"\(name)\":") { room = name }
      for piece in line.components(separatedBy: ".product(").dropFirst() {
        if let product = quoted(piece).first { externals[room, default: []].append(product) }
      }
    }
    return externals
  }

  private static func declaredNames(after opening: String, in lines: [String]) -> [String] {
    let text = lines.joined(separator: "\n")
    return text.components(separatedBy: opening).dropFirst().compactMap { quoted(String($0.prefix(200))).first }
  }

  private static func executables(in lines: [String]) -> [Row] {
    lines.joined(separator: "\n").components(separatedBy: ".executableTarget(").dropFirst().compactMap { piece in
      // The declaration ends where its own parenthesis closes.
      var depth = 1
      let declaration = piece.prefix { character in
        if character == "(" { depth += 1 }
        if character == ")" { depth -= 1 }
        return depth > 0
      }
      var names = quoted(String(declaration))
      guard !names.isEmpty else { return nil }
      return Row(name: names.removeFirst(), imports: names)
    }
  }
}

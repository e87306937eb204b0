extension Rule {
  /// Modules that come with the language or the system and that any room may import.
  static let systemModules: Set<String> = [
    "Swift", "Synchronization", "Glibc", "Musl", "Darwin", "Bionic", "Android",
  ]

  /// Further modules that come with the toolchain, for the executables.
  static let toolModules: Set<String> = ["Foundation", "FoundationEssentials", "Dispatch", "ArgumentParser"]

  static let rowsPointUp = Rule(
    reason: "A room imports only rooms above it: data flows one way, so each room can be read with what stands above."
  ) { house in
    var above: Set<String> = Set(house.systemLibraries)
    let rooms = Set(house.rows.map(\.name))
    var violations: [Violation] = []
    for row in house.rows {
      for name in row.imports where !above.contains(name) {
        // What is neither a room nor a C module came in through `externals`, which SwiftPM checks.
        guard rooms.contains(name) || name.hasPrefix("Trace") else { continue }
        violations.append(
          Violation(path: "Package.swift", line: 0, what: "row \(row.name) names \(name), which is not above it"))
      }
      if !above.insert(row.name).inserted {
        violations.append(Violation(path: "Package.swift", line: 0, what: "\(row.name) has two rows"))
      }
    }
    return violations
  }

  static let importsStayInTheRow = Rule(
    reason: "Every import is in the room's row of the table in Package.swift: the table is the map a reader trusts."
  ) { house in
    house.files.flatMap { file -> [Violation] in
      let executable = house.executables.first { $0.name == file.room }
      let declared = house.row(file.room)?.imports ?? executable?.imports ?? []
      let allowed = systemModules.union(declared).union(executable == nil ? [] : toolModules)
      return file.text.codeLines.enumerated().compactMap { index, line in
        guard let module = importedModule(line), !allowed.contains(module) else { return nil }
        return Violation(path: file.path, line: index + 1, what: "\(file.room) imports \(module)")
      }
    }
  }

  static let foldersAreDeclared = Rule(
    reason: "Every folder of Sources is a row of the room table or an executable: no code stands outside the house."
  ) { house in
    let declared = Set((house.rows + house.executables).map(\.name))
    return Set(house.files.map(\.room)).subtracting(declared).sorted()
      .map { Violation(path: "Sources/\($0)", line: 0, what: "has neither a row nor an executable target") }
  }

  static let embeddedRoomsStayLight = Rule(
    reason: "An embedder of TraceEngine builds no NIO, gRPC or protobuf, and the library never links Foundation."
  ) { house in
    let heavy: Set<String> = ["TraceWire", "TraceServer"]
    return house.rows.filter { !heavy.contains($0.name) }.flatMap { row in
      row.imports.filter { name in
        heavy.contains(name) || name == "Foundation" || name == "SwiftProtobuf"
          || name.hasPrefix("NIO") || name.hasPrefix("GRPC")
      }
      .map { Violation(path: "Package.swift", line: 0, what: "row \(row.name) names \($0)") }
    }
  }

  static let viewsSeeProtocols = Rule(
    reason: "The shim and the server see protocols, the dump tool explains bytes: none of them may need the engine."
  ) { house in
    ["TracestoreV1", "TraceServer", "TraceInspect", "TracestoreTesting"].compactMap { house.row($0) }
      .filter { $0.imports.contains("TraceEngine") }
      .map { Violation(path: "Package.swift", line: 0, what: "row \($0.name) names TraceEngine") }
  }

  /// The module that a line of code imports, without access level, attributes, kind and submodule.
  static func importedModule(_ line: String) -> String? {
    let words = SwiftText.words(in: line)
    guard let position = words.firstIndex(where: { $0.text == "import" && $0.before != UInt8(ascii: ".") }) else {
      return nil
    }
    let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var", "actor"]
    let rest = words[(position + 1)...]
    return rest.first { !kinds.contains($0.text) }?.text
  }
}

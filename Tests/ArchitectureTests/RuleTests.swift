import Testing

/// Every rule finds the fault that it is there for, and leaves good code alone.
struct RuleTests {
  private func house(_ room: String, _ code: String, file: String = "Sample.swift") -> House {
    House(
      rows: [
        House.Row(name: "TraceModel", imports: []), House.Row(name: "TraceBytes", imports: ["CZstd"]),
        House.Row(name: "TraceQuery", imports: ["TraceModel", "TraceBytes"]),
        House.Row(name: "TraceEngine", imports: ["TraceModel", "TraceQuery"]),
        House.Row(name: "TracestoreV1", imports: ["TraceModel"]),
      ],
      executables: [House.Row(name: "tracestore", imports: ["TraceEngine", "ArgumentParser"])],
      systemLibraries: ["CZstd"],
      files: [House.File(room: room, path: "Sources/\(room)/\(file)", text: SwiftText(code))])
  }

  private func places(_ rule: Rule, _ room: String, _ code: String) -> [Int] {
    rule.check(house(room, code)).map(\.line)
  }

  @Test("An import outside the row is found, however it is written")
  func foreignImports() {
    for line in [
      "import TraceEngine", "package import TraceEngine", "@testable import TraceEngine",
      "@_exported public import TraceEngine", "import struct TraceEngine.TraceStore", "import Foundation",
      "internal import NIOCore", "import Dispatch",
    ] {
      #expect(places(.importsStayInTheRow, "TraceQuery", "// header\n\(line)\n") == [2], "\(line)")
    }
    for line in ["import TraceModel", "package import TraceBytes", "import Glibc", "import Synchronization"] {
      #expect(places(.importsStayInTheRow, "TraceQuery", line).isEmpty, "\(line)")
    }
    #expect(places(.importsStayInTheRow, "TraceQuery", "// import TraceEngine\nlet text = \"import NIO\"").isEmpty)
    #expect(places(.importsStayInTheRow, "tracestore", "import ArgumentParser\nimport Foundation").isEmpty)
    #expect(places(.importsStayInTheRow, "tracestore", "import TraceWire") == [1])
  }

  @Test("A row that points down, at itself, or stands twice is found")
  func rowsThatPointDown() {
    func faults(_ rows: [House.Row]) -> Int { Rule.rowsPointUp.check(House(rows: rows)).count }
    #expect(faults([House.Row(name: "TraceA", imports: ["TraceB"]), House.Row(name: "TraceB", imports: [])]) == 1)
    #expect(faults([House.Row(name: "TraceA", imports: ["TraceA"])]) == 1)
    #expect(faults([House.Row(name: "TraceA", imports: ["TraceUnknown"])]) == 1)
    #expect(faults([House.Row(name: "TraceA", imports: []), House.Row(name: "TraceA", imports: [])]) == 1)
    #expect(faults([House.Row(name: "TraceA", imports: []), House.Row(name: "TraceB", imports: ["TraceA"])]) == 0)
  }

  @Test("A folder that nothing declares is found")
  func undeclaredFolder() {
    #expect(Rule.foldersAreDeclared.check(house("TraceAttic", "")).map(\.path) == ["Sources/TraceAttic"])
    #expect(Rule.foldersAreDeclared.check(house("tracestore", "")).isEmpty)
  }

  @Test("A heavy dependency of an embedded room is found")
  func heavyRows() {
    for module in ["NIOCore", "GRPCCore", "SwiftProtobuf", "TraceServer", "Foundation"] {
      let row = House.Row(name: "TraceEngine", imports: [module])
      #expect(Rule.embeddedRoomsStayLight.check(House(rows: [row])).count == 1, "\(module)")
    }
    let server = House.Row(name: "TraceServer", imports: ["NIOCore", "TraceWire"])
    #expect(Rule.embeddedRoomsStayLight.check(House(rows: [server])).isEmpty)
  }

  @Test("A view that knows the engine is found")
  func viewsThatKnowTheEngine() {
    for name in ["TracestoreV1", "TraceServer", "TraceInspect", "TracestoreTesting"] {
      let rows = [House.Row(name: name, imports: ["TraceEngine"])]
      #expect(Rule.viewsSeeProtocols.check(House(rows: rows)).count == 1, "\(name)")
    }
  }

  @Test("A public symbol in a package room is found")
  func publicSymbols() {
    let code =
      "public import TraceModel\npublic struct Page {}\n  public init() {}\nopen class Chunk {}\npackage let x = 1\nopen.append(x)"
    #expect(places(.onlyPublicRoomsArePublic, "TraceQuery", code) == [2, 3, 4])
    #expect(places(.onlyPublicRoomsArePublic, "TraceModel", code).isEmpty)
  }

  @Test("async and await below the doors are found")
  func asyncBelow() {
    let code = "func read() async throws {}\nlet x = await y\nlet asynchronous = 1 // async"
    #expect(places(.onlyDoorsAreAsync, "TraceQuery", code) == [1, 2])
    #expect(places(.onlyDoorsAreAsync, "TraceEngine", code).isEmpty)
  }

  @Test("A task outside the engine is found")
  func tasksElsewhere() {
    let code =
      "Task { 1 }\nTask.detached { 1 }\nawait withTaskGroup(of: Int.self) { _ in }\nlet isTask = Task.isCancelled"
    #expect(places(.onlyTheEngineStartsTasks, "TraceQuery", code) == [1, 2, 3])
    #expect(places(.onlyTheEngineStartsTasks, "TraceEngine", code).isEmpty)
  }

  @Test("Clocks and chance are found, seeded generators are not")
  func clocksAndChance() {
    let code = """
      let a = Date()
      clock_gettime(CLOCK_REALTIME, &now)
      let c = ContinuousClock.now
      let d = Int.random(in: 0..<3)
      let e = values.shuffled()
      var f = SystemRandomNumberGenerator()
      let g = Int.random(in: 0..<3, using: &generator)
      let h = values.shuffled(using: &generator)
      let i = date(of: span)
      case .randomSubset: random.next()
      """
    #expect(places(.noClockNoChance, "TraceQuery", code) == [1, 2, 3, 4, 5, 6])
    #expect(places(.noClockNoChance, "TraceEngine", code).isEmpty)
    let excepted = House(
      rows: [House.Row(name: "TraceBytes", imports: [])],
      files: [House.File(room: "TraceBytes", path: "Sources/TraceBytes/Checksums.swift", text: SwiftText(code))])
    #expect(Rule.noClockNoChance.check(excepted).isEmpty)
  }

  @Test("Calls that end the host or write to its terminal are found")
  func surprises() {
    let code = """
      let a = try! open()
      fatalError("never")
      print("here")
      debugPrint(x)
      abort()
      let b = x as! Int
      func print(_ page: Page) {}
      writer.print(page)
      let c = "print(1)"
      preconditionFailure("a bug of ours")
      """
    #expect(places(.noSurprises, "TraceQuery", code) == [1, 2, 3, 4, 5, 6])
    #expect(places(.noSurprises, "tracestore", code).isEmpty)
  }

  @Test("Notes to oneself are found in comments as well")
  func notes() {
    #expect(places(.nothingIsLeftForLater, "TraceQuery", "let a = 1\n// TODO: more\n/* FIXME */\n// todos") == [2, 3])
    #expect(places(.nothingIsLeftForLater, "tracestore", "// XXX") == [1])
  }

  @Test("Foreign words are found inside identifiers, not inside other words or texts")
  func foreignWords() {
    let code = """
      let tag = 1
      var spanTags = [1]
      struct ProcessTable {}
      let stage = "tag", vintage = process_id
      // the tag of a process
      func preprocessed() {}
      let hash = SeededHash.process
      process(items)
      """
    #expect(places(.foreignWordsStayOut, "TraceQuery", code) == [1, 2, 3, 4])
    #expect(places(.foreignWordsStayOut, "TraceEngine", code) == [1, 2])
    #expect(places(.foreignWordsStayOut, "TracestoreV1", code).isEmpty)
  }

  @Test("A room without a door, or with a door that says too little, is found")
  func doors() {
    let rows = [House.Row(name: "TraceQuery", imports: [])]
    let other = House.File(room: "TraceQuery", path: "Sources/TraceQuery/Scan.swift", text: SwiftText(""))
    func door(_ text: String) -> House.File {
      House.File(room: "TraceQuery", path: "Sources/TraceQuery/Room.swift", text: SwiftText(text))
    }
    func faults(_ files: [House.File]) -> [String] {
      Rule.everyRoomOpensWithItsDoor.check(House(rows: rows, files: files)).map(\.what)
    }
    let complete = "// TraceQuery: scans.\n//\n// In: a. Out: b. Must never know: c.\n// Read next: Scan.swift."
    #expect(faults([other]) == ["is missing"])
    #expect(faults([other, door(complete)]).isEmpty)
    #expect(faults([other, door("// TraceQuery: scans. In: a. Out: b. Must never know: c.")]).count == 1)
    #expect(faults([other, door("// TraceQuery")]).count == 5)
    #expect(faults([door("// TraceQuery")]).isEmpty)
  }

  @Test("A format without its specification, or without a section that a room names, is found")
  func format() {
    let sample = house(
      "TraceQuery", "// TraceQuery: x.\n// FORMAT.md: \"Pages and\n// chunks\". Read next.", file: "Room.swift")
    #expect(Rule.unspecified(sample, format: nil).map(\.what) == ["is missing"])
    #expect(Rule.unspecified(sample, format: "# Format\n## Pages\nPages and chunks\n").count == 1)
    #expect(Rule.unspecified(sample, format: "# Format\n## 3. Pages and chunks\n").isEmpty)
  }

  @Test("A file that is too long is found")
  func longFiles() {
    let line = "let a = 1\n"
    #expect(Rule.filesStayShort.check(house("TraceQuery", String(repeating: line, count: 600))).isEmpty)
    #expect(Rule.filesStayShort.check(house("TraceQuery", String(repeating: line, count: 601))).count == 1)
  }

  @Test("An unexpected entry at the top level is found")
  func topLevel() {
    #expect(Rule.unexpected(["Sources", ".git", "notes.txt"], allowed: ["Sources"]).map(\.path) == ["notes.txt"])
  }
}

/// The readers under the rules: what they take for code, and how they read a manifest.
struct HouseReaderTests {
  @Test("Comments and literals are blanked, interpolations and line breaks stay")
  func codeText() {
    func code(_ text: String) -> [String] {
      SwiftText(text).codeLines.map { $0.split(separator: " ").joined(separator: " ") }
    }
    #expect(code("a // b") == ["a"])
    #expect(code("a /* b /* c */ d\n e */ f") == ["a", "f"])
    #expect(code(#"a("b // c") d"#) == ["a( ) d"])
    #expect(code(##"a(#"b " c"#) d"##) == ["a( ) d"])
    #expect(code(#"a("b \"c\" \(d("e")) f") g"#) == ["a( d( ) ) g"])
    #expect(code("a = \"\"\"\n  b \" c\n  \"\"\"\nd") == ["a =", "", "", "d"])
    #expect(code("#if os(Linux)\na") == ["#if os(Linux)", "a"])
    #expect(code("a = \"open\nb") == ["a =", "b"])
  }

  @Test("Identifiers come apart at capitals and underscores")
  func identifierParts() {
    #expect(SwiftText.parts(of: "spanTagsByKey") == ["span", "tags", "by", "key"])
    #expect(SwiftText.parts(of: "maximum_tag") == ["maximum", "tag"])
    #expect(SwiftText.parts(of: "HTTPProcess") == ["httpprocess"])
    #expect(SwiftText.parts(of: "stage") == ["stage"])
  }

  @Test("A manifest's tables are read")
  func manifest() {
    let house = House(
      manifest: """
        // The rooms.
        let rooms: KeyValuePairs<String, [String]> = [
          "TraceA": [],  // "TraceZ"
          "TraceB": [
            "TraceA", "CThing",
          ],
        ]

        let externals: [String: [Target.Dependency]] = [
          "TraceB": [.product(name: "SystemPackage", package: "swift-system")]
        ]

        let package = Package(
          targets: [
            .systemLibrary(
              name: "CThing", pkgConfig: "thing"),
            .executableTarget(
              name: "tool", dependencies: ["TraceB", .product(name: "ArgumentParser", package: "swift-argument-parser")],
              path: "Sources/tool"),
          ]
        )
        """)
    #expect(
      house.rows == [
        House.Row(name: "TraceA", imports: []),
        House.Row(name: "TraceB", imports: ["TraceA", "CThing", "SystemPackage"]),
      ])
    #expect(house.systemLibraries == ["CThing"])
    #expect(house.executables.first?.name == "tool")
    #expect(house.executables.first?.imports.contains("ArgumentParser") == true)
    #expect(house.executables.first?.imports.contains("TraceZ") == false)
  }
}

extension Rule {
  static let publicRooms: Set<String> = [
    "TraceModel", "TracestoreV2", "TraceOTLP", "TraceFilter", "TraceAnalysis", "TraceRecorder", "TraceEngine",
    "TracestoreV1", "TracestoreTesting", "TraceServer", "TracestoreTracing",
  ]
  static let asyncRooms: Set<String> = [
    "TracestoreV2", "TraceEngine", "TracestoreV1", "TracestoreTesting", "TraceServer", "TraceRecorder",
    "TracestoreTracing",
  ]

  /// What the inner loops of other rooms call: the compiler inlines and specializes across modules only what is public.
  /// No product has these rooms, so that the names are nobody's to use; see the decision InlineWhatLoopsCall.
  static let inlinedFiles: Set<String> = [
    "Sources/TraceBytes/AttributeType.swift", "Sources/TraceBytes/ByteReader.swift",
    "Sources/TraceBytes/ByteWriter.swift", "Sources/TraceBytes/Checksums.swift",
    "Sources/TraceColumns/ByteDictionary.swift", "Sources/TraceColumns/Codecs/RowMask.swift",
    "Sources/TraceColumns/SlabVector.swift", "Sources/TraceColumns/SpanTable.swift",
  ]

  static let onlyPublicRoomsArePublic = Rule.lineOfCode(
    "Only the public rooms declare public symbols: everything else stays free to change.",
    in: { file, house in
      isRoom(file, house) && !publicRooms.contains(file.room) && !inlinedFiles.contains(file.path)
    },
    find: { line, _ in
      let words = SwiftText.words(in: line).map(\.text)
      let isImport = words.contains("import")
      return !isImport
        && (words.contains("public") || ["class", "func", "var"].contains { words.starts(with: ["open", $0]) })
        ? "declares a public symbol" : nil
    })

  static let onlyDoorsAreAsync = Rule.lineOfCode(
    "Only the rooms that callers see say `async`: below them a call runs to its end on the caller's thread.",
    in: { file, house in isRoom(file, house) && !asyncRooms.contains(file.room) },
    find: { line, _ in
      let words = SwiftText.words(in: line).map(\.text)
      return words.contains("async") || words.contains("await") ? "says async or await" : nil
    })

  static let onlyTheEngineStartsTasks = Rule.lineOfCode(
    "Only the engine, the recorders and the server start tasks: whoever starts work is the one who can stop it.",
    in: { file, house in
      isRoom(file, house)
        && !["TraceEngine", "TraceRecorder", "TracestoreTracing", "TraceServer", "TracestoreTesting"].contains(
          file.room)
    },
    find: { line, _ in
      let starters: Set<String> = ["withTaskGroup", "withThrowingTaskGroup", "withDiscardingTaskGroup"]
      return SwiftText.words(in: line).contains { word in
        starters.contains(word.text) || (word.text == "Task" && !word.isMember && line.contains("Task {"))
          || (word.text == "detached" && word.isMember)
      } ? "starts a task" : nil
    })

  /// Files that may read a clock or draw a random number, each with the reason.
  static let chanceAndTimeExceptions: [String: String] = [
    "Sources/TraceBytes/Checksums.swift": "SeededHash.process: a random seed for hash tables in memory only",
    "Sources/TraceFiles/Monitor.swift": "a wait with a deadline needs the monotonic clock",
  ]

  static let noClockNoChance = Rule.lineOfCode(
    "No clock or random value reaches bytes except through a parameter: equal inputs make equal files.",
    in: { file, house in
      isRoom(file, house) && !["TraceEngine", "TraceServer"].contains(file.room)
        && chanceAndTimeExceptions[file.path] == nil
    },
    find: { line, _ in
      let forbidden: Set<String> = [
        "clock_gettime", "gettimeofday", "ContinuousClock", "SuspendingClock", "DispatchTime",
        "SystemRandomNumberGenerator", "arc4random", "arc4random_buf", "getrandom", "getentropy", "UUID",
      ]
      // Without an argument, these draw from the system; with `using:`, from a generator that the caller seeds.
      for call in [".shuffled()", ".shuffle()", ".randomElement()", ".random()"] where line.contains(call) {
        return "uses \(call)"
      }
      if line.contains(".random(in:"), !line.contains("using:") { return "uses .random(in:)" }
      return SwiftText.words(in: line).first { word in
        forbidden.contains(word.text) || (word.text == "Date" && word.isCall && !word.isMember)
      }.map { "uses \($0.text)" }
    })

  static let noSurprises = Rule.lineOfCode(
    "A library neither ends its host's process on purpose nor writes to its terminal.",
    in: isRoom,
    find: { line, _ in
      if line.contains("try!") { return "says try!" }
      if line.contains("as!") { return "says as!" }
      return SwiftText.words(in: line).first { word in
        switch word.text {
        case "fatalError", "abort", "exit": word.isCall && !word.isMember
        case "print", "debugPrint", "NSLog", "puts", "printf":
          word.isCall && !word.isMember && !line.contains("func \(word.text)")
        default: false
        }
      }.map { "calls \($0.text)" }
    })

  static let nothingIsLeftForLater = Rule(
    reason: "A note to oneself is not a plan: finish it, or file an issue that others can see."
  ) { house in
    house.files.flatMap { file in
      file.text.lines.enumerated().compactMap { index, line in
        SwiftText.words(in: line).first { ["TODO", "FIXME", "XXX", "HACK"].contains($0.text) }
          .map { Violation(path: file.path, line: index + 1, what: "says \($0.text)") }
      }
    }
  }

  /// Identifiers that hold a foreign word in another sense, each with that sense.
  static let foreignWordExceptions: [String: String] = [
    "Sources/TraceBytes/Checksums.swift": "`SeededHash.process`: the operating system's process"
  ]

  /// Where the operating system's processes are the subject.
  static let roomsThatKnowProcesses: Set<String> = ["TraceFiles", "TraceEngine"]

  static let foreignWordsStayOut = Rule.lineOfCode(
    "Jaeger's older words, tag and process, stop at the v1 border: one thing has one name in the house.",
    in: { file, house in
      isRoom(file, house) && file.room != "TracestoreV1" && foreignWordExceptions[file.path] == nil
    },
    find: { line, file in
      for word in SwiftText.words(in: line) {
        let parts = SwiftText.parts(of: word.text)
        // To process something is no foreign word; `.process` is how callers name the seed of `SeededHash`.
        if word.text == "process", word.isMember || word.isCall { continue }
        if parts.contains("tag") || parts.contains("tags") { return "says \(word.text)" }
        if parts.contains("process") || parts.contains("processes"), !roomsThatKnowProcesses.contains(file.room) {
          return "says \(word.text)"
        }
      }
      return nil
    })
}

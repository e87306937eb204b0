import Foundation
import Testing

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Stores and systems that refuse: each has its exit status and one sentence.
@Suite struct TroubleTests {
  private func expectSentence(_ run: Run, _ status: Int32, _ words: String...) {
    #expect(run.status == status, "\(run.errors)")
    #expect(run.errors.hasPrefix("tracestore: ") && run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    for word in words { #expect(run.errors.contains(word), "\(run.errors)") }
  }

  /// The administrator may read what nobody else may, so for them that case is left to the other kinds.
  static let unreadable = ["loop", "dangling", "folder", "file/inside"] + (geteuid() == 0 ? [] : ["forbidden"])

  @Test(arguments: unreadable)
  func `an input that cannot be opened is status 3, names itself, and makes no store`(_ kind: String) throws {
    let program = try Program()
    let file = program.path(kind)
    switch kind {
    case "forbidden":
      try Data("{}".utf8).write(to: URL(fileURLWithPath: file))
      chmod(file, 0)
    case "loop": symlink(file, file)
    case "dangling": symlink(program.path("nowhere"), file)
    case "folder": try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: true)
    default: try Data("{}".utf8).write(to: URL(fileURLWithPath: program.path("file")))
    }
    let good = try program.generate(100)
    expectSentence(try program.run("import", file), 3, file)
    // Nor is anything of the others stored when one of the names is wrong.
    expectSentence(try program.run("import", good, file), 3, file)
    #expect(!FileManager.default.fileExists(atPath: program.store))
    let json = try program.run("import", file, "--json")
    #expect(try (json.object()["error"] as? [String: Any])?["code"] as? String == "inputOutput")

    let kept = try program.run("import", file, good, "--keep-going", "--json")
    #expect(kept.status == 3)
    let refused = try #require(kept.object()["refused"] as? [[String: Any]])
    #expect(refused.count == 1 && refused.first?["file"] as? String == file)
    #expect(try program.spanCount() == 100)
  }

  @Test(arguments: [["search"], ["stats"], ["compact"], ["import"]])
  func `a store that has lost CURRENT is told how to get it back`(_ command: [String]) throws {
    let program = try Program()
    let file = try program.generate(100)
    #expect(try program.run("import", file).status == 0)
    try FileManager.default.removeItem(atPath: program.store + "/CURRENT")
    let run = try program.run(arguments: command == ["import"] ? ["import", file] : command)
    expectSentence(run, 1, "no CURRENT", "bring CURRENT back from a copy")
  }

  /// Changes one byte of a file in the store.
  private func flip(_ offset: Int, of name: String, _ program: Program) throws {
    let file = URL(fileURLWithPath: program.store + "/" + name)
    var bytes = try Data(contentsOf: file)
    bytes[offset] ^= 1
    try bytes.write(to: file)
  }

  @Test func `a store whose CURRENT is damaged answers, is told of, and is whole after the next write`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(100)).status == 0)
    try flip(20, of: "CURRENT", program)
    #expect(try program.spanCount() == 100)
    let verified = try program.run("verify", "--json")
    #expect(verified.status == 1)
    let damaged = try #require(verified.object()["damaged"] as? [[String: Any]])
    #expect(damaged.count == 1 && (damaged.first?["file"] as? String)?.hasSuffix("CURRENT") == true)
    #expect(try (verified.object()["pages"] as? Int ?? 0) > 10)
    #expect(try program.run("compact").status == 0)
    #expect(try program.run("verify").status == 0)
    #expect(try program.spanCount() == 100)
  }

  @Test func `verify goes on over segments when the manifest is damaged`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(100)).status == 0)
    #expect(try program.run("compact", "--all").status == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: program.store)
    let manifest = try #require(names.first { $0.hasPrefix("MANIFEST-") })
    let segment = try #require(names.first { $0.hasSuffix(".seg") })
    try flip(100, of: manifest, program)
    try flip(300, of: segment, program)
    let verified = try program.run("verify", "--json")
    #expect(verified.status == 1)
    let damaged = try #require(verified.object()["damaged"] as? [[String: Any]])
    let files = damaged.compactMap { $0["file"] as? String }
    #expect(files.contains { $0.hasSuffix(manifest) } && files.contains { $0.hasSuffix(segment) })
    expectSentence(try program.run("services"), 1, manifest)
  }

  #if os(Linux)
    @Test func `an input that opens and cannot be read is status 3, behind what came before it`() throws {
      let program = try Program()
      let good = try program.generate(100)
      // The first page of a process is never mapped.
      let run = try program.run("import", good, "/proc/self/mem", "--json")
      #expect(run.status == 3)
      let receipt = try run.object()
      #expect(receipt["spans"] as? Int == 100)
      let error = try #require(receipt["error"] as? [String: Any])
      #expect((error["message"] as? String)?.contains("/proc/self/mem") == true)
      #expect(try program.spanCount() == 100)
    }
  #endif

  @Test func `what is asked for and not there is said, with where to look`() throws {
    let program = try Program()
    #expect(try program.run("import", Program.fixture("otlp/shop-morning.otlp")).status == 0)
    let empty = program.path("empty")
    #expect(try program.run("import", "-", "--store", empty).status == 0)
    for (arguments, words) in [
      (["operations", "--service", "nobody"], "No operation was found; tracestore services"),
      (["attributes", "--service", "nobody"], "No attribute was found"),
      (["attributes", "--values", "nothing"], "No value was found; tracestore attributes"),
      (["services", "--store", empty], "No service was found"),
    ] {
      let run = try program.run(arguments: arguments)
      #expect(run.status == 0 && run.errors.hasPrefix(words), "\(run.errors)")
      #expect(try program.run(arguments: arguments + ["--json"]).text == "[]\n")
    }
  }

  @Test func `arguments that are no ids and no attributes are told how those look`() throws {
    let program = try Program()
    expectSentence(try program.run("trace", "xyz"), 2, "1 to 32 hexadecimal digits")
    expectSentence(try program.run("analyze", "critical-path", "xyz"), 2, "1 to 32 hexadecimal digits")
    expectSentence(try program.run("search", "--attribute", "route"), 2, "http.route=/cart")
  }

  @Test func `a file in the place of a store, and outputs that cannot be, are told what to do`() throws {
    let program = try Program()
    let file = program.path("file")
    try Data("text".utf8).write(to: URL(fileURLWithPath: file))
    let morning = Program.fixture("otlp/shop-morning.otlp")
    expectSentence(try program.run("import", morning, "--store", file), 3, "there is a file of this name")
    #expect(try program.run("import", morning).status == 0)
    for out in [program.folder.path, "\(file)/inside", program.path("nowhere/out")] {
      let run = try program.run("export", "--out", out)
      expectSentence(run, 3, out, "check the name")
      #expect(!run.errors.contains("room"), "\(run.errors)")
    }
    // A text is guessed to be a message, which does not mean that people said so.
    let guessed = try program.run("import", file)
    #expect(guessed.status == 1 && guessed.errors.contains("--input-format"), "\(guessed.errors)")
    let named = try program.run("import", file, "--input-format", "otlp-message")
    #expect(named.status == 1 && !named.errors.contains("--input-format"), "\(named.errors)")
  }

  @Test func `a dictionary is found by the name that stats gives its column, or is said to be missing`() throws {
    let program = try Program()
    #expect(try program.run("import", Program.fixture("otlp/shop-morning.otlp")).status == 0)
    let segment = program.store + "/segment-0000000000000001.seg"
    let columns = try #require(program.run("stats", "--json").object()["columns"] as? [[String: Any]])
    let name = "attribute:span:db.system:string"
    #expect(columns.contains { $0["name"] as? String == name || $0["column"] as? String == name })
    let texts = try [name, "span:db.system", "db.system"].map {
      try program.run("dump", segment, "--dictionary", $0).text
    }
    #expect(texts[0].contains("redis") && Set(texts).count == 1)
    // Nor is another column shown for what looks like one with a type behind it.
    for name in ["db.sytem", "db.system:bogus", "span:db.system:", "span:db.system:strings", "resource:db.system"] {
      expectSentence(try program.run("dump", segment, "--dictionary", name), 2, name, "dump --columns")
    }
  }

  @Test(arguments: ["CURRENT", "MANIFEST", "wal"])
  func `a store from a newer format is status 4 and called newer, not damaged`(_ part: String) throws {
    let program = try Program()
    try program.run("import", Program.fixture("otlp/shop-small.json"))
    let (folder, twin) =
      switch part {
      case "CURRENT": (program.store, "newer-version.current")
      case "MANIFEST": (program.store, "newer-version.manifest")
      default: (program.store + "/wal", "newer-version.log")
      }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    let name = try #require(names.first { $0.hasPrefix(part) && $0 != "wal.position" })
    let file = "\(folder)/\(name)"
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Program.fixture("corrupt/\(twin)")))
    try bytes.write(to: URL(fileURLWithPath: file))

    let dumped = try program.run("dump", file)
    #expect(dumped.status == 4, "\(dumped.errors)")
    let verified = try program.run("verify", "--json")
    #expect(verified.status == 4, "\(verified.text) \(verified.errors)")
    for arguments in [["services"], ["search"], ["stats"], ["import", Program.fixture("otlp/shop-small.json")]] {
      let run = try program.start(arguments + ["--json"]).end()
      #expect(run.status == 4, "\(arguments[0]): \(run.errors)")
      #expect(try (run.object()["error"] as? [String: Any])?["code"] as? String == "unsupportedFormat")
      #expect(run.errors.contains("with the version that wrote it"), "\(run.errors)")
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == bytes)
  }

  @Test func `a segment of a newer format is explained as far as it goes, with status 4`() throws {
    let program = try Program()
    let run = try program.run("dump", Program.fixture("corrupt/newer-version.seg"))
    #expect(run.status == 4 && !run.text.isEmpty)
  }

  @Test(arguments: [
    ["services"], ["operations", "--service", "pricing"], ["attributes"], ["attributes", "--values", "service.name"],
    ["search"], ["search", "--format", "ids"], ["search", "--format", "otlp-json"], ["stats"],
  ])
  func `an answer of a damaged store is what remains, then one error, with status 1`(_ command: [String]) throws {
    let program = try Program()
    try program.run("import", program.generate(300))
    let names = try FileManager.default.contentsOfDirectory(atPath: program.store)
    let segment = try #require(names.first { $0.hasSuffix(".seg") }.map { "\(program.store)/\($0)" })
    try program.run("import", Program.fixture("otlp/shop-small.json"))
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment))
    bytes[bytes.count - 20] ^= 1
    try bytes.write(to: URL(fileURLWithPath: segment))

    let run = try program.start(command + ["--json"]).end()
    #expect(run.status == 1)
    let lines = run.text.split(separator: "\n")
    #expect(lines.count >= 2 && lines[0].count > 10, "\(run.text)")
    let last = try JSONSerialization.jsonObject(with: Data(String(lines[lines.count - 1]).utf8))
    let error = (last as? [String: Any])?["error"] as? [String: String]
    #expect(error?["code"] == "corrupt" && error?["message"]?.contains(segment) == true, "\(run.text)")
    expectSentence(run, 1, "damaged: ", segment)
    let plain = try program.start(command).end()
    expectSentence(plain, 1, "damaged: ", segment)
    #expect(!plain.text.contains("error"))
  }

  @Test func `an import into a damaged store is stored, and what is damaged is named, with status 1`() throws {
    let program = try Program()
    try program.run("import", program.generate(300))
    let names = try FileManager.default.contentsOfDirectory(atPath: program.store)
    let segment = try #require(names.first { $0.hasSuffix(".seg") }.map { "\(program.store)/\($0)" })
    try FileManager.default.removeItem(atPath: segment)
    let run = try program.start(["import", Program.fixture("otlp/shop-small.json")]).end()
    expectSentence(run, 1, "damaged: ", segment)
    #expect(run.text.hasPrefix("Stored "))
    let services = try program.start(["services"]).end()
    #expect(services.status == 1 && !services.text.isEmpty, "\(services.errors)")
  }

  @Test func `a second writer is refused while the first goes on, and reading works beside it`() throws {
    let program = try Program()
    let frames = try program.frames(of: program.generate(2000))
    let first = try program.start(["import", "-", "--json"])
    try first.input.write(contentsOf: frames[0])
    try first.wait("the store") { FileManager.default.fileExists(atPath: program.store + "/LOCK") }
    let second = try program.run("import", program.path("traffic.otlp"), "--json")
    #expect(second.status == 3)
    let error = try #require(second.object()["error"] as? [String: Any])
    #expect(error["code"] as? String == "locked")
    let message = try #require(error["message"] as? String)
    #expect(message.contains(program.store) && message.contains("another writer"))
    #expect(!message.contains("read-only"), "no command has such an option")
    try first.wait("the manifest") { FileManager.default.fileExists(atPath: program.store + "/CURRENT") }
    #expect(try program.run("stats").status == 0)
    for frame in frames[1...] { try first.input.write(contentsOf: frame) }
    try first.input.close()
    let done = try first.end()
    #expect(done.status == 0, "\(done.errors)")
    #expect(try done.object()["spans"] as? Int == 2000)
    #expect(try program.spanCount() == 2000)
  }

  @Test func `numbers that an option does not take are told what it takes, also behind a dash`() throws {
    let program = try Program()
    let cases = [
      (["search", "--limit", "-1"], "--limit must be at least 1"),
      (["search", "--limit=-1"], "--limit must be at least 1"),
      (["search", "--limit", "many"], "counts are whole numbers"),
      (["export", "--out", program.path("x"), "--limit", "-3"], "--limit must be at least 1"),
      (["analyze", "critical-path", "--top", "-1"], "--top must be at least 1"),
      (["generate", "--out", program.path("x"), "--spans", "-1"], "--spans must be from 0"),
      (["generate", "--out", program.path("x"), "--spans", "1", "--seed", "-1"], "seeds are whole numbers from 0 on"),
      (["search", "--min-duration", "-1ms"], "durations look like"),
      (["search", "--start", "-1"], "times look like"), (["retain", "--max-bytes", "-1"], "bytes look like"),
      (["metrics", "latency", "--quantile", "-1"], "quantile"), (["dump", "--hex", "-1", "x"], "offsets are"),
      (["search", "--service", "-x"], "equals sign"),
    ]
    for (arguments, words) in cases {
      let run = try program.run(arguments: arguments)
      expectSentence(run, 2, words)
      #expect(!run.errors.contains("Missing value") || words == "equals sign", "\(run.errors)")
    }
  }

  @Test func `names that are no text are refused, and make no store of another name`() throws {
    let program = try Program()
    let more = "set -- \"$@\" --store \"\(program.path("odd"))$(printf '\\377')\""
    expectSentence(try program.run("import", Program.fixture("otlp/shop-morning.otlp"), after: more), 2, "UTF-8")
    let variable = "export TRACESTORE_DIR=\"\(program.path("odd"))$(printf '\\376')\""
    expectSentence(try program.run("services", after: variable), 2, "TRACESTORE_DIR", "UTF-8")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: program.folder.path).allSatisfy { !$0.hasPrefix("odd") })
  }

  @Test func `a disk without room is status 3, what was counted is stored, and room heals it`() throws {
    let calm = try Program()
    let traffic = try calm.generate(3000)
    #expect(try calm.run("import", traffic).status == 0)
    let everything = try calm.records()
    // In blocks of 512 or of 1024 bytes, depending on the shell: enough for some requests, not for all.
    for blocks in [1, 150, 400] {
      let program = try Program()
      let run = try program.run("import", traffic, "--json", after: "ulimit -f \(blocks)")
      #expect(run.status == 3, "\(run.errors)")
      #expect(run.errors.hasPrefix("tracestore: cannot write ") && run.errors.split(separator: "\n").count == 1)
      let error = try #require(run.object()["error"] as? [String: Any])
      #expect(error["code"] as? String == "diskFull")
      // The place is one of the file that could not be written, not of the input.
      let place = run.errors.split(separator: "at byte ").dropFirst().first?.prefix { $0.isNumber }
      #expect(place.flatMap { Int($0) } ?? 0 <= blocks * 1024, "\(run.errors)")
      let stored = try #require(run.object()["spans"] as? Int)
      #expect(stored < 3000 && stored.isMultiple(of: 512))
      #expect(try program.storedSpanCount() == stored)
      #expect(try program.run("verify", "--deep").status == 0)
      #expect(try program.run("import", traffic).status == 0)
      #expect(try program.records() == everything)
    }
  }

  @Test func `an output that has reached the limit on file sizes is status 3, and not about permissions`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(3000)).status == 0)
    let out = program.path("cut.otlp")
    let run = try program.run("export", "--out", out, after: "ulimit -f 1")
    expectSentence(run, 3, out, "make room")
    #expect(!run.errors.contains("permissions"))
    let json = try program.run("export", "--out", out, "--json", after: "ulimit -f 1")
    #expect(try (json.object()["error"] as? [String: Any])?["code"] as? String == "diskFull")
  }

  #if os(Linux)
    @Test func `an output without room is status 3 and says so`() throws {
      let program = try Program()
      #expect(try program.run("import", program.generate(3000)).status == 0)
      expectSentence(try program.run("export", "--out", "/dev/full"), 3, "/dev/full", "No space left", "make room")
      expectSentence(try program.run("generate", "--spans", "10", "--out", "/dev/full"), 3, "/dev/full")
      let dump = try program.run("export", "--out", "-", after: "exec >/dev/full")
      expectSentence(dump, 3, "No space left")
      let table = try program.run("search", after: "exec >/dev/full")
      expectSentence(table, 3, "standard output", "No space left")
    }
  #endif

  @Test func `Ctrl-C ends an import with what is stored, and status 130`() throws {
    let program = try Program()
    let frames = try program.frames(of: program.generate(5000))
    let running = try program.start(["import", "-", "--json"])
    for frame in frames[..<6] { try running.input.write(contentsOf: frame) }
    // Half a request is on its way when the interruption comes.
    try running.input.write(contentsOf: frames[6].prefix(1000))
    try running.wait("six requests") { try program.isStored() && program.storedSpanCount() == 6 * 512 }
    kill(running.process.processIdentifier, SIGINT)
    let run = try running.end()
    try running.input.close()
    #expect(run.status == 130)
    let receipt = try run.object()
    #expect(receipt["requests"] as? Int == 6 && receipt["spans"] as? Int == 6 * 512)
    #expect((receipt["refused"] as? [Any])?.isEmpty == true)
    #expect(try program.storedSpanCount() == 6 * 512)
    #expect(try program.run("verify", "--deep").status == 0)
  }

  @Test func `Ctrl-C ends an export with a file that can be imported`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(20_000)).status == 0)
    // A pipe that nobody reads holds the export up.
    let pipe = program.path("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    let descriptor = open(pipe, O_RDWR | O_NONBLOCK)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let running = try program.start(["export", "--out", pipe, "--json"])
    var exported = Data()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    func take() {
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 { exported += buffer[..<count] }
    }
    try running.wait("the first bytes") {
      take()
      return !exported.isEmpty
    }
    kill(running.process.processIdentifier, SIGINT)
    usleep(200_000)
    var isRunning = true
    var count = -1
    while isRunning || exported.count > count {
      count = exported.count
      isRunning = running.process.isRunning
      take()
    }
    let run = try running.end()
    #expect(run.status == 130, "\(run.errors)")
    let receipt = try run.object()
    #expect(receipt["bytes"] as? Int == exported.count)
    let file = program.path("some.otlp")
    try exported.write(to: URL(fileURLWithPath: file))
    let copy = try Program()
    #expect(try copy.run("import", file).status == 0)
    let spanCount = try copy.spanCount()
    #expect((1..<20_000).contains(spanCount) && receipt["spans"] as? Int == spanCount)
  }

  @Test func `Ctrl-C ends a generator with a file that can be imported`() throws {
    let program = try Program()
    let file = program.path("some.otlp")
    let running = try program.start(["generate", "--spans", "1000000", "--rate", "20000", "--out", file, "--json"])
    try running.wait("the file") {
      (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int).map { $0 > 0 } ?? false
    }
    kill(running.process.processIdentifier, SIGINT)
    let run = try running.end()
    #expect(run.status == 130)
    let count = try #require(run.object()["spans"] as? Int)
    #expect((1..<1_000_000).contains(count))
    let imported = try program.run("import", file, "--json")
    #expect(imported.status == 0, "\(imported.errors)")
    #expect(try imported.object()["spans"] as? Int == count)
  }
}

extension Program {
  func isStored() -> Bool { FileManager.default.fileExists(atPath: store + "/CURRENT") }

  /// Spans in segments and in the log, as a process beside the writer sees them.
  func storedSpanCount() throws -> Int {
    let statistics = try run("stats", "--json").object()
    let (sealed, unsealed) = (statistics["spans"] as? Int, statistics["unsealedRecords"] as? Int)
    return try #require(sealed) + #require(unsealed)
  }
}

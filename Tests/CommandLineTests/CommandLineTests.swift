import Foundation
import Testing

@Suite struct CommandLineTests {
  @Test func `what was generated and imported is found by every command`() throws {
    let program = try Program()
    let traffic = try program.generate(3000)
    let imported = try program.run("import", traffic, "--json")
    #expect(imported.status == 0, "\(imported.errors)")
    let receipt = try imported.object()
    #expect(receipt["spans"] as? Int == 3000)
    #expect((receipt["refused"] as? [Any])?.isEmpty == true)
    #expect(receipt["requests"] is Int && receipt["bytes"] is Int && receipt["seconds"] is NSNumber)

    let services = try program.run("services", "--json").array(of: String.self)
    #expect(!services.isEmpty && services == services.sorted())
    let service = try #require(services.first)
    let operations = try program.run("operations", "--service", service, "--json").array(of: [String: String].self)
    #expect(!operations.isEmpty && operations.allSatisfy { Set($0.keys) == ["name", "spanKind"] })
    let attributes = try program.run("attributes", "--json").array(of: [String: Any].self)
    #expect(!attributes.isEmpty && attributes.allSatisfy { Set($0.keys) == ["key", "level", "type", "count"] })
    let values = try program.run("attributes", "--values", "service.name", "--json").array(of: [String: Any].self)
    #expect(Set(values.compactMap { $0["value"] as? String }) == Set(services))

    let summaries = try program.run("search", "--limit", "5", "--format", "summaries").object()
    let traces = try #require(summaries["traces"] as? [[String: Any]])
    #expect(traces.count == 5 && summaries["truncated"] as? Bool == true)
    let expected: Set = [
      "traceID", "rootService", "rootOperation", "start", "end", "spanCount", "errorSpanCount", "orphanSpanCount",
      "openSpanCount", "services",
    ]
    #expect(traces.allSatisfy { Set($0.keys) == expected })

    let id = try #require(traces[0]["traceID"] as? String)
    let waterfall = try program.run("trace", id)
    #expect(waterfall.status == 0 && waterfall.text.contains("Trace \(id)"))
    let trace = try program.run("trace", id, "--format", "otlp-json").object()
    var spanCount = 0
    for resource in try #require(trace["resourceSpans"] as? [[String: Any]]) {
      for scope in try #require(resource["scopeSpans"] as? [[String: Any]]) {
        let spans = try #require(scope["spans"] as? [[String: Any]])
        #expect(spans.allSatisfy { $0["traceId"] as? String == id })
        spanCount += spans.count
      }
    }
    #expect(spanCount == traces[0]["spanCount"] as? Int)

    let statistics = try program.run("stats", "--json").object()
    #expect(statistics["spans"] as? Int == 3000)
    let dump = try program.run("dump", program.store, "--json")
    #expect(dump.status == 0, "\(dump.errors)")
    #expect(try dump.object()["schema"] as? Int == 1)
    let verified = try program.run("verify", "--deep", "--json")
    #expect(verified.status == 0, "\(verified.errors)")
    #expect((try verified.object()["damaged"] as? [Any])?.isEmpty == true)
  }

  @Test func `compacting keeps every answer and leaves fewer segments`() throws {
    let program = try Program()
    let missing = try program.run("compact", "--all")
    #expect(missing.status == 3 && missing.errors.contains("no store"), "\(missing.errors)")
    for seed in 1...3 {
      try program.run("import", program.generate(400, seed: seed, to: "traffic-\(seed).otlp"))
    }
    func answer() throws -> String { try program.run("search", "--limit", "1000", "--format", "summaries").text }
    let before = try answer()
    let segmentCount = try #require(try program.run("stats", "--json").object()["segments"] as? [Any]).count
    let report = try program.run("compact", "--all", "--json")
    #expect(report.status == 0, "\(report.errors)")
    #expect(try report.object()["segments"] as? Int == segmentCount)
    #expect(try report.object()["newSegments"] as? Int == 1)
    #expect(try answer() == before)
    #expect(try program.run("compact", "--all").text == "Nothing to merge.\n")
    #expect(try program.run("verify", "--deep").status == 0)
  }

  @Test func `pages together are the whole search, without a trace twice`() throws {
    let program = try Program()
    try program.run("import", program.generate(1000))
    func ids(_ found: [String: Any]) throws -> [String] {
      try #require(found["traces"] as? [[String: Any]]).compactMap { $0["traceID"] as? String }
    }
    let all = try ids(program.run("search", "--limit", "100000", "--format", "ids").object())
    var paged: [String] = []
    var page = try program.run("search", "--limit", "7", "--format", "ids").object()
    paged += try ids(page)
    while let token = page["nextPage"] as? String, paged.count <= all.count {
      page = try program.run("search", "--limit", "7", "--format", "ids", "--page", token).object()
      paged += try ids(page)
    }
    #expect(!all.isEmpty && paged == all)
  }

  @Test func `an exported store imports as an equal one, and importing twice changes nothing`() throws {
    let program = try Program()
    let traffic = try program.generate(2000, seed: 7)
    try program.run("import", traffic)
    let before = try program.contents()
    #expect(try program.run("import", traffic).status == 0)
    #expect(try program.contents() == before)
    let lines = try program.run("export", "--format", "otlp-json", "--out", "-").text.split(separator: "\n")
    let ids = try lines.map { try #require($0.firstMatch(of: /"traceId":"([0-9a-f]{32})"/)).1 }
    #expect(ids.count > 10 && ids == ids.sorted() && ids.count == Set(ids).count, "traces in the order of their ids")
    let exported = try program.run("export", "--format", "otlp", "--out", program.path("copy.otlp"), "--json")
    #expect(exported.status == 0, "\(exported.errors)")
    #expect(try exported.object()["spans"] as? Int == 2000)
    let copy = try Program()
    #expect(try copy.run("import", program.path("copy.otlp")).status == 0)
    #expect(try copy.contents() == before)
  }

  @Test func `the slowest traces come by their longest matching span`() throws {
    let program = try Program()
    try program.run("import", program.generate(3000))
    let run = try program.run("search", "--order", "slowest", "--limit", "30", "--format", "otlp-json")
    #expect(run.status == 0, "\(run.errors)")
    var longest: [UInt64] = []
    for line in run.text.split(separator: "\n") {
      var most: UInt64 = 0
      for match in line.matches(of: /"startTimeUnixNano":"(\d+)","endTimeUnixNano":"(\d+)"/) {
        let (start, end) = (try #require(UInt64(match.1)), try #require(UInt64(match.2)))
        most = max(most, end > start ? end - start : 0)
      }
      longest.append(most)
    }
    #expect(longest.count == 30 && longest == longest.sorted(by: >), "\(longest)")
    let page = try program.run("search", "--order", "slowest", "--limit", "10", "--format", "ids").object()
    let token = try #require(page["nextPage"] as? String)
    #expect(try program.run("search", "--limit", "10", "--format", "ids", "--page", token).status == 2)
    #expect(try program.run("search", "--order", "oldest").status == 2)
  }

  @Test(arguments: ["table", "otlp-json", "otlp"])
  func `formats without a place for the next page name it on standard error`(_ format: String) throws {
    let program = try Program()
    try program.run("import", program.generate(500))
    let first = try program.run("search", "--limit", "2", "--format", format)
    #expect(first.status == 0)
    let token = try #require(first.errors.firstMatch(of: /--page (\S+)/)?.1, "\(first.errors)")
    let next = try program.run("search", "--limit", "1000", "--format", "ids", "--page", String(token)).object()
    let all = try program.run("search", "--limit", "1000", "--format", "ids").object()
    func ids(_ page: [String: Any]) throws -> [String?] {
      try #require(page["traces"] as? [[String: Any]]).map { $0["traceID"] as? String }
    }
    #expect(try ids(next) == Array(ids(all).dropFirst(2)))
    #expect(try program.run("search", "--limit", "1000", "--format", format).errors.isEmpty)
  }

  @Test func `spans that share their id stand in one order in the waterfall, however they came`() throws {
    func request(_ service: String) -> Data {
      Data(
        #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"\#(service)"}}]},"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000007","spanId":"0000000000000001","name":"work","startTimeUnixNano":"1767268800000000000","endTimeUnixNano":"1767268800000001000"}]}]}]}"#
          .utf8)
    }
    let texts = try [["first", "second"], ["second", "first"]].map { services in
      let program = try Program()
      for service in services { #expect(try program.run("import", "-", input: request(service)).status == 0) }
      return try program.run("trace", "7").text
    }
    #expect(texts[0].contains("first") && texts[0].contains("second"))
    #expect(texts[0] == texts[1])
  }

  @Test func `values of an attribute are cut at the limit, and that is told`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(500)).status == 0)
    let all = try program.run("attributes", "--values", "service.name", "--json")
    let cut = try program.run("attributes", "--values", "service.name", "--limit", "2", "--json")
    let values = try all.array(of: [String: Any].self).compactMap { $0["value"] as? String }
    #expect(values.count > 2 && all.errors.isEmpty)
    #expect(try cut.array(of: [String: Any].self).compactMap { $0["value"] as? String } == Array(values.prefix(2)))
    #expect(cut.errors.contains("--limit"))
    #expect(try program.run("attributes", "--values", "service.name", "--limit", "0").status == 2)
  }

  @Test func `texts are taken by their bytes, whatever characters they make`() throws {
    let program = try Program()
    func group(_ id: Int, _ service: String, _ span: String) -> String {
      #"{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"\#(service)"}}]},"scopeSpans":[{"spans":[{"traceId":"0000000000000000000000000000000\#(id)",\#(span),"startTimeUnixNano":"1000000000","endTimeUnixNano":"1000000001","attributes":[{"key":"mark","value":{"stringValue":"\#u{301}"}}]}]}]}"#
    }
    let groups = [(1, "caf\u{e9}"), (2, "cafe\u{301}")].flatMap { id, service in
      [
        group(id, "front", #""spanId":"0000000000000001","kind":3"#),
        group(id, service, #""spanId":"0000000000000002","parentSpanId":"0000000000000001","kind":2"#),
      ]
    }
    let input = "{\"resourceSpans\":[" + groups.joined(separator: ",") + "]}"
    #expect(try program.run("import", "-", input: Data(input.utf8)).status == 0)
    #expect(try program.run("dependencies", "--json").array(of: [String: Any].self).count == 2)
    let links = try program.run("dependencies", "--service", "caf\u{e9}", "--json").array(of: [String: Any].self)
    #expect(links.compactMap { $0["child"] as? String }.map { Array($0.utf8) } == [Array("caf\u{e9}".utf8)])
    // The mark makes one character with the sign before it.
    let found = try program.run("search", "--attribute", "mark=\u{301}", "--format", "ids", "--json").object()
    #expect((found["traces"] as? [Any])?.count == 2)
  }

  @Test func `wrong arguments are answered in one line that says how right ones look`() throws {
    let program = try Program()
    try program.run("import", program.generate(50))
    for (arguments, hint) in [
      (["--kind", "foo"], "internal, server, client"), (["--min-duration", "5"], "250us"),
      (["--start", "2026-01-01"], "2026-01-01T08:00:00Z"), (["--service", ""], "--service is empty"),
    ] {
      let run = try program.start(["search"] + arguments).end()
      #expect(run.status == 2 && run.errors.contains(hint), "\(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }
    let folder = try program.run("dump", "--rows", program.path("store"))
    #expect(folder.status == 2 && folder.errors.contains("segment file"), "\(folder.errors)")
    let stranger = program.path("store/CURRENT")
    for options in [["--rows"], ["--dictionary", "service"], ["--try"]] {
      let run = try program.run(arguments: ["dump", stranger] + options)
      #expect(run.status == 2 && run.errors.contains("no segment"), "\(options): \(run.errors)")
    }
    try Data(#"{"resourceLogs":[]}"#.utf8).write(to: URL(fileURLWithPath: program.path("nothing.json")))
    let empty = try program.run("import", program.path("nothing.json"))
    #expect(empty.status == 0 && empty.errors.contains("There is no span"), "\(empty.errors)")
  }

  @Test func `a search explains itself in every format, beside what it finds`() throws {
    let program = try Program()
    try program.run("import", program.generate(500))
    for format in ["table", "ids", "summaries", "otlp-json", "otlp"] {
      let plain = try program.run("search", "--limit", "3", "--format", format)
      let explained = try program.run("search", "--limit", "3", "--format", format, "--explain")
      #expect(explained.status == 0 && explained.output == plain.output, "\(format)")
      #expect(explained.errors.contains("rows: ") && explained.errors.contains("stripes: "), "\(explained.errors)")
      #expect(!plain.errors.contains("rows: "), "\(format)")
    }
    let lines = try program.run("search", "--limit", "3", "--format", "otlp-json", "--json", "--explain")
    #expect(lines.status == 0 && lines.errors.contains("rows: ") && !lines.text.contains("rows: "), "\(lines.errors)")
    let object = try program.run("search", "--limit", "3", "--json", "--explain")
    #expect(try object.object()["explanation"] is [String] && object.errors.isEmpty, "\(object.errors)")
  }

  @Test func `the bytes of all services are those of the segments`() throws {
    let program = try Program()
    try program.run("import", program.generate(2000))
    try program.run("compact", "--all")
    let statistics = try program.run("stats", "--json").object()
    let whole = try #require(statistics["segmentBytes"] as? Int)
    let services = try #require(statistics["services"] as? [[String: Any]]).map {
      try #require($0["estimatedBytes"] as? Int)
    }
    #expect(services.count > 3 && services.allSatisfy { $0 > 0 })
    #expect(abs(services.reduce(0, +) - whole) <= services.count, "\(services) of \(whole)")
  }

  @Test func `files that no manifest counts are named by verify, and are no damage`() throws {
    let program = try Program()
    try program.run("import", program.generate(300))
    try program.run("compact", "--all")
    #expect(try (program.run("verify", "--json").object()["orphans"] as? [Any])?.isEmpty == true)
    let leftovers = ["segment-00000000000000ff.seg", "segment-00000000000000fe.seg.tmp"].map {
      "\(program.store)/\($0)"
    }
    for path in leftovers { try Data("left by a crash".utf8).write(to: URL(fileURLWithPath: path)) }
    try Data("not the store's".utf8).write(to: URL(fileURLWithPath: "\(program.store)/notes.txt"))
    let run = try program.run("verify", "--json")
    #expect(run.status == 0, "\(run.errors)")
    let orphans = try #require(run.object()["orphans"] as? [[String: Any]])
    #expect(orphans.compactMap { $0["file"] as? String } == leftovers.sorted())
    #expect(orphans.allSatisfy { $0["bytes"] as? Int == 15 })
    #expect(try program.run("verify").text.contains("orphan: \(leftovers[0]), 15 B"))
    // The next writer removes them and nothing else.
    try program.run("import", program.generate(10, seed: 2, to: "more.otlp"))
    #expect(leftovers.allSatisfy { !FileManager.default.fileExists(atPath: $0) })
    #expect(FileManager.default.fileExists(atPath: "\(program.store)/notes.txt"))
  }

  @Test func `--keep-going stores what stands behind a refused request`() throws {
    let program = try Program()
    let first = try Data(contentsOf: URL(fileURLWithPath: program.generate(300, seed: 1, to: "first.jsonl")))
    let second = try Data(contentsOf: URL(fileURLWithPath: program.generate(300, seed: 2, to: "second.jsonl")))
    let file = program.path("damaged.jsonl")
    try (first + Data("{\"resourceSpans\":[nonsense\n".utf8) + second).write(to: URL(fileURLWithPath: file))
    let run = try program.run("import", file, "--keep-going", "--json")
    #expect(run.status == 1)
    let refused = try #require(run.object()["refused"] as? [[String: Any]])
    #expect(refused.count == 1)
    #expect(refused.first?["index"] as? Int == first.split(separator: UInt8(ascii: "\n")).count)
    #expect(try program.spanCount() == 600)
  }

  @Test func `each way to fail has its status and one line of explanation`() throws {
    let program = try Program()
    let missing = try program.run("services")
    let noFile = try program.run("import", program.path("absent.otlp"))
    let folder = try program.run("import", program.folder.path)
    try program.run("import", Program.fixture("otlp/shop-small.json"))
    let flag = try program.run("stats", "--no-such-flag")
    let trace = try program.run("trace", "00000000000000000000000000000abc", "--json")
    for (run, status) in [(missing, 3), (noFile, 3), (folder, 3), (flag, 2), (trace, 5)] as [(Run, Int32)] {
      #expect(run.status == status, "\(run.errors)")
      #expect(run.errors.hasPrefix("tracestore: ") && run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }
    let error = try #require(trace.object()["error"] as? [String: Any])
    #expect(error["code"] is String && error["message"] is String)
  }

  @Test(arguments: [
    (["stats", "--no-such-flag"], "tracestore stats"), (["search", "--order", "oldest"], "tracestore search"),
    (["analyze", "compare", "--no-such-flag"], "tracestore analyze compare"),
    (["analyze", "nothing"], "tracestore analyze"),
    (["nothing"], "tracestore"), (["--no-such-flag", "stats"], "tracestore"),
  ])
  func `wrong arguments are answered with the help that explains them`(_ arguments: [String], _ command: String) throws
  {
    let program = try Program()
    let wrong = try program.run(arguments: arguments)
    #expect(wrong.status == 2 && wrong.errors.hasSuffix("(see \(command) --help)\n"), "\(wrong.errors)")
    let help = try program.run(arguments: command.split(separator: " ").dropFirst().map(String.init) + ["--help"])
    #expect(help.status == 0 && help.text.contains("USAGE: \(command)"), "\(help.text)")
  }

  @Test func `a reader that leaves early ends the program without a word`() throws {
    let program = try Program()
    let process = program.process(["generate", "--spans", "200000", "--out", "-"])
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    _ = try output.fileHandleForReading.read(upToCount: 100)
    try output.fileHandleForReading.close()
    let said = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(said.isEmpty, "\(String(decoding: said, as: UTF8.self))")
    #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGPIPE)
  }

  @Test func `an import that was killed and repeated equals one that was not disturbed`() throws {
    let calm = try Program()
    let traffic = try calm.generate(20_000)
    #expect(try calm.run("import", traffic).status == 0)
    let program = try Program()
    let process = program.process(["import", traffic])
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    // Once the log has grown there is a half of the work to lose.
    let deadline = Date().addingTimeInterval(60)
    while process.isRunning, Date() < deadline, program.storedByteCount < 1 << 20 { usleep(1000) }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal, "the import was over before it could be killed")
    #expect(try program.run("import", traffic).status == 0)
    #expect(try program.contents() == calm.contents())
    #expect(try program.run("verify", "--deep").status == 0)
  }
}

extension Program {
  var storedByteCount: Int {
    let manager = FileManager.default
    return (manager.enumerator(atPath: store)?.allObjects ?? []).reduce(0) { sum, name in
      let facts = try? manager.attributesOfItem(atPath: "\(store)/\(name)")
      return sum + ((facts?[.size] as? Int) ?? 0)
    }
  }
}

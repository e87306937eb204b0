import Foundation
import Testing

@Suite struct DeleteCommandTests {
  private func ids(_ program: Program, _ arguments: String...) throws -> [String] {
    let found = try program.run(
      arguments: ["search", "--format", "ids", "--limit", "100000", "--json"] + arguments)
    return try (found.object()["traces"] as? [[String: Any]] ?? []).compactMap { $0["traceID"] as? String }
  }

  @Test func `traces are deleted by id, and a dry run says what would go`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(3000)).status == 0)
    let all = try ids(program)
    let victim = try #require(all.first)
    let dry = try program.run("delete", "--trace", victim, "--dry-run")
    #expect(dry.status == 0 && dry.text.hasPrefix("Would delete ") && dry.text.contains("of 1 trace."), "\(dry.text)")
    #expect(try ids(program) == all)
    let done = try program.run("delete", "--trace", victim, "--json")
    #expect(done.status == 0, "\(done.errors)")
    let receipt = try done.object()
    #expect(receipt["traces"] as? Int == 1 && receipt["dryRun"] as? Bool == false)
    let segments = try #require(receipt["segments"] as? [[String: Any]])
    #expect(segments.count == 1 && segments[0]["deletedSpans"] as? Int == receipt["spans"] as? Int)
    #expect(try ids(program) == Array(all.dropFirst()))
    #expect(try program.run("trace", victim).status == 5)
    let again = try program.run("delete", "--trace", victim)
    #expect(again.status == 5 && again.errors.contains("no trace \(victim)"), "\(again.errors)")
    #expect(try program.run("verify", "--deep").status == 0)
  }

  @Test func `traces are deleted by search flags, whole`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(3000)).status == 0)
    let all = try ids(program)
    let matching = try ids(program, "--status", "error")
    #expect(!matching.isEmpty && matching.count < all.count)
    let dry = try program.run("delete", "--status", "error", "--dry-run", "--json").object()
    #expect(dry["traces"] as? Int == matching.count && (dry["segments"] as? [Any])?.isEmpty == true)
    let done = try program.run("delete", "--status", "error")
    #expect(done.status == 0 && done.text.contains("Deleted ") && done.text.contains("anew: "), "\(done.text)")
    #expect(try Set(ids(program)) == Set(all).subtracting(matching))
    let spans = try program.run("stats", "--json").object()["spans"] as? Int
    #expect(spans == 3000 - (dry["spans"] as? Int ?? 0))
    #expect(try program.run("delete", "--status", "error").text.contains("Nothing to delete"))
  }

  @Test func `a delete of nothing in particular is refused, and so is one of no store`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(500)).status == 0)
    let all = try ids(program)
    for arguments in [
      ["delete"], ["delete", "--dry-run"], ["delete", "--trace", all[0], "--service", "cart"],
      ["delete", "--trace", "nonsense"],
    ] {
      let refused = try program.run(arguments: arguments)
      #expect(refused.status == 2, "\(arguments): \(refused.text)\(refused.errors)")
    }
    #expect(try ids(program) == all)
    let nowhere = try Program()
    #expect(try nowhere.run("delete", "--service", "cart").status == 3)
    #expect(!FileManager.default.fileExists(atPath: nowhere.store))
  }

  @Test func `a delete beside a writer is refused, a dry run is not`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(500)).status == 0)
    let writer = try program.start(["import", "-", "--json"])
    try writer.input.write(contentsOf: try program.frames(of: program.generate(2000))[0])
    try writer.wait("the writer") { (try? program.run("stats", "--json").object()["unsealedRecords"] as? Int) ?? 0 > 0 }
    #expect(try program.run("delete", "--status", "error").status == 3)
    #expect(try program.run("delete", "--status", "error", "--dry-run").status == 0)
    try writer.input.close()
    _ = try writer.end()
  }
}

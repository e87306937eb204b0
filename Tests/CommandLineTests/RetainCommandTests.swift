import Foundation
import Testing

@Suite struct RetainCommandTests {
  @Test func `retain shows what would go, drops it, and then has nothing to do`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(3000)).status == 0)
    let before = try program.run("stats", "--json").object()
    let plan = try program.run("retain", "--max-age", "1h", "--plan", "--json").object()
    #expect(plan["plan"] as? Bool == true && plan["spans"] as? Int == 3000)
    let segments = try #require(plan["segments"] as? [[String: Any]])
    #expect(segments.count == (before["segments"] as? [Any])?.count)
    #expect(segments.allSatisfy { $0["number"] is NSNumber && $0["bytes"] is NSNumber && $0["maxStart"] is String })
    #expect(try program.run("stats", "--json").object()["spans"] as? Int == 3000)
    #expect(try program.run("retain", "--max-bytes", "1GB").text == "Nothing is due.\n")
    let done = try program.run("retain", "--max-age", "1h")
    #expect(done.status == 0 && done.text.contains("SEGMENT") && done.text.contains("Dropped 3,000 spans"))
    #expect(try program.run("stats", "--json").object()["spans"] as? Int == 0)
    #expect(try program.run("verify").status == 0)
  }

  @Test func `what names no bound, or drops everything, is a usage error`() throws {
    let program = try Program()
    for arguments in [
      [], ["--max-age", "0"], ["--max-bytes", "0"], ["--max-bytes", "lots"], ["--max-bytes", "1.5 GB"],
      ["--max-age", "7"],
    ] {
      #expect(try program.run(arguments: ["retain"] + arguments).status == 2, "\(arguments)")
    }
    #expect(try program.run("retain", "--max-age", "1h").status == 3, "there is no store")
  }
}

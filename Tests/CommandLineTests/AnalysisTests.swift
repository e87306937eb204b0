import Foundation
import Testing

@Suite struct AnalysisTests {
  private static func imported() throws -> Program {
    let program = try Program()
    let run = try program.run("import", try program.generate(4000), "--json")
    #expect(run.status == 0, "\(run.errors)")
    return program
  }

  @Test func `dependencies lists links for machines and draws them for people`() throws {
    let program = try Self.imported()
    let links = try program.run("dependencies", "--json").array(of: [String: Any].self)
    #expect(!links.isEmpty)
    for link in links {
      #expect(
        Set(link.keys) == ["parent", "child", "callCount", "errorCount", "source", "connection", "latency"])
      #expect(link["source"] as? String == "tracestore")
    }
    let calls = links.compactMap { $0["callCount"] as? Int }.reduce(0, +)
    let services = Set(try program.run("services", "--json").array(of: String.self))
    #expect(Set(links.compactMap { $0["parent"] as? String }).isSubset(of: services))
    let people = try program.run("dependencies")
    #expect(people.status == 0 && people.text.contains("─ ") && people.text.contains("PARENT"))

    // Windows that divide the time divide the calls.
    let summaries = try program.run("search", "--limit", "400", "--format", "summaries").object()
    let starts = try #require(summaries["traces"] as? [[String: Any]]).compactMap { $0["start"] as? String }.sorted()
    let middle = try #require(starts.dropFirst(starts.count / 2).first)
    var parts = 0
    for flag in ["--start", "--end"] {
      parts += try program.run("dependencies", flag, middle, "--json").array(of: [String: Any].self)
        .compactMap { $0["callCount"] as? Int }.reduce(0, +)
    }
    #expect(parts == calls)

    let unpaired = try program.run("dependencies", "--unpaired", "--json").array(of: [String: Any].self)
    #expect(unpaired.allSatisfy { Set($0.keys) == ["service", "callerCount", "calleeCount"] })
    let parent = try #require(links[0]["parent"] as? String)
    let own = try program.run("dependencies", "--service", parent, "--json").array(of: [String: Any].self)
    #expect(!own.isEmpty && own.allSatisfy { $0["parent"] as? String == parent || $0["child"] as? String == parent })
    #expect(try program.run("dependencies", "--start", "2", "--end", "1").status == 2)
  }

  @Test func `the critical times of analyze critical-path add up to the root time`() throws {
    let program = try Self.imported()
    let all = try program.run("analyze", "critical-path", "--json").object()
    let operations = try #require(all["operations"] as? [[String: Any]])
    #expect(all["spans"] as? Int == 4000 && all["truncated"] as? Bool == false)
    let critical = operations.compactMap { $0["criticalNanoseconds"] as? Int }.reduce(0, +)
    #expect(critical == all["totalNanoseconds"] as? Int)
    let few = try program.run("analyze", "critical-path", "--limit", "5", "--filter", "span.kind = client")
    #expect(few.status == 0 && few.text.hasPrefix("5 traces") && few.errors.contains("Only the newest 5 traces"))
    let ids = try #require(
      program.run("search", "--limit", "1", "--format", "ids").object()["traces"] as? [[String: Any]])
    let id = try #require(ids.first?["traceID"] as? String)
    #expect(try program.run("analyze", "critical-path", id).text.hasPrefix("1 trace,"))
    #expect(try program.run("analyze", "critical-path", "ffff").status == 5)
  }

  @Test func `analyze compare finds nothing between equal sets, and what differs between others`() throws {
    let program = try Self.imported()
    let same = try program.run(
      "analyze", "compare", "--before", "span.kind = server", "--after", "span.kind = server", "--json"
    ).object()
    let rows = try #require(same["operations"] as? [[String: Any]])
    #expect(!rows.isEmpty && (same["edges"] as? [Any])?.isEmpty == true)
    #expect(rows.allSatisfy { $0["presence"] as? String == "both" && $0["p50Change"] as? String != "clear" })
    let summaries = try program.run("search", "--limit", "400", "--format", "summaries").object()
    let starts = try #require(summaries["traces"] as? [[String: Any]]).compactMap { $0["start"] as? String }.sorted()
    let people = try program.run("analyze", "compare", "--deploy", starts[starts.count / 2], "--window", "3h")
    #expect(people.status == 0 && people.text.contains("before: ") && people.text.contains("P95"), "\(people.errors)")
    #expect(try program.run("analyze", "compare").status == 2)
    #expect(try program.run("analyze", "compare", "--deploy", starts[0], "--start", starts[0]).status == 2)
  }
}

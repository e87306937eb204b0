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
    let stats = try program.run("stats", "--json").object()
    #expect(stats["metricsSegments"] as? Int == 1)
    #expect(try program.run("stats").text.contains("hourly figures of expired spans"))
    let dump = try program.run("dump", program.store)
    #expect(dump.status == 0 && dump.text.contains("metrics") && dump.text.contains("calls: 3000"))
    // Figures by the hour have no columns of spans.
    let trial = try program.run("dump", program.store, "--try")
    #expect(trial.status != 0 && trial.errors.contains("there is no segment in"), "\(trial.errors)")

    let window = ["--all-kinds", "--end", "2030-01-01T00:00:00Z", "--lookback", "20000d"]
    let family = try program.run(arguments: ["metrics", "latency", "--by-operation", "--json"] + window).object()
    #expect(family["expiredRows"] as? String == "hourly" && family["errorBound"] as? Double == 1.0 / 64)
    let many = try program.run(arguments: ["metrics", "latency", "--exemplars", "4"] + window)
    #expect(many.status == 2 && many.errors.contains("between 0 and 3"), "\(many.errors)")
    let series = try #require(family["metrics"] as? [[String: Any]])
    #expect(
      series.allSatisfy { ($0["labels"] as? [[String: String]])?.last?["value"] == "expired, hourly" }
        && !series.isEmpty)
    let chart = try program.run(arguments: ["metrics", "calls", "--by-operation"] + window)
    #expect(chart.text.contains("ROWS") && chart.text.contains("by whole hours"))
    let filtered = try program.run(
      arguments: ["metrics", "calls", "--by-operation", "--filter", "span.duration > 1ms"] + window)
    #expect(filtered.text.contains("left out"))

    #expect(try program.run("retain", "--keep-metrics", "1h").text.contains("Dropped 1 metrics segment"))
    #expect(try program.run("stats", "--json").object()["metricsSegments"] as? Int == 0)
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

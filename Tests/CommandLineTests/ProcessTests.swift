import Foundation
import Testing

/// What holds from one process to the next.
@Suite struct ProcessTests {
  /// Rounds of the test that kills; many more in a long run.
  private static let roundCount = Int(ProcessInfo.processInfo.environment["TRACESTORE_KILL_ROUNDS"] ?? "") ?? 4

  @Test func `two processes make the same segments of the same input, and the same of them when they compact`() throws {
    let programs = try [Program(), Program()]
    let traffic = try programs[0].generate(20_000)
    for program in programs { #expect(try program.run("import", traffic).status == 0) }
    let imported = try programs.map { try $0.segments() }
    #expect(!imported[0].isEmpty && imported[0] == imported[1])
    for program in programs { #expect(try program.run("compact", "--all").status == 0) }
    let compacted = try programs.map { try $0.segments() }
    #expect(!compacted[0].isEmpty && compacted[0] == compacted[1])
  }

  @Test func `imports that are killed at any moment lose nothing that was visible, and nothing comes twice`() throws {
    let clean = try Program()
    let traffic = try clean.generate(6_000)
    #expect(try clean.run("import", traffic).status == 0)
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = seed

    let program = try Program()
    var known = 0
    for round in 0..<Self.roundCount {
      let label = "seed \(seed), round \(round)"
      let running = try program.start(["import", traffic])
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      usleep(UInt32((random >> 33) % 700_000))
      // What another process sees has been acknowledged, and must outlive the kill.
      if program.isStored() { known = max(known, try program.visibleSpanCount()) }
      kill(running.process.processIdentifier, SIGKILL)
      _ = try running.end()
      guard program.isStored() else { continue }
      #expect(try program.visibleSpanCount() >= known, "\(label): fewer spans than were seen before")
      let verified = try program.run("verify", "--deep")
      #expect(verified.status == 0, "\(label): \(verified.errors)")
    }
    #expect(try program.run("import", traffic).status == 0)
    #expect(try program.run("compact", "--all").status == 0)
    #expect(try program.records() == clean.records(), "seed \(seed)")
    #expect(try program.spanCount() == 6_000, "seed \(seed)")
  }
}

extension Program {
  fileprivate func segments() throws -> [Data] {
    try FileManager.default.contentsOfDirectory(atPath: store).filter { $0.hasSuffix(".seg") }.sorted()
      .map { try Data(contentsOf: URL(fileURLWithPath: "\(store)/\($0)")) }
  }

  /// Distinct spans that a reader finds, sealed or not.
  fileprivate func visibleSpanCount() throws -> Int {
    let run = try run("search", "--limit", "1000000", "--format", "summaries")
    #expect(run.status == 0, "\(run.errors)")
    let traces = try #require(run.object()["traces"] as? [[String: Any]])
    return try traces.reduce(0) { try $0 + #require($1["spanCount"] as? Int) }
  }
}

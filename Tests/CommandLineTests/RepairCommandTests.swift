import Foundation
import Testing

@Suite struct RepairCommandTests {
  /// A store of 3,000 spans.
  private func makeStore() throws -> Program {
    let program = try Program()
    #expect(try program.run("import", program.generate(3000)).status == 0)
    return program
  }

  private func manifest(_ program: Program) throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: program.store)
    return program.store + "/" + (try #require(names.first { $0.hasPrefix("MANIFEST-") }))
  }

  private func flip(_ offset: Int, of path: String) throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[offset] ^= 0xff
    try bytes.write(to: URL(fileURLWithPath: path))
  }

  @Test func `a damaged manifest is named, a plan says what helps, and a repair does it`() throws {
    let program = try makeStore()
    let path = try manifest(program)
    let name = URL(fileURLWithPath: path).lastPathComponent
    // Behind the header and the creation stands the segment.
    try flip(170, of: path)
    let refused = try program.run("stats")
    #expect(refused.status == 1 && refused.errors.contains("run `tracestore repair --plan`"), "\(refused.errors)")
    #expect(refused.errors.contains(path) && refused.errors.contains("at byte 126"), "\(refused.errors)")
    let verified = try program.run("verify", "--json")
    #expect(verified.status == 1)
    let damaged = try #require(verified.object()["damaged"] as? [[String: Any]])
    #expect(damaged.count == 1 && damaged[0]["file"] as? String == path && damaged[0]["offset"] as? Int == 126)
    #expect(try verified.object()["files"] as? Int ?? 0 > 3, "the others are looked at as well")

    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    let plan = try program.run("repair", "--plan")
    #expect(plan.status == 1 && plan.text.contains("Would write CURRENT and MANIFEST-"), "\(plan.text)\(plan.errors)")
    #expect(plan.text.contains("taken in: segment-") && plan.text.contains("Would merge everything"), "\(plan.text)")
    let planned = try program.run("repair", "--plan", "--json").object()
    #expect(planned["plan"] as? Bool == true && planned["whole"] as? Bool == false)
    #expect((planned["taken"] as? [String])?.isEmpty == false && planned["kept"] as? String == "damaged-1")
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole && program.run("stats").status == 1)

    let done = try program.run("repair")
    #expect(done.status == 0 && done.text.contains("Wrote CURRENT and MANIFEST-"), "\(done.text)\(done.errors)")
    #expect(done.text.contains("Kept what is replaced in damaged-1.") && done.text.contains("Merged 3,000 spans"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: program.store + "/damaged-1/" + name)) == whole)
    #expect(try program.run("stats", "--json").object()["spans"] as? Int == 3000)
    #expect(try program.run("verify", "--deep").status == 0)
    #expect(try program.run("repair").text.hasPrefix("Nothing to repair"))
    let again = try program.run("repair", "--json")
    #expect(again.status == 0)
    #expect(try again.object()["whole"] as? Bool == true && again.object()["plan"] as? Bool == false)
  }

  @Test func `a damaged CURRENT is named and stands in nobody's way, and a repair replaces it`() throws {
    let program = try makeStore()
    try flip(20, of: program.store + "/CURRENT")
    #expect(try program.run("stats", "--json").object()["spans"] as? Int == 3000)
    let verified = try program.run("verify")
    #expect(verified.status == 1 && verified.errors.contains("/CURRENT at byte 0"), "\(verified.errors)")
    let report = try program.run("repair", "--json")
    #expect(report.status == 0)
    #expect(try report.object()["rebuilt"] as? Bool == false && report.object()["merge"] as? Bool == false)
    #expect(FileManager.default.fileExists(atPath: program.store + "/damaged-1/CURRENT"))
    #expect(try program.run("verify").status == 0)
    try FileManager.default.removeItem(atPath: program.store + "/CURRENT")
    let lost = try program.run("verify")
    #expect(lost.status == 1 && lost.text.contains("Checked 4 files"), "\(lost.text)")
    #expect(lost.errors.contains("bring CURRENT back from a copy, or run `tracestore repair"), "\(lost.errors)")
    #expect(try program.run("repair").status == 0)
    #expect(try program.run("stats", "--json").object()["spans"] as? Int == 3000)
  }

  @Test func `damage that a repair does not help against is named, and a plan fails`() throws {
    let program = try makeStore()
    let names = try FileManager.default.contentsOfDirectory(atPath: program.store)
    let segment = program.store + "/" + (try #require(names.first { $0.hasSuffix(".seg") }))
    try FileManager.default.removeItem(atPath: segment)
    for damage in ["segment", "manifest"] {
      if damage == "manifest" { try flip(20, of: manifest(program)) }
      let plan = try program.run("repair", "--plan", "--json")
      #expect(plan.status == 1)
      let damaged = try #require(plan.object()["damaged"] as? [[String: Any]])
      #expect(damaged.count == 1, "\(damaged)")
      #expect(try plan.object()["files"] as? Int ?? 0 > 2 && plan.object()["pages"] is Int)
      #expect(try plan.object()["whole"] as? Bool == (damage == "segment"))
    }
    let done = try program.run("repair")
    #expect(done.status == 1 && done.text.contains("gone: segment-"), "\(done.text)")
    #expect(done.text.contains("bring it back from a copy"), "\(done.text)")
  }

  @Test func `lost settings are those that the command line names`() throws {
    for (name, meaning) in [("open", "an open span"), ("ordinary", "an ordinary value")] {
      let program = try makeStore()
      try FileManager.default.removeItem(atPath: manifest(program))
      let done = try program.run("repair", "--zero-end", name)
      #expect(done.status == 0 && done.text.contains("an end of zero is \(meaning) from now on"), "\(done.text)")
      let dump = try program.run("dump", manifest(program))
      #expect(dump.text.contains("end zero is \(meaning)"), "\(dump.text)")
    }
  }

  @Test func `a repair beside a writer is refused, and so is one of no store`() throws {
    let program = try makeStore()
    let writer = try program.start(["import", "-", "--json"])
    try writer.input.write(contentsOf: try program.frames(of: program.generate(2000))[0])
    try writer.wait("the writer") { (try? program.run("stats", "--json").object()["unsealedRecords"] as? Int) ?? 0 > 0 }
    try flip(100, of: manifest(program))
    let refused = try program.run("repair", "--json")
    #expect(refused.status == 3)
    #expect((try refused.object()["error"] as? [String: Any])?["code"] as? String == "locked", "\(refused.text)")
    #expect(try program.run("repair", "--plan").status == 1)
    try writer.input.close()
    _ = try writer.end()

    let nowhere = try Program()
    #expect(try nowhere.run("repair").status == 3 && nowhere.run("repair", "--plan").status == 3)
    #expect(!FileManager.default.fileExists(atPath: nowhere.store))
  }
}

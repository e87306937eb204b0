import Foundation
import Testing

@Suite struct SnapshotCommandTests {
  @Test func `a snapshot is a store, and is restored after the store is gone`() throws {
    let program = try Program()
    #expect(try program.run("import", program.generate(3000)).status == 0)
    let backup = program.store + "-backup"
    let made = try program.run("snapshot", backup)
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.text.hasPrefix("Made \(backup): 3,000 spans in 1 file, "), "\(made.text)")
    #expect(made.text.contains("all of it shared"), "\(made.text)")
    let search = ["search", "--format", "ids", "--limit", "1000", "--json"]
    let expected = try program.run(arguments: search).text
    #expect(try program.run(arguments: search + ["--store", backup]).text == expected)
    let again = try program.run("snapshot", backup)
    #expect(again.status == 2 && again.errors.contains("name a new folder"), "\(again.status) \(again.errors)")
    try FileManager.default.removeItem(atPath: program.store)
    let restored = try program.run("restore", backup, "--json")
    #expect(restored.status == 0, "\(restored.errors)")
    #expect(try restored.object()["spans"] as? Int == 3000 && restored.object()["files"] as? Int == 1)
    #expect(try program.run(arguments: search).text == expected)
    #expect(try program.run("verify", "--deep").status == 0)
    #expect(try program.run("restore", backup).status == 2)
    #expect(try program.run("restore", backup + "-none", "--store", backup + "-2").status == 3)
    #expect(!FileManager.default.fileExists(atPath: backup + "-2"))
  }

  @Test func `a snapshot of no store makes none, and one beside a writer is refused`() throws {
    let nowhere = try Program()
    #expect(try nowhere.run("snapshot", nowhere.store + "-copy").status == 3)
    #expect(!FileManager.default.fileExists(atPath: nowhere.store))
    #expect(!FileManager.default.fileExists(atPath: nowhere.store + "-copy"))
    let program = try Program()
    #expect(try program.run("import", program.generate(500)).status == 0)
    let writer = try program.start(["import", "-", "--json"])
    try writer.input.write(contentsOf: try program.frames(of: program.generate(2000))[0])
    try writer.wait("the writer") { (try? program.run("stats", "--json").object()["unsealedRecords"] as? Int) ?? 0 > 0 }
    let refused = try program.run("snapshot", program.store + "-copy")
    #expect(refused.status == 3 && refused.errors.contains("another writer"), "\(refused.errors)")
    try writer.input.close()
    _ = try writer.end()
  }
}

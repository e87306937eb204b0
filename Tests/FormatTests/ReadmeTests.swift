import Foundation
import Testing

/// README.md shows the program that `Tests/Embedding` runs, and what it prints.
@Suite struct ReadmeTests {
  private func text(_ path: String) throws -> String {
    try String(contentsOf: FormatDocument.root.appendingPathComponent(path), encoding: .utf8)
  }

  @Test func theFirstProgramIsTheOneThatIsRun() throws {
    let readme = try text("README.md")
    let program = try text("Tests/Embedding/Sources/Minute/Minute.swift")
    #expect(readme.contains("```swift\n\(program)```\n"))
    #expect(readme.contains("```\n\(try text("Tests/Embedding/expected.txt"))```\n"))
  }
}

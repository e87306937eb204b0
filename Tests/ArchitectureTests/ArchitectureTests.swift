import Foundation
import Testing

/// The house as it stands keeps its rules. `RuleTests` proves that each rule can fail.
struct ArchitectureTests {
  let house: House

  /// Read once for all tests: the sources are many.
  private static let loaded = Result { try House.load() }

  init() throws { house = try Self.loaded.get() }

  private func expectKept(_ rule: Rule, sourceLocation: SourceLocation = #_sourceLocation) {
    let violations = rule.check(house)
    #expect(violations.isEmpty, "\(rule.report(violations))", sourceLocation: sourceLocation)
  }

  @Test("The room table and the sources are found and read")
  func houseIsRead() {
    #expect(house.rows.count >= 15)
    #expect(house.row("TraceBytes")?.imports == ["CChecksum", "CLZ4", "CZstd"])
    #expect(house.systemLibraries.contains("CZstd"))
    #expect(house.rows.allSatisfy { row in house.files.contains { $0.room == row.name } })
  }

  @Test("Rooms import only rooms above them") func rowsPointUp() { expectKept(.rowsPointUp) }
  @Test("Every import is in the room's row") func imports() { expectKept(.importsStayInTheRow) }
  @Test("Every source folder is declared") func folders() { expectKept(.foldersAreDeclared) }
  @Test("Embedded rooms name no NIO, gRPC, protobuf or Foundation") func light() {
    expectKept(.embeddedRoomsStayLight)
  }
  @Test("The shim, the server and the dump tool do not know the engine") func views() {
    expectKept(.viewsSeeProtocols)
  }
  @Test("Only public rooms declare public symbols") func access() { expectKept(.onlyPublicRoomsArePublic) }
  @Test("Only the public rooms say async") func async() { expectKept(.onlyDoorsAreAsync) }
  @Test("Only the engine and the server start tasks") func tasks() { expectKept(.onlyTheEngineStartsTasks) }
  @Test("No clock and no chance outside the engine") func chance() { expectKept(.noClockNoChance) }
  @Test("Rooms neither crash on purpose nor print") func surprises() { expectKept(.noSurprises) }
  @Test("Nothing is left for later") func later() { expectKept(.nothingIsLeftForLater) }
  @Test("Foreign words stop at the border") func words() { expectKept(.foreignWordsStayOut) }
  @Test("Every room opens with Room.swift") func doors() { expectKept(.everyRoomOpensWithItsDoor) }
  @Test("FORMAT.md has the sections that rooms name") func format() { expectKept(.formatIsSpecified) }
  @Test("Files stay short") func lengths() { expectKept(.filesStayShort) }
  @Test("The top level stays small") func topLevel() { expectKept(.topLevelStaysSmall) }

  @Test("Every named exception names a file that exists")
  func exceptionsAreAlive() {
    let paths = Set(house.files.map(\.path))
    let named = Array(Rule.chanceAndTimeExceptions.keys) + Array(Rule.foreignWordExceptions.keys)
    #expect(named.filter { !paths.contains($0) }.isEmpty, "an exception that nothing needs hides the next mistake")
  }
}

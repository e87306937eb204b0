import Testing
import TraceFiles
import TraceModel

private func simulated() throws -> SimulatedFileSystem {
  let fileSystem = SimulatedFileSystem()
  try fileSystem.createDirectory("/d")
  return fileSystem
}

private func content(_ fileSystem: SimulatedFileSystem, _ path: String) -> [UInt8]? {
  try? fileSystem.contents(ofFile: path, maximumByteCount: 1 << 30)
}

private func filled(_ byteCount: Int, _ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: byteCount) }

extension File {
  fileprivate func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }
  fileprivate func write(_ bytes: [UInt8], at offset: UInt64) throws {
    try bytes.withUnsafeBytes { try write($0, at: offset) }
  }
}

@Suite struct SimulatedFileSystemTests {
  @Test func unsyncedBytesAreLostOrKeptAsThePolicySays() throws {
    let fileSystem = try simulated()
    let file = try fileSystem.open("/d/f", .create)
    try file.append(filled(1000, 1))
    try file.sync()
    try fileSystem.syncDirectory("/d")
    try file.append(filled(1000, 2))
    #expect(content(fileSystem.crashClone(keeping: .loseUnsynced), "/d/f") == filled(1000, 1))
    #expect(content(fileSystem.crashClone(keeping: .keepAll), "/d/f") == filled(1000, 1) + filled(1000, 2))
    try file.sync()
    #expect(content(fileSystem.crashClone(keeping: .loseUnsynced), "/d/f")?.count == 2000)
  }

  @Test func namesAreDurableOnlyOnceTheirDirectoryIsSynced() throws {
    let fileSystem = try simulated()
    let file = try fileSystem.open("/d/a", .create)
    try file.append("text")
    try file.sync()
    #expect(content(fileSystem.crashClone(keeping: .loseUnsynced), "/d/a") == nil)
    try fileSystem.syncDirectory("/d")
    try fileSystem.rename("/d/a", to: "/d/b")
    let before = fileSystem.crashClone(keeping: .loseUnsynced)
    #expect(try before.contents(ofDirectory: "/d") == ["a"])
    try fileSystem.syncDirectory("/d")
    try fileSystem.remove("/d/b")
    #expect(try fileSystem.crashClone(keeping: .loseUnsynced).contents(ofDirectory: "/d") == ["b"])
    #expect(content(fileSystem.crashClone(keeping: .loseUnsynced), "/d/b") == Array("text".utf8))
    #expect(try fileSystem.crashClone(keeping: .keepAll).contents(ofDirectory: "/d").isEmpty)
  }

  @Test func aSyncedNameOfAnUnsyncedFileIsEmptyAfterTheCrash() throws {
    let fileSystem = try simulated()
    try fileSystem.open("/d/a", .create).append("text")
    try fileSystem.syncDirectory("/d")
    #expect(content(fileSystem.crashClone(keeping: .loseUnsynced), "/d/a") == [])
  }

  @Test func aRandomSubsetKeepsWholeSectorsAndReachesManyStates() throws {
    let fileSystem = try simulated()
    let file = try fileSystem.open("/d/f", .create)
    try file.append(filled(2048, 1))
    try file.sync()
    try fileSystem.syncDirectory("/d")
    try file.write(filled(2048, 2), at: 0)
    var states: Set<[UInt8]> = []
    for seed in UInt64(0)..<200 {
      let bytes = try #require(content(fileSystem.crashClone(keeping: .randomSubset, seed: seed), "/d/f"))
      let sectors = (0..<4).map { bytes[$0 * 512] }
      #expect((0..<4).allSatisfy { Set(bytes[$0 * 512..<$0 * 512 + 512]).count == 1 })
      states.insert(sectors)
      #expect(bytes == content(fileSystem.crashClone(keeping: .randomSubset, seed: seed), "/d/f"))
    }
    #expect(states.count == 16)
  }

  @Test func aTornWriteKeepsAPrefix() throws {
    let fileSystem = try simulated()
    let file = try fileSystem.open("/d/f", .create)
    try file.append(filled(10, 1))
    try file.sync()
    try fileSystem.syncDirectory("/d")
    try file.append(filled(20, 2))
    var counts: Set<Int> = []
    for seed in UInt64(0)..<400 {
      let bytes = try #require(content(fileSystem.crashClone(keeping: .tornLastWrite, seed: seed), "/d/f"))
      #expect(bytes == filled(10, 1) + filled(bytes.count - 10, 2))
      counts.insert(bytes.count)
    }
    #expect(counts == Set(10..<30))
    try file.sync()
    try file.write(filled(4, 3), at: 2)
    var overwritten: Set<[UInt8]> = []
    for seed in UInt64(0)..<100 {
      overwritten.insert(try #require(content(fileSystem.crashClone(keeping: .tornLastWrite, seed: seed), "/d/f")))
    }
    let end = filled(4, 1) + filled(20, 2)
    #expect(
      overwritten == Set((0..<4).map { filled(2, 1) + filled($0, 3) + filled(4 - $0, 1) + end }))
  }

  @Test func aFailedSyncThatDropsPagesLosesThemEvenIfALaterOneSucceeds() throws {
    for dropsPages in [false, true] {
      let fileSystem = try simulated()
      let file = try fileSystem.open("/d/f", .create)
      try fileSystem.syncDirectory("/d")
      try file.append("lost")
      fileSystem.inject(Fault([.sync], dropsDirtyPages: dropsPages))
      #expect(code { try file.sync() } == .inputOutput)
      try file.sync()
      #expect(try file.text() == "lost")
      let kept = content(fileSystem.crashClone(keeping: .keepAll), "/d/f")
      #expect(kept == (dropsPages ? [] : Array("lost".utf8)))
    }
  }

  @Test func faultsHitTheCallTheyAreMeantFor() throws {
    let fileSystem = try simulated()
    fileSystem.inject(Fault([.write], pathSuffix: "/f", skippedCount: 1, appliedByteCount: 2))
    let other = try fileSystem.open("/d/g", .create)
    let file = try fileSystem.open("/d/f", .create)
    try other.append("any")
    try file.append("one")
    #expect(code { try file.append("two") } == .inputOutput)
    #expect(try file.text() == "onetw")
    try file.append("two")
    #expect(try file.text() == "onetwo")
    fileSystem.inject(Fault([.open], errorNumber: Fault.tooManyOpenFiles, isSticky: true))
    for _ in 0..<3 { #expect(code { _ = try fileSystem.open("/d/f", .read) } == .inputOutput) }
    fileSystem.clearFaults()
    _ = try fileSystem.open("/d/f", .read)
  }

  @Test func aFullDiskTakesWhatFitsAndRecovers() throws {
    let fileSystem = try simulated()
    let file = try fileSystem.open("/d/f", .create)
    try file.append("12345")
    fileSystem.capacityByteCount = 8
    #expect(code { try file.append("67890") } == .diskFull)
    #expect(try file.byteCount() == 8)
    #expect(try fileSystem.space(at: "/d").availableByteCount == 0)
    try file.write("x", at: 0)
    #expect(code { try file.truncate(to: 9) } == .diskFull)
    try file.truncate(to: 5)
    #expect(fileSystem.usedByteCount == 5)
    try fileSystem.remove("/d/f")
    #expect(fileSystem.usedByteCount == 5)
    file.close()
    #expect(fileSystem.usedByteCount == 0)
  }

  @Test func afterAHaltNothingWorksAndTheCloneDoes() throws {
    let fileSystem = try simulated()
    let lock = try fileSystem.lock("/d/LOCK")
    try fileSystem.syncDirectory("/d")
    fileSystem.halt(afterOperations: 1)
    let file = try fileSystem.open("/d/f", .create)
    #expect(!fileSystem.isHalted)
    #expect(code { try file.append("x") } == .inputOutput)
    #expect(fileSystem.isHalted)
    #expect(code { _ = try fileSystem.kind(of: "/d") } == .inputOutput)
    let clone = fileSystem.crashClone(keeping: .keepAll)
    _ = try clone.lock("/d/LOCK")
    #expect(try clone.contents(ofDirectory: "/d") == ["LOCK", "f"])
    #expect(clone.bootIdentity != fileSystem.bootIdentity)
    withExtendedLifetime(lock) {}
  }

  @Test func linkedNamesShareTheirBytesAcrossACrash() throws {
    let fileSystem = try simulated()
    let file = try fileSystem.open("/d/f", .create)
    try file.append("x")
    try file.sync()
    try fileSystem.link("/d/f", to: "/d/g")
    try fileSystem.syncDirectory("/d")
    let clone = fileSystem.crashClone(keeping: .loseUnsynced)
    try clone.open("/d/f", .update).append("y")
    #expect(content(clone, "/d/g") == Array("xy".utf8))
    #expect(content(fileSystem, "/d/g") == Array("x".utf8))
    #expect(clone.usedByteCount == 2)
  }

  @Test func randomHistoriesKeepTheLiveImageAndEverySyncedByte() throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    for round in UInt64(0)..<40 {
      let fileSystem = try simulated()
      let file = try fileSystem.open("/d/f", .create)
      try fileSystem.syncDirectory("/d")
      var live: [UInt8] = []
      for step in 0..<60 {
        let value = UInt8(truncatingIfNeeded: step + 1)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0:
          let added = filled(Int.random(in: 0...700, using: &generator), value)
          // The handle's position is at the end only as long as nothing was written beyond it.
          try file.write(added, at: UInt64(live.count))
          live += added
        case 1 where !live.isEmpty:
          let start = Int.random(in: live.indices, using: &generator)
          let added = filled(Int.random(in: 0...live.count - start, using: &generator), value)
          try file.write(added, at: UInt64(start))
          live.replaceSubrange(start..<start + added.count, with: added)
        case 2:
          let byteCount = Int.random(in: 0...live.count + 300, using: &generator)
          try file.truncate(to: UInt64(byteCount))
          live = Array(live.prefix(byteCount)) + filled(max(0, byteCount - live.count), 0)
        case 3:
          try file.sync()
          #expect(content(fileSystem.crashClone(keeping: .loseUnsynced), "/d/f") == live, "seed \(seed)")
        default:
          for policy in CrashPolicy.allCases { _ = fileSystem.crashClone(keeping: policy, seed: round) }
        }
        #expect(content(fileSystem, "/d/f") == live, "seed \(seed)")
        #expect(content(fileSystem.crashClone(keeping: .keepAll), "/d/f") == live, "seed \(seed)")
      }
    }
  }
}

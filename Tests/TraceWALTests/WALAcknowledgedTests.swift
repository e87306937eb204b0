import Testing
import TraceFiles
import TraceModel
import TraceWAL

/// The published position says what was acknowledged since the machine was started: whatever it covers and cannot be read
/// is named, by who reads beside the writer and by recovery.
@Suite struct WALAcknowledgedTests {
  /// Two files: frames 1 to 3, and a group of frames 4 to 9 that were synced together.
  private func log() throws -> SimulatedFileSystem {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...3 { try writer.appendAndWait(frame(index)) }
    _ = try writer.rotate()
    // The first holds the log's thread up, so that the others wait for one sync together.
    let (isHeld, outcomes) = (Monitor(true), Outcomes())
    for index in 4...9 {
      let completion = outcomes.completion(index)
      try writer.append(frame(index)) { result in
        completion(result)
        if index == 4 { isHeld.wait { !$0 } }
      }
    }
    isHeld.withLock { $0 = false }
    isHeld.wakeAll()
    try writer.close()
    #expect(outcomes.succeeded == Array(4...9))
    return fileSystem
  }

  /// What is read of a log with nine frames, if the frames that are missing are named; else nil.
  private func named(_ fileSystem: SimulatedFileSystem, _ place: Comment) throws -> Int {
    let published = try readPublished(fileSystem, mayBeTrimmed: false)
    let recovered = try recover(fileSystem)
    #expect(recovered.payloads == published.payloads, place)
    if published.payloads.count < 9 {
      #expect(published.gaps.contains { $0.isDamage }, place)
      #expect(recovered.report.gaps.contains { $0.isDamage }, place)
    }
    // No number is given again, and what was lost stays to be seen.
    #expect(recovered.report.lastSequence == 9, place)
    let writer = try WALWriter(
      fileSystem: fileSystem, directory: directory, storeID: storeID, after: recovered.report)
    #expect(try writer.appendAndWait(frame(10)) == 10, place)
    try writer.close()
    let later = try readPublished(fileSystem, mayBeTrimmed: false)
    #expect(later.payloads == published.payloads + [payload(10)], place)
    #expect(later.gaps.contains { $0.isDamage } == published.gaps.contains { $0.isDamage }, place)
    return published.payloads.count
  }

  @Test func whatIsLostBeforeADamagedHeaderIsNamedBesideIt() throws {
    let fileSystem = try log()
    var first = try bytes(fileSystem, logPath(1))
    first[first.count - 1] ^= 1
    try fileSystem.overwrite(logPath(1), with: first)
    var second = try bytes(fileSystem, logPath(2))
    second[40] ^= 1
    try fileSystem.overwrite(logPath(2), with: second)
    for gaps in [try readPublished(fileSystem, mayBeTrimmed: false).gaps, try recover(fileSystem).report.gaps] {
      #expect(gaps.map(\.fileNumber) == [1, 2] && gaps.allSatisfy(\.isDamage), "\(gaps)")
    }
  }

  @Test func everyFlippedByteOfAnAcknowledgedFrameIsNamed() throws {
    let byteCounts = try [1, 2].map { try bytes(log(), logPath($0)).count }
    for (index, byteCount) in byteCounts.enumerated() {
      for offset in 64..<byteCount {
        let fileSystem = try log()
        var damaged = try bytes(fileSystem, logPath(UInt64(index + 1)))
        damaged[offset] ^= 1
        try fileSystem.overwrite(logPath(UInt64(index + 1)), with: damaged)
        #expect(try named(fileSystem, "byte \(offset) of file \(index + 1)") == 8)
      }
    }
  }

  @Test func everyCutIsNamed() throws {
    let original = try bytes(log(), logPath(2))
    for byteCount in original.indices {
      let fileSystem = try log()
      try fileSystem.overwrite(logPath(2), with: Array(original.prefix(byteCount)))
      #expect(try named(fileSystem, "cut at byte \(byteCount)") < 9)
    }
  }

  @Test func everyFileThatIsGoneIsNamed() throws {
    for numbers in [[1], [2], [1, 2]] as [[UInt64]] {
      let fileSystem = try log()
      for number in numbers { try fileSystem.remove(logPath(number)) }
      #expect(try named(fileSystem, "without \(numbers)") == (numbers.count == 2 ? 0 : numbers == [1] ? 6 : 3))
    }
  }

  @Test func whatThePositionDoesNotCoverIsATail() throws {
    let fileSystem = try log()
    let original = try bytes(fileSystem, logPath(2))
    try fileSystem.overwrite(logPath(2), with: original + original.suffix(20))
    #expect(try readPublished(fileSystem).gaps.isEmpty)
    let recovered = try recover(fileSystem)
    #expect(recovered.sequences.count == 9 && recovered.report.gaps.isEmpty)
    #expect(recovered.report.tail?.offset == UInt64(original.count))
  }

  @Test func whatAPowerCutTakesOfAWeakerModeIsNoDamage() throws {
    let seed = UInt64.random(in: .min ... .max)
    var lossCount = 0
    for round in UInt64(0)..<60 {
      let machine = SimulatedFileSystem()
      let writer = try openWriter(machine, .none)
      for index in 1...12 { try writer.appendAndWait(frame(index, byteCount: 400)) }
      let clone = machine.crashClone(keeping: .randomSubset, seed: seed &+ round)
      let published = try readPublished(clone, mayBeTrimmed: false)
      if published.payloads.count < 12 { lossCount += 1 }
      #expect(!published.gaps.contains { $0.isDamage }, "seed \(seed &+ round)")
      #expect(try !recover(clone).report.gaps.contains { $0.isDamage }, "seed \(seed &+ round)")
    }
    #expect(lossCount > 10, "few crashes lost anything, so this tests little")
  }

  @Test func whatAKilledWriterHadNotSyncedIsDurableBeforeTheLogGoesOn() throws {
    let machine = SimulatedFileSystem()
    let killed = try openWriter(machine, .none)
    for index in 1...3 { try killed.appendAndWait(frame(index)) }
    // Nothing that the killed one would still do reaches the disk.
    machine.halt(afterOperations: 0)
    try? killed.close()
    machine.clearFaults()
    let writer = try openWriter(machine)
    try writer.appendAndWait(frame(4))
    let recovered = try recover(machine.crashClone(keeping: .loseUnsynced))
    #expect(recovered.sequences == [1, 2, 3, 4])
    #expect(recovered.report.gaps.isEmpty)
    try writer.close()
  }
}

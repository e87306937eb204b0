import Testing
import TraceFiles
import TraceModel
import TraceWAL

@Suite struct WALWriterTests {
  @Test func framesComeBackInOrderWithEverythingTheyCarried() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...20 { #expect(try writer.appendAndWait(frame(index)) == UInt64(index)) }
    try writer.close()
    try writer.close()
    var reader = try WALReader(fileSystem: fileSystem, directory: directory, storeID: nil, mode: .everything)
    for index in 1...20 {
      let record = try #require(try reader.next())
      #expect(try record.payload() == payload(index))
      #expect(record.kind == .request && record.sequence == UInt64(index))
      #expect(record.arrivalNanoseconds == UInt64(1000 + index) && record.rulesVersion == UInt32(index & 7))
      #expect(record.compression == (index.isMultiple(of: 2) ? .lz4 : .none))
    }
    #expect(try reader.next() == nil)
    #expect(reader.gaps.isEmpty && reader.tail == nil)
  }

  @Test func emptyAndLargePayloadsComeBack() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    let sizes = [0, 1, 300_000, 262_144 - 52, 3_000_001, 5]
    for size in sizes {
      try writer.appendAndWait(
        WALFrame(kind: .annotation, payload: payload(1, byteCount: size).suffix(size), arrivalNanoseconds: 0))
    }
    try writer.close()
    #expect(try recover(fileSystem).payloads.map(\.count) == sizes)
  }

  @Test func anAcknowledgedFrameSurvivesTheLossOfEverythingUnsynced() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...5 {
      try writer.appendAndWait(frame(index))
      let after = fileSystem.crashClone(keeping: .loseUnsynced)
      #expect(try recover(after).payloads == (1...index).map { payload($0) })
    }
    try writer.close()
  }

  @Test func otherModesSyncLaterButAtTheLatestWhenAskedOrClosed() throws {
    for durability in [WALDurability.none, .interval(nanoseconds: 3_600_000_000_000)] {
      let fileSystem = SimulatedFileSystem()
      let writer = try openWriter(fileSystem, durability)
      try writer.appendAndWait(frame(1))
      #expect(try recover(fileSystem.crashClone(keeping: .loseUnsynced)).payloads.isEmpty)
      try writer.sync()
      #expect(try recover(fileSystem.crashClone(keeping: .loseUnsynced)).payloads.count == 1)
      try writer.appendAndWait(frame(2))
      try writer.close()
      #expect(try recover(fileSystem.crashClone(keeping: .loseUnsynced)).payloads.count == 2)
    }
  }

  @Test func theIntervalModeSyncsByItself() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem, .interval(nanoseconds: 2_000_000))
    try writer.appendAndWait(frame(1))
    let start = monotonicNanoseconds()
    while writer.statistics.syncCount == 0, monotonicNanoseconds() - start < 20_000_000_000 {}
    #expect(try recover(fileSystem.crashClone(keeping: .loseUnsynced)).payloads.count == 1)
    try writer.close()
  }

  @Test func sixtyFourThreadsAreOrderedDurableAndShareSyncs() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem, maximumQueuedByteCount: 2000)
    let outcomes = Outcomes()
    let order = Monitor<[Int]>([])
    let threads = try (0..<64).map { thread in
      try WorkerThread(name: "producer") {
        for step in 0..<20 {
          let index = thread * 100 + step
          do {
            let made = try frame(index)
            writer.waitForRoom()
            try order.withLock { list in
              try writer.append(made, completion: outcomes.completion(index))
              list.append(index)
            }
          } catch { Issue.record(error) }
        }
      }
    }
    for thread in threads { thread.join() }
    try writer.close()
    let expected = order.withLock { $0 }
    #expect(expected.count == 64 * 20)
    #expect(outcomes.order == expected)
    #expect(outcomes.failures.isEmpty)
    let recovered = try recover(fileSystem.crashClone(keeping: .loseUnsynced))
    #expect(recovered.payloads == expected.map { payload($0) })
    #expect(writer.statistics.syncCount < 64 * 20 && writer.statistics.frameCount == 64 * 20)
  }

  @Test func aFailedSyncPoisonsAndIsNeverTriedAgain() throws {
    for dropsPages in [false, true] {
      let fileSystem = SimulatedFileSystem()
      let writer = try openWriter(fileSystem)
      try writer.appendAndWait(frame(1))
      fileSystem.inject(Fault([.sync], pathSuffix: ".log", dropsDirtyPages: dropsPages))
      #expect { try writer.appendAndWait(frame(2)) } throws: { code($0) == .poisoned }
      let count = fileSystem.operationCount
      #expect { try writer.appendAndWait(frame(3)) } throws: { code($0) == .poisoned }
      #expect { try writer.sync() } throws: { code($0) == .poisoned }
      #expect { try writer.rotate() } throws: { code($0) == .poisoned }
      #expect { try writer.close() } throws: { code($0) == .poisoned }
      #expect(fileSystem.operationCount == count)
      #expect(try recover(fileSystem.crashClone(keeping: .loseUnsynced)).payloads == [payload(1)])
      // The store opens again and goes on.
      let after = fileSystem.crashClone(keeping: .keepAll)
      let again = try openWriter(after)
      try again.appendAndWait(frame(4))
      try again.close()
      #expect(try recover(after).payloads.last == payload(4))
    }
  }

  @Test func aFailedWriteOrPositionPoisons() throws {
    for suffix in [".log", ".position"] {
      let fileSystem = SimulatedFileSystem()
      let writer = try openWriter(fileSystem)
      try writer.appendAndWait(frame(1))
      fileSystem.inject(Fault([.write], pathSuffix: suffix, appliedByteCount: 17))
      #expect { try writer.appendAndWait(frame(2)) } throws: { code($0) == .poisoned }
      #expect { try writer.appendAndWait(frame(3)) } throws: { code($0) == .poisoned }
      #expect(try recover(fileSystem).payloads.first == payload(1))
    }
  }

  @Test func aFullDiskFailsAppendsCleanlyAndRecoversByItself() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    try writer.appendAndWait(frame(1))
    for room in 0..<115 {
      fileSystem.capacityByteCount = fileSystem.usedByteCount + UInt64(room % 100)
      #expect { try writer.appendAndWait(frame(3, byteCount: 200)) } throws: { code($0) == .diskFull }
      for policy in CrashPolicy.allCases {
        let after = try recover(fileSystem.crashClone(keeping: policy, seed: UInt64(room)))
        #expect(after.payloads == [payload(1)])
      }
    }
    fileSystem.capacityByteCount = .max
    try writer.appendAndWait(frame(5))
    #expect(writer.failure == nil)
    try writer.close()
    let recovered = try recover(fileSystem)
    #expect(recovered.payloads == [payload(1), payload(5)])
    #expect(recovered.report.gaps.isEmpty && recovered.report.tail == nil)
  }

  @Test func aSmallFrameIsNotStoredBehindALargeOneThatFoundNoRoom() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    try writer.appendAndWait(frame(1))
    let before = writer.refusalCount
    // Bytes that do not get smaller.
    var noise = (0..<400).map { UInt8(truncatingIfNeeded: $0 &* 40_503 >> 5 ^ $0) }
    for index in noise.indices.dropFirst() { noise[index] = noise[index] &* 181 &+ noise[index - 1] &* 7 }
    let (small, large) = (try frame(3), try WALFrame(kind: .request, payload: noise, arrivalNanoseconds: 2))
    try #require(small.byteCount < large.byteCount)
    fileSystem.capacityByteCount = fileSystem.usedByteCount + UInt64(large.byteCount) - 1
    #expect { try writer.appendAndWait(large) } throws: { code($0) == .diskFull }
    let outcome = Monitor<Result<Void, any Error>?>(nil)
    // Admitted before the refusal, it would fit.
    try writer.append(small, after: before) { result in
      outcome.withLock { $0 = result }
      outcome.wakeAll()
    }
    #expect {
      try outcome.withLock(waitingUntil: { $0 != nil }, { $0 })?.get()
    } throws: { code($0) == .diskFull }
    // The refusal is known now.
    try writer.sync()
    #expect(writer.refusalCount == before + 1)
    try writer.appendAndWait(frame(4))
    #expect(try recover(fileSystem).payloads == [payload(1), payload(4)])
  }

  @Test func aFullDiskThatCannotBeCutBackPoisons() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    try writer.appendAndWait(frame(1))
    fileSystem.capacityByteCount = fileSystem.usedByteCount + 20
    fileSystem.inject(Fault([.truncate]))
    #expect { try writer.appendAndWait(frame(2)) } throws: { code($0) == .poisoned }
    #expect(try recover(fileSystem.crashClone(keeping: .keepAll)).payloads == [payload(1)])
  }

  @Test func rotationStartsAFileAndTrimmingRemovesWholeFiles() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    var closed: [WALRecoveryReport.ClosedFile] = []
    for file in 0..<4 {
      for index in 1...3 { try writer.appendAndWait(frame(file * 3 + index)) }
      if file < 3 { closed.append(try #require(try writer.rotate())) }
    }
    #expect(closed.map(\.lastSequence) == [3, 6, 9])
    #expect(writer.statistics.fileCount == 4)
    #expect(try writer.trim(below: 6) == closed[0].byteCount)
    #expect(try writer.trim(below: 7) == closed[1].byteCount)
    #expect(try recover(fileSystem.crashClone(keeping: .keepAll), from: 7).payloads == (7...12).map { payload($0) })
    #expect(try writer.trim(below: 100) == closed[2].byteCount)
    try writer.close()
    let rest = try recover(fileSystem, from: 10)
    #expect(rest.payloads == (10...12).map { payload($0) })
    #expect(rest.report.gaps.isEmpty)
    // Without the manifest's word the missing files are missing.
    #expect(try recover(fileSystem).report.gaps.map(\.isDamage) == [true])
  }

  @Test func aRotationThatFindsNoRoomLeavesTheWriterOnItsFile() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    try writer.appendAndWait(frame(1))
    fileSystem.capacityByteCount = fileSystem.usedByteCount + 10
    #expect { try writer.rotate() } throws: { code($0) == .diskFull }
    fileSystem.capacityByteCount = .max
    try writer.appendAndWait(frame(2))
    #expect(try writer.rotate()?.lastSequence == 2)
    try writer.appendAndWait(frame(3))
    try writer.close()
    let recovered = try recover(fileSystem)
    #expect(recovered.sequences == [1, 2, 3] && recovered.report.gaps.isEmpty)
  }

  @Test func aWriterOpensOnAFullDiskAndStartsItsFileWithTheFirstFrameThatFindsRoom() throws {
    let fileSystem = SimulatedFileSystem()
    do {
      let writer = try openWriter(fileSystem)
      try writer.appendAndWait(frame(1))
      try writer.close()
    }
    fileSystem.capacityByteCount = fileSystem.usedByteCount
    let writer = try openWriter(fileSystem)
    #expect(writer.statistics.fileCount == 1)
    #expect(try writer.rotate() == nil, "there is nothing to end")
    #expect { try writer.appendAndWait(frame(2)) } throws: { code($0) == .diskFull }
    for policy in CrashPolicy.allCases {
      let after = try recover(fileSystem.crashClone(keeping: policy))
      #expect(after.payloads == [payload(1)] && after.report.gaps.isEmpty, "\(policy)")
    }
    // What is in a segment goes, although no file follows it.
    let trimmed = fileSystem.crashClone(keeping: .keepAll)
    trimmed.capacityByteCount = trimmed.usedByteCount
    do {
      let other = try WALWriter(
        fileSystem: trimmed, directory: directory, storeID: storeID, after: try recover(trimmed).report)
      #expect(try other.trim(below: 2) > 0)
      try other.close()
    }
    trimmed.capacityByteCount = .max
    let report = try recover(trimmed, from: 2).report
    #expect(report.lastSequence == 1 && report.files.isEmpty && report.gaps.isEmpty)
    let next = try WALWriter(fileSystem: trimmed, directory: directory, storeID: storeID, after: report)
    #expect(try trimmed.exists(joinedPath(directory, "wal-0000000000000002.log")), "no number comes twice")
    try next.close()
    fileSystem.capacityByteCount = .max
    try writer.appendAndWait(frame(3))
    #expect(try writer.rotate() != nil)
    try writer.appendAndWait(frame(4))
    try writer.close()
    for clone in [fileSystem, fileSystem.crashClone(keeping: .loseUnsynced)] {
      let recovered = try recover(clone)
      #expect(recovered.payloads == [payload(1), payload(3), payload(4)])
      #expect(recovered.report.gaps.isEmpty && recovered.report.tail == nil)
    }
  }

  @Test func aFileThatCannotBeSyncedIsNoFullDisk() throws {
    let fileSystem = SimulatedFileSystem()
    try fileSystem.createDirectory(directory)
    fileSystem.inject(Fault([.sync], errorNumber: Fault.noSpace))
    #expect { try openWriter(fileSystem) } throws: { code($0) == .diskFull }
  }

  @Test func openingAgainGoesOnWithSequencesAndLeavesNoEmptyFiles() throws {
    let fileSystem = SimulatedFileSystem()
    for round in 1...5 {
      let writer = try openWriter(fileSystem)
      if round != 3 { try writer.appendAndWait(frame(round)) }
      try writer.close()
      #expect { try writer.append(frame(1), completion: { _ in }) } throws: { code($0) == .closed }
    }
    #expect(try recover(fileSystem).sequences == [1, 2, 3, 4])
    let names = try fileSystem.contents(ofDirectory: directory)
    #expect(names.compactMap(WALFormat.fileNumber) == [1, 2, 4, 5])
    #expect(names.last == WALFormat.positionFileName)
  }

  @Test func aPayloadAboveTheLimitIsRefused() {
    let huge = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(throws: Never.self) { try WALFrame(kind: .request, payload: huge, arrivalNanoseconds: 0) }
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: WALFormat.maximumPayloadByteCount + 1, alignment: 1)
    defer { memory.deallocate() }
    #expect {
      try WALFrame(kind: .request, payload: UnsafeRawBufferPointer(memory), arrivalNanoseconds: 0)
    } throws: {
      code($0) == .limitExceeded
    }
  }
}

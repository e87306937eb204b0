import Testing
import TraceFiles
import TraceModel
import TraceWAL

@Suite struct WALFollowerTests {
  @Test func aFollowerSeesExactlyWhatWasAcknowledged() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    var cursor = WALCursor()
    var seen: [[UInt8]] = []
    for index in 1...12 {
      try writer.appendAndWait(frame(index))
      if index.isMultiple(of: 5) { _ = try writer.rotate() }
      let (fresh, next, _) = try readPublished(fileSystem, from: cursor)
      cursor = next
      seen += fresh
      #expect(fresh == [payload(index)])
      #expect(try readPublished(fileSystem).payloads == seen)
      #expect(try readPublished(fileSystem, from: cursor).payloads.isEmpty)
    }
    // A frame that is written and not acknowledged stays hidden.
    fileSystem.inject(Fault([.sync], pathSuffix: ".log"))
    #expect(throws: (any Error).self) { try writer.appendAndWait(frame(13)) }
    #expect(try recover(fileSystem.crashClone(keeping: .keepAll)).payloads.count == 13)
    #expect(try readPublished(fileSystem, from: cursor).payloads.isEmpty)
  }

  @Test func aRefreshReadsOnlyWhatIsNew() throws {
    let base = SimulatedFileSystem()
    let writer = try openWriter(base)
    for index in 1...50 { try writer.appendAndWait(frame(index, byteCount: 4001)) }
    let fileSystem = CountingFileSystem(base)
    let (payloads, cursor, _) = try readPublished(fileSystem)
    #expect(payloads.count == 50)
    try writer.appendAndWait(frame(51, byteCount: 4001))
    fileSystem.reset()
    #expect(try readPublished(fileSystem, from: cursor).payloads.count == 1)
    #expect(fileSystem.snapshot().total(pathSuffix: ".log").readByteCount < 4500)
  }

  @Test func withoutAValidSlotAFollowerStopsAtTheFirstInvalidFrame() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...5 { try writer.appendAndWait(frame(index, byteCount: 61)) }
    try writer.close()
    let position = joinedPath(directory, WALFormat.positionFileName)
    var log = try bytes(fileSystem, logPath(1))
    log[64 + 52 + 8] ^= 1
    try fileSystem.overwrite(logPath(1), with: log)
    // With a position the bad frame is damage, and the reading goes on after it.
    let (published, _, gaps) = try readPublished(fileSystem)
    #expect(published.count == 4 && gaps.map(\.isDamage) == [true])
    try fileSystem.overwrite(position, with: [UInt8](repeating: 0, count: 128))
    #expect(try readPublished(fileSystem).payloads.count < published.count)
    try fileSystem.remove(position)
    #expect(try readPublished(fileSystem).payloads.count < published.count)
  }

  @Test func aTornSlotLeavesThePreviousOneAndEveryFlipIsNoticed() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...4 { try writer.appendAndWait(frame(index)) }
    try writer.close()
    let path = joinedPath(directory, WALFormat.positionFileName)
    let original = try bytes(fileSystem, path)
    let newest = try #require(
      try WALPositions.read(fileSystem: fileSystem, directory: directory, storeID: storeID).newest)
    #expect(newest.sequence == 4 && newest.fileNumber == 1)
    for offset in original.indices {
      var changed = original
      changed[offset] ^= 0x10
      try fileSystem.overwrite(path, with: changed)
      let read = try WALPositions.read(fileSystem: fileSystem, directory: directory, storeID: storeID)
      let isNewest = UInt64(offset / 64) == newest.edition & 1
      #expect(read.newest?.sequence == (isNewest ? 3 : 4))
      #expect(read.damagedSlots == [offset / 64])
      // Which slot was the newer one cannot be told any more, so the frames say how far the log goes.
      #expect(try readPublished(fileSystem).payloads.count == 4)
    }
    for byteCount in original.indices {
      try fileSystem.overwrite(path, with: Array(original.prefix(byteCount)))
      let read = try WALPositions.read(fileSystem: fileSystem, directory: directory, storeID: storeID)
      #expect(read.newest == nil || read.newest?.sequence == 3 || read.newest?.sequence == 4)
    }
  }

  @Test func aPositionFromBeforeARestartIsNotBelieved() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...2 { try writer.appendAndWait(frame(index)) }
    let path = joinedPath(directory, WALFormat.positionFileName)
    let old = try bytes(fileSystem, path)
    try writer.appendAndWait(frame(3))
    let restarted = fileSystem.crashClone(keeping: .keepAll)
    try restarted.overwrite(path, with: old)
    #expect(try readPublished(restarted).payloads.count == 3)
    try writer.close()
  }

  @Test func slotsFromBeforeARestartAreNotCalledDamageWhateverTheyHold() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...3 { try writer.appendAndWait(frame(index)) }
    try writer.close()
    let path = joinedPath(directory, WALFormat.positionFileName)
    for offset in 0..<128 {
      let restarted = fileSystem.crashClone(keeping: .keepAll)
      var torn = try bytes(restarted, path)
      torn[offset] ^= 1
      try restarted.overwrite(path, with: torn)
      let read = try WALPositions.read(fileSystem: restarted, directory: directory, storeID: storeID)
      #expect(read.newest == nil && read.damagedSlots.isEmpty)
      #expect(try readPublished(restarted).payloads.count == 3)
    }
  }

  @Test func framesTrimmedAwayAskForTheManifestAgain() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    for index in 1...3 {
      try writer.appendAndWait(frame(index))
      _ = try writer.rotate()
    }
    try writer.appendAndWait(frame(4))
    let (_, cursor, _) = try readPublished(fileSystem)
    try writer.trim(below: 3)
    #expect { try readPublished(fileSystem) } throws: { code($0) == .snapshotExpired }
    #expect(try readPublished(fileSystem, from: WALCursor(minimumSequence: 3)).payloads.count == 2)
    #expect(try readPublished(fileSystem, from: cursor).payloads.isEmpty)
    try writer.appendAndWait(frame(5))
    #expect(try readPublished(fileSystem, from: cursor).payloads == [payload(5)])
    try writer.close()
  }

  @Test func aFollowerBesideABusyWriterNeverSeesGapsOrStrangers() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    let isDone = Monitor(false)
    let follower = try WorkerThread(name: "follower") {
      do {
        var cursor = WALCursor()
        var expected = 1
        while true {
          let isLast = isDone.withLock { $0 }
          let (fresh, next, gaps) = try readPublished(fileSystem, from: cursor)
          cursor = next
          #expect(gaps.isEmpty)
          for bytes in fresh {
            #expect(bytes == payload(expected))
            expected += 1
          }
          if isLast { break }
        }
        #expect(expected == 301)
      } catch { Issue.record(error) }
    }
    for index in 1...300 {
      try writer.appendAndWait(frame(index))
      if index.isMultiple(of: 40) { _ = try writer.rotate() }
    }
    isDone.withLock { $0 = true }
    follower.join()
    try writer.close()
  }

  @Test func aDirectoryThatIsNotThereYetIsAnEmptyLog() throws {
    let fileSystem = SimulatedFileSystem()
    #expect(try readPublished(fileSystem).payloads.isEmpty)
  }
}

import Testing
import TraceBytes
import TraceFiles
import TraceModel
import TraceWAL

/// A log of two files with five frames each, the last frames of one group among them.
private func smallLog() throws -> SimulatedFileSystem {
  let fileSystem = SimulatedFileSystem()
  let writer = try openWriter(fileSystem)
  for index in 1...5 { try writer.appendAndWait(frame(index, byteCount: 24)) }
  _ = try writer.rotate()
  for index in 6...10 { try writer.appendAndWait(frame(index, byteCount: 24)) }
  try writer.close()
  return fileSystem
}

private func smallPayload(_ index: Int) -> [UInt8] { payload(index, byteCount: 24) }

/// Reads everything; frames must be ones that were written, in order. Returns which, or the error's code.
private func surviving(_ fileSystem: SimulatedFileSystem) -> Result<
  (frames: [Int], report: WALRecoveryReport), TracestoreError
> {
  do {
    let recovered = try recover(fileSystem)
    for (payload, sequence) in zip(recovered.payloads, recovered.sequences) {
      #expect(payload == smallPayload(Int(sequence)))
    }
    return .success((recovered.sequences.map { Int($0) }, recovered.report))
  } catch let error as TracestoreError {
    return .failure(error)
  } catch {
    Issue.record(error)
    return .failure(TracestoreError(.corrupt, "an error of another type"))
  }
}

@Suite struct WALDamageTests {
  @Test func everyFlippedByteIsNamedAndCostsAtMostItsFrame() throws {
    let whole = try smallLog()
    for number in [UInt64(1), 2] {
      let original = try bytes(whole, logPath(number))
      for offset in original.indices {
        for mask in [UInt8(0x01), 0x80, 0xff] {
          let fileSystem = whole.crashClone(keeping: .keepAll)
          var damaged = original
          damaged[offset] ^= mask
          try fileSystem.overwrite(logPath(number), with: damaged)
          guard case .success(let (frames, report)) = surviving(fileSystem) else {
            Issue.record("a flip at \(offset) of file \(number) made the log unreadable")
            continue
          }
          #expect(frames.count >= 9)
          if frames.count == 10 {
            #expect(offset < 64 && report.gaps.map(\.offset) == [0])
          } else if frames.last == 9 {
            #expect(report.tail?.fileNumber == 2)
          } else {
            #expect(report.gaps.count == 1 && report.gaps[0].isDamage && report.gaps[0].fileNumber == number)
            #expect(report.gaps[0].offset <= UInt64(offset))
            #expect(report.gaps[0].offset + report.gaps[0].byteCount > UInt64(offset))
          }
        }
      }
    }
  }

  @Test func everyTruncationOfTheLastFileIsATailAndOfAnEarlierOneDamage() throws {
    let whole = try smallLog()
    for number in [UInt64(1), 2] {
      let original = try bytes(whole, logPath(number))
      for byteCount in 0..<original.count {
        let fileSystem = whole.crashClone(keeping: .keepAll)
        try fileSystem.overwrite(logPath(number), with: Array(original.prefix(byteCount)))
        guard case .success(let (frames, report)) = surviving(fileSystem) else {
          Issue.record("a cut at \(byteCount) made the log unreadable")
          continue
        }
        if number == 2 {
          #expect(frames == Array(1...(5 + report.frameCount - 5)) && report.gaps.isEmpty)
          // Once it has been cut there is nothing left to cut.
          let again = try recover(fileSystem)
          #expect(again.report.tail == nil && again.sequences.count == frames.count)
        } else {
          #expect(frames.suffix(5) == [6, 7, 8, 9, 10])
          #expect(report.gaps.contains { $0.isDamage })
        }
      }
    }
  }

  @Test func randomBytesNeverTrapNorInventFrames() throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    let whole = try smallLog()
    for _ in 0..<1500 {
      let fileSystem = whole.crashClone(keeping: .keepAll)
      let number = UInt64.random(in: 1...2, using: &generator)
      var damaged = try bytes(whole, logPath(number))
      switch Int.random(in: 0..<4, using: &generator) {
      case 0:
        for _ in 0..<Int.random(in: 1...20, using: &generator) {
          damaged[Int.random(in: damaged.indices, using: &generator)] = .random(in: .min ... .max, using: &generator)
        }
      case 1:
        let cut = Int.random(in: damaged.indices, using: &generator)
        damaged.removeSubrange(cut..<Int.random(in: cut...damaged.count, using: &generator))
      case 2:
        let start = Int.random(in: damaged.indices, using: &generator)
        damaged.insert(contentsOf: damaged[start...], at: Int.random(in: damaged.indices, using: &generator))
      default:
        damaged = (0..<Int.random(in: 0...400, using: &generator)).map { _ in
          .random(in: .min ... .max, using: &generator)
        }
      }
      try fileSystem.overwrite(logPath(number), with: damaged)
      if case .success(let (frames, _)) = surviving(fileSystem) {
        #expect(frames == Array(Set(frames)).sorted(), "seed \(seed)")
      }
    }
  }

  @Test func aFrameOfAnotherFileOrStoreIsNotAFrameHere() throws {
    let fileSystem = try smallLog()
    let first = try bytes(fileSystem, logPath(1))
    let second = try bytes(fileSystem, logPath(2))
    try fileSystem.overwrite(logPath(2), with: Array(second.prefix(64)) + first.dropFirst(64))
    let recovered = try recover(fileSystem.crashClone(keeping: .keepAll))
    #expect(recovered.sequences == [1, 2, 3, 4, 5])
    #expect(recovered.report.tail?.offset == 64)
    #expect {
      _ = try WALReader(
        fileSystem: fileSystem, directory: directory, storeID: StoreID(first: 1, second: 2), mode: .everything)
    } throws: {
      code($0) == .corrupt
    }
    try fileSystem.rename(logPath(1), to: logPath(9))
    #expect { try recover(fileSystem) } throws: { code($0) == .corrupt }
  }

  @Test func aMissingFileInTheMiddleIsReported() throws {
    let fileSystem = try smallLog()
    let writer = try openWriter(fileSystem)
    try writer.appendAndWait(frame(11, byteCount: 24))
    try writer.close()
    try fileSystem.remove(logPath(2))
    let recovered = try recover(fileSystem)
    #expect(recovered.sequences == [1, 2, 3, 4, 5, 11])
    #expect(recovered.report.gaps.map(\.isDamage) == [true])
    #expect(recovered.report.gaps.map(\.previousSequence) == [5])
  }

  @Test func aFrameInsideAPayloadIsNeverTakenForOne() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem)
    try writer.appendAndWait(frame(1))
    let inner = try bytes(fileSystem, logPath(1)).suffix(from: 64)
    let carrying = try WALFrame(kind: .request, payload: Array(inner), arrivalNanoseconds: 0, compression: .none)
    try writer.appendAndWait(carrying)
    try writer.appendAndWait(frame(3))
    try writer.close()
    var damaged = try bytes(fileSystem, logPath(1))
    damaged[64 + inner.count + 20] ^= 1
    try fileSystem.overwrite(logPath(1), with: damaged)
    let recovered = try recover(fileSystem)
    #expect(recovered.sequences == [1, 3])
  }

  @Test func whatANewerVersionWroteIsRefusedAndNotCalledDamage() throws {
    let whole = try smallLog()
    let original = try bytes(whole, logPath(1))
    func refused(_ change: (inout [UInt8]) -> Void) throws -> Bool {
      let fileSystem = whole.crashClone(keeping: .keepAll)
      var changed = original
      change(&changed)
      try fileSystem.overwrite(logPath(1), with: changed)
      if case .failure(let error) = surviving(fileSystem) { return error.code == .unsupportedFormat }
      return false
    }
    /// Puts right the checksum of the file header or of the first frame header.
    func sealHeader(_ bytes: inout [UInt8]) { patch(&bytes, 60, CRC32C.checksum(Array(bytes[..<60]))) }
    func sealFrame(_ bytes: inout [UInt8]) {
      var place: [UInt8] = []
      for word in [storeID.first, storeID.second, 1] {
        withUnsafeBytes(of: word.littleEndian) { place.append(contentsOf: $0) }
      }
      let salt = CRC32C.checksum(place)
      let frame = Array(bytes[64..<112])
      patch(&bytes, 112, frame.withUnsafeBytes { CRC32C.checksum($0, following: salt) })
    }
    func patch(_ bytes: inout [UInt8], _ offset: Int, _ value: UInt32) {
      withUnsafeBytes(of: value.littleEndian) { source in
        for index in 0..<4 { bytes[offset + index] = source[index] }
      }
    }
    #expect(
      try refused {
        $0[8] = 2
        sealHeader(&$0)
      })
    #expect(
      try refused {
        $0[12] = 1
        sealHeader(&$0)
      })
    for (offset, value) in [(68, UInt8(6)), (68, 0), (69, 2), (70, 1)] {
      #expect(
        try refused {
          $0[offset] = value
          sealFrame(&$0)
        }, "byte \(offset) = \(value)")
    }
    // A raw frame whose two byte counts differ is no frame, and nothing newer.
    #expect(
      try !refused {
        $0[100] ^= 1
        sealFrame(&$0)
      })
    // The upper flags may be ignored.
    #expect(
      try !refused {
        $0[71] = 1
        sealFrame(&$0)
      })
  }

  @Test func unsyncedFramesLostInTheMiddleOfAGroupAreNotCalledDamage() throws {
    let fileSystem = SimulatedFileSystem()
    let writer = try openWriter(fileSystem, .none)
    for index in 1...3 { try writer.appendAndWait(frame(index)) }
    let original = try bytes(fileSystem, logPath(1))
    var holed = original
    for offset in 64..<120 { holed[offset] = 0 }
    try writer.close()
    try fileSystem.overwrite(logPath(1), with: holed)
    let recovered = try recover(fileSystem.crashClone(keeping: .keepAll))
    #expect(recovered.sequences == [2, 3])
    #expect(recovered.report.gaps.map(\.isDamage) == [false])
    // No power cut has come in between: the position says that they were there.
    #expect(try recover(fileSystem).report.gaps.map(\.isDamage) == [true])
  }

  @Test func anErrorWhileReadingIsAnErrorAndNotAnEnd() throws {
    let whole = try smallLog()
    var failures = 0
    for skipped in 0..<40 {
      let fileSystem = whole.crashClone(keeping: .keepAll)
      fileSystem.inject(Fault(skippedCount: skipped))
      do { #expect(try recover(fileSystem).sequences.count == 10) } catch { failures += 1 }
    }
    #expect(failures > 5 && failures < 40)
  }

  @Test func aPayloadThatDoesNotDecompressIsCorrupt() throws {
    let record = WALRecord(
      kind: .request, sequence: 1, arrivalNanoseconds: 0, rulesVersion: 0, uncompressedByteCount: 100,
      storedBytes: [1, 2, 3], compression: .lz4, path: "p", fileNumber: 1, offset: 64)
    #expect { try record.payload() } throws: { code($0) == .corrupt && ($0 as? TracestoreError)?.offset == 64 }
  }

  @Test func whereALogBeginsIsAskedOfAHeaderThatNamesTheLastNumber() throws {
    let fileSystem = try smallLog()
    #expect(try WALReader.origin(fileSystem: fileSystem, directory: directory).firstSequence == 1)
    let path = joinedPath(directory, WALFormat.fileName(1))
    var bytes = try fileSystem.contents(ofFile: path, maximumByteCount: 1 << 20)
    bytes.replaceSubrange(48..<56, with: [UInt8](repeating: 0xff, count: 8))
    let checksum = bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[..<60])) }
    bytes.replaceSubrange(60..<64, with: withUnsafeBytes(of: checksum.littleEndian) { Array($0) })
    try fileSystem.overwrite(path, with: bytes)
    #expect(try WALReader.origin(fileSystem: fileSystem, directory: directory).storeID == storeID)
  }
}

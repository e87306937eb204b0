import Testing
import TraceBytes
import TraceFiles
import TraceManifest
import TraceModel

@Suite struct ManifestDamageTests {
  /// A manifest of the creation and four edits, and the version after each.
  private func small() throws -> (SimulatedFileSystem, [ManifestVersion], recordEnds: [Int]) {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    var versions = [store.current]
    var ends = [try bytes(fileSystem, manifestPath(1)).count]
    for number in UInt64(1)...4 {
      versions.append(try store.commit(adding(segment(number), sideFile(.overlayVector, number, 1))))
      ends.append(try bytes(fileSystem, manifestPath(1)).count)
    }
    store.close()
    return (fileSystem, versions, ends)
  }

  @Test func everyFlippedByteIsFoundAndNeverChangesAnAnswer() throws {
    let (whole, versions, ends) = try small()
    for path in [manifestPath(1), joinedPath(directory, StoreLayout.currentFileName)] {
      let original = try bytes(whole, path)
      for offset in original.indices {
        for mask in [UInt8(1), 0x80, 0xff] {
          let fileSystem = whole.crashClone(keeping: .keepAll)
          var changed = original
          changed[offset] ^= mask
          try fileSystem.overwrite(path, with: changed)
          do {
            let version = try openStore(fileSystem).current
            if path == manifestPath(1) {
              // Only a flip in the last record may pass for an unfinished commit, and only beside natural zeros.
              #expect(offset >= ends[3], "byte \(offset) of \(path)")
              #expect(version == versions[3])
            } else {
              #expect(version == versions[4], "byte \(offset) of CURRENT")
            }
          } catch {
            #expect(path == manifestPath(1) && code(error) == .corrupt, "byte \(offset) of \(path): \(error)")
            #expect("\(error)".contains("tracestore repair --plan"))
            if path == manifestPath(1), offset >= 64 {
              let place = try #require((error as? TracestoreError)?.offset)
              #expect(place <= UInt64(offset) && ([64] + ends).contains(Int(place)))
            }
          }
        }
      }
    }
  }

  @Test func everyTruncationGivesTheEditsThatAreWhole() throws {
    let (whole, versions, ends) = try small()
    let original = try bytes(whole, manifestPath(1))
    for byteCount in 0..<original.count {
      let fileSystem = whole.crashClone(keeping: .keepAll)
      try fileSystem.overwrite(manifestPath(1), with: Array(original.prefix(byteCount)))
      let complete = ends.filter { $0 <= byteCount }.count
      if complete == 0 {
        #expect { try openStore(fileSystem) } throws: { code($0) == .corrupt }
        #expect { try openReader(fileSystem) } throws: { code($0) == .corrupt }
      } else {
        #expect(try openReader(fileSystem).current == versions[complete - 1])
        let store = try openStore(fileSystem)
        #expect(store.current == versions[complete - 1])
        // The cut end has gone, so a new commit stands whole after it.
        let next = try store.commit(adding(segment(90)))
        store.close()
        #expect(try openStore(fileSystem).current == next)
      }
    }
  }

  @Test func randomBytesNeverTrapNorInventVersions() throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    let (whole, versions, _) = try small()
    let original = try bytes(whole, manifestPath(1))
    for _ in 0..<1500 {
      let fileSystem = whole.crashClone(keeping: .keepAll)
      var changed = original
      switch Int.random(in: 0..<3, using: &generator) {
      case 0:
        for _ in 0..<Int.random(in: 1...9, using: &generator) {
          changed[Int.random(in: changed.indices, using: &generator)] = .random(in: .min ... .max, using: &generator)
        }
      case 1:
        let cut = Int.random(in: changed.indices, using: &generator)
        changed.removeSubrange(cut..<Int.random(in: cut...changed.count, using: &generator))
      default:
        let start = Int.random(in: 64..<changed.count, using: &generator)
        changed.insert(contentsOf: changed[start...], at: Int.random(in: 64..<changed.count, using: &generator))
      }
      try fileSystem.overwrite(manifestPath(1), with: changed)
      if let version = try? openReader(fileSystem).current {
        #expect(versions.contains(version), "seed \(seed)")
        _ = try openStore(fileSystem)
        continue
      }
      let repair = try StoreRepair(
        planning: directory, fileSystem: fileSystem,
        log: { StoreRepair.LogFacts(storeID: storeID, firstSequence: nil) }, defaults: settings(), nowNanoseconds: 1)
      #expect(!repair.isWhole && !repair.damages.isEmpty, "seed \(seed)")
      try repair.perform()
      #expect(try openStore(fileSystem).current.settings == settings(), "seed \(seed)")
    }
  }

  @Test func `entries that no store can have are refused, whatever their checksums say`() throws {
    let store = try openStore(SimulatedFileSystem())
    func change(_ change: (inout ManifestFile) -> Void) -> ManifestEdit {
      var file = segment(5)
      change(&file)
      return adding(file)
    }
    let paths = [\ManifestFile.byteCount, \.rowCount, \.partialRecordCount, \.traceCount]
    var edits = paths.flatMap { path in [(1 << 48) + 1, .max].map { count in change { $0[keyPath: path] = count } } }
    edits += [1 << 62, .max - 1].map { number in change { $0.key.number = number } }
    // Two editions of a segment would be one file under one number twice.
    edits.append(change { $0.key.edition = 1 })
    edits += [.nextFileNumber(.max), .walTrimmedBelow(.max)].map { ManifestEdit([$0]) }
    for edit in edits {
      #expect(throws: TracestoreError.self, "\(edit.entries)") { try store.commit(edit) }
    }
    #expect(store.current.files.isEmpty && store.current.nextFileNumber == 1)
    try store.commit(ManifestEdit([.nextFileNumber(1 << 62), .walTrimmedBelow(1 << 62)]))
  }

  @Test func `a foreign file with the greatest of names takes no number away`() throws {
    let fileSystem = SimulatedFileSystem()
    try openStore(fileSystem).close()
    for name in ["segment-fffffffffffffffe.seg", "segment-ffffffffffffffff.seg", "segment-4000000000000000.seg.tmp"] {
      _ = try fileSystem.open(joinedPath(directory, name), .create)
    }
    let store = try openStore(fileSystem)
    #expect((0..<3).map { _ in store.allocateFileNumber() } == [1, 2, 3])
  }

  @Test func aManifestOfAnotherNumberOrNoneIsAnError() throws {
    let (fileSystem, _, _) = try small()
    try fileSystem.rename(manifestPath(1), to: manifestPath(2))
    #expect { try openStore(fileSystem) } throws: { code($0) == .corrupt }
    try fileSystem.link(manifestPath(2), to: manifestPath(1))
    #expect(throws: Never.self) { try openStore(fileSystem) }
  }
}

/// CURRENT is there, and its bytes say nothing.
@Suite struct PointerDamageTests {
  private static let pointer = joinedPath(directory, StoreLayout.currentFileName)

  private func damagePointer(_ fileSystem: SimulatedFileSystem) throws {
    try fileSystem.overwrite(Self.pointer, with: Array("no longer what it was".utf8))
  }

  private func makeFile(_ number: UInt64, _ fileSystem: SimulatedFileSystem) throws {
    let name = StoreLayout.fileName(ManifestFileKey(kind: .segment, number: number))
    try fileSystem.open(joinedPath(directory, name), .create).close()
  }

  @Test func `a reader takes the manifest that is whole, and a writer names it anew`() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    let last = try store.commit(adding(segment(1)))
    store.close()
    try damagePointer(fileSystem)
    let reader = try openReader(fileSystem)
    #expect(reader.current == last && reader.pointerDamage?.path == Self.pointer)
    try openStore(fileSystem).close()
    #expect(try openReader(fileSystem.crashClone(keeping: .loseUnsynced)).pointerDamage == nil)
    // It looks again when it is asked to.
    #expect(try reader.refresh() == last && reader.pointerDamage == nil)
    // Also where the manifest is one record, which a writer would leave as it is.
    try damagePointer(fileSystem)
    try openStore(fileSystem).close()
    #expect(try openReader(fileSystem).pointerDamage == nil)
  }

  @Test func `a manifest that a sweep has left without its files gives way to the one before`() throws {
    let fileSystem = SimulatedFileSystem()
    try openStore(fileSystem).close()
    let store = try openStore(fileSystem)
    try makeFile(1, fileSystem)
    let promised = try store.commit(adding(segment(1)))
    store.close()
    // A crash in the next rewrite, which takes the edit that adds segment 2 with it, and one in the sweep behind it.
    let next = SimulatedFileSystem()
    let other = try openStore(next)
    try other.commit(adding(segment(1)))
    let stranger = try other.commit(adding(segment(2)))
    other.close()
    try openStore(next).close()
    let file = try fileSystem.open(manifestPath(2), .create)
    try bytes(next, manifestPath(2)).withUnsafeBytes { try file.append($0) }
    try damagePointer(fileSystem)
    #expect(try openReader(fileSystem).current == promised)
    try makeFile(2, fileSystem)
    #expect(try openReader(fileSystem).current == stranger)
  }

  @Test func `a newer version is refused and never taken for damage`() throws {
    let fileSystem = SimulatedFileSystem()
    try openStore(fileSystem).close()
    var writer = ByteWriter()
    writer.append(ManifestFormat.currentMagic)
    for word in [2, 0, 1, 0, 0] as [UInt32] { writer.appendInteger(word) }
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    try fileSystem.overwrite(Self.pointer, with: writer.bytes)
    #expect { try openStore(fileSystem) } throws: { code($0) == .unsupportedFormat }
  }

  @Test func `without room for a new CURRENT nothing is changed`() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    let last = try store.commit(adding(segment(1)))
    store.close()
    try damagePointer(fileSystem)
    fileSystem.capacityByteCount = fileSystem.usedByteCount
    #expect { try openStore(fileSystem) } throws: { code($0) == .diskFull }
    #expect(try openReader(fileSystem).current == last)
    fileSystem.capacityByteCount = .max
    #expect(try openStore(fileSystem).current == last)
  }

  @Test func `a log without CURRENT is never taken for an empty store`() throws {
    let fileSystem = SimulatedFileSystem()
    try openStore(fileSystem).close()
    let log = joinedPath(directory, StoreLayout.walDirectoryName)
    try fileSystem.createDirectory(log)
    try fileSystem.open(joinedPath(log, "wal-0000000000000001.log"), .create).close()
    try fileSystem.remove(Self.pointer)
    #expect { try openStore(fileSystem) } throws: { code($0) == .corrupt }
    #expect { try openReader(fileSystem) } throws: { code($0) == .corrupt }
  }
}

@Suite struct ManifestCrashTests {
  /// Commits, with rewrites in between. Returns every version that was promised.
  private func workload(_ fileSystem: SimulatedFileSystem) -> [ManifestVersion] {
    var promised: [ManifestVersion] = []
    do {
      for round in UInt64(0)..<2 {
        let store = try openStore(fileSystem, maximumLogByteCount: 900)
        if promised.isEmpty { promised.append(store.current) }
        for step in UInt64(0)..<6 {
          let number = round * 6 + step + 1
          var edit = adding(segment(number))
          if number > 2 { edit.remove(ManifestFileKey(kind: .segment, number: number - 2), .merged) }
          promised.append(try store.commit(edit))
        }
        store.close()
      }
    } catch {}
    return promised
  }

  @Test func aCrashAtEveryCallLeavesAWholeVersionNotOlderThanTheLastPromise() throws {
    let complete = SimulatedFileSystem()
    let all = workload(complete)
    #expect(all.count == 13)
    #expect(try openReader(complete).current == all[12])
    for call in 0..<complete.operationCount {
      let machine = SimulatedFileSystem()
      machine.halt(afterOperations: call)
      let promised = workload(machine)
      for policy in CrashPolicy.allCases {
        for seed in UInt64(0)..<(policy == .randomSubset || policy == .tornLastWrite ? 6 : 1) {
          let after = machine.crashClone(keeping: policy, seed: seed)
          let place: Comment = "crash at call \(call), \(policy), seed \(seed)"
          if let reader = try? openReader(after) {
            #expect(all.contains(reader.current), place)
          } else {
            #expect(promised.isEmpty, place)
          }
          let store = try openStore(after)
          #expect(all.contains(store.current), place)
          #expect(store.current.sequence >= promised.last?.sequence ?? 1, place)
          let next = try store.commit(adding(segment(store.allocateFileNumber())))
          store.close()
          #expect(try openStore(after).current == next, place)
        }
      }
    }
  }

  @Test func everyInjectedErrorIsReportedAndTheManifestOpensAgain() throws {
    let complete = SimulatedFileSystem()
    let all = workload(complete)
    for call in 0..<complete.operationCount {
      for isSticky in [false, true] {
        for number in [Fault.inputOutput, Fault.noSpace] {
          let machine = SimulatedFileSystem()
          machine.inject(Fault(skippedCount: call, errorNumber: number, isSticky: isSticky, appliedByteCount: 30))
          let promised = workload(machine)
          machine.clearFaults()
          let version = try openStore(machine.crashClone(keeping: .loseUnsynced)).current
          let place: Comment = "errno \(number) at call \(call), sticky \(isSticky)"
          #expect(all.contains(version), place)
          #expect(version.sequence >= promised.last?.sequence ?? 1, place)
        }
      }
    }
  }
}

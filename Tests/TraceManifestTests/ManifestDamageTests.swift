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
    let original = try bytes(whole, manifestPath(1))
    for offset in original.indices {
      for mask in [UInt8(1), 0x80, 0xff] {
        let fileSystem = whole.crashClone(keeping: .keepAll)
        var changed = original
        changed[offset] ^= mask
        try fileSystem.overwrite(manifestPath(1), with: changed)
        do {
          let version = try openStore(fileSystem).current
          // Only a flip in the last record may pass for an unfinished commit, and only beside natural zeros.
          #expect(offset >= ends[3], "byte \(offset)")
          #expect(version == versions[3])
        } catch {
          #expect(code(error) == .corrupt, "byte \(offset): \(error)")
          #expect("\(error)".contains("tracestore repair --plan"), "byte \(offset): \(error)")
          if offset >= 64 {
            let place = try #require((error as? TracestoreError)?.offset)
            #expect(place <= UInt64(offset) && ([64] + ends).contains(Int(place)))
          }
        }
      }
    }
  }

  @Test func `a CURRENT that is damaged costs nothing, and a writer replaces it`() throws {
    let (whole, versions, _) = try small()
    let path = joinedPath(directory, StoreLayout.currentFileName)
    let original = try bytes(whole, path)
    var damaged = original.indices.flatMap { offset in
      [UInt8(1), 0x80, 0xff].map { mask in
        var changed = original
        changed[offset] ^= mask
        return changed
      }
    }
    damaged += [[], Array(original.dropLast()), original + [0], [UInt8](repeating: 0, count: 32)]
    damaged.append([UInt8](repeating: 7, count: 10_000))
    for changed in damaged {
      let fileSystem = whole.crashClone(keeping: .keepAll)
      try fileSystem.overwrite(path, with: changed)
      let reader = try openReader(fileSystem)
      #expect(reader.current == versions[4])
      #expect(reader.currentDamage?.code == .corrupt && reader.currentDamage?.path == path)
      let store = try openStore(fileSystem)
      #expect(store.current == versions[4] && store.currentDamage == nil)
      #expect(try reader.refresh() == versions[4])
      let next = try store.commit(adding(segment(90)))
      #expect(try reader.refresh() == next)
      store.close()
      let healed = try openReader(fileSystem)
      #expect(healed.current == next && healed.currentDamage == nil)
    }
  }

  @Test func `without CURRENT the newer state counts, whatever its manifest is called`() throws {
    let (whole, versions, _) = try small()
    let current = joinedPath(directory, StoreLayout.currentFileName)
    let old = try bytes(whole, manifestPath(1))
    // What is left when a crash came after CURRENT was replaced, and then of a writer that had no room to do so.
    try openStore(whole).close()
    let new = try bytes(whole, manifestPath(2))
    for isNewTorn in [false, true] {
      for isOldCut in [false, true] {
        let fileSystem = whole.crashClone(keeping: .keepAll)
        try fileSystem.overwrite(current, with: [1, 2, 3])
        _ = try fileSystem.open(manifestPath(1), .create)
        let cut = isOldCut ? Array(old.dropLast(1)) : old
        try fileSystem.overwrite(manifestPath(1), with: cut)
        try fileSystem.overwrite(manifestPath(2), with: isNewTorn ? Array(new.dropLast(1)) : new)
        guard !isNewTorn else {
          // It was whole when it got its name, so what it said is lost, and what the older one says may be long past.
          #expect { try openReader(fileSystem) } throws: { code($0) == .corrupt }
          #expect { try openStore(fileSystem) } throws: { code($0) == .corrupt }
          continue
        }
        #expect(try openReader(fileSystem).current == versions[4])
        #expect(try openStore(fileSystem).current == versions[4])
      }
    }
    let other = SimulatedFileSystem()
    let store = try openStore(other)
    for number in UInt64(1)...3 { _ = try store.commit(adding(segment(number), sideFile(.overlayVector, number, 1))) }
    store.close()
    try openStore(other).close()
    let fileSystem = whole.crashClone(keeping: .keepAll)
    try fileSystem.overwrite(current, with: [])
    _ = try fileSystem.open(manifestPath(1), .create)
    try fileSystem.overwrite(manifestPath(1), with: old)
    try fileSystem.overwrite(manifestPath(2), with: bytes(other, manifestPath(2)))
    #expect(try openReader(fileSystem).current == versions[4])

    try fileSystem.remove(manifestPath(1))
    try fileSystem.remove(manifestPath(2))
    #expect { try openReader(fileSystem) } throws: { code($0) == .corrupt }
    #expect { try openStore(fileSystem) } throws: { code($0) == .corrupt }
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

/// CURRENT is there, and its bytes say nothing, or it is gone.
@Suite struct CurrentDamageTests {
  private static let current = joinedPath(directory, StoreLayout.currentFileName)

  private func damageCurrent(_ fileSystem: SimulatedFileSystem) throws {
    try fileSystem.overwrite(Self.current, with: Array("no longer what it was".utf8))
  }

  private func name(_ number: UInt64) -> String { StoreLayout.fileName(segment(number).key) }

  @Test func `a manifest of one record is written again as well`() throws {
    let fileSystem = SimulatedFileSystem()
    try openStore(fileSystem).close()
    try damageCurrent(fileSystem)
    #expect(try openReader(fileSystem).currentDamage?.path == Self.current)
    try openStore(fileSystem).close()
    #expect(try openReader(fileSystem.crashClone(keeping: .loseUnsynced)).currentDamage == nil)
  }

  @Test func `a reader looks once for the manifest that counts`() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    try store.commit(adding(segment(1)))
    try damageCurrent(fileSystem)
    let reader = try openReader(fileSystem)
    // What the writer that is open goes on to write is seen, and other manifests are not looked for.
    let next = try store.commit(adding(segment(2)))
    fileSystem.inject(Fault([.list], isSticky: true))
    #expect(try reader.refresh() == next && reader.currentDamage != nil)
    fileSystem.clearFaults()
    store.close()
    let other = try openStore(fileSystem)
    let last = try other.commit(adding(segment(3)))
    try damageCurrent(fileSystem)
    #expect(try reader.refresh() == last && reader.currentDamage != nil)
  }

  @Test(arguments: CrashPolicy.allCases)
  func `the manifest that counts has its files, whatever crash in a sweep follows one in a rewrite`(
    _ policy: CrashPolicy
  ) throws {
    let start = SimulatedFileSystem()
    try openStore(start).close()
    var rewriteCount = 0
    var isRewritten = false
    while !isRewritten {
      let machine = start.crashClone(keeping: .keepAll)
      let writer = try openStore(machine, maximumLogByteCount: 1)
      try machine.open(joinedPath(directory, name(1)), .create).close()
      try machine.syncDirectory(directory)
      machine.halt(afterOperations: rewriteCount)
      _ = try? writer.commit(adding(segment(1)))
      isRewritten = !machine.isHalted
      for seed in UInt64(0)..<4 {
        var sweepCount = 0
        var isSwept = false
        while !isSwept {
          let second = machine.crashClone(keeping: policy, seed: seed)
          second.halt(afterOperations: sweepCount)
          _ = try? openStore(second)
          isSwept = !second.isHalted
          let after = second.crashClone(keeping: policy, seed: seed)
          try damageCurrent(after)
          for file in try openReader(after).current.files {
            let isThere = try after.exists(joinedPath(directory, StoreLayout.fileName(file.key)))
            #expect(isThere, "\(rewriteCount) calls, then \(sweepCount), seed \(seed)")
          }
          sweepCount += 1
        }
      }
      rewriteCount += 1
    }
    #expect(rewriteCount > 10)
  }

  @Test func `a rewrite that has found no room leaves no manifest behind that could count`() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem, maximumLogByteCount: 1)
    // The manifest finds room, CURRENT and the edit do not, and neither do removals.
    fileSystem.inject(Fault([.write], skippedCount: 1, errorNumber: Fault.noSpace, isSticky: true))
    fileSystem.inject(Fault([.remove], errorNumber: Fault.noSpace, isSticky: true))
    #expect { try store.commit(adding(segment(1))) } throws: { code($0) == .diskFull }
    fileSystem.clearFaults()
    fileSystem.inject(Fault([.remove], errorNumber: Fault.noSpace, isSticky: true))
    let promised = try store.commit(adding(segment(2)))
    fileSystem.clearFaults()
    try damageCurrent(fileSystem)
    #expect(try openReader(fileSystem).current == promised)
    #expect(try openStore(fileSystem).current == promised)
  }

  @Test func `a newer version is refused and never taken for damage`() throws {
    let fileSystem = SimulatedFileSystem()
    try openStore(fileSystem).close()
    var writer = ByteWriter()
    writer.append(ManifestFormat.currentMagic)
    for word in [2, 0, 1, 0, 0] as [UInt32] { writer.appendInteger(word) }
    writer.appendInteger(CRC32C.checksum(writer.bytes))
    try fileSystem.overwrite(Self.current, with: writer.bytes)
    #expect { try openStore(fileSystem) } throws: { code($0) == .unsupportedFormat }
  }

  @Test func `without room for a new CURRENT nothing is changed`() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    let last = try store.commit(adding(segment(1)))
    store.close()
    try damageCurrent(fileSystem)
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
    try fileSystem.remove(Self.current)
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

          let current = joinedPath(directory, StoreLayout.currentFileName)
          let rotten = machine.crashClone(keeping: policy, seed: seed)
          guard try rotten.exists(current) else { continue }
          try rotten.overwrite(current, with: [UInt8](repeating: 0x5a, count: 32))
          let found = try openStore(rotten).current
          #expect(all.contains(found), "damaged after a \(place)")
          #expect(found.sequence >= promised.last?.sequence ?? 1, "damaged after a \(place)")
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

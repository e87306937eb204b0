import Testing
import TraceFiles
import TraceManifest
import TraceModel

@Suite struct ManifestStoreTests {
  @Test func whatIsCommittedComesBackFieldByField() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    #expect(store.current.sequence == 1 && store.current.files.isEmpty && store.current.settings == settings())
    try store.commit(adding(segment(2), segment(1), sideFile(.deletionVector, 1, 1)))
    var edit = adding(sideFile(.deletionVector, 1, 2))
    edit.remove(ManifestFileKey(kind: .deletionVector, number: 1, edition: 1), .superseded)
    edit.entries.append(.walTrimmedBelow(20))
    edit.entries.append(.featureBits(mustUnderstand: 0, optional: 5))
    let last = try store.commit(edit)
    store.close()
    #expect { try store.commit(edit) } throws: { code($0) == .closed }

    let again = try openStore(fileSystem.crashClone(keeping: .loseUnsynced)).current
    #expect(again == last)
    #expect(again.sequence == 3)
    #expect(Array(again.files(of: .segment)) == [segment(1), segment(2)])
    #expect(again.files(of: .deletionVector).map(\.key.edition) == [2])
    #expect(again.files(of: .metricsSegment).isEmpty)
    #expect(again.file(ManifestFileKey(kind: .segment, number: 2)) == segment(2))
    #expect(again.file(ManifestFileKey(kind: .segment, number: 3)) == nil)
    #expect(again.newestFile(of: .deletionVector, number: 1)?.key.edition == 2)
    #expect(again.newestFile(of: .deletionVector, number: 2) == nil)
    #expect(again.walTrimmedBelow == 20 && again.optionalFeatureBits == 5 && again.nextFileNumber == 3)
  }

  @Test func aStoreIsMadeOnlyWhenSettingsAreGiven() throws {
    let fileSystem = SimulatedFileSystem()
    #expect { try openReader(fileSystem) } throws: { code($0) == .notFound }
    #expect {
      try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readWrite(create: nil))
    } throws: {
      code($0) == .notFound
    }
    try openStore(fileSystem).close()
    var other = settings()
    other.isZeroEndOpen = false
    let again = try ManifestStore.open(
      fileSystem: fileSystem, directory: directory, mode: .readWrite(create: other))
    #expect(again.current.settings == settings())
    #expect { try openReader(fileSystem).commit(ManifestEdit()) } throws: { code($0) == .readOnly }
  }

  @Test func dataWithoutCurrentIsNeverTakenForAnEmptyStore() throws {
    let fileSystem = SimulatedFileSystem()
    try fileSystem.createDirectory(directory)
    let name = StoreLayout.fileName(ManifestFileKey(kind: .segment, number: 4))
    try fileSystem.open(joinedPath(directory, name), .create).close()
    #expect { try openStore(fileSystem) } throws: { code($0) == .corrupt }
  }

  @Test func fileNumbersAreNeverGivenTwice() throws {
    let fileSystem = SimulatedFileSystem()
    var given: Set<UInt64> = []
    for _ in 0..<3 {
      let store = try openStore(fileSystem)
      for _ in 0..<3 { #expect(given.insert(store.allocateFileNumber()).inserted) }
      try store.commit(ManifestEdit())
      store.close()
    }
    #expect(given == Set(1...9))
    // A file that an uncommitted edit has left behind keeps its number to itself.
    let name = StoreLayout.fileName(ManifestFileKey(kind: .segment, number: 40))
    try fileSystem.open(joinedPath(directory, name + StoreLayout.temporarySuffix), .create).close()
    #expect(try openStore(fileSystem).allocateFileNumber() == 41)
  }

  @Test func anEditThatDoesNotFitIsRefusedAndLeavesNoTrace() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    let before = try store.commit(adding(segment(1)))
    let size = try bytes(fileSystem, manifestPath(1)).count
    var removal = ManifestEdit()
    removal.remove(ManifestFileKey(kind: .segment, number: 9), .merged)
    var strange = sideFile(ManifestFileKind(rawValue: 77), 5, 0)
    for edit in [
      adding(segment(2), segment(1)), removal, ManifestEdit([.settings(settings())]), adding(strange),
      ManifestEdit([.featureBits(mustUnderstand: 1, optional: 0)]),
    ] {
      #expect { try store.commit(edit) } throws: { code($0) == .invalidArgument }
    }
    #expect(store.current == before)
    #expect(try bytes(fileSystem, manifestPath(1)).count == size)
    strange.isMustUnderstand = false
    try store.commit(adding(strange))
    #expect(store.current.files.count == 2)
  }

  @Test func entriesOfNewerVersionsAreKeptOrRefusedAsTheyAsk() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem, maximumLogByteCount: 1)
    let kept = ManifestEntry.unknown(kind: 900, flags: 2, bytes: [9, 8, 7])
    try store.commit(ManifestEdit([kept]))
    for number in UInt64(1)...20 { try store.commit(adding(segment(number))) }
    store.close()
    let again = try openStore(fileSystem)
    #expect(again.current.preservedEntries == [kept])
    #expect(again.current.files.count == 20)
    try again.commit(ManifestEdit([.unknown(kind: 901, flags: 1, bytes: [])]))
    again.close()
    #expect { try openStore(fileSystem) } throws: { code($0) == .unsupportedFormat }
    #expect { try openReader(fileSystem) } throws: { code($0) == .unsupportedFormat }
  }

  @Test func attributesThatMustBeUnderstoodAreRefused() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    var file = segment(1)
    file.attributes[ManifestAttributes.mustUnderstandBit | 3] = [1]
    try store.commit(adding(file))
    store.close()
    #expect { try openStore(fileSystem) } throws: { code($0) == .unsupportedFormat }
  }

  @Test func theLogIsRewrittenWhenItGrowsAndOldOnesGo() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem, maximumLogByteCount: 2000)
    let reader = try openReader(fileSystem)
    for number in UInt64(1)...100 {
      var edit = adding(segment(number))
      if number > 3 { edit.remove(ManifestFileKey(kind: .segment, number: number - 3), .merged) }
      let version = try store.commit(edit)
      #expect(try reader.refresh() == version)
    }
    let names = try fileSystem.contents(ofDirectory: directory)
    #expect(names.count == 2 && names.contains(StoreLayout.currentFileName))
    let number = try #require(names.compactMap(StoreLayout.manifestNumber).first)
    #expect(number > 3)
    #expect(try bytes(fileSystem, manifestPath(number)).count < 4000)
    let last = store.current
    store.close()
    #expect(try openStore(fileSystem.crashClone(keeping: .loseUnsynced)).current == last)
  }

  @Test func aRefreshReadsOnlyWhatIsNew() throws {
    let base = SimulatedFileSystem()
    let store = try openStore(base)
    for number in UInt64(1)...200 { try store.commit(adding(segment(number))) }
    let fileSystem = CountingFileSystem(base)
    let reader = try openReader(fileSystem)
    let pinned = reader.current
    try store.commit(adding(segment(201)))
    fileSystem.reset()
    #expect(try reader.refresh() == store.current)
    #expect(fileSystem.snapshot().total().readByteCount < 500)
    #expect(pinned.files.count == 200)
  }

  @Test func aFailedSyncPoisonsAndIsNeverTriedAgain() throws {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    let before = try store.commit(adding(segment(1)))
    fileSystem.inject(Fault([.sync], dropsDirtyPages: true))
    #expect { try store.commit(adding(segment(2))) } throws: { code($0) == .poisoned }
    let count = fileSystem.operationCount
    #expect { try store.commit(adding(segment(3))) } throws: { code($0) == .poisoned }
    #expect(fileSystem.operationCount == count && store.failure?.code == .poisoned)
    #expect(store.current == before)
    #expect(try openStore(fileSystem.crashClone(keeping: .keepAll)).current == before)
  }

  @Test func aFullDiskFailsTheCommitCleanlyAndRecoversByItself() throws {
    for maximumLogByteCount in [1, 1 << 20] {
      let fileSystem = SimulatedFileSystem()
      let store = try openStore(fileSystem, maximumLogByteCount: maximumLogByteCount)
      try store.commit(adding(segment(1)))
      try store.commit(adding(segment(2)))
      for room in 0..<190 {
        let before = store.current
        fileSystem.capacityByteCount = fileSystem.usedByteCount + UInt64(room)
        #expect { try store.commit(adding(segment(3))) } throws: { code($0) == .diskFull }
        #expect(store.current == before)
        #expect(try openReader(fileSystem).current == before)
      }
      fileSystem.capacityByteCount = .max
      let after = try store.commit(adding(segment(3)))
      store.close()
      #expect(try openStore(fileSystem).current == after)
    }
  }

  @Test func openingForWritingSweepsWhatACrashLeftAndNothingElse() throws {
    let files = SimulatedFileSystem()
    let store = try openStore(files)
    try store.commit(adding(segment(1)))
    store.close()
    func name(_ number: UInt64) -> String { StoreLayout.fileName(segment(number).key) }
    let leftovers = [
      name(7), name(8) + ".tmp", StoreLayout.manifestFileName(9), StoreLayout.manifestFileName(9) + ".tmp",
      "CURRENT.tmp", StoreLayout.fileName(sideFile(.overlayVector, 1, 3).key),
    ]
    let others = [name(1), "LOCK", "notes.txt", "notes.tmp", "segment-1.seg"]
    for name in leftovers + others {
      try files.open(joinedPath(directory, name), .create).close()
    }
    _ = try openReader(files)
    #expect(try files.contents(ofDirectory: directory).count == leftovers.count + others.count + 2)
    let again = try openStore(files)
    let kept = try files.contents(ofDirectory: directory)
    // A writer begins with a manifest of its own when the one it read has records behind the first.
    #expect(Set(kept) == Set(others + ["CURRENT", StoreLayout.manifestFileName(2)]))
    // A number that stood on disk is never given again.
    #expect(again.allocateFileNumber() == 9)
  }

  @Test func theNamesOfFilesGoBothWays() {
    for kind in UInt16(0)...8 {
      for (number, edition) in [(UInt64(0), UInt32(0)), (7, 1), (.max, .max), (0xabcdef, 0x10)] {
        var key = ManifestFileKey(kind: ManifestFileKind(rawValue: kind), number: number, edition: edition)
        if [.segment, .metricsSegment, .dependencies].contains(key.kind) { key.edition = 0 }
        #expect(StoreLayout.fileKey(StoreLayout.fileName(key)) == key)
      }
    }
    #expect(
      StoreLayout.fileName(ManifestFileKey(kind: .segment, number: 0x2a)) == "segment-000000000000002a.seg")
    for name in [
      "", "-", "segment", "segment-", "segment-1.seg", "segment-000000000000002A.seg", "file--", "file-0001-",
      "segment-000000000000002a.seg.tmp", "overlay-000000000000002a.vec", "CURRENT", "MANIFEST-0000000000000001",
    ] {
      #expect(StoreLayout.fileKey(name) == nil)
    }
    #expect(StoreLayout.manifestNumber("MANIFEST-0000000000000001") == 1)
    #expect(StoreLayout.manifestNumber("MANIFEST-1") == nil)
  }
}

import Testing
import TraceFiles
import TraceModel

@testable import TraceManifest

/// Which manifest a repair goes by when more than one is there.
@Suite struct RepairPlanTests {
  /// A store of so many edits that each add a segment, and its files.
  private func store(editCount: UInt64) throws -> SimulatedFileSystem {
    let fileSystem = SimulatedFileSystem()
    let store = try openStore(fileSystem)
    for number in 1...editCount {
      let file = try fileSystem.open(
        joinedPath(directory, StoreLayout.fileName(ManifestFileKey(kind: .segment, number: number))), .create)
      file.close()
      try store.commit(adding(segment(number)))
    }
    store.close()
    return fileSystem
  }

  private func put(_ bytes: [UInt8], _ number: UInt64, _ fileSystem: SimulatedFileSystem) throws {
    if try !fileSystem.exists(manifestPath(number)) { try fileSystem.open(manifestPath(number), .create).close() }
    try fileSystem.overwrite(manifestPath(number), with: bytes)
  }

  /// Repairs the store, and gives the segments that count then.
  private func repaired(_ fileSystem: SimulatedFileSystem, firstInLog: UInt64? = nil) throws -> [UInt64] {
    let repair = try StoreRepair(
      planning: directory, fileSystem: fileSystem,
      log: { StoreRepair.LogFacts(storeID: nil, firstSequence: firstInLog) },
      defaults: StoreSettings(storeID: StoreID(first: 1, second: 2), createdNanoseconds: 3), nowNanoseconds: 4)
    #expect(!repair.isWhole && !repair.areSettingsLost)
    try repair.perform()
    let version = try openReader(fileSystem).current
    #expect(version.settings == settings())
    return version.files(of: .segment).map(\.key.number).sorted()
  }

  @Test func `an older manifest says what the one that counts no longer says`() throws {
    let fileSystem = try store(editCount: 4)
    let old = try bytes(fileSystem, manifestPath(1))
    try openStore(fileSystem).close()
    let new = try bytes(fileSystem, manifestPath(2))
    // The older one has come back with a power cut.
    for isGone in [false, true] {
      let damaged = fileSystem.crashClone(keeping: .keepAll)
      try put(old, 1, damaged)
      if isGone { try damaged.remove(manifestPath(2)) } else { try put(Array(new.dropLast()) + [0x5a], 2, damaged) }
      #expect { try openReader(damaged) } throws: { code($0) == .corrupt }
      #expect(try repaired(damaged) == [1, 2, 3, 4], "gone: \(isGone)")
    }
  }

  @Test func `settings whose record is lost are those of an older manifest`() throws {
    let fileSystem = try store(editCount: 2)
    let old = try bytes(fileSystem, manifestPath(1))
    try openStore(fileSystem).close()
    let new = try bytes(fileSystem, manifestPath(2))
    try put(old, 1, fileSystem)
    // Of the first record, which has the settings.
    try put(Array(new.prefix(80)) + [new[80] ^ 0xff] + new.dropFirst(81), 2, fileSystem)
    #expect { try openReader(fileSystem) } throws: { code($0) == .corrupt }
    #expect(try repaired(fileSystem).count == 2)
  }

  @Test func `a file whose number is too great is set aside`() throws {
    let fileSystem = try store(editCount: 1)
    let name = StoreLayout.fileName(ManifestFileKey(kind: .segment, number: ManifestFormat.maximumNumber))
    try fileSystem.open(joinedPath(directory, name), .create).close()
    try fileSystem.remove(manifestPath(1))
    let repair = try StoreRepair(
      planning: directory, fileSystem: fileSystem,
      log: { StoreRepair.LogFacts(storeID: nil, firstSequence: nil) },
      defaults: StoreSettings(storeID: StoreID(first: 1, second: 2), createdNanoseconds: 3), nowNanoseconds: 4)
    #expect(repair.setAside.contains { $0.name == name && $0.reason.contains("too great") })
    try repair.perform()
    #expect(try fileSystem.exists(joinedPath(joinedPath(directory, "damaged-1"), name)))
  }

  @Test func `a newer manifest that was never named gives way to what the one that counts says further`() throws {
    let fileSystem = try store(editCount: 4)
    var named = try bytes(fileSystem, manifestPath(1))
    let other = try store(editCount: 3)
    try openStore(other).close()
    try put(try bytes(other, manifestPath(2)), 2, fileSystem)
    // In the record that adds the first segment; a valid one stands behind it.
    let place = try bytes(try store(editCount: 1), manifestPath(1)).count - 1
    named[place] ^= 0xff
    try put(named, 1, fileSystem)
    #expect { try openReader(fileSystem) } throws: { code($0) == .corrupt }
    #expect(try repaired(fileSystem).suffix(3) == [2, 3, 4])
  }

  @Test func `a newer manifest that is whole stands in for a damaged one`() throws {
    let fileSystem = try store(editCount: 4)
    let old = try bytes(fileSystem, manifestPath(1))
    let pointer = try bytes(fileSystem, joinedPath(directory, StoreLayout.currentFileName))
    try openStore(fileSystem).close()
    // A crash came before CURRENT was replaced.
    try put(Array(old.prefix(70)), 1, fileSystem)
    try fileSystem.overwrite(joinedPath(directory, StoreLayout.currentFileName), with: pointer)
    #expect { try openReader(fileSystem) } throws: { code($0) == .corrupt }
    #expect(try repaired(fileSystem) == [1, 2, 3, 4])
    #expect(try openReader(fileSystem).current.sequence == 5)
  }

  @Test func `numbers that no store reaches are damage, of which a plan is made`() throws {
    let fileSystem = try store(editCount: 2)
    let own = try bytes(fileSystem, manifestPath(1))
    let header = try own.withUnsafeBytes { try ManifestHeader.decode($0, path: "") }
    for entry in [ManifestEntry.nextFileNumber(.max), .walTrimmedBelow(.max)] {
      let record = ManifestLog.record(
        ManifestEdit([.settings(settings()), entry]), sequence: header.firstSequence, salt: ManifestLog.salt(header))
      let damaged = fileSystem.crashClone(keeping: .keepAll)
      try put(header.encoded() + record, 1, damaged)
      #expect { try openReader(damaged) } throws: { code($0) == .corrupt }
      // The files of the segments are empty.
      #expect(try repaired(damaged, firstInLog: .max) == [])
      #expect(try openReader(damaged).current.walTrimmedBelow == 1)
    }
  }
}

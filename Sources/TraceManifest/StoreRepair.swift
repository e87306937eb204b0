import TraceBytes
package import TraceFiles
package import TraceModel
import TraceSegment

/// What has to be done so that a store whose CURRENT or manifest is damaged or gone can be opened again, and the doing.
///
/// A repair removes nothing and loses nothing that it can read. Where CURRENT alone is bad, the manifest that is whole goes
/// on. Otherwise a new manifest names every file that a whole record names, and every whole file that no record names and
/// none removes: one whose record is lost, or one that a merge was about to replace. So the same spans may stand in several
/// segments afterwards; reads drop what is repeated, and the caller merges all, which makes what is counted right as well.
/// What cannot be named is kept in a folder that nobody looks into. Blocking; the caller holds the writer lock.
package struct StoreRepair: Sendable {
  /// What the log's own files say.
  package struct LogFacts: Sendable {
    package var storeID: StoreID?
    /// No frame below it is there.
    package var firstSequence: UInt64?

    package init(storeID: StoreID?, firstSequence: UInt64?) {
      self.storeID = storeID
      self.firstSequence = firstSequence
    }
  }

  /// A file that the new manifest does not name.
  package struct SetAside: Hashable, Sendable {
    package var name: String
    package var reason: String
  }

  private let fileSystem: any FileSystem
  private let directory: String
  /// What is wrong with CURRENT and with manifests.
  package private(set) var damages: [TracestoreError] = []
  /// The files that these damages are in.
  private var damagedNames: [String] = []
  /// Whether the manifest is made from what can be read, and not one that is whole.
  package private(set) var isManifestRebuilt = false
  /// Whether it was read nowhere how this store takes an end time of zero.
  package private(set) var areSettingsLost = false
  /// Files that no whole record names, and that count from now on.
  package private(set) var takenNames: [String] = []
  /// Files that a whole record names, and that are gone. Where records are lost, one of a merge or of retention may have
  /// removed them, and the new manifest does not name them. Otherwise nothing has, and it does.
  package private(set) var missingNames: [String] = []
  package private(set) var setAside: [SetAside] = []
  /// Whether spans may stand in several segments because of this repair, or an earlier one that was not finished, and a
  /// merge can end that.
  package private(set) var isMergeDue = false
  /// The folder for what the repair replaces, in the store's; nil when there is nothing to keep.
  package private(set) var keptDirectoryName: String?
  /// What the store is once it is repaired, or is when it is whole.
  private var version: ManifestVersion
  /// Of the manifest that is written; nil for none.
  private var manifestNumber: UInt64?

  /// A lost record may have given away so many numbers of files and edits at most: they are not given again, because
  /// readers may still know what bore them. An edit that adds as many would fill the largest manifest.
  private static let lostNumberCount: UInt64 = 1 << 20

  /// Whether CURRENT and the manifest are as they should be.
  package var isWhole: Bool { manifestNumber == nil }
  /// The manifest that is written; nil for none.
  package var manifestName: String? { manifestNumber.map(StoreLayout.manifestFileName) }

  /// Finds out what has to be done. Changes nothing.
  ///
  /// - Parameters:
  ///   - log: asked when no manifest is whole.
  ///   - defaults: for settings that can be read nowhere.
  ///   - nowNanoseconds: the latest that anything can have arrived.
  /// - Throws: `notFound` when there is no store, `unsupportedFormat` when a newer version wrote it, and what the file
  ///   system throws.
  package init(
    planning directory: String, fileSystem: any FileSystem, log: () throws -> LogFacts, defaults: StoreSettings,
    nowNanoseconds: UInt64
  ) throws {
    self.fileSystem = fileSystem
    self.directory = directory
    version = try ManifestVersion(first: ManifestEdit([.settings(defaults)]), sequence: 1)
    guard try fileSystem.kind(of: directory) == .directory else {
      throw ManifestStore.noStore(directory, fileSystem)
    }
    let names = Set(try fileSystem.contents(ofDirectory: directory))
    let named = try readPointer(names)
    var failure: TracestoreError?
    if named != nil {
      do {
        version = try Self.wholeManifest(fileSystem, directory)
        isMergeDue = hasMergeable
        return
      } catch let error as TracestoreError where error.code == .corrupt { failure = error }
    }
    let numbers = try ManifestStore.manifestNumbers(fileSystem, directory)
    manifestNumber = max(numbers.last ?? 0, named ?? 0) &+ 1
    let manifests = try readManifests(numbers, named)
    if damages.isEmpty, let failure { note(failure) }
    if let whole = Self.whole(manifests, named) {
      version = whole
      missingNames = whole.files.map { StoreLayout.fileName($0.key) }.filter { !names.contains($0) }
      isMergeDue = hasMergeable
    } else {
      isManifestRebuilt = true
      try rebuild(from: manifests, names, log(), defaults, nowNanoseconds)
      isMergeDue = version.files(of: .segment).contains(where: \.isTakenIn)
    }
    chooseKeptDirectory(names)
  }

  /// The number that CURRENT names; nil when it is damaged or gone, which is noted.
  private mutating func readPointer(_ names: Set<String>) throws -> UInt64? {
    guard names.contains(StoreLayout.currentFileName) else {
      guard try ManifestStore.remains(directory, fileSystem) != nil else {
        throw ManifestStore.noStore(directory, fileSystem)
      }
      note(damaged("CURRENT is gone", path: joinedPath(directory, StoreLayout.currentFileName), offset: 0))
      return nil
    }
    do { return try ManifestStore.currentNumber(fileSystem, directory) } catch let error as TracestoreError
      where error.code == .corrupt
    {
      note(error)
      damagedNames.append(StoreLayout.currentFileName)
      return nil
    }
  }

  /// The version of the store; `corrupt` when its manifest is not whole. A writer may be at work on it.
  private static func wholeManifest(_ fileSystem: any FileSystem, _ directory: String) throws -> ManifestVersion {
    let manifest = try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readOnly)
    defer { manifest.close() }
    return manifest.current
  }

  /// Whether a segment that an earlier repair has taken in is well, so that it is no merge that has left it as it is.
  private var hasMergeable: Bool {
    version.files(of: .segment).contains {
      $0.isTakenIn && (try? openSegment($0.key).verify(deep: false).damages.isEmpty) == true
    }
  }

  private func openSegment(_ key: ManifestFileKey) throws -> Segment {
    let path = joinedPath(directory, StoreLayout.fileName(key))
    return try Segment.open(
      file: fileSystem.open(path, .read), number: key.number, path: path, cache: BlockCache(maximumByteCount: 1 << 20))
  }

  /// Reads the manifests, ascending by number, and notes their damage.
  private mutating func readManifests(_ numbers: [UInt64], _ named: UInt64?) throws -> [ManifestSalvage] {
    if let named, !numbers.contains(named) {
      let path = joinedPath(directory, StoreLayout.manifestFileName(named))
      note(damaged("the manifest that CURRENT names is gone", path: path, offset: 0))
    }
    return try numbers.map { number in
      let salvage = try ManifestSalvage(manifest: number, fileSystem: fileSystem, directory: directory)
      if !salvage.damages.isEmpty || number == named { damagedNames.append(StoreLayout.manifestFileName(number)) }
      for damage in salvage.damages { note(damage) }
      return salvage
    }
  }

  /// The version that no record is missing from; nil when the store has to be put together.
  ///
  /// An older manifest than the one that counts lacks what came since. A newer one was about to take its place, and when the
  /// newest of all is damaged, it has counted.
  private static func whole(_ manifests: [ManifestSalvage], _ named: UInt64?) -> ManifestVersion? {
    guard manifests.last?.state != nil else { return nil }
    let states = manifests.filter { $0.number >= named ?? 0 }.compactMap(\.state)
    guard let newest = states.max(by: { $0.version.sequence < $1.version.sequence })?.version,
      manifests.allSatisfy({ $0.lastSequence <= newest.sequence })
    else { return nil }
    return newest
  }

  /// Whoever reads a plan needs no advice to ask for one.
  private mutating func note(_ error: TracestoreError) {
    var error = error
    if error.message.hasSuffix(repairAdvice) { error.message.removeLast(repairAdvice.count) }
    damages.append(error)
  }

  // MARK: A new manifest

  private mutating func rebuild(
    from manifests: [ManifestSalvage], _ names: Set<String>, _ log: LogFacts, _ defaults: StoreSettings,
    _ nowNanoseconds: UInt64
  ) throws {
    // What says most; of those that say as much, the newest.
    let salvage = manifests.reduce(nil as ManifestSalvage?) { best, next in
      next.lastSequence >= best?.lastSequence ?? 0 ? next : best
    }
    var settings = defaults
    settings.storeID =
      salvage?.storeID ?? log.storeID ?? manifests.reversed().lazy.compactMap(\.storeID).first ?? defaults.storeID
    // They never change, so that an older manifest knows them as well.
    let known = ([salvage].compactMap { $0 } + manifests.reversed()).lazy.compactMap(\.settings)
      .first { [storeID = settings.storeID] in $0.storeID == storeID }
    if let known { settings = known }
    areSettingsLost = known == nil
    var edit = ManifestEdit([.settings(settings)])
    for (key, file) in (salvage?.files ?? [:]).sorted(by: { $0.key < $1.key }) {
      let name = StoreLayout.fileName(key)
      if names.contains(name) { edit.add(file) } else { missingNames.append(name) }
    }
    var lastNumber = salvage?.nextFileNumber ?? 1
    // Arrivals are lost with the record, and lie within these bounds: retention drops nothing before its time, also when
    // the clock is behind.
    let knownArrivals = (salvage?.files ?? [:]).values.map(\.maximumArrivalNanoseconds)
    let lastArrival = max(nowNanoseconds, settings.createdNanoseconds, knownArrivals.max() ?? 0)
    for name in names.sorted() {
      guard let key = StoreLayout.fileKey(name) else { continue }
      guard key.number < ManifestFormat.maximumNumber else {
        setAside.append(SetAside(name: name, reason: "its number is too great"))
        continue
      }
      lastNumber = max(lastNumber, key.number)
      if salvage?.files[key] != nil || salvage?.removed.contains(key) == true { continue }
      do {
        if key.kind == .metricsSegment, salvage?.settings != nil, missingNames.isEmpty {
          throw Unusable("no file of which it has the figures is gone, so that it would count their spans twice")
        }
        var file = try entry(for: key)
        if let fault = file.fault { throw Unusable(fault) }
        if key.kind != .dependencies {
          file.minimumArrivalNanoseconds = settings.createdNanoseconds
          file.maximumArrivalNanoseconds = lastArrival
        }
        file.isTakenIn = key.kind == .segment
        edit.add(file)
        takenNames.append(name)
      } catch let error as Unusable {
        setAside.append(SetAside(name: name, reason: error.reason))
      } catch let error as TracestoreError where error.code == .corrupt || error.code == .limitExceeded {
        setAside.append(SetAside(name: name, reason: "\(error)"))
      }
    }
    let firstInLog = log.firstSequence.flatMap { $0 <= ManifestFormat.maximumNumber ? $0 : nil }
    let bits = salvage?.featureBits ?? (mustUnderstand: 0, optional: 0)
    edit.entries += [
      .nextFileNumber(min(lastNumber + Self.lostNumberCount, ManifestFormat.maximumNumber)),
      // What the log has lost is damage; what it never had to keep is not.
      .walTrimmedBelow(max(salvage?.walTrimmedBelow ?? 1, firstInLog ?? 1)),
      .featureBits(mustUnderstand: bits.mustUnderstand, optional: bits.optional),
    ]
    edit.entries += salvage?.preservedEntries ?? []
    let sequence = min((salvage?.lastSequence ?? 0) + Self.lostNumberCount, ManifestFormat.maximumNumber - 1)
    version = try ManifestVersion(first: edit, sequence: sequence)
  }

  private struct Unusable: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// What a whole file says about itself.
  private func entry(for key: ManifestFileKey) throws -> ManifestFile {
    let path = joinedPath(directory, StoreLayout.fileName(key))
    func whole(_ maximumByteCount: Int) throws -> [UInt8] {
      try fileSystem.contents(ofFile: path, maximumByteCount: maximumByteCount)
    }
    switch key.kind {
    case .segment:
      let segment = try openSegment(key)
      return ManifestFile(
        key: key, segment.totals, byteCount: segment.byteCount, footerHash: segment.footerHash)
    case .metricsSegment:
      let bytes = try whole(Int(MetricsSegment.maximumByteCount))
      return ManifestFile(number: key.number, try HourlyFigures(bytes, path: path), bytes)
    case .dependencies:
      let bytes = try whole(DependencyFiles.maximumByteCount)
      return ManifestFile(number: key.number, try DependencySnapshot(bytes, path: path), bytes)
    default: throw Unusable("this version does not know what it is for")
    }
  }

  // MARK: Doing it

  private mutating func chooseKeptDirectory(_ names: Set<String>) {
    guard !damagedNames.isEmpty || !setAside.isEmpty else { return }
    keptDirectoryName = (1...).lazy.map(StoreLayout.damagedDirectoryName).first { !names.contains($0) }
  }

  /// Keeps what is replaced under a second name, and then makes the new manifest the one that counts: a crash leaves a
  /// store that can be repaired again, or a repaired one. The next opening for writing removes the first names.
  ///
  /// - Throws: `diskFull` and what else the file system throws. The store is as damaged as before then, nothing of it is
  ///   gone, and this can be called again.
  package func perform() throws {
    guard let manifestNumber else { return }
    if let keptDirectoryName {
      let kept = joinedPath(directory, keptDirectoryName)
      try fileSystem.createDirectory(kept)
      for name in damagedNames + setAside.map(\.name) where try !fileSystem.exists(joinedPath(kept, name)) {
        try fileSystem.link(joinedPath(directory, name), to: joinedPath(kept, name))
      }
      try fileSystem.syncDirectory(kept)
    }
    let header = ManifestHeader(
      storeID: version.settings.storeID, number: manifestNumber, firstSequence: version.sequence)
    try ManifestStore.publish(version.snapshotEdit, header, fileSystem, directory)
  }
}

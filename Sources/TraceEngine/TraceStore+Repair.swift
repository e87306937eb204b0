package import TraceFiles
import TraceManifest
import TraceModel
import TraceWAL

extension TraceStore {
  /// What a repair did, or would do.
  public struct RepairReport: Hashable, Sendable {
    /// A damaged place of `CURRENT` or of a manifest.
    public struct Damage: Hashable, Sendable {
      public var path: String
      public var offset: UInt64
      public var reason: String
    }

    /// A file that cannot be taken into the new manifest.
    public struct SetAside: Hashable, Sendable {
      public var name: String
      public var reason: String
    }

    /// What is damaged, or gone; empty when there is nothing to repair.
    public var damages: [Damage] = []
    /// The manifest that is written, and `CURRENT` with it; nil for none.
    public var manifestName: String?
    /// Whether that manifest is made from what could be read. Otherwise the one that is whole goes on.
    public var isManifestRebuilt = false
    /// Whether the settings of the store could be read nowhere: it reads spans without an end as
    /// `StoreOptions.isZeroEndOpen` says from now on.
    public var areSettingsLost = false
    /// Files that count from now on, although no record that can be read names them.
    public var takenNames: [String] = []
    /// Files that a record names and that are gone. In a manifest that is rebuilt they do not count: a record that is lost
    /// may have removed them. Otherwise they are missing, as before.
    public var missingNames: [String] = []
    /// Files that do not count: they are kept in the folder.
    public var setAside: [SetAside] = []
    /// The folder in the store's that keeps what is replaced, under its own names; nil when there is nothing to keep.
    public var keptDirectoryName: String?
    /// Whether everything is to be merged, because spans may stand in several segments.
    public var isMergeDue = false
    /// The merge; nil when there was none.
    public var merge: CompactionReport?
    /// Why the store could not be opened or merged after it was repaired. Reads are right without the merge; counts of the
    /// catalogue and of statistics may count spans twice until `compact(.all)` has run.
    public var mergeFailure: String?

    /// Whether there is nothing to do.
    public var isWhole: Bool { manifestName == nil && !isMergeDue }

    public init() {}
  }

  /// Makes a store whose `CURRENT` or manifest is damaged or gone one that opens again. Removes nothing: what is replaced,
  /// and whole data files that cannot be named, are kept in a folder of the store. See <doc:RepairsTakeInWhatIsWhole>.
  ///
  /// Damage of other files stays where it is: reads name it and go on without it. What the log has lost is told to the
  /// observer of `options`, as by `open(at:options:)`.
  ///
  /// Costs a read of the manifests and of each segment's footer. Where segments were taken in, everything is merged
  /// afterwards, as by `compact(.all)`, along the windows in which spans age by `options.retention`; nothing expires on
  /// the way. A store that is whole is left alone, also by a lock.
  ///
  /// - Throws: `notFound` when there is no store, `locked` while another process has it open for writing,
  ///   `unsupportedFormat` when a newer version wrote it, `diskFull`, `inputOutput`. Nothing of the store is gone then, and
  ///   it can be repaired again.
  public static func repair(at path: String, options: StoreOptions = StoreOptions()) async throws -> RepairReport {
    try await repair(in: RealFileSystem(), at: path, options: options)
  }

  /// What `repair(at:options:)` would do now. Changes nothing and takes no lock.
  public static func repairPlan(at path: String, options: StoreOptions = StoreOptions()) async throws -> RepairReport {
    try await repairPlan(in: RealFileSystem(), at: path, options: options)
  }

  /// For tests: in any file system.
  package static func repairPlan(
    in fileSystem: any FileSystem, at path: String, options: StoreOptions = StoreOptions()
  ) async throws -> RepairReport {
    try await WorkerPool.once(name: "tracestore-repair") {
      RepairReport(try StoreOpening(fileSystem, path, options).planRepair())
    }
  }

  /// For tests: in any file system.
  package static func repair(
    in fileSystem: any FileSystem, at path: String, options: StoreOptions = StoreOptions()
  ) async throws -> RepairReport {
    var options = options
    // Only what the repair does happens to the store.
    options.isCompactionAutomatic = false
    options.isRetentionAutomatic = false
    let chosen = options
    var (report, store) = try await WorkerPool.once(name: "tracestore-repair") {
      try StoreOpening(fileSystem, path, chosen).repair()
    }
    guard let store else { return report }
    if report.isMergeDue {
      do {
        // What the log gives again, although a segment has it, is dropped on the way.
        try await store.seal()
        report.merge = try await store.compact(.all)
      } catch {
        report.mergeFailure = "\(error)"
      }
    }
    do { try await store.close() } catch { report.mergeFailure = report.mergeFailure ?? "\(error)" }
    return report
  }
}

extension TraceStore.RepairReport {
  init(_ repair: StoreRepair) {
    damages = repair.damages.map {
      Damage(path: $0.path ?? "", offset: $0.offset ?? 0, reason: $0.message)
    }
    manifestName = repair.manifestName
    isManifestRebuilt = repair.isManifestRebuilt
    areSettingsLost = repair.areSettingsLost
    takenNames = repair.takenNames
    missingNames = repair.missingNames
    setAside = repair.setAside.map { SetAside(name: $0.name, reason: $0.reason) }
    keptDirectoryName = repair.keptDirectoryName
    isMergeDue = repair.isMergeDue
  }
}

extension StoreOpening {
  func planRepair() throws -> StoreRepair {
    var generator = SystemRandomNumberGenerator()
    return try StoreRepair(
      planning: directory, fileSystem: fileSystem,
      log: {
        let origin = try WALReader.origin(fileSystem: fileSystem, directory: logDirectory)
        return StoreRepair.LogFacts(storeID: origin.storeID, firstSequence: origin.firstSequence)
      },
      defaults: StoreSettings(
        storeID: StoreID(first: generator.next(), second: generator.next()), isZeroEndOpen: options.isZeroEndOpen,
        createdNanoseconds: 0),
      nowNanoseconds: options.clock())
  }

  /// - Returns: what was done, and the store, open, unless there was nothing to do.
  func repair() throws -> (TraceStore.RepairReport, TraceStore?) {
    // What is no store gets no lock file, and a writer of one that is whole is not disturbed.
    let report = TraceStore.RepairReport(try planRepair())
    if report.isWhole { return (report, nil) }
    let lock = try lock()
    let plan = try planRepair()
    do { try plan.perform() } catch let error as TracestoreError where error.code == .diskFull {
      // The reserve is for what comes before a full disk can be cleared; the store fills it again.
      guard DiskReserve(fileSystem: fileSystem, directory: directory).release() else {
        throw TracestoreError(
          .diskFull, "there is no room for a new manifest; make room in this folder", path: directory, cause: error)
      }
      try plan.perform()
    }
    var done = TraceStore.RepairReport(plan)
    do { return (done, try openForWriting(holding: lock)) } catch {
      // What was done is done, and has to be told.
      done.mergeFailure = "\(error)"
      return (done, nil)
    }
  }
}

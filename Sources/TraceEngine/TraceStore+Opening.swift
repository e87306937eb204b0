import Synchronization
package import TraceFiles
import TraceIngest
import TraceMaintenance
import TraceManifest
import TraceSegment
import TraceWAL

extension TraceStore {
  /// Opens the store in a directory for writing, and creates both when they are missing.
  ///
  /// Costs a read of the manifest, of each segment's footer, and of what the log holds that is not in a segment. A full
  /// disk is no obstacle to a store that is there: it can be read, and `retain(_:)` makes room.
  ///
  /// A segment or a place of the log that is damaged is left out, and every answer names it.
  ///
  /// - Throws: `locked` when another process (or another `TraceStore`) has it open for writing; `unsupportedFormat`
  ///   when a newer version wrote it; `corrupt` when the manifest is damaged (see `repair(at:options:)`); `inputOutput`.
  public static func open(at path: String, options: StoreOptions = StoreOptions()) async throws -> TraceStore {
    try await WorkerPool.once(name: "tracestore-open") {
      try StoreOpening(RealFileSystem(), path, options).openForWriting()
    }
  }

  /// Opens a store for reading, beside the process that writes it and without a lock.
  ///
  /// It sees every write that was acknowledged before it was opened, or before `refresh()` was called last.
  ///
  /// - Throws: `notFound` when there is no store; otherwise as `open(at:options:)`.
  public static func openReadOnly(at path: String, options: StoreOptions = StoreOptions()) async throws -> TraceStore {
    try await WorkerPool.once(name: "tracestore-open") {
      try StoreOpening(RealFileSystem(), path, options).openForReading()
    }
  }

  /// Whether there is a store in a directory.
  package static func exists(at path: String) -> Bool {
    (try? RealFileSystem().exists(joinedPath(path, StoreLayout.currentFileName))) ?? false
  }

  /// A store that lives in memory and is gone with its last reference: for tests and previews. It takes the same code
  /// path as one on disk, segments and log included, and grows with its content.
  public static func inMemory(options: StoreOptions = StoreOptions()) async throws -> TraceStore {
    var options = options
    options.durability = .none
    let chosen = options
    return try await WorkerPool.once(name: "tracestore-open") {
      try StoreOpening(SimulatedFileSystem(isDurabilityTracked: false), "store", chosen)
        .openForWriting(hasReserve: false)
    }
  }

  /// For tests: a store in any file system.
  package static func open(
    in fileSystem: any FileSystem, at path: String, options: StoreOptions = StoreOptions(), isReadOnly: Bool = false
  ) async throws -> TraceStore {
    try await WorkerPool.once(name: "tracestore-open") {
      let opening = try StoreOpening(fileSystem, path, options)
      return isReadOnly ? try opening.openForReading() : try opening.openForWriting()
    }
  }
}

/// The steps from a directory to a store.
struct StoreOpening {
  let fileSystem: any FileSystem
  let directory: String
  let options: StoreOptions
  private let cache: BlockCache
  private let overlay: PartialOverlay

  init(_ fileSystem: any FileSystem, _ directory: String, _ options: StoreOptions) throws {
    try options.validate()
    self.fileSystem = fileSystem
    self.directory = directory
    self.options = options
    cache = BlockCache(maximumByteCount: options.cacheByteCount ?? options.memoryBudgetByteCount / 2)
    overlay = PartialOverlay(
      cache: cache, maximumSliceKeyCount: options.joinedSpanCount ?? PartialOverlay.maximumSliceKeyCount)
  }

  var logDirectory: String { joinedPath(directory, StoreLayout.walDirectoryName) }

  func lock() throws -> any FileLock {
    try fileSystem.lock(joinedPath(directory, StoreLayout.lockFileName))
  }

  /// - Parameters:
  ///   - hasReserve: whether there is a disk that can be full.
  ///   - held: the writer lock, when the caller has it already.
  func openForWriting(hasReserve: Bool = true, holding held: (any FileLock)? = nil) throws -> TraceStore {
    try fileSystem.createDirectory(directory)
    let lock = try held ?? lock()
    var generator = SystemRandomNumberGenerator()
    let settings = StoreSettings(
      storeID: StoreID(first: generator.next(), second: generator.next()), isZeroEndOpen: options.isZeroEndOpen,
      createdNanoseconds: options.clock())
    let manifest = try ManifestStore.open(
      fileSystem: fileSystem, directory: directory, mode: .readWrite(create: settings))
    let files = SegmentFiles(
      fileSystem: fileSystem, directory: directory, manifest: manifest, cache: cache,
      maximumOpenCount: options.maximumOpenSegmentCount,
      options: SegmentOptions(stripeRowCount: options.stripeSpanCount))
    var (segments, unreadable) = try files.openAll(manifest.current)
    let metrics = try files.openAllMetrics(manifest.current)
    unreadable += metrics.unreadable
    let sealer = Sealer(manifest: manifest, files: files, parallel: Concurrency.perform)
    let (memtable, report) = try recover(manifest, sealer, &segments)
    let losses = report.gaps.filter(\.isDamage).map { "\($0.path) at byte \($0.offset): \($0.reason)" }
    for place in unreadable.map(\.reason) + losses { options.observer?(.damaged(place)) }
    let current = manifest.current.settings
    let log = try WALWriter(
      fileSystem: fileSystem, directory: logDirectory, storeID: current.storeID, after: report,
      options: WALOptions(durability: WALDurability(options.durability)))
    try log.trim(below: manifest.current.walTrimmedBelow)
    let observer = options.observer
    let maintenance = Mutex(WeakReference<Maintenance>())
    let ingestor = Ingestor(
      active: memtable, segments: segments, metrics: metrics.segments, log: log, sealer: sealer,
      options: ingestOptions(isZeroEndOpen: current.isZeroEndOpen)
    ) { event in
      switch event {
      case .sealed(let rows, let dropped, let bytes):
        maintenance.withLock { $0.value }?.wake()
        observer?(.sealed(recordCount: rows, droppedRecordCount: dropped, byteCount: bytes))
      case .sealFailed(let error): observer?(.sealFailed(error))
      }
    }
    let reserve = DiskReserve(fileSystem: fileSystem, directory: directory)
    if hasReserve { reserve.fill() }
    let loops = makeMaintenance(manifest, files, ingestor, reserve)
    maintenance.withLock { $0.value = loops }
    return TraceStore(
      core: try StoreCore(
        origin: .writer(ingestor, loops, StoreCore.Losses(files: unreadable, log: losses)), options: options,
        manifest: manifest, cache: cache, overlay: overlay, fileSystem: fileSystem, directory: directory, lock: lock))
  }

  private func makeMaintenance(
    _ manifest: ManifestStore, _ files: SegmentFiles, _ ingestor: Ingestor, _ reserve: DiskReserve
  ) -> Maintenance {
    let observer = options.observer
    let turn = MaintenanceTurn()
    let rules = options.retention.rules
    var policy = CompactionPolicy(segmentRowCount: options.mergedSegmentSpanCount)
    policy.agingWindowNanoseconds = rules.mergeWindowNanoseconds
    let exchange = SegmentExchange(manifest: manifest, files: files) { removed, added, reason in
      ingestor.replaceSegments(removed, with: added, losesRecords: reason != .merged)
    }
    let compactor = Compactor(manifest: manifest, files: files, policy: policy, exchange: exchange)
    let deleter = Deleter(manifest: manifest, files: files, policy: policy, exchange: exchange)
    let expirer = Expirer(manifest: manifest, files: files) {
      ingestor.replaceSegments($0, metrics: $1, losesRecords: true)
    }
    return Maintenance(
      turn: turn,
      merges: MergeLoop(
        compactor: compactor, turn: turn, returnsFreedMemory: options.returnsFreedMemory,
        requestCount: { ingestor.requestCount },
        isPressed: { [overlay, options] in overlay.hiddenByteCount > options.memoryBudgetByteCount / 16 },
        observe: { observer?($0) }),
      retention: RetentionLoop(
        expirer: expirer, ingestor: ingestor, manifest: manifest, reserve: reserve, rules: rules, turn: turn,
        clock: options.clock, observe: { observer?($0) }),
      deletion: Deletion(deleter: deleter, ingestor: ingestor, turn: turn, observe: { observer?($0) }))
  }

  func openForReading() throws -> TraceStore {
    let manifest = try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readOnly)
    let follower = LogFollower(
      fileSystem: fileSystem, directory: directory, logDirectory: logDirectory, manifest: manifest, cache: cache,
      maximumOpenSegmentCount: options.maximumOpenSegmentCount, parallel: Concurrency.perform)
    try follower.refresh()
    return TraceStore(
      core: try StoreCore(
        origin: .follower(follower), options: options, manifest: manifest, cache: cache, overlay: overlay,
        fileSystem: fileSystem, directory: directory))
  }

  private func ingestOptions(isZeroEndOpen: Bool) -> IngestOptions {
    // Two memtables may exist, and together they get half of the budget.
    var result = IngestOptions(
      sealRowCount: options.sealSpanCount, sealByteCount: options.memoryBudgetByteCount / 4,
      stripeRowCount: options.stripeSpanCount, isZeroEndOpen: isZeroEndOpen)
    if let count = options.maximumMemtableStringCount { result.maximumStringCount = count }
    return result
  }

  /// Reads the log back into a memtable; whole memtables are sealed on the way.
  private func recover(
    _ manifest: ManifestStore, _ sealer: Sealer, _ segments: inout [Segment]
  ) throws -> (Memtable, WALRecoveryReport) {
    let started = monotonicNanoseconds()
    let settings = manifest.current.settings
    var replay = LogReplay(ingestOptions(isZeroEndOpen: settings.isZeroEndOpen))
    var spanCount = 0
    let sealed = Mutex(segments)
    let report = try WALRecovery.run(
      fileSystem: fileSystem, directory: logDirectory, storeID: settings.storeID,
      minimumSequence: manifest.current.walTrimmedBelow,
      readingAll: { reader in
        let seal = { @Sendable (memtable: Memtable) in
          // One frame has its turn at a time, so that nobody else looks at the list meanwhile.
          let live = sealed.withLock { $0 }
          if let segment = try sealer.seal(memtable, live: live).segment { sealed.withLock { $0.append(segment) } }
        }
        let counts = try replay.appendAll(of: &reader, parallel: Concurrency.perform, seal: seal)
        spanCount = counts.rowCount
        // Behind a new file, what a crash has left out of the log would look like damage.
        if reader.gaps.contains(where: { !$0.isDamage }) { try replay.sealRest(seal) }
        return counts.frameCount
      })
    segments = sealed.withLock { $0 }
    let seconds = Double(monotonicNanoseconds() - started) / 1e9
    if report.frameCount > 0 {
      options.observer?(.recovered(requestCount: report.frameCount, spanCount: spanCount, seconds: seconds))
    }
    return (replay.memtable, report)
  }
}

extension WALDurability {
  init(_ durability: Durability) {
    switch durability {
    case .sync: self = .sync
    case .interval(let nanoseconds): self = .interval(nanoseconds: nanoseconds)
    case .none: self = .none
    }
  }
}

/// A reference that keeps nothing alive: the ingestor wakes the loops, which hold the ingestor.
private struct WeakReference<Object: AnyObject> {
  weak var value: Object?
}

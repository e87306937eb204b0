package import TraceFiles
import TraceIngest
import TraceManifest
import TraceSegment
import TraceWAL

extension TraceStore {
  /// Opens the store in a directory for writing, and creates both when they are missing.
  ///
  /// Costs a read of the manifest, of each segment's footer, and of what the log holds that is not in a segment.
  ///
  /// - Throws: `locked` when another process (or another `TraceStore`) has it open for writing; `unsupportedFormat`
  ///   when a newer version wrote it; `corrupt`, `inputOutput`.
  public static func open(at path: String, options: StoreOptions = StoreOptions()) async throws -> TraceStore {
    try await offPool { try StoreOpening(RealFileSystem(), path, options).openForWriting() }
  }

  /// Opens a store for reading, beside the process that writes it and without a lock.
  ///
  /// It sees every write that was acknowledged before it was opened, or before `refresh()` was called last.
  ///
  /// - Throws: `notFound` when there is no store; otherwise as `open(at:options:)`.
  public static func openReadOnly(at path: String, options: StoreOptions = StoreOptions()) async throws -> TraceStore {
    try await offPool { try StoreOpening(RealFileSystem(), path, options).openForReading() }
  }

  /// A store that lives in memory and is gone with its last reference: for tests and previews. It takes the same code
  /// path as one on disk, segments and log included, and grows with its content.
  public static func inMemory(options: StoreOptions = StoreOptions()) async throws -> TraceStore {
    var options = options
    options.durability = .none
    let chosen = options
    return try await offPool {
      try StoreOpening(SimulatedFileSystem(isDurabilityTracked: false), "store", chosen).openForWriting()
    }
  }

  /// For tests: a store in any file system.
  package static func open(
    in fileSystem: any FileSystem, at path: String, options: StoreOptions = StoreOptions(), isReadOnly: Bool = false
  ) async throws -> TraceStore {
    try await offPool {
      let opening = try StoreOpening(fileSystem, path, options)
      return isReadOnly ? try opening.openForReading() : try opening.openForWriting()
    }
  }

  /// Opening reads files, so it must not hold up the cooperative pool.
  private static func offPool<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    let pool = try WorkerPool(name: "tracestore-open", threadCount: 1)
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await pool.run(body)) } catch { result = .failure(error) }
    pool.requestEnd()
    return try result.get()
  }
}

/// The steps from a directory to a store.
struct StoreOpening {
  private let fileSystem: any FileSystem
  private let directory: String
  private let options: StoreOptions
  private let cache: BlockCache

  init(_ fileSystem: any FileSystem, _ directory: String, _ options: StoreOptions) throws {
    try options.validate()
    self.fileSystem = fileSystem
    self.directory = directory
    self.options = options
    cache = BlockCache(maximumByteCount: options.memoryBudgetByteCount / 2)
  }

  private var logDirectory: String { joinedPath(directory, StoreLayout.walDirectoryName) }

  func openForWriting() throws -> TraceStore {
    try fileSystem.createDirectory(directory)
    let lock = try fileSystem.lock(joinedPath(directory, StoreLayout.lockFileName))
    var generator = SystemRandomNumberGenerator()
    let settings = StoreSettings(
      storeID: StoreID(first: generator.next(), second: generator.next()), isZeroEndOpen: options.isZeroEndOpen,
      createdNanoseconds: options.clock())
    let manifest = try ManifestStore.open(
      fileSystem: fileSystem, directory: directory, mode: .readWrite(create: settings))
    var segments = try openSegments(manifest.current)
    let sealer = Sealer(
      fileSystem: fileSystem, directory: directory, manifest: manifest, cache: cache,
      segmentOptions: SegmentOptions(stripeRowCount: options.stripeSpanCount), parallel: Concurrency.perform)
    let (memtable, report) = try recover(manifest, sealer, &segments)
    let current = manifest.current.settings
    let log = try WALWriter(
      fileSystem: fileSystem, directory: logDirectory, storeID: current.storeID, after: report,
      options: WALOptions(durability: WALDurability(options.durability)))
    try log.trim(below: manifest.current.walTrimmedBelow)
    let observer = options.observer
    let ingestor = Ingestor(
      active: memtable, segments: segments, log: log, sealer: sealer,
      options: ingestOptions(isZeroEndOpen: current.isZeroEndOpen)
    ) { event in
      switch event {
      case .sealed(let rows, let dropped, let bytes):
        observer?(.sealed(recordCount: rows, droppedRecordCount: dropped, byteCount: bytes))
      case .sealFailed(let error): observer?(.sealFailed(error))
      }
    }
    return TraceStore(
      core: try StoreCore(
        origin: .writer(ingestor), options: options, manifest: manifest, cache: cache, fileSystem: fileSystem,
        directory: directory, lock: lock))
  }

  func openForReading() throws -> TraceStore {
    let manifest = try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readOnly)
    let follower = LogFollower(
      fileSystem: fileSystem, directory: directory, logDirectory: logDirectory, manifest: manifest, cache: cache)
    try follower.refresh()
    return TraceStore(
      core: try StoreCore(
        origin: .follower(follower), options: options, manifest: manifest, cache: cache, fileSystem: fileSystem,
        directory: directory))
  }

  private func ingestOptions(isZeroEndOpen: Bool) -> IngestOptions {
    // Two memtables may exist, and together they get half of the budget.
    IngestOptions(
      sealRowCount: options.sealSpanCount, sealByteCount: options.memoryBudgetByteCount / 4,
      stripeRowCount: options.stripeSpanCount, isZeroEndOpen: isZeroEndOpen)
  }

  private func openSegments(_ version: ManifestVersion) throws -> [Segment] {
    try version.files(of: .segment).map {
      try Sealer.openSegment($0, fileSystem: fileSystem, directory: directory, cache: cache)
    }
  }

  /// Reads the log back into a memtable; whole memtables are sealed on the way.
  private func recover(
    _ manifest: ManifestStore, _ sealer: Sealer, _ segments: inout [Segment]
  ) throws -> (Memtable, WALRecoveryReport) {
    let started = monotonicNanoseconds()
    let settings = manifest.current.settings
    let limits = ingestOptions(isZeroEndOpen: settings.isZeroEndOpen)
    var replay = LogReplay(isZeroEndOpen: settings.isZeroEndOpen)
    var spanCount = 0
    var sealed = segments
    let report = try WALRecovery.run(
      fileSystem: fileSystem, directory: logDirectory, storeID: settings.storeID,
      minimumSequence: manifest.current.walTrimmedBelow
    ) { record in
      spanCount += try replay.append(record)
      if replay.memtable.rowCount >= limits.sealRowCount || replay.memtable.byteCount >= limits.sealByteCount {
        if let segment = try sealer.seal(replay.memtable, live: sealed).segment { sealed.append(segment) }
        replay = LogReplay(isZeroEndOpen: settings.isZeroEndOpen)
      }
    }
    segments = sealed
    for gap in report.gaps where gap.isDamage {
      options.observer?(.damaged("\(gap.path) at byte \(gap.offset): \(gap.reason)"))
    }
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

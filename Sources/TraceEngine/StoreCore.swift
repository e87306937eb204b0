import Synchronization
import TraceFiles
import TraceIngest
import TraceMaintenance
import TraceManifest
import TraceModel
import TraceOTLP
import TraceQuery
import TraceSegment
import TraceSource

/// What stands behind `TraceStore`: threads, the writer or the follower, and the way from a call to a synchronous room.
final class StoreCore: Sendable {
  /// Where rows come from.
  enum Origin: Sendable {
    case writer(Ingestor, Maintenance, Losses)
    case follower(LogFollower)
  }

  /// What could not be read when the store was opened.
  struct Losses: Sendable {
    var files: [UnreadableFile]
    /// A sentence for each place.
    var log: [String]
  }

  let origin: Origin
  let options: StoreOptions
  let manifest: ManifestStore
  let cache: BlockCache
  let fileSystem: any FileSystem
  let directory: String
  let readers: WorkerPool
  /// Threads that join in the loops of readers, from the first loop on. Of their own, so that a question gets a reader
  /// however long the loops of others are.
  private let helpers = Mutex<WorkerPool?>(nil)
  private let writers: WorkerPool
  private let sealerThread: WorkerThread?
  private let maintenanceThreads: [WorkerThread]
  /// Batches to reuse; each is with one thread at a time.
  private let batches = Monitor<[SpanBatch]>([])
  private let isClosed = Mutex(false)
  /// The writer lock; let go when the store is closed.
  private let lock: Monitor<(any FileLock)?>
  private let storeFingerprint: UInt64
  private let repeats = RepeatMemory()
  let overlay: PartialOverlay

  init(
    origin: Origin, options: StoreOptions, manifest: ManifestStore, cache: BlockCache, overlay: PartialOverlay,
    fileSystem: any FileSystem, directory: String, lock: (any FileLock)? = nil
  ) throws {
    self.lock = Monitor(lock)
    self.origin = origin
    self.options = options
    self.manifest = manifest
    self.cache = cache
    self.overlay = overlay
    self.fileSystem = fileSystem
    self.directory = directory
    let storeID = manifest.current.settings.storeID
    storeFingerprint = storeID.first ^ storeID.second
    readers = try WorkerPool(name: "tracestore-read", threadCount: max(2, ProcessorCount.online))
    writers = try WorkerPool(name: "tracestore-write", threadCount: max(2, ProcessorCount.online))
    if case .writer(let ingestor, let maintenance, _) = origin {
      sealerThread = try WorkerThread(name: "tracestore-seal") { ingestor.runSealer() }
      maintenanceThreads = try maintenance.start(
        mergesByItself: options.isCompactionAutomatic, retainsByItself: options.isRetentionAutomatic)
    } else {
      sealerThread = nil
      maintenanceThreads = []
    }
  }

  // MARK: Writing

  func checkWritable() throws {
    if isClosed.withLock({ $0 }) { throw StoreFailure.closed }
    if case .follower = origin { throw StoreFailure.readOnly }
  }

  /// Requests with a place in a line have to be submitted in the line's order: the threads take jobs in the order they
  /// came, so whoever waits for an earlier request waits for one that is under way.
  func write(
    _ encode: @escaping @Sendable () throws -> EncodedRequest, inLine place: WriteLine.Place? = nil,
    completion: @escaping @Sendable (Result<WriteReceipt, any Error>) -> Void
  ) {
    guard case .writer(let ingestor, _, _) = origin else { return completion(.failure(StoreFailure.readOnly)) }
    let isAccepted = writers.submit { [self] in
      var refusal: (any Error)?
      defer { place?.leave(refusal) }
      do {
        let request = try encode()
        let batch = batches.withLock { $0.popLast() } ?? SpanBatch()
        defer { batches.withLock { $0.append(batch) } }
        try request.bytes.withUnsafeBytes { bytes in
          try ingestor.write(
            bytes, arrivalNanoseconds: options.clock(), batch: batch, admit: place.map { $0.waitForTurn }
          ) { result in
            if case .failure = result { place?.endLine() }
            completion(result.map { WriteReceipt($0, request.refusals) })
          }
        }
      } catch {
        refusal = error
        completion(.failure(error))
      }
    }
    if !isAccepted { completion(.failure(StoreFailure.closed)) }
  }

  /// Links that were computed elsewhere.
  var dependencyFiles: DependencyFiles {
    DependencyFiles(fileSystem: fileSystem, directory: directory, manifest: manifest)
  }

  func writeDependencies(_ links: [DependencyLink], at time: Timestamp) async throws {
    try checkWritable()
    if links.isEmpty { return }
    try await writers.run { [self] in try dependencyFiles.write(links, at: time) }
  }

  // MARK: Reading

  /// Spreads a loop of a read over the processors.
  var parallel: SegmentParallelism {
    { [self] count, body in
      if let pool = startedHelpers() { pool.perform(count, body) } else { SegmentWriter.serial(count, body) }
    }
  }

  /// Nil where no thread can be started.
  private func startedHelpers() -> WorkerPool? {
    helpers.withLock { helpers in
      if helpers == nil {
        helpers = try? WorkerPool(name: "tracestore-part", threadCount: ProcessorCount.online - 1)
      }
      return helpers
    }
  }

  /// Runs a synchronous read on a reader thread, over what is visible now.
  ///
  /// - Parameter traces: those that it is about; nil for all.
  func read<Result: Sendable>(
    of traces: [TraceID]? = nil, _ body: @escaping @Sendable (QuerySnapshot) throws -> Result
  ) async throws -> Result {
    try await readers.run { [self] in
      cache.beginQuestion()
      func makeSnapshot() throws -> QuerySnapshot { try traces.map(snapshot) ?? self.makeSnapshot() }
      guard case .follower(let follower) = origin else { return try body(try makeSnapshot()) }
      // What the writer merges away is gone for this process once it has closed it.
      for _ in 0..<Self.maximumRestartCount {
        let lostFileCount = follower.lostFileCount
        let result = try body(try makeSnapshot())
        if follower.lostFileCount == lostFileCount { return result }
        try follower.refresh()
      }
      return try body(try makeSnapshot())
    }
  }

  private func makeSnapshot() throws -> QuerySnapshot {
    let spans = try overlay.spans(sources)
    return QuerySnapshot(
      sources: spans.sources, records: spans.records, metrics: spans.metrics, storeFingerprint: storeFingerprint,
      damage: damage + spans.damage, joinDamage: spans.joinDamage, repeats: repeats)
  }

  /// A query that has given nothing yet begins again when a segment is gone; after that it says what it lacks.
  private static let maximumRestartCount = 3

  /// What is visible now of a few traces; of others it may hold nothing.
  private func snapshot(of traces: [TraceID]) throws -> QuerySnapshot {
    let live = try sources(of: traces)
    return QuerySnapshot(
      sources: live.memtables + live.segments, storeFingerprint: storeFingerprint, damage: damage, repeats: repeats)
  }

  /// What could not be read before the query began. A file that the manifest has let go is missed by nobody.
  var damage: [String] {
    switch origin {
    case .writer(_, _, let losses):
      losses.files.filter { manifest.current.file($0.key) != nil }.map(\.reason) + losses.log
    case .follower(let follower): follower.damage
    }
  }

  /// What is visible now of a few traces.
  private func sources(of traces: [TraceID]) throws -> LiveSources {
    switch origin {
    case .writer(let ingestor, _, _): ingestor.sources()
    case .follower(let follower): try follower.sources(of: traces)
    }
  }

  /// What is visible now.
  func sources() throws -> LiveSources {
    switch origin {
    case .writer(let ingestor, _, _): ingestor.sources()
    case .follower(let follower): try follower.sources()
    }
  }

  // MARK: Lifecycle

  func seal() async throws {
    try checkWritable()
    guard case .writer(let ingestor, _, _) = origin else { throw StoreFailure.readOnly }
    try await writers.run { try ingestor.sealAll() }
  }

  func compact(
    isFull: Bool, report: @escaping @Sendable (MergeProgress) -> Void
  ) async throws -> CompactionResult {
    try checkWritable()
    guard case .writer(let ingestor, let maintenance, _) = origin else { throw StoreFailure.readOnly }
    if isFull { try await sealForMaintenance(ingestor) }
    // It may take minutes: none of the threads that others wait for.
    return try await WorkerPool.once(name: "tracestore-compact") {
      try maintenance.merges.compact(isFull: isFull, report: report)
    }
  }

  private func sealForMaintenance(_ ingestor: Ingestor) async throws {
    do { try await seal() } catch let error as TracestoreError where error.code == .diskFull {
      let byteCount = UInt64(ingestor.memoryByteCount)
      throw manifest.noRoom(for: "a segment of the spans that stand in the log", byteCount: byteCount, error)
    }
  }

  func delete(
    _ traces: Set<TraceID>, report: @escaping @Sendable (MergeProgress) -> Void
  ) async throws -> DeletionResult {
    try checkWritable()
    guard case .writer(let ingestor, let maintenance, _) = origin else { throw StoreFailure.readOnly }
    if traces.isEmpty { return DeletionResult() }
    // Segments alone are written again, and the log lets go of what stands in one.
    try await sealForMaintenance(ingestor)
    return try await WorkerPool.once(name: "tracestore-delete") {
      try maintenance.deletion.delete(traces, report: report)
    }
  }

  /// Makes another folder the store that this one is, and gives back which version that is.
  ///
  /// - Parameter other: the file system of the other folder; nil for the store's own.
  func copy(to path: String, in other: (any FileSystem)?) async throws -> (StoreCopy, ManifestVersion) {
    if isClosed.withLock({ $0 }) { throw StoreFailure.closed }
    let copy = { @Sendable [self] (checkCancelled: () throws -> Void) in
      let version = manifest.current
      let copy = try StoreCopy(
        of: version, from: directory, in: fileSystem, to: path, in: other, checkCancelled: checkCancelled)
      return (copy, version)
    }
    switch origin {
    case .follower:
      try await refresh()
      guard try await statistics(withServiceSizes: false).unsealedRecordCount == 0 else {
        throw TracestoreError(
          .readOnly,
          "spans stand in the log and in no segment yet; take the snapshot where the store is open for writing",
          path: directory)
      }
      return try await WorkerPool.once(name: "tracestore-copy") { try copy({}) }
    case .writer(let ingestor, let maintenance, _):
      try await sealForMaintenance(ingestor)
      return try await WorkerPool.once(name: "tracestore-copy") {
        try maintenance.withoutMerges { turn in
          try copy { if turn.isClosed { throw StoreFailure.closed } }
        }
      }
    }
  }

  func retain(_ policy: RetentionPolicy) async throws -> ExpiryResult {
    try policy.validate()
    try checkWritable()
    guard case .writer(_, let maintenance, _) = origin else { throw StoreFailure.readOnly }
    return try await WorkerPool.once(name: "tracestore-retain") { try maintenance.retention.retain(policy.rules) }
  }

  func retentionPlan(_ policy: RetentionPolicy) throws -> ExpiryResult {
    try policy.validate()
    let (version, now, rules) = (manifest.current, options.clock(), policy.rules)
    var result = ExpiryResult()
    result.segments = rules.expired(version.files(of: .segment), nowNanoseconds: now)
    result.metrics = rules.expiredMetrics(version.files(of: .metricsSegment), nowNanoseconds: now)
    return result
  }

  func refresh() async throws {
    guard case .follower(let follower) = origin else { return }
    try await readers.run { try follower.refresh() }
  }

  /// Memtables above this are sealed on closing; smaller ones are read back from the log in a moment.
  private static let closingSealRowCount = 1 << 14

  func close() async throws {
    guard beginClosing() else { return }
    let outcome = Mutex<Result<Void, any Error>?>(nil)
    await withCheckedContinuation { continuation in
      // Closing waits for the store's threads, so it needs one that is not theirs.
      let closer = try? WorkerThread(name: "tracestore-close") { [self] in
        outcome.withLock { $0 = Result { try shutDown() } }
        continuation.resume()
      }
      if closer == nil {
        outcome.withLock { $0 = Result { try shutDown() } }
        continuation.resume()
      }
    }
    try outcome.withLock { $0 }?.get()
  }

  /// For a store that nobody holds any more. What was acknowledged is safe whether or not this succeeds.
  func closeInBackground() {
    guard beginClosing() else { return }
    _ = try? WorkerThread(name: "tracestore-close") { [self] in try? shutDown() }
  }

  /// True for the first caller.
  private func beginClosing() -> Bool {
    isClosed.withLock { isClosed in
      defer { isClosed = true }
      return !isClosed
    }
  }

  private func shutDown() throws {
    writers.close()
    var failure: (any Error)?
    if case .writer(let ingestor, let maintenance, _) = origin {
      maintenance.requestEnd()
      // When this fails the rows are safe in the log; only the next opening takes longer.
      if ingestor.hasRows(atLeast: Self.closingSealRowCount) { try? ingestor.sealAll() }
      do { try ingestor.close() } catch { failure = error }
      sealerThread?.join()
      for thread in maintenanceThreads { thread.join() }
      maintenance.waitForEnd()
    }
    readers.close()
    helpers.withLock { $0 }?.close()
    manifest.close()
    lock.withLock { $0 = nil }
    if let failure { throw failure }
  }
}

/// A protobuf request, and the spans that were refused while it was made from another encoding.
struct EncodedRequest: Sendable {
  var bytes: [UInt8]
  /// Places in the request as it came.
  var refusals: [OTLP.Refusal] = []

  init(_ data: TraceData) { bytes = OTLP.encode(data) }

  /// JSON is rewritten as protobuf.
  init(_ request: [UInt8], encoding: OTLPEncoding) throws {
    switch encoding {
    case .protobuf: bytes = request
    case .json: bytes = OTLP.encode(try OTLPJSON.decode(request, refusals: &refusals))
    }
  }
}

extension WriteReceipt {
  init(_ receipt: IngestReceipt, _ earlier: [OTLP.Refusal]) {
    let refused = earlier.map { Refusal(spanIndex: $0.spanIndex, reason: $0.reason) }
    self.init(
      acceptedSpanCount: receipt.acceptedCount,
      refused: refused + receipt.refusals.map { Refusal(spanIndex: $0.spanIndex, reason: $0.reason) })
  }
}

extension ResultSummary {
  mutating func add(damage messages: [String]) {
    for message in messages where !damage.contains(message) { damage.append(message) }
  }
}

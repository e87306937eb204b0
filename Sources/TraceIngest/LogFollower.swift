package import TraceFiles
package import TraceManifest
package import TraceModel
import TraceOTLP
package import TraceSegment
import TraceWAL

/// The sources of a process that only reads: the segments of the manifest, and the rows of the log that are not in
/// them yet, read when a query first reaches them.
///
/// A search needs every row: the log is decoded into a memtable, once, and later only what is new. A trace by its id
/// needs few of them: the part of the log that is not in the memtable is searched for the bytes of the id, and only
/// the frames that have them are decoded. Thread-safe; queries read the log one after the other.
package final class LogFollower: Sendable {
  private struct State {
    var segments: [Segment] = []
    var metrics: [MetricsSegment] = []
    /// What is wrong with segments that could not be opened when the manifest was taken up last.
    var segmentDamage: [String] = []
    var trimmedBelow: UInt64 = 0
    /// The rows of the log before `cursor`.
    var memtable: Memtable
    var cursor = WALCursor()
    /// Whether the log was decoded since the last refresh.
    var isLogRead = false
    /// How often what follows the cursor has been searched.
    var scanCount = 0
    var damage: [String] = []

    mutating func add(damage new: [String]) {
      for text in new where damage.count < LogFollower.maximumDamageCount && !damage.contains(text) {
        damage.append(text)
      }
    }
  }

  /// Searching the log costs about a quarter of decoding it, so whoever asks for more traces is better off with rows.
  private static let maximumScanCount = 4
  /// Traces asked for at once: each is another pass over the bytes.
  private static let maximumScannedTraceCount = 4
  /// How many damaged places are remembered.
  private static let maximumDamageCount = 64

  private let fileSystem: any FileSystem
  private let directory: String
  private let logDirectory: String
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let parallel: SegmentParallelism
  private let serialByteCount: Int
  private let state: Monitor<State>

  /// - Parameters:
  ///   - parallel: how the log is read on several threads.
  ///   - serialByteCount: up to here the calling thread reads alone: starting others would take longer.
  package init(
    fileSystem: any FileSystem, directory: String, logDirectory: String, manifest: ManifestStore, cache: BlockCache,
    maximumOpenSegmentCount: Int = SegmentFiles.maximumOpenCount, parallel: @escaping SegmentParallelism,
    serialByteCount: Int = 1 << 20
  ) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.logDirectory = logDirectory
    self.manifest = manifest
    files = SegmentFiles(
      fileSystem: fileSystem, directory: directory, manifest: manifest, cache: cache,
      maximumOpenCount: maximumOpenSegmentCount)
    self.parallel = parallel
    self.serialByteCount = serialByteCount
    state = Monitor(State(memtable: Memtable(endZeroMeansOpen: manifest.current.settings.isZeroEndOpen)))
  }

  /// How often a query met a segment that the writer had merged away and that was not open any more.
  package var lostFileCount: Int { files.lostFileCount }

  /// Takes up what was written since. New segments are opened; the log is read by the next query.
  package func refresh() throws {
    try state.withLock { state in
      try Self.retryingExpired { _ in try takeUpManifest(&state) }
      state.isLogRead = false
    }
  }

  private func takeUpManifest(_ state: inout State) throws {
    let version = try manifest.refresh()
    let known = Dictionary(uniqueKeysWithValues: state.segments.map { ($0.number, $0) })
    let knownMetrics = Dictionary(uniqueKeysWithValues: state.metrics.map { ($0.number, $0) })
    // Both before either: they are of one version.
    let segments = try files.openAll(version, known: known)
    let metrics = try files.openAllMetrics(version, known: knownMetrics)
    (state.segments, state.metrics) = (segments.segments, metrics.segments)
    state.segmentDamage = (segments.unreadable + metrics.unreadable).map(\.reason)
    // Rows that are in a segment now must not be in the memtable as well.
    if version.walTrimmedBelow > state.trimmedBelow {
      state.trimmedBelow = version.walTrimmedBelow
      let isStale = state.memtable.sequences.map { $0.lowerBound < version.walTrimmedBelow } ?? true
      if isStale {
        state.memtable = Memtable(endZeroMeansOpen: version.settings.isZeroEndOpen)
        state.cursor = WALCursor(minimumSequence: version.walTrimmedBelow)
        state.scanCount = 0
        // What has gone with the log was sealed from the writer's memory; what has not is found again.
        state.damage = []
      }
    }
  }

  /// What was acknowledged before the last refresh.
  package func sources() throws -> LiveSources {
    try state.withLock { state in
      if !state.isLogRead { try readingLog(&state, decodeLog) }
      return sources(&state)
    }
  }

  /// What was acknowledged before the last refresh of the given traces. Of other traces it may have nothing.
  package func sources(of traces: [TraceID]) throws -> LiveSources {
    if traces.count > Self.maximumScannedTraceCount { return try sources() }
    return try state.withLock { state in
      if state.isLogRead { return sources(&state) }
      if state.scanCount == Self.maximumScanCount {
        try readingLog(&state, decodeLog)
        return sources(&state)
      }
      let found = try readingLog(&state) { try scanLog(&$0, $1, for: traces) }
      state.scanCount += 1
      var live = sources(&state)
      if !found.isEmpty { live.memtables.append(found) }
      return live
    }
  }

  /// Segments that cannot be opened, and what could not be read of the log since it was last trimmed: a sentence for
  /// each.
  package var damage: [String] { state.withLock { $0.segmentDamage + $0.damage } }

  private func sources(_ state: inout State) -> LiveSources {
    let memtable = state.memtable.source()
    return LiveSources(memtables: memtable.isEmpty ? [] : [memtable], segments: state.segments, metrics: state.metrics)
  }

  /// Bytes of the log's files.
  package func logByteCount() throws -> UInt64 {
    guard try fileSystem.exists(logDirectory) else { return 0 }
    return try fileSystem.contents(ofDirectory: logDirectory).reduce(0) { sum, name in
      sum + (try fileSystem.open(joinedPath(logDirectory, name), .read).byteCount())
    }
  }

  // MARK: Reading the log

  private func reader(_ state: State, mayBeTrimmed: Bool) throws -> WALReader? {
    guard try fileSystem.exists(logDirectory) else { return nil }
    return try WALReader(
      fileSystem: fileSystem, directory: logDirectory, storeID: manifest.current.settings.storeID, mode: .published,
      from: state.cursor, mayBeTrimmed: mayBeTrimmed)
  }

  /// Decodes what follows the cursor into the memtable.
  private func decodeLog(_ state: inout State, mayBeTrimmed: Bool) throws {
    if let reader = try reader(state, mayBeTrimmed: mayBeTrimmed) {
      let memtable = state.memtable
      let pass = LogPass(reader) { frame in
        try frame.decode()
        return true
      } append: { frame in
        _ = try memtable.append(frame)
      }
      let report = pass.run(parallel, serialByteCount: serialByteCount)
      // Kept even when the pass ended early: the rows before the cursor are in the memtable.
      state.cursor = report.cursor
      state.scanCount = 0
      state.add(damage: report.damage)
      if let failure = report.failure { throw failure }
    }
    state.isLogRead = true
  }

  /// The rows of the traces in what follows the cursor. The cursor stays.
  private func scanLog(
    _ state: inout State, _ mayBeTrimmed: Bool, for traces: [TraceID]
  ) throws -> MemtableSource {
    let memtable = Memtable(endZeroMeansOpen: manifest.current.settings.isZeroEndOpen)
    if let reader = try reader(state, mayBeTrimmed: mayBeTrimmed) {
      let patterns = traces.map { TraceIDPattern($0) }
      let pass = LogPass(reader) { frame in
        guard patterns.contains(where: { $0.occurs(in: frame.payload) }) else { return false }
        try frame.decode()
        frame.batch.removeSpans { span in
          traces.contains(TraceID(high: span.traceHigh, low: span.traceLow))
        }
        return frame.batch.acceptedCount > 0
      } append: { frame in
        _ = try memtable.append(frame)
      }
      let report = pass.run(parallel, serialByteCount: serialByteCount)
      state.add(damage: report.damage)
      if let failure = report.failure { throw failure }
    }
    return memtable.source()
  }

  /// Runs `body` until the log stands still under it.
  private func readingLog<Result>(
    _ state: inout State, _ body: (_ state: inout State, _ mayBeTrimmed: Bool) throws -> Result
  ) throws -> Result {
    try Self.retryingExpired { mayBeTrimmed in
      do { return try body(&state, mayBeTrimmed) } catch let error as TracestoreError
        where error.code == .snapshotExpired
      {
        // The writer sealed and trimmed meanwhile: the rows are in segments that a newer manifest names.
        state.trimmedBelow = 0
        try takeUpManifest(&state)
        throw error
      }
    }
  }

  /// A writer may seal between two looks at its files; each retry begins with its newer manifest. What is gone for the
  /// last one was not sealed.
  private static func retryingExpired<Result>(_ body: (_ mayBeTrimmed: Bool) throws -> Result) throws -> Result {
    for _ in 0..<8 {
      do { return try body(true) } catch let error as TracestoreError
        where error.code == .snapshotExpired || error.code == .notFound
      {
        continue
      }
    }
    return try body(false)
  }
}

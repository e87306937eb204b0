package import TraceFiles
package import TraceManifest
import TraceModel
package import TraceSegment
import TraceWAL

/// The sources of a process that only reads: the segments of the manifest, and the rows of the log that are not in
/// them yet, decoded when a query first reaches them.
package final class LogFollower: Sendable {
  private struct State {
    var segments: [Segment] = []
    var trimmedBelow: UInt64 = 0
    var replay: LogReplay
    var cursor: WALCursor
    /// Whether the log was read since the last refresh.
    var isLogRead = false
  }

  private let fileSystem: any FileSystem
  private let directory: String
  private let logDirectory: String
  private let manifest: ManifestStore
  private let files: SegmentFiles
  private let state: Monitor<State>

  package init(
    fileSystem: any FileSystem, directory: String, logDirectory: String, manifest: ManifestStore, cache: BlockCache
  ) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.logDirectory = logDirectory
    self.manifest = manifest
    files = SegmentFiles(fileSystem: fileSystem, directory: directory, manifest: manifest, cache: cache)
    state = Monitor(
      State(replay: LogReplay(isZeroEndOpen: manifest.current.settings.isZeroEndOpen), cursor: WALCursor()))
  }

  /// Takes up what was written since. New segments are opened; the log is read by the next query.
  package func refresh() throws {
    try state.withLock { state in
      try Self.retryingExpired { try takeUpManifest(&state) }
      state.isLogRead = false
    }
  }

  private func takeUpManifest(_ state: inout State) throws {
    let version = try manifest.refresh()
    let known = Dictionary(uniqueKeysWithValues: state.segments.map { ($0.number, $0) })
    state.segments = try version.files(of: .segment).map { file in
      try known[file.key.number]
        ?? files.open(file)
    }
    // Rows that are in a segment now must not be in the memtable as well.
    if version.walTrimmedBelow > state.trimmedBelow {
      state.trimmedBelow = version.walTrimmedBelow
      let isStale = state.replay.memtable.sequences.map { $0.lowerBound < version.walTrimmedBelow } ?? true
      if isStale {
        state.replay = LogReplay(isZeroEndOpen: version.settings.isZeroEndOpen)
        state.cursor = WALCursor(minimumSequence: version.walTrimmedBelow)
      }
    }
  }

  /// What was acknowledged before the last refresh.
  package func sources() throws -> (memtables: [MemtableSource], segments: [Segment]) {
    try state.withLock { state in
      if !state.isLogRead {
        try Self.retryingExpired {
          do {
            try readLog(&state)
          } catch let error as TracestoreError where error.code == .snapshotExpired {
            // The writer sealed and trimmed meanwhile: the rows are in segments that a newer manifest names.
            state.trimmedBelow = 0
            try takeUpManifest(&state)
            throw error
          }
        }
        state.isLogRead = true
      }
      let memtable = state.replay.memtable.source()
      return (memtable.isEmpty ? [] : [memtable], state.segments)
    }
  }

  /// Bytes of the log's files.
  package func logByteCount() throws -> UInt64 {
    guard try fileSystem.exists(logDirectory) else { return 0 }
    return try fileSystem.contents(ofDirectory: logDirectory).reduce(0) { sum, name in
      sum + (try fileSystem.open(joinedPath(logDirectory, name), .read).byteCount())
    }
  }

  private func readLog(_ state: inout State) throws {
    guard try fileSystem.exists(logDirectory) else { return }
    var reader = try WALReader(
      fileSystem: fileSystem, directory: logDirectory, storeID: manifest.current.settings.storeID, mode: .published,
      from: state.cursor)
    while let record = try reader.next() { _ = try state.replay.append(record) }
    state.cursor = reader.cursor
  }

  /// A writer may seal between two looks at its files; each retry begins with its newer manifest.
  private static func retryingExpired(_ body: () throws -> Void) throws {
    for _ in 0..<8 {
      do { return try body() } catch let error as TracestoreError
        where error.code == .snapshotExpired || error.code == .notFound
      {
        continue
      }
    }
    try body()
  }
}

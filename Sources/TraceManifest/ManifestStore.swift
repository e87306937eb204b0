import Synchronization
package import TraceFiles
package import TraceModel

/// The manifest of one store directory.
///
/// Thread-safe. One process opens it for writing, holding the writer lock; any number open it for reading.
package final class ManifestStore: Sendable {
  package enum Mode: Hashable, Sendable {
    /// For the holder of the writer lock. With settings, a directory without a manifest becomes a store.
    case readWrite(create: StoreSettings?)
    case readOnly
  }

  /// When the log is rewritten as one record: beyond this, and beyond twice what the record takes.
  package static let defaultMaximumLogByteCount = 4 << 20

  let fileSystem: any FileSystem
  package let directory: String
  let isReadOnly: Bool
  let maximumLogByteCount: Int
  /// What the log holds, and for a writer the open file. Held while an edit is written and synced.
  let log: Mutex<LogState>
  private let version: Mutex<ManifestVersion>
  private let fileNumber: Mutex<UInt64>

  struct LogState: Sendable {
    var header: ManifestHeader
    var salt: UInt32
    var endOffset: UInt64
    var version: ManifestVersion
    var ending: ManifestLog.Ending
    var file: (any File)?
    var failure: TracestoreError?
    /// What is wrong with CURRENT, when the manifest was found without it. A writer replaces it.
    var currentDamage: TracestoreError?
    /// What the log took when it was one record.
    var snapshotByteCount: UInt64 = 0
  }

  private init(
    fileSystem: any FileSystem, directory: String, isReadOnly: Bool, maximumLogByteCount: Int, state: LogState,
    nextFileNumber: UInt64
  ) {
    self.fileSystem = fileSystem
    self.directory = directory
    self.isReadOnly = isReadOnly
    self.maximumLogByteCount = maximumLogByteCount
    version = Mutex(state.version)
    fileNumber = Mutex(nextFileNumber)
    log = Mutex(state)
  }

  /// What is wrong with a folder that has no CURRENT.
  package static func noStore(_ directory: String, _ fileSystem: any FileSystem) -> TracestoreError {
    if let name = try? remains(directory, fileSystem) { return noCurrent(directory, beside: name) }
    return TracestoreError(
      .notFound, "there is no store in this folder; name another one, or write to it first, which makes a store",
      path: directory)
  }

  /// The name of what only a store has that is more than an unfinished creation: a data file, or a log that is not empty.
  static func remains(_ directory: String, _ fileSystem: any FileSystem) throws -> String? {
    if let name = try fileSystem.contents(ofDirectory: directory).first(where: { StoreLayout.fileKey($0) != nil }) {
      return name
    }
    let log = joinedPath(directory, StoreLayout.walDirectoryName)
    guard try fileSystem.kind(of: log) == .directory, try !fileSystem.contents(ofDirectory: log).isEmpty else {
      return nil
    }
    return StoreLayout.walDirectoryName
  }

  /// Files of a store without the one that says which of them count.
  static func noCurrent(_ directory: String, beside name: String) -> TracestoreError {
    TracestoreError(
      .corrupt,
      "\(directory) holds \(name) and no CURRENT; bring CURRENT back from a copy, or run `tracestore repair --plan`",
      path: joinedPath(directory, StoreLayout.currentFileName))
  }

  /// Reads the manifest, or makes it. Throws `notFound` when there is none and none is to be made, `corrupt` with the
  /// byte offset, `unsupportedFormat` for what a newer version has written. Reads `CURRENT` and one file; when the bytes of
  /// `CURRENT` are damaged, all manifest files, and takes the newest that is whole. A writer replaces `CURRENT` then.
  package static func open(
    fileSystem: any FileSystem, directory: String, mode: Mode,
    maximumLogByteCount: Int = ManifestStore.defaultMaximumLogByteCount
  ) throws -> ManifestStore {
    let isThere = try fileSystem.exists(joinedPath(directory, StoreLayout.currentFileName))
    switch mode {
    case .readOnly:
      guard isThere else { throw noStore(directory, fileSystem) }
      let state = try load(fileSystem, directory, isReadOnly: true)
      return ManifestStore(
        fileSystem: fileSystem, directory: directory, isReadOnly: true, maximumLogByteCount: maximumLogByteCount,
        state: state, nextFileNumber: state.version.nextFileNumber)
    case .readWrite(let settings):
      if !isThere {
        guard let settings else { throw noStore(directory, fileSystem) }
        try create(fileSystem, directory, settings)
      }
      var state = try load(fileSystem, directory, isReadOnly: false)
      let path = joinedPath(directory, StoreLayout.manifestFileName(state.header.number))
      let file = try fileSystem.open(path, .update)
      if state.ending == .torn {
        try file.truncate(to: state.endOffset)
        try file.sync()
        state.ending = .clean
      }
      state.file = file
      let store = ManifestStore(
        fileSystem: fileSystem, directory: directory, isReadOnly: false, maximumLogByteCount: maximumLogByteCount,
        state: state, nextFileNumber: state.version.nextFileNumber)
      try store.makeReadRecordsDurable()
      let nextFileNumber = try store.log.withLock { try sweep(fileSystem, directory, current: $0) }
      store.fileNumber.withLock { $0 = nextFileNumber }
      return store
    }
  }

  /// The newest committed version; for readers, the one of the last refresh.
  package var current: ManifestVersion { version.withLock { $0 } }

  /// What is wrong with CURRENT, which is replaced when the store is next opened for writing.
  package var currentDamage: TracestoreError? { log.withLock { $0.currentDamage } }

  /// Why commits fail, once the manifest is poisoned.
  package var failure: TracestoreError? { log.withLock { $0.failure } }

  /// A number that no file has had, and none will get again once a commit has followed.
  package func allocateFileNumber() -> UInt64 {
    precondition(!isReadOnly, "a reader makes no files")
    return fileNumber.withLock { number in
      let result = number
      number += 1
      return result
    }
  }

  /// Makes the edit durable and current. After any error but `diskFull` and `invalidArgument` nothing is promised and
  /// every later commit fails with `poisoned`; after these two the edit has left no trace. One write, one sync.
  @discardableResult
  package func commit(_ edit: ManifestEdit) throws -> ManifestVersion {
    guard !isReadOnly else { throw TracestoreError(.readOnly, "the store is open for reading only", path: directory) }
    return try log.withLock { state in
      if let failure = state.failure { throw failure }
      var edit = edit
      let allocated = fileNumber.withLock { $0 }
      if allocated > state.version.nextFileNumber { edit.entries.append(.nextFileNumber(allocated)) }
      let next = try checked(state.version, edit)
      if UInt64(maximumLogByteCount) < state.endOffset, state.endOffset / 2 > state.snapshotByteCount,
        try rewrite(&state, as: next)
      {
        state.version = next
      } else {
        try append(edit, as: next, &state)
      }
      version.withLock { $0 = next }
      return next
    }
  }

  private func checked(_ version: ManifestVersion, _ edit: ManifestEdit) throws -> ManifestVersion {
    do {
      return try version.applying(edit, sequence: version.sequence + 1)
    } catch ManifestDecodingError.malformed(let reason), ManifestDecodingError.unsupported(let reason) {
      throw TracestoreError(.invalidArgument, "the edit does not fit the manifest: \(reason)", path: directory)
    }
  }

  /// Takes up what the writer has committed since. Costs what is new, unless the log was rewritten.
  @discardableResult
  package func refresh() throws -> ManifestVersion {
    guard isReadOnly else { return current }
    return try log.withLock { state in
      state = try Self.refreshed(state, fileSystem, directory)
      let newest = state.version
      version.withLock { $0 = newest }
      return newest
    }
  }

  /// Closes the file; later commits fail with `closed`.
  package func close() {
    log.withLock { state in
      state.file?.close()
      state.file = nil
      state.failure = state.failure ?? TracestoreError(.closed, "the manifest is closed", path: directory)
    }
  }
}

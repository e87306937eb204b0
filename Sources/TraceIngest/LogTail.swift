package import TraceFiles
package import TraceManifest
import TraceModel
package import TraceWAL

/// Reads the requests of the log as they are acknowledged, from some moment on. It is a reader like any other: the writer
/// does nothing for it and does not know of it. For one thread at a time; blocking.
///
/// What the log was trimmed of before it was read is counted, not waited for.
package struct LogTail {
  private let fileSystem: any FileSystem
  private let directory: String
  private let manifest: ManifestStore
  private var cursor = WALCursor()
  /// The sequence of the frame that comes next when none is missing.
  private var nextSequence: UInt64 = 0
  /// Frames that were not there any more, since `takeLost()` was called last.
  private var lostRequestCount: UInt64 = 0

  package init(fileSystem: any FileSystem, logDirectory: String, manifest: ManifestStore) {
    self.fileSystem = fileSystem
    directory = logDirectory
    self.manifest = manifest
  }

  /// Passes over what is there.
  package mutating func skipToEnd() throws {
    try reading { reader in while try reader.next() != nil {} }
    nextSequence = max(cursor.minimumSequence, try manifest.refresh().walTrimmedBelow)
  }

  /// Calls `body` with requests that have come, in the order of the log, until it returns false or there are no more.
  package mutating func forEachRequest(_ body: (WALRecord) throws -> Bool) throws {
    var (next, lost) = (nextSequence, lostRequestCount)
    defer { (nextSequence, lostRequestCount) = (next, lost) }
    try reading { reader in
      while let record = try reader.next() {
        try record.checkIsRequest()
        if record.sequence > next { lost += record.sequence - next }
        next = record.sequence &+ 1
        if try !body(record) { return }
      }
    }
  }

  package mutating func takeLost() -> UInt64 {
    defer { lostRequestCount = 0 }
    return lostRequestCount
  }

  private mutating func reading(_ body: (inout WALReader) throws -> Void) throws {
    guard try fileSystem.exists(directory) else { return }
    for attempt in 0..<8 {
      do {
        var reader = try WALReader(
          fileSystem: fileSystem, directory: directory, storeID: manifest.current.settings.storeID, mode: .published,
          from: cursor, mayBeTrimmed: attempt < 7)
        defer { cursor = reader.cursor }
        return try body(&reader)
      } catch let error as TracestoreError
        where attempt < 7 && (error.code == .snapshotExpired || error.code == .notFound)
      {
        try passTrimmed()
      }
    }
  }

  /// Goes on with the first frame that the log still has.
  private mutating func passTrimmed() throws {
    cursor = WALCursor(
      minimumSequence: max(cursor.minimumSequence, try manifest.refresh().walTrimmedBelow))
  }
}

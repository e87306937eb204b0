package import TraceFiles
import TraceManifest

extension TraceStore {
  /// What a snapshot consists of.
  public struct SnapshotReport: Hashable, Sendable {
    public var fileCount = 0
    public var byteCount: UInt64 = 0
    /// Of `byteCount`, what is shared with the store: its files have a second name, because both folders are in one file
    /// system. It takes no room until the store lets go of them.
    public var sharedByteCount: UInt64 = 0
    /// Final spans and partial records.
    public var recordCount = 0

    public init() {}
  }

  /// Makes another folder a store of its own with everything that was acknowledged before the call: a backup that can be
  /// opened, verified and written to like any other store, and that nothing of this one changes.
  ///
  /// What is in memory is sealed first. Files are shared where the file system can, else copied; with sharing it takes
  /// milliseconds. Reads and writes go on meanwhile; merges, retention and deletes wait, so a snapshot holds what is
  /// deleted here later. A store in memory is copied to the disk. The snapshot is durable when this returns; after a crash or
  /// an error before that, the folder is no store.
  ///
  /// A store that is open for reading can be copied as well, as long as every span is in a segment: so is a snapshot restored.
  ///
  /// - Parameter path: a folder that is not there yet, or empty.
  /// - Throws: `invalidArgument` when there is something in the folder; `readOnly` when spans stand in the log of a store that
  ///   is open for reading; `closed`, `diskFull`, `inputOutput`; `notFound` when a segment is gone. What was made is removed
  ///   then.
  @discardableResult
  public func snapshot(to path: String) async throws -> SnapshotReport {
    try await snapshot(to: path, in: core.fileSystem is SimulatedFileSystem ? RealFileSystem() : nil)
  }

  /// For tests: in the store's own file system whatever it is, or in another one.
  @discardableResult
  package func snapshot(to path: String, in other: (any FileSystem)?) async throws -> SnapshotReport {
    let (copy, version) = try await core.copy(to: path, in: other)
    var report = SnapshotReport()
    report.fileCount = copy.fileCount
    report.byteCount = copy.byteCount
    report.sharedByteCount = copy.linkedByteCount
    report.recordCount = version.files(of: .segment).reduce(0) {
      $0 + Int(clamping: $1.rowCount) + Int(clamping: $1.partialRecordCount)
    }
    return report
  }
}

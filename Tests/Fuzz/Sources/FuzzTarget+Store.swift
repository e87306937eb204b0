import TraceFiles
import TraceIngest
import TraceInspect
import TraceManifest
import TraceModel
import TraceWAL

extension FuzzTarget {
  static let storeID = StoreID(first: 0, second: 0)
  static let logDirectory = "/store/wal"
  static let logPath = "/store/wal/wal-0000000000000001.log"
  static let positionPath = "/store/wal/wal.position"

  /// A log file: read, followed, inspected, recovered, replayed.
  func log(_ bytes: [UInt8]) throws {
    let files = try fileSystem([(Self.logPath, bytes)])
    for mode in [WALReader.Mode.everything, .published] {
      var reader = try WALReader(fileSystem: files, directory: Self.logDirectory, storeID: nil, mode: mode)
      while let record = try reader.next() { _ = try? record.payload() }
    }
    _ = try Inspector(fileSystem: files).explain(Self.logPath)
    var replay = LogReplay(
      IngestOptions(sealRowCount: .max, sealByteCount: .max, stripeRowCount: 1 << 15, isZeroEndOpen: true))
    var found: [UInt64] = []
    _ = try recover(files) { record in
      found.append(record.sequence)
      _ = try? replay.append(record) { _ in }
    }
    // Recovery cuts the tail off; doing it again gives the same frames.
    var again: [UInt64] = []
    _ = try recover(files) { again.append($0.sequence) }
    precondition(found == again, "a second recovery finds other frames")
  }

  private func recover(_ files: SimulatedFileSystem, _ body: (WALRecord) throws -> Void) throws -> WALRecoveryReport {
    try WALRecovery.run(fileSystem: files, directory: Self.logDirectory, storeID: Self.storeID, body)
  }

  /// A position file beside a log file of two frames, at the end of the input.
  func position(_ bytes: [UInt8]) throws {
    let slots = Array(bytes.prefix(128))
    let files = try fileSystem([(Self.positionPath, slots), (Self.logPath, Array(bytes.dropFirst(128)))])
    _ = try WALPositions.read(fileSystem: files, directory: Self.logDirectory, storeID: nil)
    _ = try Inspector(fileSystem: files).explain(Self.positionPath)
    var reader = try WALReader(
      fileSystem: files, directory: Self.logDirectory, storeID: Self.storeID, mode: .published)
    while let record = try reader.next() { _ = try? record.payload() }
  }

  /// 32 bytes of `CURRENT`, then the manifest that it may name.
  func manifest(_ bytes: [UInt8]) throws {
    let current = "/store/\(StoreLayout.currentFileName)"
    let path = "/store/\(StoreLayout.manifestFileName(1))"
    let files = try fileSystem([(current, Array(bytes.prefix(32))), (path, Array(bytes.dropFirst(32)))])
    _ = try Inspector(fileSystem: files).explain(path)
    _ = try Inspector(fileSystem: files).explain(current)
    let reader = try ManifestStore.open(fileSystem: files, directory: "/store", mode: .readOnly)
    let version = reader.current
    _ = try reader.refresh()
    reader.close()
    let writer = try ManifestStore.open(fileSystem: files, directory: "/store", mode: .readWrite(create: nil))
    precondition(writer.current.files.count == version.files.count, "a writer finds other files than a reader")
    _ = writer.allocateFileNumber()
    writer.close()
  }
}

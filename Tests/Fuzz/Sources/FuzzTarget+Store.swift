import TraceFiles
import TraceIngest
import TraceInspect
import TraceManifest
import TraceModel
import TraceSegment
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

  /// A metrics segment: what decodes is written as the same figures again, and merges with itself.
  func metrics(_ bytes: [UInt8]) throws {
    let path = "/store/metrics-0000000000000001.seg"
    _ = try Inspector(fileSystem: fileSystem([(path, bytes)])).explain(path)
    let figures = try HourlyFigures(bytes, path: path)
    let again = try HourlyFigures(figures.encoded(), path: path)
    precondition(again == figures, "figures that change when they are written")
    var twice = figures
    twice.merge(figures)
    precondition(twice.cellCount == figures.cellCount, "hours that a merge makes")
    for cells in figures.series.values {
      for cell in cells.values { _ = cell.finish(0.5) }
    }
  }
}

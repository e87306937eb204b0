import TraceBytes
package import TraceColumns
package import TraceFiles
import TraceModel
package import TraceSegment

/// A file that the manifest names and that cannot be read.
package struct UnreadableFile: Sendable {
  package let key: ManifestFileKey
  /// A sentence that names the place.
  package let reason: String
}

/// How segments come into a store's directory, and back into memory.
///
/// A segment is published (LAW 2) by a temporary file, sync, rename, sync of the directory, and a manifest edit that
/// names it. This type does all but the edit: what it wrote and no edit names is swept when the store is opened.
/// Thread-safe; blocking.
package final class SegmentFiles: Sendable {
  let fileSystem: any FileSystem
  let directory: String
  let manifest: ManifestStore
  private let cache: BlockCache
  private let pool: FilePool
  package let options: SegmentOptions

  /// Segments that are open at a time, unless the store's owner wants fewer files open.
  package static let maximumOpenCount = 224

  /// - Parameter maximumOpenCount: segments beyond it are opened again when they are read.
  package init(
    fileSystem: any FileSystem, directory: String, manifest: ManifestStore, cache: BlockCache,
    maximumOpenCount: Int = SegmentFiles.maximumOpenCount, options: SegmentOptions = SegmentOptions()
  ) {
    self.fileSystem = fileSystem
    pool = FilePool(fileSystem, maximumOpenCount: maximumOpenCount)
    self.directory = directory
    self.manifest = manifest
    self.cache = cache
    self.options = options
  }

  /// Writes rows of a table as a segment under a number of its own, durably. The entry says what the segment itself
  /// knows; arrival, window, level and sequences are the caller's.
  ///
  /// - Throws: what the file system throws; the temporary file is removed then, which gives a full disk its room back.
  package func write(
    _ view: SpanTable.View, rows: [UInt32], partialRows: [UInt32], parallel: SegmentParallelism
  ) throws -> ManifestFile {
    let key = ManifestFileKey(kind: .segment, number: manifest.allocateFileNumber())
    let path = joinedPath(directory, StoreLayout.fileName(key))
    let temporary = path + StoreLayout.temporarySuffix
    do {
      let file = try fileSystem.open(temporary, .create)
      defer { file.close() }
      let statistics = try SegmentWriter.write(
        view, rows: rows, partialRows: partialRows, options: options, to: file, parallel: parallel)
      try file.sync()
      try fileSystem.rename(temporary, to: path)
      try fileSystem.syncDirectory(directory)
      return ManifestFile(
        key: key, statistics.totals, byteCount: statistics.byteCount, footerHash: statistics.footerHash)
    } catch {
      try? fileSystem.remove(temporary)
      throw error
    }
  }

  /// How often a segment was gone when it was to be read again: another process had merged it away.
  package var lostFileCount: Int { pool.lostFileCount }

  /// Opens the segment that an entry names.
  ///
  /// - Parameter cache: where its blocks are kept; nil for the store's cache.
  /// - Throws: as `openFile(_:)`, and what is wrong with the segment.
  package func open(_ file: ManifestFile, cache: BlockCache? = nil) throws -> Segment {
    try Segment.open(
      file: try openFile(file), number: file.key.number, path: joinedPath(directory, StoreLayout.fileName(file.key)),
      cache: cache ?? self.cache, expectedFooterHash: file.footerHash)
  }

  /// Opens the file that an entry names.
  ///
  /// - Throws: `corrupt` also for a file that is gone and that the newest manifest still names; `notFound` for one that
  ///   it does not name any more.
  func openFile(_ file: ManifestFile) throws -> any File {
    let path = joinedPath(directory, StoreLayout.fileName(file.key))
    do { return try pool.open(path) } catch let error as TracestoreError where error.code == .notFound {
      guard try manifest.refresh().file(file.key) != nil else { throw error }
      throw TracestoreError(.corrupt, "the segment that the manifest names is gone; restore it from a copy", path: path)
    }
  }

  /// The segments of a version, ascending by number. What is wrong with one is no reason to do without the others: it is
  /// left out, and named in `unreadable`.
  ///
  /// - Parameter known: segments that are open already, by number.
  package func openAll(
    _ version: ManifestVersion, known: [UInt64: Segment] = [:]
  ) throws -> (segments: [Segment], unreadable: [UnreadableFile]) {
    try openAll(version.files(of: .segment)) { try known[$0.key.number] ?? open($0) }
  }

  func openAll<Opened>(
    _ files: ArraySlice<ManifestFile>, _ open: (ManifestFile) throws -> Opened
  ) throws -> (segments: [Opened], unreadable: [UnreadableFile]) {
    var segments: [Opened] = []
    var unreadable: [UnreadableFile] = []
    for file in files {
      do { segments.append(try open(file)) } catch let error as TracestoreError where error.code == .corrupt {
        unreadable.append(UnreadableFile(key: file.key, reason: "\(error)"))
      }
    }
    return (segments, unreadable)
  }

  /// Removes a segment that no edit names. Whoever has it open goes on reading; what cannot be removed now is swept
  /// when the store is opened.
  package func discard(_ file: ManifestFile) {
    let path = joinedPath(directory, StoreLayout.fileName(file.key))
    // A name that cannot be kept open for those who read it stays.
    if (try? pool.keep(path)) != nil { try? fileSystem.remove(path) }
    cache.removeBlocks(ofFile: file.key.number)
  }
}

extension ManifestFile {
  /// What a segment says about itself.
  init(key: ManifestFileKey, _ totals: SegmentTotals, byteCount: UInt64, footerHash: Hash128) {
    self.init(key: key)
    self.byteCount = byteCount
    self.footerHash = footerHash
    rowCount = totals.rowCount
    partialRecordCount = totals.partialCount
    traceCount = totals.traceCount
    guard totals.rowCount > 0 else { return }
    minimumStartNanoseconds = totals.minimumStart
    maximumStartNanoseconds = totals.maximumStart
    maximumEndNanoseconds = totals.maximumEnd
    longestTraceNanoseconds = totals.longestTraceDuration
  }
}

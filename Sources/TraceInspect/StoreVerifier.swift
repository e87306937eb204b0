import TraceBytes
package import TraceFiles
import TraceManifest
import TraceModel
import TraceOTLP
import TraceSegment
import TraceWAL

/// What a check of a whole store found.
package struct VerificationReport: Sendable {
  package var fileCount = 0
  /// Pages, frames and other parts with a checksum of their own that were read.
  package var pageCount = 0
  package var damages: [InspectedDamage] = []
  /// Files of the store that its manifest does not count. They are no damage: nothing reads them, and they go when the
  /// store is next opened for writing, unless a writer is at work on them now.
  package var orphans: [OrphanFile] = []
  package var isNewerFormat = false

  mutating func note(_ error: any Error, file: String, at offset: UInt64) {
    if let known = error as? TracestoreError, known.code == .unsupportedFormat { isNewerFormat = true }
    let damage = InspectedDamage(error, file: file, offset: offset)
    if !damages.contains(damage) { damages.append(damage) }
  }

  package var json: JSONValue {
    .object([
      ("files", .count(fileCount)), ("pages", .count(pageCount)), ("damaged", .array(damages.map(\.json))),
      (
        "orphans",
        .array(orphans.map { .object([("file", .string($0.path)), ("bytes", .number($0.byteCount))]) })
      ),
    ])
  }
}

/// A file that a store would not miss.
package struct OrphanFile: Hashable, Sendable {
  package var path: String
  package var byteCount: UInt64
}

/// Reads every checksum of a store and compares what its files say about each other. Works on a live store.
package struct StoreVerifier: Sendable {
  private let fileSystem: any FileSystem
  private let directory: String

  package init(_ directory: String, fileSystem: any FileSystem = RealFileSystem()) {
    self.fileSystem = fileSystem
    self.directory = directory
  }

  /// - Parameter isDeep: also decodes every record of every segment and every request of the log.
  /// - Throws: `notFound` when there is no store, `inputOutput` when the folder cannot be read.
  package func run(isDeep: Bool) throws -> VerificationReport {
    let current = joinedPath(directory, StoreLayout.currentFileName)
    guard try fileSystem.exists(current) else {
      throw ManifestStore.noStore(directory)
    }
    var report = VerificationReport()
    // CURRENT and the manifest that it names.
    report.fileCount += 2
    let manifest: ManifestStore
    do {
      manifest = try ManifestStore.open(fileSystem: fileSystem, directory: directory, mode: .readOnly)
    } catch {
      report.note(error, file: current, at: 0)
      return report
    }
    defer { manifest.close() }
    report.pageCount += 2
    for file in manifest.current.files { verify(file, isDeep: isDeep, &report) }
    verifyLog(manifest, isDeep: isDeep, &report)
    do {
      // Of the last refresh, so that what a writer has published meanwhile is not taken for an orphan.
      for name in try manifest.leftovers() {
        let path = joinedPath(directory, name)
        guard let file = try? fileSystem.open(path, .read) else { continue }
        defer { file.close() }
        report.orphans.append(OrphanFile(path: path, byteCount: try file.byteCount()))
      }
    } catch {
      report.note(error, file: directory, at: 0)
    }
    return report
  }

  private func verify(_ entry: ManifestFile, isDeep: Bool, _ report: inout VerificationReport) {
    let path = joinedPath(directory, StoreLayout.fileName(entry.key))
    report.fileCount += 1
    do {
      let file = try fileSystem.open(path, .read)
      defer { file.close() }
      let byteCount = try file.byteCount()
      guard byteCount == entry.byteCount else {
        throw TracestoreError(
          .corrupt, "the file has \(byteCount) bytes, and the manifest says \(entry.byteCount)", path: path,
          offset: min(byteCount, entry.byteCount))
      }
      if entry.key.kind == .dependencies {
        let bytes = try fileSystem.contents(ofFile: path, maximumByteCount: Inspector.maximumWholeByteCount)
        guard Hash128(of: bytes) == entry.footerHash else {
          throw TracestoreError(.corrupt, "the file is not the one that the manifest names", path: path, offset: 0)
        }
        _ = try DependencySnapshot(bytes, path: path)
        report.pageCount += 1
      }
      if entry.key.kind == .metricsSegment {
        let figures = try MetricsSegment(
          file: file, number: entry.key.number, path: path, byteCount: entry.byteCount, hash: entry.footerHash
        ).figures()
        guard figures.cellCount == entry.rowCount else {
          throw TracestoreError(
            .corrupt, "the metrics segment and the manifest disagree about what it holds", path: path, offset: 0)
        }
        report.pageCount += 1
      }
      guard entry.key.kind == .segment else { return }
      let segment = try Segment.open(
        file: file, number: entry.key.number, path: path,
        cache: BlockCache(maximumByteCount: Inspector.cacheByteCount), expectedFooterHash: entry.footerHash)
      let totals = segment.totals
      guard totals.rowCount == entry.rowCount, totals.traceCount == entry.traceCount,
        totals.partialCount == entry.partialRecordCount
      else {
        throw TracestoreError(
          .corrupt, "the segment and the manifest disagree about what it holds", path: path, offset: 0)
      }
      let found = segment.verify(deep: isDeep)
      report.pageCount += found.pageCount
      for damage in found.damages {
        report.note(
          TracestoreError(.corrupt, damage.what, path: damage.path, offset: damage.offset), file: path,
          at: damage.offset)
      }
    } catch {
      report.note(error, file: path, at: 0)
    }
  }

  private func verifyLog(_ manifest: ManifestStore, isDeep: Bool, _ report: inout VerificationReport) {
    let log = joinedPath(directory, StoreLayout.walDirectoryName)
    /// A writer may trim the log while it is read; what it trims is in segments.
    for attempt in 1...8 {
      do {
        guard try fileSystem.kind(of: log) == .directory else { return }
        var pageCount = 0
        let fileCount = try fileSystem.contents(ofDirectory: log).count { WALFormat.fileNumber($0) != nil }
        let version = try manifest.refresh()
        var reader = try WALReader(
          fileSystem: fileSystem, directory: log, storeID: version.settings.storeID, mode: .everything,
          from: WALCursor(minimumSequence: version.walTrimmedBelow))
        while let record = try reader.next() {
          pageCount += 1
          let payload = try record.payload()
          // What no reader of this version opens is not well, whole as it may be.
          try record.checkIsRequest()
          if isDeep { _ = try OTLP.decode(payload) }
        }
        report.fileCount += fileCount
        report.pageCount += pageCount
        for gap in reader.gaps where gap.isDamage {
          report.note(
            TracestoreError(.corrupt, gap.reason, path: gap.path, offset: gap.offset), file: gap.path, at: gap.offset)
        }
        return
      } catch let error as TracestoreError
        where attempt < 8 && (error.code == .notFound || error.code == .snapshotExpired)
      {
        continue
      } catch {
        report.note(error, file: log, at: 0)
        return
      }
    }
  }
}
